import hashlib
import json

import numpy as np
import pytest
import zarr

from serprep.errors import StoreError
from serprep.place.place import at
from serprep.store import layout, zarr_store
from serprep.store.container import as_text
from serprep.store.layout import Array

SEGMENTS = Array(name="logmel/2/segments", shape=(5, 2, 3), dtype="float32", dimensions=("segment", "frame", "mel"))
IDS = Array(name="utterances/id", shape=(4,), dtype="string", dimensions=("utterance",))
COUNTS = Array(name="utterances/n_frames", shape=(4,), dtype="int64", dimensions=("utterance",))


def values():
    """Values that tempt: the fill values NaN, "" and 0, and non-ASCII text."""
    segments = np.random.default_rng(0).normal(size=(5, 2, 3)).astype(np.float32)
    segments[0] = np.nan
    return {SEGMENTS: segments, IDS: np.array(["", "ü", 'a"\n', "x" * 300], object), COUNTS: np.zeros(4, "i8")}


def written(path):
    path.mkdir(parents=True)
    for spec, rows in values().items():
        zarr_store.create_array(str(path), spec)
        zarr_store.write_rows(str(path), spec.name, 0, rows)
    zarr_store.seal(path, {"format": 1, "version": "ü", "note": '"seal": "' + "0" * 60})
    return path


@pytest.fixture
def store(tmp_path):
    return written(tmp_path / "x.zarr")


@pytest.fixture(autouse=True)
def small_chunks(monkeypatch):
    monkeypatch.setattr("serprep.store.layout.CHUNK_BYTES", 24)  # a row of segments


def test_arrays_are_read_as_written(store):
    for spec, rows in values().items():
        array = zarr_store.open_array(str(store), spec.name)
        assert array.shape == spec.shape
        assert array.metadata.dimension_names == spec.dimensions
        if spec is IDS:
            assert as_text(array[:]) == list(rows)
        else:
            np.testing.assert_array_equal(array[:], rows)
            assert array.dtype == spec.dtype


def test_missing_values_are_nan_empty_text_and_zero(tmp_path):
    for spec in values():
        zarr_store.create_array(str(tmp_path), spec)
    by_zarr = {spec: zarr.open_array(tmp_path / spec.name, mode="r", zarr_format=3)[:] for spec in values()}
    assert np.isnan(by_zarr[SEGMENTS]).all()
    assert (as_text(by_zarr[IDS]), by_zarr[COUNTS].tolist()) == ([""] * 4, [0] * 4)


@pytest.mark.parametrize("spec", [SEGMENTS, IDS, COUNTS], ids=lambda spec: spec.name)
def test_a_missing_chunk_is_an_error_here_and_at_a_url(store, tmp_path, spec):
    url = at(f"memory://{tmp_path.name}/x.zarr")
    for name in at(store).files():
        url.write(name, (store / name).read_bytes())
    name = zarr_store.shard_file(spec, 0)
    for place in (at(store), url):
        place.remove(name)
        with pytest.raises(OSError, match=f"its file {name.removeprefix(spec.name + '/')} is missing"):
            zarr_store.open_array(place.root, spec.name)[:1]


@pytest.mark.parametrize("per_shard", [2, 3, 5])
@pytest.mark.parametrize("dtype", ["float32", "float16", "int16"])
def test_the_bytes_of_a_shard_are_those_that_zarr_writes_into_a_whole_array(tmp_path, dtype, per_shard, monkeypatch):
    monkeypatch.setattr("serprep.store.layout.CHUNKS_PER_SHARD", per_shard)
    spec = Array(name="a/b", shape=(17, 2, 3), dtype=dtype, dimensions=("segment", "frame", "mel"))
    rows = np.arange(102).reshape(spec.shape).astype(dtype)
    zarr_store.create_array(str(tmp_path), spec)
    zarr_store.write_rows(str(tmp_path), spec.name, 0, rows)
    assert spec.shard < 17 and 17 % spec.shard
    for first in range(0, 17, spec.shard):
        expected = (tmp_path / zarr_store.shard_file(spec, first)).read_bytes()
        assert zarr_store.shard_bytes(spec, rows[first : first + spec.shard]) == expected


def test_a_chunk_of_fill_values_still_has_its_file(tmp_path):
    one = Array(name="a/b", shape=(2, 24), dtype="float32", dimensions=("x", "y"))
    for spec, rows in ((one, np.full((2, 24), np.nan)), (COUNTS, np.zeros(4, "i8")), (IDS, np.array([""] * 4, object))):
        zarr_store.create_array(str(tmp_path), spec)
        zarr_store.write_rows(str(tmp_path), spec.name, 0, rows)
        assert (tmp_path / zarr_store.shard_file(spec, 0)).is_file()


def test_shard_file_names_the_file_a_shard_is_in(tmp_path, monkeypatch):
    monkeypatch.setattr("serprep.store.layout.CHUNKS_PER_SHARD", 2)
    zarr_store.create_array(str(tmp_path), SEGMENTS)
    files = set(zarr_store.file_names(tmp_path))
    for first in (0, 2, 4):
        zarr_store.write_rows(str(tmp_path), SEGMENTS.name, first, values()[SEGMENTS][first : first + 2])
        new = set(zarr_store.file_names(tmp_path)) - files
        assert new == {zarr_store.shard_file(SEGMENTS, first)}
        files |= new


def test_codecs_are_plain_bytes_and_checksums(store):
    known = {"bytes", "crc32c", "vlen-utf8", "sharding_indexed"}

    def names(codecs):
        for codec in codecs:
            yield codec["name"]
            inner = codec.get("configuration", {})
            yield from names([*inner.get("codecs", ()), *inner.get("index_codecs", ())])

    for spec in values():
        metadata = json.loads((store / spec.name / "zarr.json").read_bytes())
        found = set(names(metadata["codecs"]))
        assert found <= known and "crc32c" in found
        assert metadata["zarr_format"] == 3


def test_the_root_lists_every_file_and_is_sealed(store):
    data = (store / "zarr.json").read_bytes()
    attributes = json.loads(data)["attributes"]
    on_disk = {path.relative_to(store).as_posix(): path for path in store.rglob("*") if path.is_file()}
    del on_disk["zarr.json"]
    assert attributes["files"] == {
        name: hashlib.sha256(path.read_bytes()).hexdigest() for name, path in on_disk.items()
    }
    unsealed = data.replace(attributes["seal"].encode(), b"0" * 64)
    assert attributes["seal"] == hashlib.sha256(unsealed).hexdigest()
    assert attributes["version"] == "ü"
    assert zarr_store.read_attributes(str(store)) == attributes
    assert zarr.open_group(str(store), mode="r", zarr_format=3).attrs["seal"] == attributes["seal"]
    assert "consolidated_metadata" not in json.loads(data)


def test_same_values_same_bytes(tmp_path, store):
    other = written(tmp_path / "elsewhere" / "y.zarr")
    names = set(zarr_store.file_names(store))
    assert names == set(zarr_store.file_names(other)) and len(names) == 4 + 2 * 3  # groups, and two files an array
    for name in names:
        assert (store / name).read_bytes() == (other / name).read_bytes()


# -- what is refused -----------------------------------------------------------------


def test_no_flipped_bit_of_the_root_goes_unnoticed(store):
    path = store / "zarr.json"
    whole = path.read_bytes()
    for place in range(len(whole)):
        damaged = bytearray(whole)
        damaged[place] ^= 1 << place % 8
        path.write_bytes(damaged)
        with pytest.raises(StoreError, match=r"unfinished or damaged|does not match its seal"):
            zarr_store.read_attributes(str(store))
    path.write_bytes(whole)
    zarr_store.read_attributes(str(store))


def test_no_truncated_or_lengthened_root_goes_unnoticed(store):
    path = store / "zarr.json"
    whole = path.read_bytes()
    for data in [*(whole[:length] for length in range(0, len(whole), 7)), whole[:-1], whole + b" ", b"[]", b"{}"]:
        path.write_bytes(data)
        with pytest.raises(StoreError, match=r"unfinished or damaged|does not match its seal"):
            zarr_store.read_attributes(str(store))


def test_metadata_without_end_are_not_read_to_it(store, monkeypatch):
    monkeypatch.setattr(zarr_store, "ROOT_LIMIT", (store / "zarr.json").stat().st_size)
    files = zarr_store.read_attributes(str(store))["files"]
    with (store / "x.json").open("wb") as endless:
        endless.truncate(1 << 40)
    with pytest.raises(StoreError, match=r"x\.json does not match its digest"):
        zarr_store.check_file(str(store), "x.json", files | {"x.json": "0" * 64})
    with (store / "zarr.json").open("r+b") as endless:
        endless.truncate(1 << 40)
    with pytest.raises(StoreError, match="its root metadata has more than 0 MB, as no store has"):
        zarr_store.read_attributes(str(store))


@pytest.mark.parametrize("seal", ["", "0", "x" * 64, 5, None, [1], "0" * 64])
def test_a_made_up_seal_is_refused(store, seal):
    root = json.loads((store / "zarr.json").read_bytes())
    root["attributes"]["seal"] = seal
    (store / "zarr.json").write_text(json.dumps(root))
    with pytest.raises(StoreError, match="does not match its seal"):
        zarr_store.read_attributes(str(store))


def test_a_half_written_store_is_refused(store):
    (store / "zarr.json").unlink()
    with pytest.raises(StoreError, match="no store there; expected a folder that `serprep build` made"):
        zarr_store.read_attributes(str(store))


def test_a_store_that_was_not_sealed_is_refused(tmp_path):
    zarr_store.create_array(str(tmp_path), SEGMENTS)
    with pytest.raises(StoreError, match=r"no store there|unfinished or damaged; build it again"):
        zarr_store.read_attributes(str(tmp_path))


def test_every_missing_file_is_noticed(store):
    for path in [path for path in store.rglob("*") if path.is_file() and path.parent != store]:
        data = path.read_bytes()
        path.unlink()
        name = path.relative_to(store).as_posix()
        with pytest.raises(StoreError, match=f"1 of its 9 files are missing, such as {name}; build it again"):
            zarr_store.read_attributes(str(store))
        path.write_bytes(data)
    zarr_store.read_attributes(str(store))


def test_a_file_that_is_no_store(tmp_path):
    (tmp_path / "x.zarr").write_text("hello")
    with pytest.raises(StoreError, match=r"x\.zarr: Not a directory"):
        zarr_store.read_attributes(str(tmp_path / "x.zarr"))
    with pytest.raises(StoreError, match=r"a\\nb\.zarr: no store there"):
        zarr_store.read_attributes(str(tmp_path / "a\nb.zarr"))


def test_a_changed_file_is_noticed(store):
    files = zarr_store.read_attributes(str(store))["files"]
    name = "utterances/id/zarr.json"
    zarr_store.check_file(str(store), name, files)
    (store / name).write_text((store / name).read_text() + " ")
    with pytest.raises(StoreError, match=r"utterances/id/zarr.json does not match its digest"):
        zarr_store.check_file(str(store), name, files)
    (store / name).unlink()
    with pytest.raises(StoreError, match="No such file"):
        zarr_store.check_file(str(store), name, files)


@pytest.mark.parametrize("n", [1, 3, 4, 9])
def test_strings_are_written_as_zarr_writes_them(tmp_path, monkeypatch, n):
    monkeypatch.setattr(layout, "SMALL_CHUNK", 4)
    texts = ["", "a", "ü€", "\U0001f600 " * 30, "0", " ", 'b,"\n', "\0", "z" * 300][:n]
    spec = Array(name="utterances/text", shape=(n,), dtype="string", dimensions=("utterance",))
    for name in ("ours", "theirs"):
        zarr_store.create_array(str(tmp_path / name), spec)
    zarr_store.write_texts(str(tmp_path / "ours"), spec, texts)
    for first in range(0, n, spec.chunk):
        values = np.array(texts[first : first + spec.chunk], object)
        zarr_store.write_rows(str(tmp_path / "theirs"), spec.name, first, values)
    names = set(zarr_store.file_names(tmp_path / "ours"))
    assert names == set(zarr_store.file_names(tmp_path / "theirs")) and len(names) == 3 + -(-n // 4)
    for name in names:
        assert (tmp_path / "ours" / name).read_bytes() == (tmp_path / "theirs" / name).read_bytes(), name
    assert as_text(zarr_store.open_array(str(tmp_path / "ours"), spec.name)[:]) == texts
