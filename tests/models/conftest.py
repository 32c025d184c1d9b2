"""A small synthetic store that every test of the models shares."""

from pathlib import Path

import pytest
import torch

from serprep.parallel import Workers
from serprep.pipeline.build import build
from serprep.recipe import Recipe, recipe_from
from serprep.store.store import Store, open_store
from serprep.testing import write_synthetic_corpus

torch.set_num_threads(1)  # small systems: a second thread only gets in the way


def recipe_for(folder: Path, **train: object) -> Recipe:
    """A recipe for a synthetic corpus in `folder`."""
    values = {
        "dataset": {"name": "synthetic", "path": "stores"},
        "corpus": {"reader": "pattern", "root": "corpus", "pattern": "{emotion}/{speaker}_{text}_{take}.wav"},
        "split": {"protocol": "group-k-fold", "folds": 2},
        "train": {"epochs": 2, "seeds": [0], "batch_size": 8, **train},
    }
    return recipe_from(values, folder=folder, name="synthetic")


@pytest.fixture(scope="session")
def small(tmp_path_factory: pytest.TempPathFactory, pool: Workers) -> tuple[Recipe, Store]:
    """Four speakers, four emotions, two texts: 32 utterances."""
    folder = tmp_path_factory.mktemp("synthetic")
    write_synthetic_corpus(folder / "corpus", n_speakers=4, n_texts=2)
    recipe = recipe_for(folder)
    return recipe, open_store(build(recipe, pool=pool).store)


@pytest.fixture(scope="session")
def trained(small: tuple[Recipe, Store], pool: Workers) -> Path:
    """Experiments on one fold of the small store: every neural system, two epochs."""
    from serprep_models.experiments import run_experiments

    recipe, store = small
    systems = ("plain-crnn", "hsf-crnn", "multi-crnn")
    return run_experiments(recipe, store, pool=pool, systems=systems, folds=["1"]).folder
