import os
import pickle
import re
import threading
import uuid
from pathlib import Path

import pytest

from serprep.errors import ManifestError, RecipeError, SplitError, StoreError
from serprep.files import Folder, make_read_only, read_regular, refuse_store, remove_tree, unfollowed, walk, write_whole
from serprep.manifest.table import read_manifest
from serprep.recipe import read_recipe
from serprep.split import read_split

SUFFIXES = (".wav", ".flac")


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


# -- walking -------------------------------------------------------------------------


def test_walk_gives_sorted_relative_paths_with_slashes(tmp_path):
    touch(tmp_path, "b/2.wav", "b/1.flac", "a.wav", "c/d/e.wav", "b/notes.txt", "B/0.wav")
    assert list(walk(tmp_path, SUFFIXES)) == ["B/0.wav", "a.wav", "b/1.flac", "b/2.wav", "c/d/e.wav"]


def test_walk_takes_upper_case_suffixes_and_leaves_hidden_names(tmp_path):
    touch(tmp_path, "a.WAV", "b.Flac", "._a.wav", ".DS_Store", "Thumbs.db", "README", ".hidden/c.wav", "d.wav.txt")
    assert list(walk(tmp_path, SUFFIXES)) == ["a.WAV", "b.Flac"]


def test_walk_lists_folders_and_dangling_links_named_like_recordings(tmp_path):
    touch(tmp_path, "x.wav/inside.wav")
    (tmp_path / "y.wav").symlink_to("gone")
    assert list(walk(tmp_path, SUFFIXES)) == ["x.wav", "y.wav"]


def test_walk_follows_links_to_folders_and_ends_in_loops(tmp_path):
    touch(tmp_path, "real/a.wav")
    (tmp_path / "real/up").symlink_to(tmp_path)
    (tmp_path / "real/self").symlink_to(tmp_path / "real")
    (tmp_path / "other").symlink_to(tmp_path / "real")
    assert list(walk(tmp_path, SUFFIXES)) == ["real/a.wav"]
    elsewhere = "a link to a folder that is listed elsewhere"
    assert unfollowed(tmp_path, SUFFIXES) == [(name, elsewhere) for name in ("other", "real/self", "real/up")]


@pytest.mark.parametrize("n", [5, 8, 12])
def test_folders_that_link_to_one_another_are_listed_once(tmp_path, n):
    names = [f"{i:02}" for i in range(n)]
    touch(tmp_path, *(f"{name}/a.wav" for name in names))
    for name in names:
        for other in {*names} - {name}:
            (tmp_path / name / f"to{other}").symlink_to(tmp_path / other)
    assert list(walk(tmp_path, SUFFIXES)) == [f"{name}/a.wav" for name in names]
    assert len(unfollowed(tmp_path, SUFFIXES)) == n * (n - 1)


def test_a_link_to_itself_or_to_nothing_is_passed_over(tmp_path):
    touch(tmp_path, "b/x.wav")
    for name, target in (("a", "a"), ("c", "d"), ("d", "c"), ("e", "gone")):
        (tmp_path / name).symlink_to(target)
    assert list(walk(tmp_path, SUFFIXES)) == ["b/x.wav"]
    assert unfollowed(tmp_path, SUFFIXES) == [(name, "a link that leads nowhere") for name in "acde"]


def test_a_folder_that_only_links_lead_to_is_listed_at_the_first(tmp_path):
    touch(tmp_path, "elsewhere/x.wav", "elsewhere/deep/y.wav", "root/m.wav")
    for name in ("z", "k", "n"):
        (tmp_path / "root" / name).symlink_to(tmp_path / "elsewhere")
    (tmp_path / "root" / "copy.wav").symlink_to("m.wav")  # a link to a file is a file of its own name
    assert list(walk(tmp_path / "root", SUFFIXES)) == ["copy.wav", "k/deep/y.wav", "k/x.wav", "m.wav"]
    assert [path for path, _ in unfollowed(tmp_path / "root", SUFFIXES)] == ["n", "z"]


# -- writing whole -------------------------------------------------------------------


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


# -- folders, local and remote -------------------------------------------------------


@pytest.fixture(params=["local", "file url", "memory"])
def folder(request, tmp_path):
    root = {
        "local": str(tmp_path / "data"),
        "file url": f"file://{tmp_path}/data",
        "memory": f"memory://{uuid.uuid4().hex}/data",
    }[request.param]
    (tmp_path / "data").mkdir()
    return Folder(root)


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
    assert Folder("data").path("a/b") == str(tmp_path.resolve() / "data/a/b")
    assert Folder("s3://bucket/data/").path("a/b") == "s3://bucket/data/a/b"


def test_a_pipe_is_not_waited_for(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match="not a regular file"):
        read_regular(tmp_path / "pipe")
    for read, error in ((read_recipe, RecipeError), (read_manifest, ManifestError), (read_split, SplitError)):
        with pytest.raises(error, match="pipe: not a regular file"):
            read(tmp_path / "pipe")
    (tmp_path / "file").write_bytes(b"x")
    assert read_regular(tmp_path / "file") == b"x"
