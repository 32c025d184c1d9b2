"""What a place promises, whether it is here or at a URL."""

import pickle
import uuid

import pytest

from serprep.errors import StoreError
from serprep.place.place import at


@pytest.fixture(params=["local", "file url", "memory"])
def folder(request, tmp_path):
    root = {
        "local": str(tmp_path / "data"),
        "file url": f"file://{tmp_path}/data",
        "memory": f"memory://{uuid.uuid4().hex}/data",
    }[request.param]
    (tmp_path / "data").mkdir()
    return at(root)


def test_what_is_written_is_read(folder):
    folder.write("parts/a", b"0123456789")
    assert folder.read("parts/a") == b"0123456789"
    assert folder.read("parts/a", 3) == b"3456789"
    assert folder.read("parts/a", 3, 5) == b"34"
    assert folder.read("parts/a", 0, 2) == b"01"
    folder.write("parts/a", b"new")
    assert folder.read("parts/a") == b"new"


def test_names_are_sorted_direct_and_whole(folder):
    assert folder.names("parts") == []
    for name in ("parts/b", "parts/a", "parts/deep/c", "parts/.a.123.tmp", "other/d"):
        folder.write(name, b"x")
    assert folder.names("parts") == ["parts/a", "parts/b"]


def test_files_exist_until_they_are_removed(folder):
    assert not folder.exists("parts/a")
    folder.write("parts/a", b"x")
    assert folder.exists("parts/a")
    assert not folder.exists("parts")
    folder.remove("parts/a")
    folder.remove("parts/a")
    assert not folder.exists("parts/a")
    with pytest.raises(FileNotFoundError, match="parts/a"):
        folder.read("parts/a")


def test_a_folder_travels_to_another_process(folder):
    folder.write("a", b"x")
    again = pickle.loads(pickle.dumps(folder))  # noqa: S301 - our own bytes
    assert again.read("a") == b"x"
    assert again.path("a") == folder.path("a")


def test_paths_of_names_are_absolute(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert at("data").path("a/b") == str(tmp_path.resolve() / "data/a/b")
    assert at("s3://bucket/data/").path("a/b") == "s3://bucket/data/a/b"


def test_what_lies_directly_in_a_folder_and_below(folder):
    assert folder.entries("none") == {} and folder.below("none") == {} and not folder.holds("none")
    folder.write("a/b/c", b"123")
    folder.write("a/d", b"1")
    assert folder.entries("a") == {"b": False, "d": True}
    assert folder.files() == {"a/b/c", "a/d"} and (folder / "a").files() == {"b/c", "d"}
    assert folder.holds("a") and folder.holds("a/d") and not folder.exists("a")
    assert list(folder.below("a/d")) == [""] and folder.below("a/d")[""].size >= 1
    assert abs(folder.below("a/d")[""].modified - folder.now(write=True)) < 3600
    with folder.open("a/b/c") as file:
        assert file.seek(1) == 1 and file.read() == b"23"
    folder.remove_all(["a/b", "a/none"])
    assert folder.files() == {"a/d"}


def test_a_name_is_created_once(folder):
    assert folder.create("tags/x", b"1") and folder.read("tags/x") == b"1"
    assert folder.create("tags/x", b"1")
    assert folder.names("tags") == ["tags/x"]


def staged(folder, names, mark="root"):
    """What is published as "s" after these files were staged."""
    with folder.stage("v/s", mark, replace=folder.is_whole("v/s", mark)) as stage:
        for name in names:
            path = stage.here / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(f"{names}")
        at(stage.target).write("shard", b"of a worker")
        assert not folder.is_whole("v/s", mark)
        folder.publish(stage, "v/s", mark, changed=True, quiet=True)
    return folder.files()


def test_what_is_published_appears_whole_and_nothing_else_stays(folder):
    assert staged(folder, ["root", "a/b"]) == {"v/s/root", "v/s/a/b", "v/s/shard"}
    assert folder.is_whole("v/s", "root")
    whole = []
    folder.withdraw("v/s", "root", unless=lambda: not whole.append(folder.is_whole("v/s", "root")))
    assert whole == [False] and folder.files() == {"v/s/root", "v/s/a/b", "v/s/shard"}
    folder.withdraw("v/s", "root")
    assert folder.files() == set() and not folder.is_whole("v/s", "root")
    folder.withdraw("v/s", "root")  # somebody else was faster


def test_what_was_not_published_is_gone_or_unfinished(folder):
    with pytest.raises(OSError, match="killed"), folder.stage("v/s", "root", replace=False) as stage:
        at(stage.target).write("shard", b"of a worker")
        raise OSError("killed")
    assert not folder.is_whole("v/s", "root")
    assert not [name for name in folder.entries("v") if name.endswith(".tmp")]


def test_a_file_is_published_by_the_worker_that_writes_it(folder):
    with folder.stage("v/s.h5", "", replace=False) as stage:
        with at(stage.target).new_file() as path:
            path.write_bytes(b"whole")
        folder.publish(stage, "v/s.h5", "", changed=True, quiet=True)
    assert folder.files() == {"v/s.h5"} and folder.read("v/s.h5") == b"whole"


def test_nothing_is_written_into_a_store(folder):
    folder.write("a/x.zarr/zarr.json", b"")
    for name in ("a/x.zarr", "a/x.zarr/deep/y"):
        with pytest.raises(StoreError, match=r"(it is a|in the) store.*, and a store never changes; name another"):
            (folder / name).refuse_store()
    (folder / "a").refuse_store()
    (folder / "a/y.zarr").refuse_store()


def test_answers_come_in_order(folder):
    assert list(folder.each(lambda n: n * n, range(40))) == [n * n for n in range(40)]


def test_links_in_a_circle_are_a_place_like_any_other(tmp_path):
    """`Path.resolve` raises a RuntimeError up to Python 3.12, which nobody expects of a path."""
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    place = at("a", base=tmp_path)
    assert place.path("x").startswith(str(tmp_path))
    with pytest.raises(OSError, match="symbolic links"):
        place.read("x")
