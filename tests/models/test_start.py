"""A training that goes on from a checkpoint."""

import dataclasses
import shutil
import types

import pytest
import torch

from serprep.errors import TrainError
from serprep.features.extract import Features
from serprep.features.logmel import LogMel
from serprep.split import read_split
from serprep.systems import options_of
from serprep_models.beforehand import check_recipe
from serprep_models.bundle import packed
from serprep_models.checkpoint import read_checkpoint
from serprep_models.cross import cross
from serprep_models.experiment_folder import experiments_folder
from serprep_models.experiments import run_experiments
from serprep_models.plan import planned
from serprep_models.seen import find_seen
from serprep_models.start import start_of, weights_for
from serprep_models.system import SystemConfig, WithSVM
from serprep_models.travel import Travel

ALL = {"folds": None, "seeds": None, "only_finished": False}


@pytest.fixture(scope="module")
def begun(trained):
    """The checkpoint of fold 1 of the small store."""
    return trained / "plain-crnn/fold-01/seed-0"


def starting(recipe, checkpoint, **changes):
    return dataclasses.replace(
        recipe, train=dataclasses.replace(recipe.train, start_from=str(checkpoint), seeds=(0,), **changes)
    )


def test_it_begins_with_the_weights_of_the_checkpoint(small, begun, trained, inline):
    recipe, store = small
    asked = starting(recipe, begun, learning_rate=1e-9, epochs=1)
    outcome = run_experiments(asked, store, pool=inline, systems=["plain-crnn"], folds=["1"])
    folder = outcome.folder / "plain-crnn/fold-01/seed-0"
    own, given = (read_checkpoint(place) for place in (folder, begun))
    pairs = zip(own.system.state_dict().values(), given.system.state_dict().values(), strict=True)
    assert all(torch.allclose(mine, theirs, atol=1e-6) for mine, theirs in pairs)
    assert f"plain-crnn goes on from {begun}, and knows what that was trained on" in outcome.notes
    assert outcome.folder != trained and len(own.about["start_from"]) == 64
    note = "it went on from another checkpoint: what that one was trained on was not compared"
    assert (
        find_seen([own], [folder], store, rows=[0]).notes == (note,)
        and not find_seen([given], [begun], store, rows=[0]).notes
    )
    with pytest.raises(TrainError, match="it went on from another checkpoint itself, whose training nobody can"):
        start_of(starting(recipe, folder), ["plain-crnn"])


def test_nobody_of_its_training_is_scored(small, other, begun):
    recipe, store = small
    asked = starting(recipe, begun)
    plan = planned(asked, store, systems=["plain-crnn"], **{**ALL, "folds": ["1"]})
    assert [experiment.start for experiment in plan.experiments] == [str(plan.folder / "start")]
    with pytest.raises(TrainError, match=r"start_from .*: \d+ of \d+ scored utterances are recordings of training"):
        planned(asked, store, systems=["plain-crnn"], **ALL)  # fold 2 tests whom fold 1 was trained on
    with pytest.raises(TrainError, match=r"new01_t08_1 \(sad/.* in training\).*whose training had none of them"):
        planned(starting(other[0], begun), other[1], systems=["plain-crnn"], **ALL)


def test_what_cannot_be_compared_is_said(small, begun, tmp_path):
    recipe, store = small
    moved = shutil.copytree(begun, tmp_path / "moved")
    plan = planned(starting(recipe, moved), store, systems=["plain-crnn"], **ALL)
    assert plan.warnings[-1].endswith("the store of training is not there: speakers and recordings were not compared")
    weights = moved / "weights.safetensors"
    weights.write_bytes(weights.read_bytes()[:-8])
    with pytest.raises(TrainError, match="damaged"):
        start_of(starting(recipe, moved), ["plain-crnn"])


@pytest.mark.parametrize(
    ("name", "systems", "message"),
    [
        ("plain-crnn/fold-01/seed-0", ["mlp"], "is of plain-crnn, from which mlp cannot go on; leave mlp out"),
        (".", ["plain-crnn"], "checkpoints are there; name one's folder, such as"),
        ("nothing", ["plain-crnn"], "no checkpoint"),
    ],
)
def test_what_nobody_can_go_on_from_is_refused_before_anything_is_computed(small, trained, name, systems, message):
    with pytest.raises(TrainError, match=message):
        check_recipe(starting(small[0], trained / name), systems)


def test_layers_and_features_must_be_its_own(small, trained):
    recipe, _ = small
    checkpoint = trained / "hsf-crnn/fold-01/seed-0"
    with pytest.raises(TrainError, match=r"hsf-crnn has other layers in the checkpoint \(.*differs\)"):
        start_of(starting(recipe, checkpoint, options={"hsf-crnn": {"layers": [8]}}), ["hsf-crnn"])
    other = dataclasses.replace(recipe, features=Features(logmel=LogMel(fmin=55.0)))
    with pytest.raises(TrainError, match=r"was trained on other features; write the same \[features\]"):
        start_of(starting(other, checkpoint), ["hsf-crnn", "compare-svm"])


def test_outputs_begin_afresh_where_labels_are_others(begun):
    checkpoint = read_checkpoint(begun)
    config = checkpoint.config
    every = weights_for(config, checkpoint, checkpoint.labels)
    assert set(every) == set(checkpoint.system.state_dict())
    for labels in (checkpoint.labels[::-1], ("angry", "sad")):
        fewer = dataclasses.replace(config, n_labels=len(labels))
        assert set(every) - set(weights_for(fewer, checkpoint, labels)) == {"out.weight", "out.bias"}
    shared = WithSVM(checkpoint.system, torch.nn.Linear(2, 4), features=(), share=0.2)
    assert set(weights_for(config, dataclasses.replace(checkpoint, system=shared), checkpoint.labels)) == set(every)
    outputs = dataclasses.replace(checkpoint, system=torch.nn.ModuleDict({"out": torch.nn.Linear(2, 4)}))
    options = options_of("linear", {"linear": {"features": ["x"]}})
    linear = SystemConfig(system="linear", n_labels=2, shapes={"x": (2,)}, options=options)
    with pytest.raises(TrainError, match="no layer but its outputs, which told other labels"):
        weights_for(linear, outputs, ("a", "b"))


def test_the_checkpoint_decides_where_experiments_lie_and_its_path_does_not(small, begun, trained):
    recipe, store = small
    here, there = (starting(recipe, place) for place in (begun, "elsewhere"))
    split = read_split(trained / "split.json")
    same = {experiments_folder(asked, store, split, start="a") for asked in (here, there)}
    assert len(same | {experiments_folder(here, store, split, start="b"), trained}) == 3


def test_workers_elsewhere_are_sent_it(begun, tmp_path):
    shutil.copytree(begun, tmp_path / "start")
    Travel(str(tmp_path), (tmp_path / "there").as_uri()).send_split()
    sent = {path.name for path in (tmp_path / "there/start").iterdir()}
    assert sent == {"weights.safetensors", "checkpoint.json"}


def test_what_would_leak_or_lack_it_is_refused(small, other, begun, tmp_path):
    with pytest.raises(TrainError, match="other goes on from a checkpoint, which may know the other corpus"):
        cross([small[0], starting(other[0], begun)])
    asked, whole = starting(small[0], begun), types.SimpleNamespace()
    with pytest.raises(TrainError, match=r"on\.toml: it goes on from a checkpoint; a bundle is made of a recipe that"):
        packed(asked, whole, path=tmp_path / "on.toml")
