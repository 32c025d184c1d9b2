"""A small synthetic store, trained systems and another corpus, which tests of models and commands share."""

import dataclasses
import os
import shutil
from pathlib import Path

import pytest
import soundfile

from helpers.inline import Inline
from serprep.parallel import Workers
from serprep.pipeline.build import build
from serprep.recipe import Recipe, recipe_from
from serprep.split import read_split
from serprep.store.store import Store, open_store
from serprep.testing import write_synthetic_corpus


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


@pytest.fixture(scope="session")
def svm(small):
    """A checkpoint of compare-svm, trained on one fold of the small store, and the ids of its training."""
    from serprep_models.experiments import run_experiments

    recipe, store = small
    folder = run_experiments(recipe, store, pool=Inline(), systems=("compare-svm",), folds=["1"]).folder
    ids = read_split(folder / "split.json").ids(0, "train")
    return folder / "compare-svm/fold-01/seed-0", [name for name in ids if store.emotions[store.ids.index(name)]]


@pytest.fixture(scope="session")
def other(small, svm, tmp_path_factory):
    """Another corpus: joy in place of happy, bored in place of neutral, and two copies of training utterances."""
    recipe, store = small
    folder = tmp_path_factory.mktemp("other")
    corpus = folder / "corpus"
    for path in write_synthetic_corpus(corpus, n_speakers=2, n_texts=1, seed=7):
        path.rename(path.with_name(path.name.replace("synth", "new")))
    for before, after in (("happy", "joy"), ("neutral", "bored")):
        (corpus / before).rename(corpus / after)
    sad = [name for name in svm[1] if name.startswith("sad/") or store.emotions[store.ids.index(name)] == "sad"]
    paths = [recipe.root / store.column("path")[store.ids.index(name)] for name in sad[:2]]
    shutil.copy(paths[0], corpus / "sad" / "new01_t08_1.wav")
    signal, rate = soundfile.read(paths[1])
    soundfile.write(corpus / "sad" / "new02_t09_1.wav", 0.4 * signal, rate, subtype="FLOAT")
    recipe = dataclasses.replace(recipe, folder=folder, name="other")
    return recipe, open_store(build(recipe, pool=Inline()).store), sad[:2]


@pytest.fixture
def dataset(trained: Path, tmp_path: Path) -> Path:
    """Two experiments of one data set, the second an hour older and hardly told of."""
    for name, seconds in (("aaaa1111bbbb2222", 7200), ("aaaa1111cccc3333", 3600)):
        folder = shutil.copytree(trained, tmp_path / "data" / "experiments" / name)
        # other tests train more in the folder that all share
        for more in (*folder.glob("compare-svm"), *folder.glob("majority"), *folder.glob("*/fold-0[!1]")):
            shutil.rmtree(more, ignore_errors=True)  # some lie in others
        for path in folder.rglob("result.json"):
            os.utime(path, (seconds, seconds))
    (tmp_path / "data/experiments/aaaa1111cccc3333/experiment.json").write_text("[" * 100_000)
    (tmp_path / "data/experiments/.cache").mkdir()
    return tmp_path / "data"


@pytest.fixture(scope="session")
def matrix(small, other):
    """What `cross` makes of both corpora."""
    from serprep_models.cross import cross

    return cross([small[0], other[0]], systems=("majority", "compare-svm"), pool=Inline())
