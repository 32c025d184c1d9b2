"""What the tests of the data set's commands share: a small data set."""

import os
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile

from helpers.inline import Inline
from serprep.pipeline.build import build
from serprep.recipe import recipe_from


@pytest.fixture
def two_versions(tmp_path):
    """A data set of two versions, three days old: u1's label changed, u3 came; → folder, the two digests."""
    (tmp_path / "corpus").mkdir()
    results = []
    for i in range(4):
        samples = 0.1 * np.random.default_rng(i).normal(size=8000)
        soundfile.write(tmp_path / "corpus" / f"u{i}.wav", samples, 16_000)
    for lines in (
        ["u0.wav,sad", "u1.wav,sad", "u2.wav,angry"],
        ["u0.wav,sad", "u1.wav,angry", "u2.wav,angry", "u3.wav,sad"],
    ):
        (tmp_path / "corpus" / "labels.csv").write_text("\n".join(["path,emotion", *lines]) + "\n")
        values = {
            "dataset": {"path": str(tmp_path / "data")},
            "corpus": {"reader": "table", "root": str(tmp_path / "corpus"), "file": "labels.csv"},
            "features": {"functionals": {"enabled": False}},
        }
        results.append(build(recipe_from(values, folder=tmp_path, name="test"), pool=Inline()))
    then = time.time() - 3 * 24 * 3600
    for path in sorted((tmp_path / "data").rglob("*"), reverse=True):
        os.utime(path, (then, then))
    return Path(tmp_path / "data"), results[0].version, results[1].version
