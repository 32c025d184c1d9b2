"""The folder of a corpus, as its readers see it; what memos make of stamps is in `tests/cache/test_memo.py`."""

import os

import pytest

from serprep import remote
from serprep.place.corpus import as_root, is_settled, one_name, read_file, stamp_of, unfollowed, walk
from serprep.place.url_path import UrlPath

SUFFIXES = (".wav", ".flac")


def touch(root, *names):
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()


def test_a_local_root_is_a_path_and_a_url_is_not(tmp_path):
    assert as_root(tmp_path) == tmp_path and as_root(f"file://{tmp_path}") == tmp_path
    assert as_root("a/../b", base=tmp_path) == tmp_path / "b"
    assert isinstance(as_root("s3://bucket/x", base=tmp_path), UrlPath)


def test_a_folder_has_one_name(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to("real")
    assert one_name(tmp_path / "link") == one_name(tmp_path / "real") == os.path.realpath(tmp_path / "real")
    assert one_name(as_root("s3://lab/x/")) == "s3://lab/x"


def test_a_stamp_changes_with_the_content(tmp_path):
    path = tmp_path / "a"
    assert stamp_of(path) is None
    path.write_bytes(b"1")
    os.utime(path, (1, 1))
    before = stamp_of(path)
    assert before[:2] == [1, 10**9] and not is_settled(path, before)  # its inode was changed just now
    assert is_settled(path, [1, 10**9, 10**9, 7])
    os.utime(path, (2, 2))
    assert stamp_of(path) != before


def test_what_is_no_regular_file_is_not_read(tmp_path):
    (tmp_path / "a").write_bytes(b"x")
    remote.write(f"memory://{tmp_path.name}/a", b"y")
    assert (read_file(tmp_path / "a"), read_file(as_root(f"memory://{tmp_path.name}/a"))) == (b"x", b"y")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(OSError, match="not a regular file"):
        read_file(tmp_path / "pipe")
    with pytest.raises(IsADirectoryError, match="a folder"):
        read_file(tmp_path)


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
