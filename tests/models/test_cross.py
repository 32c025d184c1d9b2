"""Systems trained on each of two corpora and tested on each."""

import dataclasses
import json

import numpy as np
import pytest

from helpers.inline import Inline
from serprep.errors import TrainError
from serprep.features.extract import Features
from serprep.metrics import uar
from serprep.systems import SYSTEMS
from serprep_models.catalogue import experiments_in
from serprep_models.checkpoint import read_checkpoint
from serprep_models.cross import cross, train_on_all
from serprep_models.predict_store import predict_store


def test_every_corpus_is_trained_on_and_tested_on_over_what_both_have(matrix):
    assert matrix.corpora == ("synthetic", "other") and matrix.systems == ("compare-svm",)  # no floor
    assert matrix.labels == ("angry", "sad")
    cells = {(cell.train, cell.test): cell for cell in matrix.cells}
    assert set(cells) == {(a, b) for a in matrix.corpora for b in matrix.corpora}
    assert {pair: cell.n_utterances for pair, cell in cells.items()} == {
        ("synthetic", "synthetic"): 16,  # of 4 speakers, 2 texts, 2 labels
        ("other", "synthetic"): 16,
        ("synthetic", "other"): 6,  # of 2 speakers, 1 text, and two copies
        ("other", "other"): 6,
    }
    assert [cell.n_speakers for cell in matrix.cells] == [4, 2, 2, 4]
    assert all(cell.summary.ua_interval for cell in matrix.cells)
    assert "synthetic: 16 of 32 utterances are dropped: happy 8, neutral 8" in matrix.notes
    assert "other: 4 of 10 utterances are dropped: bored 2, joy 2" in matrix.notes
    dropped = {row.label for row in matrix.mapping["other"] if not row.scored_as}
    assert dropped == {"bored", "joy"}


def test_off_the_diagonal_all_of_one_corpus_is_trained_on(matrix, small, other):
    recipe, _ = small
    paths = [
        path.parent
        for path in recipe.experiments_root.glob("experiments/*/compare-svm/fold-01/seed-0/checkpoint.json")
        if json.loads(path.read_bytes())["fold"] == "all"
    ]
    (folder,) = paths
    first, *_, last = experiments_in(recipe.experiments_root)
    assert first.latest and last.folder in folder.parents  # `latest` stays one whose scores are of people not heard
    result = json.loads((folder / "result.json").read_bytes())
    assert (result["n_train"], result["n_test"], result["ua"]) == (32, 0, None)
    told = predict_store([folder], other[1])
    rows = [row for row, name in enumerate(other[1].emotions) if name in matrix.labels]
    places = [told.labels.index(label) for label in matrix.labels]
    said = [matrix.labels[int(np.argmax(told.probabilities[row, places]))] for row in rows]
    expected = uar([other[1].emotions[row] for row in rows], said, matrix.labels)
    (cell,) = [cell for cell in matrix.cells if (cell.train, cell.test) == ("synthetic", "other")]
    assert cell.summary.ua == pytest.approx(expected)


def test_a_copy_of_the_one_in_the_other_is_named(matrix):
    assert any(line.startswith("synthetic → other: 1 of 6 scored utterances sound like") for line in matrix.warnings)
    assert any(line.startswith("synthetic → other: 1 of 6 scored utterances are rec") for line in matrix.warnings)


def test_what_cannot_be_crossed_is_told_before_anything_is_built(small, other):
    recipe, _ = small
    with pytest.raises(TrainError, match="expected two recipes or more, each with a name of its own"):
        cross([recipe, recipe])
    with pytest.raises(TrainError, match="no system to train"):
        cross([recipe, other[0]], systems=("majority",))
    plain = dataclasses.replace(other[0], features=Features(functionals=None))
    with pytest.raises(TrainError, match=r"different \[features\] of what compare-svm reads \(functionals\)"):
        cross([recipe, plain], systems=("compare-svm",))


class Idle:
    """Workers that are asked for nothing."""

    def run(self, function, items):
        assert not items
        return []


def test_networks_are_trained_on_all_without_anything_to_score(small, monkeypatch):
    recipe, store = small
    monkeypatch.setattr(type(SYSTEMS["mlp"]), "revision", 1)
    recipe = dataclasses.replace(recipe, train=dataclasses.replace(recipe.train, seeds=(0, 1), epochs=1))
    folders = train_on_all(recipe, store, ("mlp",), pool=Inline())["mlp"]
    assert [read_checkpoint(folder).about["seed"] for folder in folders] == [0, 1]
    results = [json.loads((folder / "result.json").read_bytes()) for folder in folders]
    assert [(result["n_train"], result["n_test"]) for result in results] == [(32, 0)] * 2
    about = json.loads((folders[0].parents[2] / "experiment.json").read_bytes())
    assert about["on_all"] and about["revisions"]["mlp"] == 1
    assert train_on_all(recipe, store, ("mlp",), pool=Idle()) == {"mlp": folders}  # kept: nothing runs
