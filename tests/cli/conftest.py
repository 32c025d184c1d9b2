"""What the tests of commands share: a small project, and a small data set of two versions."""

import json
import os
import shutil
import time
from pathlib import Path

import numpy as np
import pytest
import soundfile

from helpers.command import installed
from helpers.inline import Inline
from serprep.pipeline.build import build
from serprep.recipe import recipe_from
from serprep.testing import write_synthetic_corpus

RECIPE = """\
[dataset]
path = "stores"
[corpus]
reader = "pattern"
root = "corpus"
pattern = "{emotion}/{speaker}_{text}_{take}.wav"
[split]
protocol = "group-k-fold"
folds = 2
[train]
systems = ["plain-crnn", "majority"]
seeds = [0]
epochs = 1
"""


@pytest.fixture(scope="session")
def built_twice(tmp_path_factory):
    """What each test gets a copy of as `two_versions`: a data set and the corpus it was built from."""
    folder = tmp_path_factory.mktemp("two_versions")
    (folder / "corpus").mkdir()
    results = []
    for i in range(4):
        samples = 0.1 * np.random.default_rng(i).normal(size=8000)
        soundfile.write(folder / "corpus" / f"u{i}.wav", samples, 16_000)
    for lines in (
        ["u0.wav,sad", "u1.wav,sad", "u2.wav,angry"],
        ["u0.wav,sad", "u1.wav,angry", "u2.wav,angry", "u3.wav,sad"],
    ):
        (folder / "corpus" / "labels.csv").write_text("\n".join(["path,emotion", *lines]) + "\n")
        values = {
            "dataset": {"path": str(folder / "data")},
            "corpus": {"reader": "table", "root": str(folder / "corpus"), "file": "labels.csv"},
            "features": {"functionals": {"enabled": False}},
        }
        results.append(build(recipe_from(values, folder=folder, name="test"), pool=Inline()))
    then = time.time() - 3 * 24 * 3600
    for path in sorted((folder / "data").rglob("*"), reverse=True):
        os.utime(path, (then, then))
    return folder, results[0].version, results[1].version


@pytest.fixture
def two_versions(built_twice, tmp_path):
    """A data set of two versions, three days old: u1's label changed, u3 came; → folder, the two digests."""
    folder, first, second = built_twice
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)  # dates and all
    return tmp_path / "data", first, second


@pytest.fixture(scope="session")
def project(tmp_path_factory) -> Path:
    """A folder of a recipe and a small corpus, one file of which is no recording."""
    folder = tmp_path_factory.mktemp("project")
    write_synthetic_corpus(folder / "corpus", n_speakers=2, n_texts=2)
    (folder / "corpus" / "sad" / "synth02_t09_1.wav").write_bytes(b"not a recording")
    (folder / "recipe.toml").write_text(RECIPE, encoding="utf-8")
    return folder


@pytest.fixture(scope="session")
def built(project) -> dict:
    """What `serprep build --json` says of it."""
    result = installed("build", "recipe.toml", "--json", "--workers", 1, cwd=project)
    assert result.returncode == 3
    return json.loads(result.stdout)


@pytest.fixture(scope="session")
def ran(project, built, serprep):
    """What `serprep run --json` did with it."""
    return serprep("run", "recipe.toml", "--json", "--workers", 1, cwd=project)


@pytest.fixture(scope="session")
def listed(project, serprep, tmp_path_factory):
    """A folder with the manifest of its corpus, and what `serprep manifest --json` said."""
    folder = tmp_path_factory.mktemp("listed")
    pattern = "{emotion}/{speaker}_{text}_{take}.wav"
    done = serprep("manifest", "pattern", project / "corpus", "-o", folder, "--pattern", pattern, "--json")
    return folder, json.loads(done.stdout)
