"""What cannot be run is found before anything is."""

import dataclasses

import pytest

from serprep.errors import SplitError, TrainError
from serprep.split import SplitConfig, make_split, write_split
from serprep_models.experiments import run_experiments


def test_an_unknown_system_or_fold_is_named(small, pool) -> None:
    recipe, store = small
    with pytest.raises(TrainError, match="unknown system 'gru'"):
        run_experiments(recipe, store, pool=pool, systems=["gru"])
    with pytest.raises(SplitError, match="no fold '7'"):
        run_experiments(recipe, store, pool=pool, folds=["7"])


def test_nothing_finished_nothing_to_report(small, pool) -> None:
    recipe, store = small
    other = dataclasses.replace(recipe, train=dataclasses.replace(recipe.train, epochs=3))
    with pytest.raises(TrainError, match="run `serprep run` with the recipe first"):
        run_experiments(other, store, pool=pool, only_finished=True)


def test_a_fold_with_nothing_to_score_is_found_before_anything_is_trained(small, inline, tmp_path, monkeypatch) -> None:
    recipe, store = small
    split = make_split(store.manifest(), recipe.split)
    rows = {
        name: dataclasses.replace(row, roles=(row.roles[0], "train" if row.roles[1] == "test" else ""))
        for name, row in split.utterances.items()
    }
    path = write_split(dataclasses.replace(split, utterances=rows), tmp_path / "split.json")
    other = dataclasses.replace(recipe, split=SplitConfig(protocol="list", file=str(path)))
    monkeypatch.setattr("serprep_models.experiments.prepare", pytest.fail)
    with pytest.raises(
        TrainError, match="fold '2' has no utterance in its test part; name the other folds with --fold"
    ):
        run_experiments(other, store, pool=inline)
