"""What trained systems say, in every form."""

import csv
import dataclasses
import io
import json

import numpy as np
import pytest

from serprep.errors import TrainError
from serprep_models.predictions import Predictions, render
from serprep_models.scores.calibration import Abstention


@pytest.fixture
def said() -> Predictions:
    chances = np.array([[0.1, 0.2, 0.7], [0.4, 0.4, 0.2], [0.9, 1e-9, 0.1]], np.float32)
    return Predictions(("a", "b", "c"), ("angry", "happy", "sad"), chances, {})


def test_every_form_says_the_same(said: Predictions) -> None:
    table = list(csv.DictReader(io.StringIO(render(said, "csv"))))
    lines = [json.loads(line) for line in render(said, "jsonl").splitlines()]
    assert [row["id"] for row in table] == [row["id"] for row in lines] == list(said.ids)
    for row, line, values in zip(table, lines, said.probabilities, strict=True):
        assert row["label"] == line["label"] == said.labels[int(values.argmax())]
        assert [float(row[f"p_{label}"]) for label in said.labels] == values.tolist()
        assert list(line["probabilities"].values()) == values.tolist()
    data = render(said, "arff").split("@data\n")[1].splitlines()
    assert data == [f"'{name}',{label}" for name, label in zip(said.ids, said.predicted(), strict=True)]


def test_escapes_in_names_and_labels_reach_no_terminal(said: Predictions) -> None:
    odd = dataclasses.replace(said, ids=("a\x1b[2J\x9b\u202e", "b", "c"), labels=("sad\x07", *said.labels[1:]))
    for form in ("csv", "jsonl", "arff"):
        assert all(character.isprintable() or character == "\n" for character in render(odd, form))
    line = json.loads(render(odd, "jsonl").splitlines()[0])
    assert line["id"] == odd.ids[0] and "sad\x07" in line["probabilities"]  # JSON loses nothing


def test_ties_go_to_the_first_label_and_what_is_below_the_threshold_gets_none(said: Predictions) -> None:
    assert said.predicted() == ["sad", "angry", "angry"]
    worth = Abstention(threshold=0.5, coverage=0.6, accuracy=0.9, n=10)
    abstaining = said.abstaining(worth)
    assert abstaining.predicted() == ["sad", "", "angry"]
    assert abstaining.notes == (worth.words,)
    nobody = dataclasses.replace(said, ids=(), probabilities=np.zeros((0, 3), np.float32))
    assert nobody.predicted() == [] and render(nobody, "csv") == "id,label,p_angry,p_happy,p_sad\n"


def test_numbers_have_forms_of_their_own(said: Predictions) -> None:
    numbers = dataclasses.replace(said, labels=("arousal", "valence", "dominance"), numbers=True)
    assert render(numbers, "csv").splitlines()[1] == "a,0.1,0.2,0.7"
    assert json.loads(render(numbers, "jsonl").splitlines()[2])["numbers"]["valence"] == 0.0  # of 1e-9
    with pytest.raises(TrainError, match="form arff is one of labels; expected csv or jsonl for numbers"):
        render(numbers, "arff")
