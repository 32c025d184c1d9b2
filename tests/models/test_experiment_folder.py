"""What changes the numbers of experiments moves their folder, and nothing else does."""

import dataclasses
from pathlib import Path
from types import SimpleNamespace

import pytest

from serprep.recipe import TrainConfig
from serprep.systems import SYSTEMS
from serprep_models.experiment_folder import experiments_folder


def test_a_key_at_its_default_does_not_move_what_is_finished(outcome, small) -> None:
    recipe, store = small
    plain = {"hsf-crnn": {"dropout": 0.0, "layers": [1024, 520, 128]}, "svm": {}}
    same = dataclasses.replace(recipe, train=dataclasses.replace(recipe.train, keep="best", options=plain))
    other = dataclasses.replace(recipe, train=dataclasses.replace(recipe.train, options={"hsf-crnn": {"dropout": 0.1}}))
    assert experiments_folder(same, store, outcome.split) == outcome.folder
    assert experiments_folder(other, store, outcome.split) != outcome.folder


@pytest.mark.parametrize(
    ("how", "name"),
    [
        (TrainConfig(), "c278d09b13135a6b"),
        (
            TrainConfig(
                systems=("hsf-crnn", "svm"), epochs=3, standardisation="speaker", options={"svm": {"c": [0.5]}}
            ),
            "697b9dde5eb5f7b2-transductive",
        ),
    ],
)
def test_a_systems_revision_moves_what_is_finished_of_recipes_that_train_it(how, name, monkeypatch) -> None:
    """The names are those of a serprep whose systems had no revisions."""
    recipe = SimpleNamespace(train=how, experiments_root=Path("data"))
    given = SimpleNamespace(version="a" * 64), SimpleNamespace(digest="b" * 64)

    def place(*systems):
        return experiments_folder(recipe, *given, systems=systems).name

    assert place() == place("linear") == name
    monkeypatch.setattr(type(SYSTEMS["linear"]), "revision", 1)
    assert place() == place("hsf-crnn") == name != place("linear")
    monkeypatch.setattr(type(SYSTEMS["hsf-crnn"]), "revision", 1)
    first = place()
    monkeypatch.setattr(type(SYSTEMS["hsf-crnn"]), "revision", 2)
    assert len({name, first, place(), place("linear")}) == 4


def test_where_it_runs_does_not_decide_where_results_lie(outcome, small, pool) -> None:
    recipe, store = small
    how = dataclasses.replace(recipe.train, memory_budget=7, device="cpu", tensorboard=True)
    assert experiments_folder(dataclasses.replace(recipe, train=how), store, outcome.split) == outcome.folder
