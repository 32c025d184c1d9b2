"""What is true of a folder here alone."""

import os

from serprep.place.place import at


def test_hard_links_are_told(tmp_path):
    (tmp_path / "a").write_bytes(b"x" * 5000)
    os.link(tmp_path / "a", tmp_path / "b")
    (tmp_path / "c").symlink_to("a")
    below = at(tmp_path).below()
    assert below["a"] == below["b"] and below["a"].n_names == 2 and below["c"].content != below["a"].content
    assert below[""].size == 0 and set(below) == {"", "a", "b", "c"}
    assert at(tmp_path / "b").below()[""].content == below["a"].content


def test_a_link_that_leads_nowhere_is_there(tmp_path):
    (tmp_path / "a").symlink_to("nothing")
    place = at(tmp_path)
    assert place.holds("a") and not place.exists("a") and not place.is_whole("a", "")


def test_another_process_with_other_content_was_faster(tmp_path):
    place = at(tmp_path)
    assert place.create("a", b"1") and not place.create("a", b"2")
    assert place.read("a") == b"1" and os.listdir(tmp_path) == ["a"]  # noqa: PTH208 - names are what is compared


def test_use_is_noted_once_in_a_while(tmp_path):
    place, path = at(tmp_path), tmp_path / "a"
    path.touch()
    os.utime(path, (1, 1))
    place.touch("a", 3600)
    used = path.stat().st_mtime
    assert used > 1
    os.utime(path, (used - 1800, used - 1800))
    place.touch("a", 3600)
    assert path.stat().st_mtime == used - 1800
    place.touch("none", 3600)


def test_why_nothing_can_be_written(tmp_path, monkeypatch):
    assert at(tmp_path / "new").unwritable() == "" and (tmp_path / "new").is_dir()
    assert "is not there" in at(tmp_path / "nobody" / ".cache" / "x").unwritable()
    (tmp_path / "file").touch()
    assert at(tmp_path / "file").unwritable() == "File exists"
    monkeypatch.setattr("serprep.place.here.os.access", lambda *_: False)
    assert at(tmp_path).unwritable() == "it is read-only"


def test_a_store_that_is_replaced_is_swapped_and_one_that_has_not_changed_stays(tmp_path):
    place, final = at(tmp_path), tmp_path / "s"
    for text, changed, expected in (("1", True, "1"), ("2", False, "1"), ("3", True, "3")):
        with place.stage("s", "", replace=final.exists()) as stage:
            stage.here.write_text(text)
            place.publish(stage, "s", "", changed=changed, quiet=True)
        assert final.read_text() == expected and final.stat().st_mode & 0o222 == 0
        assert os.listdir(tmp_path) == ["s"]  # noqa: PTH208


def test_what_only_somebody_else_can_remove(tmp_path, monkeypatch):
    place, inner = at(tmp_path), tmp_path / "s" / "inner"
    inner.mkdir(parents=True)
    (inner / "a").touch()
    owner = os.geteuid()
    inner.chmod(0o555)
    assert place.removable("s") and place.removable("s/inner/a") and place.removable("none")  # one's own
    monkeypatch.setattr("serprep.place.here.os.geteuid", lambda: owner + 1)
    monkeypatch.setattr("serprep.place.here.os.access", lambda path, _: bool(path.stat().st_mode & 0o200))
    assert not place.removable("s") and not place.removable("s/inner/a")
    inner.chmod(0o755)
    assert place.removable("s") and place.removable("s/inner/a")
    (tmp_path / "s").chmod(0o1777)
    assert place.removable("s/inner/a") and not place.removable("s/inner")  # as in /tmp


def test_a_name_that_somebody_else_keeps_to_himself_is_taken(tmp_path, monkeypatch):
    place = at(tmp_path)
    assert place.create("a", b"1")

    def refuse(path):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr("serprep.place.here.open_regular", refuse)
    assert not place.create("a", b"1")
