"""What every system promises: it trains, keeps, predicts as it was scored, and goes on after a kill."""

import json

import numpy as np
import pytest
import soundfile
import torch

import serprep_models
from helpers.inline import Inline
from serprep.errors import TrainError
from serprep.features.extract import Features
from serprep.features.signal import SIGNAL
from serprep.pipeline.build import build
from serprep.recipe import recipe_from
from serprep.store.store import open_store
from serprep.systems import SYSTEMS, inputs_of
from serprep.testing import write_synthetic_corpus
from serprep_models.examples import load
from serprep_models.experiment import read_predictions
from serprep_models.experiments import run_experiments
from serprep_models.predict_store import predict_store
from serprep_models.standardise import training_statistics
from serprep_models.system import SystemConfig, make_system

KEPT = [name for name in SYSTEMS.names if SYSTEMS[name].labels and not SYSTEMS[name].floor]
TABLES = {"svm": {"features": ["functionals", "egemaps"]}, "mlp": {"layers": [8]}, "linear": {"features": ["egemaps"]}}


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    folder = tmp_path_factory.mktemp("systems")
    write_synthetic_corpus(folder / "corpus", n_speakers=2, n_texts=1)
    return folder


@pytest.fixture(scope="module")
def outcome(corpus):
    values = {
        "dataset": {"name": "systems", "path": "stores"},
        "corpus": {"reader": "pattern", "root": "corpus", "pattern": "{emotion}/{speaker}_{text}_{take}.wav"},
        "features": {"signal": {}, "egemaps": {}},
        "split": {"protocol": "group-k-fold", "folds": 2},
        "train": {"systems": KEPT, "epochs": 1, "seeds": [0], "batch_size": 4, "device": "cpu", **TABLES},
    }
    recipe = recipe_from(values, folder=corpus, name="systems")
    store = open_store(build(recipe, pool=Inline()).store)
    return run_experiments(recipe, store, pool=Inline(), folds=["1"])


@pytest.mark.parametrize("name", KEPT)
def test_a_checkpoint_predicts_as_it_was_scored(outcome, corpus, name) -> None:
    place = outcome.folder / name / "fold-01" / "seed-0"
    scored = read_predictions(place / "predictions.csv")
    expected = scored.filter(like="p_").to_numpy()
    np.testing.assert_allclose(expected.sum(1), 1, atol=1e-5)
    predicted = predict_store([place], outcome.store)
    rows = [predicted.ids.index(utterance) for utterance in scored["id"]]
    np.testing.assert_allclose(predicted.probabilities[rows], expected, atol=1e-5)
    # and of the recording itself
    path = corpus / "corpus" / outcome.store.column("path")[outcome.store.ids.index(scored["id"][0])]
    found = serprep_models.load(place).predict(*soundfile.read(path, dtype="float32"))
    np.testing.assert_allclose(list(found.values()), expected[0], atol=1e-4)


@pytest.mark.parametrize("name", KEPT)
def test_a_checkpoint_says_what_the_system_reads(outcome, name) -> None:
    about = json.loads((outcome.folder / name / "fold-01" / "seed-0" / "checkpoint.json").read_text())["system"]
    assert about["name"] == name
    assert tuple(about["inputs"]) == inputs_of(name, TABLES, outcome.store.features)


@pytest.mark.parametrize("name", [name for name in KEPT if SYSTEMS[name].by_gradient])
def test_logits_do_not_depend_on_the_rest_of_the_batch(outcome, name) -> None:
    store, names = outcome.store, inputs_of(name, TABLES, outcome.store.features)
    examples = load(store, range(6), names=names, statistics=training_statistics(store, range(6), names))
    torch.manual_seed(0)
    system = make_system(SystemConfig.of(name, store.features, 4, **TABLES.get(name, {}))).eval()
    with torch.inference_mode():
        together = system(examples.batch(torch.arange(6)))
        alone = torch.cat([system(examples.batch(torch.tensor([row]))) for row in range(6)])
    torch.testing.assert_close(together, alone, rtol=1e-4, atol=1e-5)


def test_every_system_says_what_it_lacks() -> None:
    nothing = Features(segments={}, logmel=None, functionals=None, signal=SIGNAL.config())
    for name in KEPT:
        if name != "cnn-lstm":
            with pytest.raises(TrainError, match=r"enable|add them"):
                SystemConfig.of(name, nothing, 4)
