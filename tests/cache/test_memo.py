"""What is remembered of files."""

import hashlib
import io
import json
import os
import time

import numpy as np
import pytest
import soundfile

from serprep import remote
from serprep.cache.memo import Memo
from serprep.cache.parts import Cache
from serprep.errors import AudioError
from serprep.place.corpus import as_root


@pytest.fixture
def root(tmp_path):
    """A folder of three recordings of 0.25, 0.5 and 0.75 s at 8 kHz."""
    root = tmp_path / "corpus"
    root.mkdir()
    for n in (1, 2, 3):
        soundfile.write(root / f"{n}.wav", np.full(2000 * n, 0.01 * n), 8000)
    return root


@pytest.fixture
def later(monkeypatch):
    """Sets the clock the memo sees, in seconds from now."""
    import time

    now = time.time
    return lambda seconds: monkeypatch.setattr("serprep.place.corpus.time.time", lambda: now() + seconds)


def looked(memo, root):
    return [memo.look_at(root / f"{n}.wav") for n in (1, 2, 3)]


def test_memo_spares_reading_what_is_unchanged(root, tmp_path, later):
    later(10)
    first = Memo(Cache(str(tmp_path / "cache")), root)
    recordings = looked(first, root)
    assert first.n_read == 3
    first.save()
    second = Memo(Cache(str(tmp_path / "cache")), root)
    assert looked(second, root) == recordings
    assert second.n_read == 0
    assert [r.duration for r in recordings] == [0.25, 0.5, 0.75]
    assert [r.digest for r in recordings] == [
        hashlib.sha256((root / f"{n}.wav").read_bytes()).hexdigest() for n in (1, 2, 3)
    ]


def test_memo_distrusts_files_modified_within_two_seconds_of_being_hashed(root, tmp_path, later):
    for seconds, n_read in ((0, 3), (1, 3), (10, 3), (10, 0)):
        later(seconds)
        memo = Memo(Cache(str(tmp_path / "cache")), root)
        looked(memo, root)
        memo.save()
        assert memo.n_read == n_read, f"{seconds} s after writing"


def test_memo_distrusts_a_file_from_the_future(root, tmp_path, later):
    later(10)
    cache = Cache(str(tmp_path / "cache"))
    os.utime(root / "2.wav", (4e9, 4e9))
    for n_read in (3, 1):
        memo = Memo(cache, root)
        looked(memo, root)
        memo.save()
        assert memo.n_read == n_read


def test_memo_sees_other_bytes_under_the_same_size_and_time(root, tmp_path, later):
    later(10)
    cache = Cache(str(tmp_path / "cache"))
    memo = Memo(cache, root)
    before = looked(memo, root)
    memo.save()
    status = (root / "2.wav").stat()
    data = bytearray((root / "2.wav").read_bytes())
    data[-1] ^= 1
    (root / "2.wav").write_bytes(data)
    os.utime(root / "2.wav", ns=(status.st_atime_ns, status.st_mtime_ns))
    memo = Memo(cache, root)
    after = looked(memo, root)
    assert memo.n_read == 1
    assert after[1].digest == hashlib.sha256(data).hexdigest() != before[1].digest
    assert (after[0], after[2]) == (before[0], before[2])


def test_memo_is_of_one_folder_and_can_be_ignored(root, tmp_path, later):
    later(10)
    cache = Cache(str(tmp_path / "cache"))
    memo = Memo(cache, root)
    looked(memo, root)
    memo.save()
    other = tmp_path / "other"
    other.mkdir()
    for path in root.iterdir():
        (other / path.name).write_bytes(path.read_bytes())
    elsewhere = Memo(cache, other)
    looked(elsewhere, other)
    assert elsewhere.n_read == 3
    ignoring = Memo(cache, root, ignore=True)
    looked(ignoring, root)
    assert ignoring.n_read == 3


def wav(seed):
    buffer = io.BytesIO()
    soundfile.write(buffer, 0.1 * np.random.default_rng(seed).normal(size=800), 16_000, format="WAV")
    return buffer.getvalue()


def tagged(monkeypatch, tags):
    """Objects in memory that have an ETag, as those of object stores do."""
    listing, info = remote.listing, remote.info
    monkeypatch.setattr(
        remote, "listing", lambda url: {name: {**entry, "ETag": tags[name]} for name, entry in listing(url).items()}
    )
    monkeypatch.setattr(remote, "info", lambda url: {**info(url), "ETag": tags[url.rpartition("/")[2]]})


def test_an_object_with_the_size_and_tag_of_before_is_not_read_again(tmp_path, monkeypatch):
    url, tags = f"memory://{tmp_path.name}", {"a.wav": "1", "b.wav": "2"}
    tagged(monkeypatch, tags)
    for seed, name in enumerate(tags):
        remote.write(f"{url}/{name}", wav(seed))
    first = Memo(Cache(str(tmp_path / "cache")), as_root(url))
    found = [first.look_at(first.root / name) for name in tags]
    assert [entry.digest for entry in found] == [hashlib.sha256(wav(seed)).hexdigest() for seed in (0, 1)]
    first.save()
    remote.write(f"{url}/a.wav", wav(7))
    tags["a.wav"] = "3"
    again = Memo(Cache(str(tmp_path / "cache")), as_root(url))
    assert [again.look_at(again.root / name).digest for name in tags] == [
        hashlib.sha256(wav(7)).hexdigest(),
        found[1].digest,
    ]
    assert again.n_read == 1
    ignoring = Memo(Cache(str(tmp_path / "cache")), as_root(url), ignore=True)
    assert [ignoring.look_at(ignoring.root / name) for name in tags] and ignoring.n_read == 2


def test_an_object_that_is_replaced_while_it_is_read_is_not_remembered(tmp_path, monkeypatch):
    url, tags = f"memory://{tmp_path.name}", {"a.wav": "1"}
    tagged(monkeypatch, tags)
    remote.write(f"{url}/a.wav", wav(0))
    memo = Memo(Cache(str(tmp_path / "cache")), as_root(url))
    assert (memo.root / "a.wav").is_file()  # listed
    tags["a.wav"] = "2"
    memo.look_at(memo.root / "a.wav")
    memo.save()
    assert not (tmp_path / "cache" / "memo").exists()


def test_an_object_that_only_a_time_tells_of_is_distrusted_for_a_while(tmp_path, monkeypatch):
    url = f"memory://{tmp_path.name}"
    remote.write(f"{url}/a.wav", wav(0))
    memo = Memo(Cache(str(tmp_path / "cache")), as_root(url))
    memo.look_at(memo.root / "a.wav")
    memo.save()
    assert not (tmp_path / "cache" / "memo").exists()
    now = time.time()
    monkeypatch.setattr("serprep.place.corpus.time.time", lambda: now + 3)
    memo.look_at(memo.root / "a.wav")
    memo.save()
    last = Memo(Cache(str(tmp_path / "cache")), as_root(url))
    last.look_at(last.root / "a.wav")
    assert last.n_read == 0


def test_memo_does_not_remember_what_cannot_be_read(root, tmp_path, later):
    later(10)
    (root / "1.wav").write_bytes(b"")
    memo = Memo(Cache(str(tmp_path / "cache")), root)
    for _ in range(2):
        with pytest.raises(AudioError, match="empty"):
            memo.look_at(root / "1.wav")
    with pytest.raises(AudioError, match="missing"):
        memo.look_at(root / "none.wav")
    assert memo.n_read == 3


def test_a_memo_with_any_flipped_bit_is_read_as_none_or_the_same(root, tmp_path, later):
    later(10)
    cache = Cache(str(tmp_path / "cache"))
    memo = Memo(cache, root)
    recordings = looked(memo, root)
    memo.save()
    (path,) = (tmp_path / "cache" / "memo").iterdir()
    whole = path.read_bytes()
    n_read = set()
    for place in range(0, len(whole), 3):
        damaged = bytearray(whole)
        damaged[place] ^= 1
        path.write_bytes(damaged)
        memo = Memo(cache, root)
        assert looked(memo, root) == recordings, f"byte {place}"
        n_read.add(memo.n_read)
    assert n_read == {3}
    for text in ("", "[]", "3", '{"files": 1}', json.dumps({"files": {"a": 1}, "sha256": ""})):
        path.write_text(text)
        memo = Memo(cache, root)
        assert looked(memo, root) == recordings
