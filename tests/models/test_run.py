"""What a run does once, however many experiments it has."""

import dataclasses
from collections import Counter

import pytest

from serprep.corpora import read_corpus
from serprep.pipeline import gather
from serprep.split import bind, make_split, read_split, write_split
from serprep.store.store import Store
from serprep_models import experiment, tasks
from serprep_models.run import run_recipe


@pytest.fixture
def calls(monkeypatch):
    """How often the corpus was read, and a split was read and bound."""
    counts = Counter()

    def counted(module, function):
        def call(*args, **kwargs):
            counts[function.__name__] += 1
            return function(*args, **kwargs)

        monkeypatch.setattr(module, function.__name__, call)

    counted(gather, read_corpus)
    counted(tasks, read_split)
    counted(tasks, bind)
    counted(Store, Store.manifest)
    tasks._bound.cache_clear()
    return counts


def test_a_run_reads_its_corpus_once_and_binds_its_split_once_per_process(small, inline, calls, tmp_path) -> None:
    recipe, _ = small
    dataset = dataclasses.replace(recipe.dataset, path=str(tmp_path / "data"), cache=recipe.cache_path)
    how = dataclasses.replace(recipe.train, systems=("majority", "compare-svm"))
    _, outcome, _ = run_recipe(dataclasses.replace(recipe, dataset=dataset, train=how), pool=inline, page=False)
    assert len(outcome.results) == 4  # two folds of two systems, and what they share is prepared before
    assert calls == {
        "read_corpus": 1,
        "read_split": 1,
        "bind": 1,
        "manifest": 4,
    }  # two for the card


def test_another_split_or_store_is_read_anew(small, calls, tmp_path) -> None:
    recipe, store = small
    path = write_split(make_split(store.manifest(), recipe.split), tmp_path / "split.json")
    own = experiment.Experiment(
        folder=str(tmp_path / "experiment"),
        store=store.path,
        split=str(path),
        system="majority",
        fold=0,
        seed=0,
        how=recipe.train,
    )
    for _ in range(2):
        tasks.run_experiment(own)
    assert calls["read_split"] == 1
    first = experiment.read_predictions(tmp_path / "experiment" / "predictions.csv")["id"].tolist()
    other = make_split(store.manifest(), recipe.split)
    write_split(dataclasses.replace(other, utterances=swapped(other.utterances)), path)
    tasks.run_experiment(own)
    assert calls["read_split"] == 2
    second = experiment.read_predictions(tmp_path / "experiment" / "predictions.csv")["id"].tolist()
    assert sorted(first + second) == sorted(store.ids)  # the other fold's test part
    tasks._bound(store.path, "another seal", str(path), "another digest")
    assert calls["read_split"] == 3


def swapped(utterances):
    """The same utterances with the roles of the two folds exchanged."""
    return {name: dataclasses.replace(row, roles=row.roles[::-1]) for name, row in utterances.items()}
