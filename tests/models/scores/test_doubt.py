"""Doubtful labels against cases computed by hand."""

import numpy as np
import pandas as pd
import pytest

from serprep_models.scores.doubt import COLUMNS, conflicting, doubtful

LABELS = ("happy", "neutral", "sad")
PATHS = {name: f"{name}.wav" for name in "abcd"}
# id, truth, and per (system, seed) the probabilities of happy, neutral, sad; crnn has two seeds, svm one
CASES = {
    "a": ("happy", {("crnn", 0): (0.9, 0.1, 0.0), ("crnn", 1): (0.7, 0.1, 0.2), ("svm", 0): (0.6, 0.2, 0.2)}),
    "b": ("happy", {("crnn", 0): (0.2, 0.2, 0.6), ("crnn", 1): (0.0, 0.6, 0.4), ("svm", 0): (0.1, 0.8, 0.1)}),
    "c": ("sad", {("crnn", 0): (0.4, 0.2, 0.4), ("crnn", 1): (0.2, 0.2, 0.6), ("svm", 0): (0.5, 0.1, 0.4)}),
}


def predictions(**truths: str) -> pd.DataFrame:
    """Out-of-fold predictions of two systems, and of a floor that is sure of "sad"."""
    rows = [
        (system, "1", seed, name, truths.get(name, truth), *chances)
        for name, (truth, by_run) in CASES.items()
        for (system, seed), chances in (*by_run.items(), (("majority", 0), (0.0, 0.0, 1.0)))
    ]
    return pd.DataFrame(rows, columns=["system", "fold", "seed", "id", "truth", *(f"p_{label}" for label in LABELS)])


def test_seeds_are_averaged_before_systems_and_floors_have_no_say() -> None:
    table = doubtful(predictions(), LABELS, paths=PATHS)
    assert tuple(table.columns) == COLUMNS
    # b: crnn (0.1, 0.4, 0.5), svm (0.1, 0.8, 0.1): mean (0.1, 0.6, 0.3); crnn by itself says sad
    # c: crnn (0.3, 0.2, 0.5), svm (0.5, 0.1, 0.4): mean (0.4, 0.15, 0.45); a: (0.7, 0.15, 0.15)
    told = table[["id", "path", "given", "likeliest", "systems_agreeing", "systems"]]
    assert told.to_numpy().tolist() == [
        ["b", "b.wav", "happy", "neutral", 1, 2],
        ["c", "c.wav", "sad", "sad", 1, 2],
        ["a", "a.wav", "happy", "happy", 2, 2],
    ]
    assert table["probability"].to_numpy() == pytest.approx(np.array([0.1, 0.45, 0.7]))
    assert table["margin"].to_numpy() == pytest.approx(np.array([-0.5, 0.05, 0.55]))
    assert table[["raters_agreeing", "raters"]].isna().all(axis=None)


def test_a_copy_under_another_label_comes_before_any_margin() -> None:
    conflicts = conflicting([("a", "d"), ("b", "c")], {"a": "happy", "b": "", "c": "sad", "d": "sad"})
    assert conflicts == {"a": ["d"], "d": ["a"]}  # d is in no test part; b has no label
    table = doubtful(predictions(), LABELS, paths=PATHS, conflicts=conflicts)
    assert table["id"].tolist() == ["a", "b", "c"]
    assert table["same_sound"].tolist() == ["d", "", ""]


def test_of_equal_margins_the_label_that_fewer_raters_gave_comes_first() -> None:
    whole = predictions()
    same = pd.concat([whole[whole["id"] == "a"].assign(id=name) for name in "abcd"])
    table = doubtful(same, LABELS, paths=PATHS, raters={"a": (3, 3), "c": (2, 3), "d": (1, 2)})
    assert table["id"].tolist() == ["d", "c", "a", "b"]  # nobody told of b
    assert table["raters_agreeing"].tolist()[:3] == [1, 2, 3]
    assert table["raters"].tolist()[:3] == [2, 3, 3]


def test_what_has_no_label_or_no_probability_is_not_doubted() -> None:
    whole = predictions(a="", b="bored")
    assert doubtful(whole, LABELS, paths=PATHS)["id"].tolist() == ["c"]
    bare = whole.drop(columns=["p_sad"])
    assert doubtful(bare, LABELS, paths=PATHS).empty
    assert doubtful(whole[whole["system"] == "majority"], LABELS, paths=PATHS).empty
