"""What earlier serpreps wrote stays readable: ``tests/data`` holds a sample of every released format."""

import shutil
from pathlib import Path

import numpy as np
import pytest

from serprep.features.functionals import Functionals
from serprep.manifest.table import read_manifest
from serprep.split import bind, read_split
from serprep.store.store import open_store

SAMPLES = sorted((Path(__file__).parent / "data").glob("format*"))


@pytest.fixture(params=SAMPLES, ids=lambda path: path.name)
def sample(request, tmp_path) -> Path:
    copy = tmp_path / "sample"
    shutil.copytree(request.param, copy)
    return copy


@pytest.mark.parametrize("name", ["store.zarr", "store.h5"])
def test_stores_stay_readable(sample, name) -> None:
    store = open_store(sample / name)
    assert store.ids == ["calm/a", "tense/b"]
    assert store.labels == ("calm", "tense")
    assert store.features.functionals == Functionals(enabled=False, engine="opensmile")
    # one second has 98 frames: 1 + (98 - 30) // 20 short segments, 1 + (98 - 50) // 25 long ones
    assert store.segments(0, 30).shape == (4, 30, 40)
    assert store.segments(1, 50).shape == (2, 50, 40)
    # silence has no power: nothing but the floor
    assert (store.segments(0, 30) == np.float32(np.log(1e-10))).all()
    # a constant has its power in the lowest bands, whichever the frame
    constant = store.segments(1, 30)
    assert (constant == constant[0, 0]).all()
    assert constant[0, 0].argmax() == 0


def test_manifests_and_splits_stay_readable(sample) -> None:
    manifest = read_manifest(sample / "manifest")
    assert [row.speaker for row in manifest.utterances] == ["a", "b"]
    assert [row.duration for row in manifest.utterances] == [1.0, 1.0]
    bound = bind(read_split(sample / "split.json"), manifest)
    assert (bound.rows(0, "test"), bound.rows(0, "train")) == ([0], [1])


def test_there_is_a_sample() -> None:
    assert [path.name for path in SAMPLES] == ["format1"]
