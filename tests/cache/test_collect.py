"""A cache that has grown too large."""

import os
import time
from pathlib import Path

import numpy as np
import pytest

from serprep.cache.collect import YOUNG, collect
from serprep.cache.parts import Cache
from serprep.errors import CacheError

DAY = 24 * 3600.0


@pytest.fixture
def cache(tmp_path):
    """Six parts of 1000 bytes and more, the first not used for six days, the last for one."""
    cache = Cache(str(tmp_path / "cache"))
    names = [cache.write("logmel", [bytes([i] * 32)], [np.zeros((10, 25), "f4")], [2000]) for i in range(6)]
    for age, name in zip(range(6, 0, -1), names, strict=True):
        os.utime(tmp_path / "cache" / name, (time.time() - age * DAY - 60,) * 2)
    return cache, names, (tmp_path / "cache" / names[0]).stat().st_size


def test_the_longest_unused_go_first_and_only_beyond_the_size(cache):
    cache, names, size = cache
    assert collect(cache.root, max_size=6 * size).parts == ()
    dry = collect(cache.root, max_size=4 * size + 1)
    assert (dry.parts, dry.bytes, dry.kept, dry.kept_bytes) == (tuple(names[:2]), 2 * size, 4, 4 * size)
    assert all(cache.folder.exists(name) for name in names)
    done = collect(cache.root, max_size=4 * size + 1, yes=True)
    assert done.removed and (done.parts, done.bytes) == (dry.parts, dry.bytes)
    assert [name for name in names if cache.folder.exists(name)] == names[2:]


def test_what_a_build_uses_is_not_the_longest_unused(cache):
    cache, names, size = cache
    cache.write_failures({bytes(32): "silent"})
    (failures,) = Path(cache.root).glob("failures/*")
    os.utime(failures, (time.time() - 9 * DAY,) * 2)
    assert cache.find("logmel", [bytes([0] * 32)]).cached.all() and cache.failures() == {bytes(32): "silent"}
    found = collect(cache.root, max_size=0, yes=True)
    assert found.parts == tuple(names[1:]) and cache.folder.exists(names[0])
    size += failures.stat().st_size
    assert found.notes == (f"{size} bytes more than asked for stay: they were used less than a day ago",)


def test_nothing_young_goes_by_any_clock(cache, monkeypatch):
    cache, names, _ = cache
    for name in names:
        os.utime(Path(cache.root) / name, (time.time() - DAY + 60,) * 2)
    now = time.time()
    monkeypatch.setattr("serprep.place.here.time.time", lambda: now + 10 * YOUNG)
    assert collect(cache.root, max_size=0, yes=True).parts == ()
    monkeypatch.setattr("serprep.place.here.time.time", lambda: now - 10 * YOUNG)
    found = collect(cache.root, max_size=0, yes=True)
    assert found.parts == () and any("from the future" in note for note in found.notes)
    assert sorted(path.name for path in (Path(cache.root) / "logmel").iterdir()) == sorted(n[7:] for n in names)


def test_only_parts_and_leftovers_are_touched(cache, tmp_path):
    cache, names, _ = cache
    root = Path(cache.root)
    cache.write_failures({bytes(32): "silent"})
    cache._write(memo := f"memo/{'0' * 32}.txt", b"")
    (root / "logmel" / ".x.part.0123.tmp").write_bytes(b"half")
    (root / "mine.part").write_bytes(b"mine")
    (root / "logmel" / "notes.part").write_bytes(b"mine")
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere" / f"{'0' * 32}.part").write_bytes(b"mine")
    (root / "link").symlink_to(tmp_path / "elsewhere")
    for path in [*root.rglob("*"), *(tmp_path / "elsewhere").iterdir()]:
        os.utime(path, (time.time() - 9 * DAY,) * 2)
    failures = cache._names("failures")
    found = collect(cache.root, max_size=0, yes=True)
    assert sorted(found.parts) == sorted([*names, *failures, memo]) and found.temporary == ("logmel/.x.part.0123.tmp",)
    left = {path.relative_to(root).as_posix() for path in root.rglob("*") if path.is_file()}
    assert left == {"mine.part", "logmel/notes.part"}
    assert (tmp_path / "elsewhere" / f"{'0' * 32}.part").exists()


def test_what_is_no_cache(tmp_path, monkeypatch):
    for place, message in (
        (str(tmp_path / "no\x1bwhere"), r"no\\x1bwhere: no cache there"),
        ("s3://bucket/cache", "a cache at a URL is not collected"),
    ):
        with pytest.raises(CacheError, match=message):
            collect(place)
    monkeypatch.setenv("SERPREP_CACHE", "")
    with pytest.raises(CacheError, match="there is no cache that data sets share"):
        collect()


def test_the_command(serprep, cache, monkeypatch):
    cache, names, _ = cache
    monkeypatch.setenv("SERPREP_CACHE", cache.root)
    dry = serprep("gc", "--cache", "--max-size", "4.5kB")
    assert dry.returncode == 0 and "would go   2 parts" in dry.stdout and "add --yes" in dry.stdout
    done = serprep("gc", "--cache", cache.root, "--max-size", "4.5 kB", "--yes")
    assert "removed    2 parts, 0 temporary" in done.stdout
    assert not cache.folder.exists(names[1]) and cache.folder.exists(names[2])
    for words in (["gc"], ["gc", "--cache", "--max-size", "-1"], ["gc", "--cache", "--max-size", "1e9"]):
        assert serprep(*words).returncode == 2


def test_what_is_somebody_elses_stays_and_is_counted(cache, monkeypatch):
    cache, names, size = cache
    left = Path(cache.root) / "logmel" / ".x.tmp"
    left.touch()
    os.utime(left, (0, 0))
    foreign = {names[0], "logmel/.x.tmp"}
    monkeypatch.setattr("serprep.place.here.Here.removable", lambda place, name: name not in foreign)
    done = collect(cache.root, max_size=4 * size, yes=True)
    assert (done.parts, done.temporary, done.kept_bytes) == (tuple(names[1:3]), (), 4 * size)
    assert done.notes == ("2 old parts and temporary stay: they are somebody else's to remove",)
    assert left.exists() and cache.folder.exists(names[0])
