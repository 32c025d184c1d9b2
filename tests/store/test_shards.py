"""Rows read directly are those that zarr reads, and damage is never taken for values."""

import random
import struct

import fsspec
import google_crc32c
import numpy as np
import pytest
import zarr

from serprep.store import zarr_store
from serprep.store.layout import Array
from serprep.store.shards import Shards

NAME = "logmel/2/segments"
ROWS, CHUNK, SHARD = 83, 2, 32  # the last chunk and the last shard are not full


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch):
    monkeypatch.setattr("serprep.store.layout.CHUNK_BYTES", 48)


def written(path, dtype="float32"):
    """An array of three shards, and its values."""
    spec = Array(name=NAME, shape=(ROWS, 2, 3), dtype=dtype, dimensions=("segment", "frame", "mel"))
    values = np.random.default_rng(0).normal(size=spec.shape).astype(dtype)
    values[5] = np.nan
    zarr_store.create_array(str(path), spec)
    for first in range(0, ROWS, spec.shard):
        zarr_store.write_rows(str(path), NAME, first, values[first : first + spec.shard])
    return values


def opened(path):
    array = zarr_store.open_array(str(path), NAME)
    shards = Shards.of(f"{path}/{NAME}", array)
    assert shards is not None
    return array, shards


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_any_rows_are_those_that_zarr_reads(tmp_path, dtype):
    values = written(tmp_path, dtype)
    array, shards = opened(tmp_path)
    if dtype == "float32":
        assert (array.chunks[0], array.shards[0]) == (CHUNK, SHARD)
    edges = [0, 1, CHUNK, SHARD - 1, SHARD, SHARD + CHUNK + 1, 2 * SHARD, ROWS - 1, ROWS]
    for first, last in [(a, b) for a in edges for b in (*edges, ROWS + 3, None) if b is None or a <= b]:
        found = shards.read(first, last)
        assert found.dtype == array.dtype and found.flags.writeable
        np.testing.assert_array_equal(found, array[first:last])
        np.testing.assert_array_equal(found, values[first:last])


def test_a_chunk_is_checked_when_it_is_first_touched_and_whenever_it_is_read_whole(tmp_path, monkeypatch):
    values = written(tmp_path)
    _, shards = opened(tmp_path)
    checked = []
    value = google_crc32c.value
    monkeypatch.setattr(google_crc32c, "value", lambda data: checked.append(1) or value(data))
    for first, n_more in ((0, 2), (1, 0), (0, 0), (SHARD + 1, 2), (SHARD - 1, 1), (SHARD - 2, 0)):  # an index each
        checked.clear()
        np.testing.assert_array_equal(shards.read(first, first + 1), values[first : first + 1])
        assert len(checked) == n_more
    checked.clear()
    np.testing.assert_array_equal(shards.read(1, SHARD), values[1:SHARD])
    assert len(checked) == SHARD // CHUNK - 1
    file = tmp_path / NAME / "c/0/0/0"
    file.write_bytes(file.read_bytes()[:8])
    with pytest.raises(OSError, match="cut short"):
        shards.read(1, 2)


def test_no_bit_of_a_shard_can_change_unseen(tmp_path):
    values = written(tmp_path)
    array, shards = opened(tmp_path)
    file = tmp_path / NAME / "c/1/0/0"
    whole = file.read_bytes()
    rng = random.Random(0)
    for place in range(len(whole)):
        damaged = bytearray(whole)
        damaged[place] ^= 1 << rng.randrange(8)
        file.write_bytes(damaged)
        with pytest.raises(OSError):
            Shards(f"{tmp_path}/{NAME}", array).read(SHARD, 2 * SHARD)
    np.testing.assert_array_equal(shards.read(0, SHARD), values[:SHARD])  # the shard before
    for end in (0, 3, len(whole) // 2, len(whole) - 1):
        file.write_bytes(whole[:end])
        with pytest.raises(OSError, match=r"checksum|cut short"):
            shards.read(SHARD, SHARD + 1)
    file.unlink()
    with pytest.raises(OSError, match=r"^its file c/1(/0)* is missing$"):
        shards.read(0, None)


@pytest.mark.parametrize("entry", [(2**64 - 1, 2**64 - 1), (2**63, 52), (0, 2**40), (10**6, 52), (0, 48)], ids=str)
def test_an_index_with_a_right_checksum_points_nowhere_else(tmp_path, entry):
    written(tmp_path)
    _, shards = opened(tmp_path)
    file = tmp_path / NAME / "c/0/0/0"
    whole = bytearray(file.read_bytes())
    begin = len(whole) - 16 * SHARD // CHUNK - 4
    whole[begin : begin + 16] = struct.pack("<2Q", *entry)
    whole[-4:] = google_crc32c.value(bytes(whole[begin:-4])).to_bytes(4, "little")
    file.write_bytes(whole)
    with pytest.raises(OSError, match=r"^chunk 0 of its file c/0(/0)* is missing$"):
        shards.read(0, 1)
    assert len(shards.read(2, 4)) == 2


def test_at_a_url_rows_and_damage_are_the_same(tmp_path, request):
    values = written(tmp_path)
    array, _ = opened(tmp_path)
    files = fsspec.filesystem("memory")
    root = f"/shards-{request.node.name}"
    files.put(f"{tmp_path}/", root, recursive=True)
    shards = Shards.of(f"memory:/{root}/{NAME}", array)
    for first, last in [(0, None), (0, 1), (CHUNK - 1, SHARD + 1), (ROWS - 1, ROWS + 3), (5, 5)]:
        np.testing.assert_array_equal(shards.read(first, last), values[first:last])
    file = f"{root}/{NAME}/c/1/0/0"
    whole = files.cat(file)
    for place in range(0, len(whole), 7):
        files.pipe(file, whole[:place] + bytes([whole[place] ^ 4]) + whole[place + 1 :])
        with pytest.raises(OSError, match=r"checksum|missing"):
            shards.read(SHARD, 2 * SHARD)
    files.pipe(file, whole[:-1])
    with pytest.raises(OSError, match="checksum"):
        shards.read(SHARD, SHARD + 1)
    files.rm(file)
    with pytest.raises(OSError, match=r"^its file c/1(/0)* is missing$"):
        shards.read(0, None)
    files.rm(root, recursive=True)


@pytest.mark.parametrize("how", [{"shards": None}, {"compressors": "auto"}, {"chunks": (2, 1, 3)}], ids=str)
def test_arrays_of_another_layout_are_left_to_zarr(tmp_path, how):
    options = {"shape": (8, 2, 3), "dtype": "float32", "chunks": (2, 2, 3), "shards": (4, 2, 3), **how}
    array = zarr.create_array(store=tmp_path / "a", **options)
    assert Shards.of(str(tmp_path / "a"), array) is None
