"""Small columns read by their metadata equal what zarr reads."""

import json

import numpy as np
import pytest

from serprep.store import zarr_store
from serprep.store.container import as_text
from serprep.store.described import DescribedArray, is_plain, read_plain
from serprep.store.layout import Array

TEXTS = ["", "ü日🙂", "x" * 300, "a"]


@pytest.mark.parametrize(("dtype", "rows"), [("string", TEXTS), ("float64", [0.0, np.nan, 1.5]), ("int64", [0, 1, -7])])
def test_a_column_is_what_zarr_reads(tmp_path, dtype, rows):
    spec = Array(name="a", shape=(len(rows),), dtype=dtype, dimensions=("utterance",))
    zarr_store.create(tmp_path, [spec], lambda _: rows if dtype == "string" else np.array(rows, dtype))
    about = json.loads((tmp_path / "a/zarr.json").read_text())
    by_zarr = zarr_store.open_array(str(tmp_path), "a")
    array = DescribedArray(about, lambda: by_zarr)
    assert is_plain(about)
    assert (array.shape, array.dtype, array.chunks) == (by_zarr.shape, by_zarr.dtype, by_zarr.chunks)
    for first, last in ((0, None), (1, 3), (2, 2)):
        found = read_plain(f"{tmp_path}/a", about, first, last)
        assert as_text(found) == as_text(by_zarr[first:last])
    chunk = tmp_path / "a/c/0"
    chunk.write_bytes(b"\x01" + chunk.read_bytes()[1:])
    with pytest.raises(OSError, match="checksum does not match"):
        read_plain(f"{tmp_path}/a", about, 0, None)
    chunk.unlink()
    with pytest.raises(OSError, match="c/0 is missing"):
        read_plain(f"{tmp_path}/a", about, 0, None)
