import numpy as np
import pytest

from serprep.errors import StoreError
from serprep.features.compare_2016 import LLD
from serprep.features.extract import Features
from serprep.features.framing import Segment
from serprep.features.functionals import Functionals
from serprep.features.logmel import LogMel
from serprep.store.layout import Array, StoreConfig, arrays, segments_name, tables

COLUMNS = ("id", "path", "start", "end", "speaker", "session", "emotion", "partition", "duration", "sample_rate")


def made(features=None, config=None, n=7, n_rows=100):
    features = features or Features()
    rows = {table.name: n_rows for table in tables(features)}
    found = arrays(columns=COLUMNS, n=n, n_rows=rows, features=features, config=config or StoreConfig())
    assert len({array.name for array in found}) == len(found)
    return {array.name: array for array in found}


def test_a_store_has_the_arrays_of_the_design():
    found = made()
    shapes = {name: (array.shape, array.dtype) for name, array in found.items() if not name.startswith("utterances/")}
    assert shapes == {
        "logmel/30/segments": ((100, 30, 40), "float32"),
        "logmel/30/offsets": ((8,), "int64"),
        "logmel/30/keys": ((7, 32), "uint8"),
        "logmel/50/segments": ((100, 50, 40), "float32"),
        "logmel/50/offsets": ((8,), "int64"),
        "logmel/50/keys": ((7, 32), "uint8"),
        "functionals/compare_2016": ((7, 6373), "float32"),
        "functionals/compare_2016_names": ((6373,), "string"),
        "functionals/keys": ((7, 32), "uint8"),
    }


def test_contours_are_a_kind_of_their_own():
    features = Features(lld=LLD(enabled=True), functionals=Functionals(enabled=False))
    found = made(features, n_rows=900)
    shapes = {name: (array.shape, array.dtype) for name, array in found.items() if name.startswith("lld/")}
    assert shapes == {
        "lld/compare_2016": ((900, 130), "float32"),
        "lld/compare_2016_names": ((130,), "string"),
        "lld/offsets": ((8,), "int64"),
        "lld/keys": ((7, 32), "uint8"),
    }


def test_every_column_is_an_array_of_its_type():
    found = {name[11:]: array for name, array in made().items() if name.startswith("utterances/")}
    assert list(found) == [*COLUMNS, "n_samples", "n_frames"]
    assert {array.shape for array in found.values()} == {(7,)}
    numbers = {name: array.dtype for name, array in found.items() if array.dtype != "string"}
    assert numbers == {
        "start": "float64",
        "end": "float64",
        "duration": "float64",
        "sample_rate": "int64",
        "n_samples": "int64",
        "n_frames": "int64",
    }


def test_a_dimension_s_name_has_one_size():
    sizes = {}
    for array in made().values():
        assert len(array.dimensions) == len(array.shape)
        for name, size in zip(array.dimensions, array.shape, strict=True):
            assert sizes.setdefault((array.name.rpartition("/")[0] if name == "boundary" else "", name), size) == size


def test_configurations_reach_the_arrays():
    features = Features(
        logmel=LogMel(n_mels=20),
        segments={"tiny": Segment(length=5, hop=1)},
        functionals=Functionals(enabled=False),
    )
    found = made(features, StoreConfig(segment_dtype="float16"))
    large = {name: array for name, array in found.items() if array.is_large}
    assert list(large) == [segments_name(5)] == ["logmel/5/segments"]
    assert (large["logmel/5/segments"].shape, large["logmel/5/segments"].dtype) == ((100, 5, 20), "float16")
    assert not any("functionals" in name for name in found)


@pytest.mark.parametrize(
    ("shape", "dtype", "chunk"),
    [  # largest power of two of rows within 1.5 MiB = 1572864 bytes
        ((9000, 30, 40), "float32", 256),  # 4800 bytes a row: 327 fit
        ((9000, 50, 40), "float32", 128),  # 8000: 196 fit
        ((9000, 30, 40), "float16", 512),
        ((9000, 6373), "float32", 32),  # 25492: 61 fit
        ((9000, 393216), "float32", 1),  # exactly one fits
        ((9000, 393217), "float32", 1),  # none fits
        ((9000, 196608), "float32", 2),  # exactly two
    ],
)
def test_chunks_of_features(shape, dtype, chunk):
    array = Array(name="x", shape=shape, dtype=dtype, dimensions=())
    assert array.is_large
    assert (array.chunk, array.shard) == (chunk, 16 * chunk)
    row = int(np.prod(shape[1:])) * np.dtype(dtype).itemsize
    assert chunk * row <= 1572864 or chunk == 1


@pytest.mark.parametrize(("n", "chunk"), [(1, 1), (7, 7), (65_536, 65_536), (65_537, 65_536), (0, 1)])
def test_chunks_of_columns(n, chunk):
    for dtype, shape in (("string", (n,)), ("float64", (n,)), ("uint8", (n, 32))):
        array = Array(name="x", shape=shape, dtype=dtype, dimensions=())
        assert not array.is_large
        assert array.chunk == array.shard == chunk


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"format": "parquet"}, "format is 'parquet'; expected one of zarr, hdf5"),
        ({"segment_dtype": "float64"}, "segment_dtype is 'float64'; expected one of float32, float16"),
    ],
)
def test_impossible_configurations(values, message):
    with pytest.raises(StoreError, match=message):
        StoreConfig(**values)
