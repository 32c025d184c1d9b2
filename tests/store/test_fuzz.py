"""A slice of `benchmarks/fuzz_stores.py`: thirty mutations of each kind of file, always the same."""

import importlib.util
from pathlib import Path

import pytest

spec = importlib.util.spec_from_file_location(
    "fuzz_stores", Path(__file__).parents[2] / "benchmarks" / "fuzz_stores.py"
)
fuzz_stores = importlib.util.module_from_spec(spec)
spec.loader.exec_module(fuzz_stores)

KINDS = ["tag", "build.json", "memo", "part", "failures", "zarr root", "zarr array", "zarr chunk", "hdf5"]


@pytest.mark.filterwarnings("ignore")  # of what a forged file makes numpy say
def test_mutated_files_are_refused_in_one_line_or_are_what_they_were(tmp_path):
    counts = fuzz_stores.fuzz(tmp_path / "set", 12, 1, [*KINDS, *fuzz_stores.FORGED])
    assert all(sum(count.values()) == 12 for count in counts.values())
    assert counts["tag"]["refused"] + counts["tag"]["same"] == counts["build.json"]["noticed"] == 12
    assert counts["zarr root"]["refused"] >= 8 and counts["zarr array"]["refused"] == 12
