"""What zarr reads is what lies there, and what is missing is an error."""

import numpy as np
import pytest
import zarr

from serprep.place.place import at
from serprep.store.place_store import PlaceStore


@pytest.fixture(params=["here", "url"])
def place(request, tmp_path):
    """A folder or URL with a sharded array."""
    array = zarr.create_array(
        store=str(tmp_path / "x" / "a"), shape=(9,), chunks=(2,), shards=(4,), dtype="float32", zarr_format=3
    )
    array[:] = np.arange(9)
    here, url = at(tmp_path / "x"), at(f"memory://{tmp_path.name}/x")
    for name in here.files():
        url.write(name, here.read(name))
    return {"here": here, "url": url}[request.param]


def test_rows_are_those_that_were_written(place):
    array = zarr.open_array(store=PlaceStore(place.root), path="a", mode="r", zarr_format=3)
    for first, last in ((0, 9), (3, 5), (8, 9), (2, 4)):
        assert array[first:last].tolist() == list(range(first, last))
    assert PlaceStore(place.root) == PlaceStore(place.root) != PlaceStore(f"{place.root}/a")


def test_a_missing_chunk_is_an_error_and_missing_metadata_are_not_there(place):
    place.remove("a/c/1")
    array = zarr.open_array(store=PlaceStore(place.root), path="a", mode="r", zarr_format=3)
    assert array[:4].tolist() == [0, 1, 2, 3]
    with pytest.raises(OSError, match=r"its file c/1(/0)* is missing"):
        array[4:]
    with pytest.raises(FileNotFoundError, match="none"):
        zarr.open_array(store=PlaceStore(place.root), path="none", mode="r", zarr_format=3)
