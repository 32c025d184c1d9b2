"""Parts: written whole, read or refused."""

import hashlib
import os
import pickle
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
import soundfile

from serprep._json import canonical_json
from serprep.cache.parts import Cache, key_of, offsets_of, pack_part, unpack_index
from serprep.errors import CacheError
from serprep.files import open_regular

KEYS = [bytes([7]) * 32, bytes([9]) * 32, bytes([200]) * 32]


def blocks():
    """Rows of three utterances: 2, 1 and 4 frames of 3 values."""
    rng = np.random.default_rng(1)
    return [rng.normal(size=(n, 3)).astype(np.float32) for n in (2, 1, 4)]


def other_reader(data):
    """A part read by its documentation alone, with struct: key → (rows, n_samples)."""
    assert data[:8] == b"SERPART1"
    n, width = struct.unpack_from("<II", data, 8)
    index_end = 48 + n * (32 + 8 + 8 + 4) + 8
    assert hashlib.sha256(data[:16] + data[48:index_end]).digest() == data[16:48]
    n_samples = struct.unpack_from(f"<{n}q", data, 48 + 32 * n)
    offsets = struct.unpack_from(f"<{n + 1}q", data, 48 + 40 * n)
    crcs = struct.unpack_from(f"<{n}I", data, 48 + 48 * n + 8)
    found = {}
    for i in range(n):
        block = data[index_end + 4 * width * offsets[i] : index_end + 4 * width * offsets[i + 1]]
        assert zlib.crc32(block) == crcs[i]
        values = struct.unpack(f"<{len(block) // 4}f", block)
        found[data[48 + 32 * i : 80 + 32 * i]] = (np.reshape(values, (-1, width)).astype(np.float32), n_samples[i])
    assert index_end + 4 * width * offsets[n] == len(data)
    return found


def test_canonical_json_is_the_same_for_any_order_and_refuses_nan():
    assert (
        canonical_json({"b": [1, 2.5], "a": {"d": "ü", "c": None}}) == '{"a":{"c":null,"d":"ü"},"b":[1,2.5]}'.encode()
    )
    with pytest.raises(ValueError, match="JSON compliant"):
        canonical_json(float("nan"))


def test_key_is_the_sha256_of_its_four_parts():
    expected = hashlib.sha256(b'["ab",null,1.5,{"name":"x"}]').digest()
    assert key_of("ab", None, 1.5, {"name": "x"}) == expected


def test_key_depends_on_each_part_and_not_on_the_order_of_the_configuration():
    base = ("ab", 0.5, 1.5, {"name": "x", "config": {"n_mels": 40, "floor": 1e-10}})
    others = [
        ("ac", *base[1:]),
        ("ab", None, *base[2:]),
        ("ab", 0.0, *base[2:]),
        ("ab", 0.5, 1.25, base[3]),
        ("ab", 0.5, None, base[3]),
        ("ab", 1.5, 0.5, base[3]),
        (*base[:3], {"name": "y", "config": {"n_mels": 40, "floor": 1e-10}}),
        (*base[:3], {"name": "x", "config": {"n_mels": 41, "floor": 1e-10}}),
        (*base[:3], {"name": "x", "config": {"n_mels": 40, "floor": 1e-9}}),
    ]
    assert len({key_of(*parts) for parts in [base, *others]}) == 1 + len(others)
    turned = {"config": {"floor": 1e-10, "n_mels": 40}, "name": "x"}
    assert key_of(*base[:3], turned) == key_of(*base)


def found_in(cache, keys, kind="logmel"):
    """Key → place of those that are cached."""
    return {key: place for key, place in zip(keys, cache.find(kind, keys), strict=True) if place is not None}


def test_a_part_is_as_documented():
    found = other_reader(pack_part(KEYS, blocks(), [700, 400, 900]))
    assert list(found) == KEYS
    for key, rows, n_samples in zip(KEYS, blocks(), [700, 400, 900], strict=True):
        np.testing.assert_array_equal(found[key][0], rows)
        assert found[key][1] == n_samples


@pytest.mark.parametrize("where", ["folder", "memory"])
def test_what_is_written_is_read_in_any_order(where, tmp_path):
    root = str(tmp_path / "cache") if where == "folder" else f"memory://{tmp_path.name}/cache"
    cache = Cache(root)
    assert found_in(cache, KEYS) == {}
    names = [
        cache.write("logmel", KEYS[:2], blocks()[:2], [700, 400]),
        cache.write("logmel", KEYS[2:], blocks()[2:], [900]),
    ]
    assert names == [name for name in names if name.startswith("logmel/") and name.endswith(".part")]
    places = found_in(Cache(root), [*KEYS, bytes(32)])
    assert set(places) == set(KEYS)
    assert [places[key].n_samples for key in KEYS] == [700, 400, 900]
    for order in ([2, 0, 1], [1, 1, 0], []):
        read = cache.read([places[KEYS[i]] for i in order])
        assert len(read) == len(order)
        for i, rows in zip(order, read, strict=True):
            np.testing.assert_array_equal(rows, blocks()[i])
    assert found_in(cache, KEYS, "functionals") == {}


def test_the_same_part_twice_is_one_file_and_duplicates_are_harmless(tmp_path):
    cache = Cache(str(tmp_path))
    assert cache.write("logmel", KEYS, blocks(), [1, 2, 3]) == cache.write("logmel", KEYS, blocks(), [1, 2, 3])
    assert len(list((tmp_path / "logmel").iterdir())) == 1
    cache.write("logmel", KEYS[:1], blocks()[:1], [1])
    (rows,) = cache.read([found_in(cache, KEYS)[KEYS[0]]])
    np.testing.assert_array_equal(rows, blocks()[0])


def test_an_index_longer_than_the_first_read_is_found_whole(tmp_path):
    keys = [hashlib.sha256(bytes([i // 256, i % 256])).digest() for i in range(300)]  # 15 kB of index
    cache = Cache(str(tmp_path))
    cache.write("logmel", keys, [np.full((1, 2), i, np.float32) for i in range(300)], range(300))
    places = found_in(cache, keys)
    assert [rows[0, 1] for rows in cache.read([places[key] for key in keys])] == list(range(300))


def test_no_flipped_bit_of_a_part_gives_other_rows(tmp_path):
    cache = Cache(str(tmp_path))
    path = tmp_path / cache.write("logmel", KEYS, blocks(), [700, 400, 900])
    whole = path.read_bytes()
    index_end = 48 + 3 * 52 + 8
    outcomes = {"not there": 0, "refused": 0}
    for place in range(len(whole)):
        for bit in range(8):
            damaged = bytearray(whole)
            damaged[place] ^= 1 << bit
            path.write_bytes(damaged)
            found = found_in(cache, KEYS)
            if place < index_end:
                assert found == {}, f"byte {place}, bit {bit}"
                outcomes["not there"] += 1
            else:
                with pytest.raises(CacheError, match=r"part logmel/\w+\.part was damaged and is removed"):
                    cache.read([found[key] for key in KEYS])
                outcomes["refused"] += 1
    assert outcomes == {"not there": 8 * index_end, "refused": 8 * 7 * 3 * 4}


def test_a_head_that_announces_an_immense_index_is_not_there(tmp_path):
    cache = Cache(str(tmp_path))
    path = tmp_path / cache.write("logmel", KEYS, [np.zeros((900, 3), np.float32)] * 3, [1, 1, 1])
    data = bytearray(path.read_bytes())
    data[11] = 0xFF  # 4 billion rows, an index of 220 GB
    path.write_bytes(data)
    assert found_in(cache, KEYS) == {}


def test_no_truncated_part_gives_other_rows(tmp_path):
    cache = Cache(str(tmp_path))
    path = tmp_path / cache.write("logmel", KEYS, blocks(), [700, 400, 900])
    whole = path.read_bytes()
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        found = found_in(cache, KEYS)
        if length < 48 + 3 * 52 + 8:
            assert found == {}
        else:
            with pytest.raises(CacheError, match="damaged and is removed"):
                cache.read([found[key] for key in KEYS])


def test_a_damaged_part_is_removed_so_that_the_next_build_computes_it(tmp_path):
    cache = Cache(str(tmp_path))
    path = tmp_path / cache.write("logmel", KEYS, blocks(), [700, 400, 900])
    data = bytearray(path.read_bytes())
    data[-1] ^= 1
    path.write_bytes(data)
    with pytest.raises(CacheError, match="build again"):
        cache.read(list(found_in(cache, KEYS).values()))
    assert not path.exists()
    assert found_in(cache, KEYS) == {}


def test_a_part_that_vanishes_is_an_error_with_a_remedy(tmp_path):
    cache = Cache(str(tmp_path))
    path = tmp_path / cache.write("logmel", KEYS, blocks(), [700, 400, 900])
    places = found_in(cache, KEYS)
    path.unlink()
    with pytest.raises(CacheError, match="was removed during the build; build again"):
        cache.read(list(places.values()))


def test_a_cache_whose_name_could_command_a_terminal_is_named_in_plain_text(tmp_path):
    cache = Cache(f"{tmp_path}/\x1b[31m\nred")
    part = cache.folder.path(cache.write("logmel", KEYS, blocks(), [700, 400, 900]))
    places = found_in(cache, KEYS)
    Path(part).unlink()
    with pytest.raises(CacheError, match=r"x1b\[31m\\nred: part logmel/\w+\.part was removed") as raised:
        cache.read(list(places.values()))
    assert str(raised.value).isprintable()


def test_places_are_aligned_with_keys_and_a_part_of_them_is_the_same(tmp_path):
    cache = Cache(str(tmp_path))
    names = [cache.write("logmel", [key], [block], [7]) for key, block in zip(KEYS, blocks(), strict=True)]
    asked = [KEYS[2], bytes(32), KEYS[0], KEYS[2], KEYS[1]]
    places = cache.find("logmel", asked)
    assert places.cached.tolist() == [True, False, True, True, True]
    assert [place and place.part for place in places] == [names[2], None, names[0], names[2], names[1]]
    for some in (slice(1, 4), slice(2, 3), places.cached, np.array([4, 1]), slice(0, 0)):
        cut = places[some]
        assert list(cut) == list(np.array(list(places), object)[some])
        assert set(cut.parts) == {place.part for place in cut if place}, "no other part's name travels"
    assert list(pickle.loads(pickle.dumps(places))) == list(places)  # noqa: S301 - our own, made here
    assert len(cache.find("logmel", [])) == 0


def test_parts_and_their_keys(tmp_path):
    cache = Cache(str(tmp_path))
    a = cache.write("logmel", KEYS[:2], blocks()[:2], [5, 6])
    b = cache.write("logmel", KEYS[1:], blocks()[1:], [6, 7])
    (tmp_path / "logmel" / "broken.part").write_bytes(b"SERPART1 and no more")
    (tmp_path / "logmel" / "notes.txt").write_text("mine")
    assert cache.parts("logmel") == {a: set(KEYS[:2]), b: set(KEYS[1:]), "logmel/broken.part": set()}
    assert cache.parts("functionals") == {}


def test_unfinished_and_foreign_files_are_passed_over(tmp_path):
    cache = Cache(str(tmp_path))
    cache.write("logmel", KEYS[:1], blocks()[:1], [700])
    folder = tmp_path / "logmel"
    (folder / ".x.part.tmp").write_bytes(pack_part(KEYS[1:2], blocks()[1:2], [1]))
    (folder / "notes.txt").write_text("mine")
    (folder / "empty.part").write_bytes(b"")
    (folder / "folder.part").mkdir()
    assert set(found_in(cache, KEYS)) == {KEYS[0]}
    assert unpack_index("x.part", b"") is None


def test_a_cache_that_is_no_folder_is_one_line(tmp_path):
    (tmp_path / "cache").write_text("a file")
    cache = Cache(str(tmp_path / "cache"))
    with pytest.raises(CacheError, match="Not a directory; expected a readable folder"):
        cache.find("logmel", KEYS)
    with pytest.raises(CacheError, match="make it writable, then build again"):
        cache.write("logmel", KEYS, blocks(), [1, 2, 3])


def test_a_full_disk_is_one_line_and_leaves_nothing_behind(tmp_path, monkeypatch):
    def full(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(CacheError, match="No space left on device; free space"):
        Cache(str(tmp_path)).write("logmel", KEYS, blocks(), [1, 2, 3])
    assert list((tmp_path / "logmel").iterdir()) == []


def test_a_cache_travels_by_pickle_and_reads_without(tmp_path, monkeypatch):
    cache = pickle.loads(pickle.dumps(Cache(str(tmp_path))))  # noqa: S301 - our own, made here
    cache.write("logmel", KEYS, blocks(), [700, 400, 900])
    monkeypatch.setattr(pickle, "loads", None)
    assert len(cache.read(list(found_in(cache, KEYS).values()))) == 3


def test_failures_are_remembered_and_damaged_ones_forgotten(tmp_path):
    cache = Cache(str(tmp_path))
    assert cache.failures() == {}
    cache.write_failures({KEYS[0]: "too short"})
    cache.write_failures({KEYS[1]: "7 of 9 samples are NaN"})
    assert cache.failures() == {KEYS[0]: "too short", KEYS[1]: "7 of 9 samples are NaN"}
    (tmp_path / "failures" / "a.json").write_text('{"zz": ')
    (tmp_path / "failures" / "b.json").write_text("[1]")
    assert len(cache.failures()) == 2


@pytest.fixture
def root(tmp_path):
    """A folder of three recordings of 0.25, 0.5 and 0.75 s at 8 kHz."""
    root = tmp_path / "corpus"
    root.mkdir()
    for n in (1, 2, 3):
        soundfile.write(root / f"{n}.wav", np.full(2000 * n, 0.01 * n), 8000)
    return root


def test_offsets_are_running_sums():
    assert offsets_of([]).tolist() == [0]
    assert offsets_of([3, 1, 2]).tolist() == [0, 3, 4, 6]
    assert offsets_of([3, 1]).dtype == np.int64


@pytest.mark.parametrize(
    ("width", "offsets"),
    [
        (0, [0, 1, 2]),
        (2**32 - 1, [0, 1, 2]),
        (1 << 24, [0, 1, 2]),
        (2, [0, 2, 1]),
        (2, [1, 1, 2]),
        (2, [0, -1, 2]),
        (2, [0, 1, 2**62]),
    ],
)
def test_a_forged_index_is_not_there(tmp_path, width, offsets):
    """Its SHA-256 is right: somebody wrote it on purpose."""
    head = b"SERPART1" + np.array([2, width], "<u4").tobytes()
    index = bytes([1] * 32 + [2] * 32) + np.array([800, 800], "<i8").tobytes() + np.array(offsets, "<i8").tobytes()
    index += np.zeros(2, "<u4").tobytes()
    (tmp_path / "logmel").mkdir()
    part = head + hashlib.sha256(head + index).digest() + index + bytes(16)
    (tmp_path / "logmel" / f"{'0' * 32}.part").write_bytes(part)
    assert not Cache(str(tmp_path)).find("logmel", [bytes([1] * 32), bytes([2] * 32)]).cached.any()


def test_a_part_that_somebody_lets_nobody_read_is_not_there_and_stops_no_build(tmp_path, monkeypatch):
    cache, keys = Cache(str(tmp_path)), [bytes([n]) * 32 for n in range(2)]
    _, private = (cache.write("logmel", [key], [np.ones((2, 3), np.float32)], [9]) for key in keys)
    monkeypatch.setattr("serprep.place.here.open_regular", refusing(private, open_regular))
    assert cache.find("logmel", keys).cached.tolist() == [True, False]
    with pytest.raises(CacheError, match="Permission denied; make it readable"):  # gc must know what it holds
        cache.parts("logmel")


def refusing(name, function):
    """A function of paths, for whom one is forbidden."""

    def function_of(path):
        if str(path).endswith(name):
            raise PermissionError(13, "Permission denied", str(path))
        return function(path)

    return function_of
