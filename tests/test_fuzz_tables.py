"""A slice of ``benchmarks/fuzz_tables.py``: whatever a file holds, only errors of serprep's own."""

import importlib.util
import math
from pathlib import Path

import pytest


@pytest.fixture(scope="module")
def fuzz():
    path = Path(__file__).parent.parent / "benchmarks" / "fuzz_tables.py"
    spec = importlib.util.spec_from_file_location("fuzz_tables", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_damaged_files_are_read_or_refused(fuzz):
    kinds = ("recipe", "manifest", "raters", "split", "foreign", "table")
    found = fuzz.run(12, seed=1, only=kinds, seconds=math.inf)
    assert fuzz.faults(found) == []
    assert len(found) == 10
    assert sum(counts["refused"] for counts in found.values()) > 30


def test_a_fault_is_told(fuzz, monkeypatch):
    def fail(path):
        raise KeyError("x")

    monkeypatch.setattr(fuzz, "read_recipe", fail)
    assert fuzz.faults(fuzz.run(1, seed=0, only=("recipe",))) == ["recipe: KeyError 0: 'x'"]
