"""An experiment gives the same however it was run."""

import dataclasses

import pytest

from serprep.split import make_split, read_split, write_split
from serprep_models import experiment, tasks, train
from serprep_models.examples import Stored


def test_a_killed_experiment_goes_on_and_its_state_is_gone_afterwards(small, tmp_path, monkeypatch) -> None:
    recipe, store = small
    split = write_split(make_split(store.manifest(), recipe.split), tmp_path / "split.json")
    how = dataclasses.replace(recipe.train, device="cpu")
    whole, killed = (
        experiment.Experiment(
            folder=str(tmp_path / name),
            store=store.path,
            split=str(split),
            system="plain-crnn",
            fold=0,
            seed=0,
            how=how,
        )
        for name in ("whole", "killed")
    )
    tasks.run_experiment(whole)
    save = train._Training.save

    def die(self, folder):
        save(self, folder)
        raise KeyboardInterrupt("now")

    with monkeypatch.context() as patch, pytest.raises(KeyboardInterrupt, match="now"):
        patch.setattr(train._Training, "save", die)
        patch.setattr(train.train, "__kwdefaults__", {**train.train.__kwdefaults__, "save_every": 0.0})
        tasks.run_experiment(killed)
    assert (tmp_path / "killed" / train.STATE).is_file() and not experiment.finished(killed)
    assert experiment.n_epochs_done(killed) == 0
    tasks.run_experiment(killed)
    assert experiment.finished(killed) and experiment.n_epochs_done(killed) == 2
    assert not (tmp_path / "killed" / train.STATE).exists()
    for name in ("weights.safetensors", "predictions.csv"):
        assert (tmp_path / "killed" / name).read_bytes() == (tmp_path / "whole" / name).read_bytes()


def test_a_fold_larger_than_the_budget_is_streamed_and_learns_the_same_statistics(small, tmp_path, monkeypatch) -> None:
    recipe, store = small
    split = write_split(make_split(store.manifest(), recipe.split), tmp_path / "split.json")
    how = dataclasses.replace(recipe.train, memory_budget=1, batch_size=2)
    streamed = experiment.Experiment(
        folder=str(tmp_path / "experiment"),
        store=store.path,
        split=str(split),
        system="hsf-crnn",
        fold=0,
        seed=0,
        how=how,
    )
    loaded = []
    load = Stored.load
    monkeypatch.setattr(Stored, "load", lambda self, chosen=None: loaded.append(chosen) or load(self, chosen))
    tasks.run_experiment(streamed)
    assert loaded and all(chosen is not None for chosen in loaded)  # windows, never a whole part
    assert sorted(experiment.read_predictions(tmp_path / "experiment" / "predictions.csv")["id"]) == sorted(
        read_split(split).ids(0, "test")
    )
