import os
import pickle
import threading
import uuid

import pytest

from serprep.files import Folder, walk, write_whole

SUFFIXES = (".wav", ".flac")


def touch(root, *names):
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()


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
    assert list(walk(tmp_path, SUFFIXES)) == ["other/a.wav", "real/a.wav"]


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
