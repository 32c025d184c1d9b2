"""What a run does once, however many experiments it has."""

import dataclasses
from collections import Counter

import pytest

from serprep.corpora import read_corpus
from serprep.errors import TrainError
from serprep.pipeline import gather
from serprep.split import bind, make_split, read_split, write_split
from serprep.store.store import Store
from serprep_models import experiment, experiments
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
    counted(experiment, read_split)
    counted(experiment, bind)
    counted(Store, Store.manifest)
    experiment._bound.cache_clear()
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
        experiment.run_experiment(own)
    assert calls["read_split"] == 1
    first = experiment.read_predictions(tmp_path / "experiment" / "predictions.csv")["id"].tolist()
    other = make_split(store.manifest(), recipe.split)
    write_split(dataclasses.replace(other, utterances=swapped(other.utterances)), path)
    experiment.run_experiment(own)
    assert calls["read_split"] == 2
    second = experiment.read_predictions(tmp_path / "experiment" / "predictions.csv")["id"].tolist()
    assert sorted(first + second) == sorted(store.ids)  # the other fold's test part
    experiment._bound(store.path, "another seal", str(path), "another digest")
    assert calls["read_split"] == 3


def swapped(utterances):
    """The same utterances with the roles of the two folds exchanged."""
    return {name: dataclasses.replace(row, roles=row.roles[::-1]) for name, row in utterances.items()}


def test_one_emotion_is_refused_before_anything_is_computed(small, tmp_path) -> None:
    recipe, _ = small
    corpus = dataclasses.replace(recipe.corpus, emotions={"angry": "angry"})
    with pytest.raises(TrainError, match=r"no emotion but 'angry'; expected two or more to tell apart: see \[corpus"):
        experiments.check_recipe(dataclasses.replace(recipe, corpus=corpus), ("majority",))


def test_scores_of_a_corpus_with_marks_say_that_these_may_be_circular(small) -> None:
    recipe, _ = small
    assert experiments._marks_note(recipe) == []
    marked = dataclasses.replace(recipe, corpus=dataclasses.replace(recipe.corpus, marks="marks.csv"))
    (note,) = experiments._marks_note(marked)
    assert note.startswith("labels were corrected, or utterances left out, by marks.csv:")
