import os
import re
import threading
from pathlib import Path

import pytest

from serprep.errors import ManifestError, RecipeError, SplitError, StoreError
from serprep.files import make_read_only, read_regular, refuse_store, remove_tree, write_other, write_whole
from serprep.manifest.table import read_manifest
from serprep.recipe import read_recipe
from serprep.split import read_split


def touch(root, *names):
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()


def mode(path):
    return path.stat().st_mode & 0o777


# -- stores never change -------------------------------------------------------------


def test_nothing_is_written_into_a_store_or_over_one(tmp_path):
    touch(tmp_path, "a.zarr/zarr.json", "a.zarr/utterances/id/c/0", "b.h5", "c.zarr/notes.txt", "d.zarr.bak/zarr.json")
    (tmp_path / "link").symlink_to(tmp_path / "a.zarr" / "utterances")
    inside = ("a.zarr/x", "a.zarr/utterances/id/c/0", "a.zarr/new/y.html", "link/x", "a.zarr/zarr.json")
    for name in inside:
        with pytest.raises(
            StoreError, match=r"it lies in the store .*a\.zarr, and a store never changes; name another"
        ):
            write_whole(tmp_path / name, b"x")
    for name in ("a.zarr", "b.h5"):
        with pytest.raises(StoreError, match=rf"{re.escape(name)}: it is a store, and a store never changes"):
            write_whole(tmp_path / name, b"x")
    assert (tmp_path / "a.zarr" / "zarr.json").read_bytes() == (tmp_path / "b.h5").read_bytes() == b""
    assert sorted(path.name for path in (tmp_path / "a.zarr").iterdir()) == ["utterances", "zarr.json"]
    for name in ("c.zarr/x", "d.zarr.bak/x", "a.zarr.html", "new.h5", "new.zarr/x"):
        write_whole(tmp_path / name, b"x")
    refuse_store(tmp_path)


def test_a_store_is_found_from_within(tmp_path, monkeypatch):
    touch(tmp_path, "a.zarr/zarr.json")
    monkeypatch.chdir(tmp_path / "a.zarr")
    with pytest.raises(StoreError, match=r"report\.html: it lies in the store"):
        refuse_store(Path("report.html"))


def test_read_only_folders_and_files(tmp_path):
    touch(tmp_path, "a/b/c", "a/d", "f")
    (tmp_path / "a/b/c").chmod(0o640)
    (tmp_path / "a/b").chmod(0o750)
    (tmp_path / "a").chmod(0o777)
    make_read_only(tmp_path / "a")
    assert [mode(tmp_path / name) for name in ("a", "a/b", "a/b/c")] == [0o555, 0o550, 0o440]
    (tmp_path / "f").chmod(0o666)
    make_read_only(tmp_path / "f")
    assert mode(tmp_path / "f") == 0o444


def test_a_read_only_tree_can_be_removed_and_its_links_stay_read_only(tmp_path):
    touch(tmp_path, "a/b/c/d", "a/e")
    os.link(tmp_path / "a/b/c/d", tmp_path / "twin")
    make_read_only(tmp_path / "a")
    remove_tree(tmp_path / "a")
    assert not (tmp_path / "a").exists()
    assert mode(tmp_path / "twin") == 0o444
    remove_tree(tmp_path / "a", ignore_errors=True)
    with pytest.raises(FileNotFoundError, match="No such file"):
        remove_tree(tmp_path / "a")


# -- writing whole -------------------------------------------------------------------


def test_write_other_leaves_a_file_alone_that_holds_the_same(tmp_path):
    path = tmp_path / "a"
    write_other(path, b"1")
    first = path.stat().st_ino
    write_other(path, b"1")
    assert path.stat().st_ino == first
    write_other(path, b"2")
    assert path.read_bytes() == b"2"


def test_write_whole_makes_folders_replaces_and_leaves_nothing_beside(tmp_path):
    path = tmp_path / "a/b/file.json"
    write_whole(path, b"old")
    write_whole(path, b"new")
    assert path.read_bytes() == b"new"
    assert os.listdir(path.parent) == ["file.json"]  # noqa: PTH208 - names are what is compared


def test_write_whole_takes_the_longest_names(tmp_path):
    for name in ("n" * 255, "ü" * 127, "語" * 85, "😀" * 63):
        write_whole(tmp_path / name, b"x")
        assert (tmp_path / name).read_bytes() == b"x"


def test_a_failed_write_leaves_the_old_file_and_nothing_beside(tmp_path, monkeypatch):
    write_whole(tmp_path / "file", b"old")

    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space left"):
        write_whole(tmp_path / "file", b"new")
    assert {path.name: path.read_bytes() for path in tmp_path.iterdir()} == {"file": b"old"}


def test_a_reader_sees_one_version_or_the_other_whole(tmp_path):
    versions = [bytes([number]) * 100_000 for number in range(2)]
    write_whole(tmp_path / "file", versions[0])
    stop = threading.Event()
    torn = []

    def read():
        while not stop.is_set():
            data = (tmp_path / "file").read_bytes()
            if data not in versions:
                torn.append(len(data))

    reader = threading.Thread(target=read)
    reader.start()
    for number in range(40):
        write_whole(tmp_path / "file", versions[number % 2])
    stop.set()
    reader.join()
    assert torn == []


def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match="not a regular file"):
        read_regular(tmp_path / "pipe")
    for read, error in ((read_recipe, RecipeError), (read_manifest, ManifestError), (read_split, SplitError)):
        with pytest.raises(error, match="pipe: not a regular file"):
            read(tmp_path / "pipe")
    (tmp_path / "file").write_bytes(b"x")
    assert read_regular(tmp_path / "file") == b"x"


def test_a_device_stays_one(tmp_path) -> None:
    """What is written to /dev/null, here by a link to it, does not take its place."""
    (tmp_path / "null").symlink_to(os.devnull)
    write_whole(tmp_path / "null", b"data")
    assert (tmp_path / "null").is_symlink() and [path.name for path in tmp_path.iterdir()] == ["null"]


def test_what_cannot_be_replaced_is_named_and_not_the_file_beside_it(tmp_path):
    (tmp_path / "folder").mkdir()
    with pytest.raises(OSError, match="directory") as failure:
        write_whole(tmp_path / "folder", b"")
    assert failure.value.filename == str(tmp_path / "folder") and failure.value.filename2 is None
    assert list(tmp_path.iterdir()) == [tmp_path / "folder"]
