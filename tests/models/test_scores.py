"""Summaries against hand-computed cases and scikit-learn."""

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import accuracy_score, recall_score

from serprep_models.scores import score, speaker_counts, summarise

LABELS = ("a", "b")


def frame(truth: str, prediction: str, **more: object) -> pd.DataFrame:
    return pd.DataFrame({"truth": list(truth), "prediction": list(prediction), **more})


def test_a_label_without_test_utterances_leaves_ua_undefined_and_is_named() -> None:
    found = score(frame("aaa", "aab"), LABELS)
    assert found["ua"] is None
    assert found["missing"] == ["b"]
    assert found["wa"] == pytest.approx(2 / 3)


def test_rows_without_a_label_do_not_count() -> None:
    rows = pd.DataFrame({"truth": ["a", "", "b"], "prediction": ["a", "a", "a"]})
    assert score(rows, LABELS)["n_test"] == 2


def test_scores_equal_scikit_learns() -> None:
    rng = np.random.default_rng(0)
    truth, prediction = rng.choice(list("abc"), 200), rng.choice(list("abc"), 200)
    found = score(pd.DataFrame({"truth": truth, "prediction": prediction}), "abc")
    assert found["ua"] == pytest.approx(recall_score(truth, prediction, average="macro"))
    assert found["wa"] == pytest.approx(accuracy_score(truth, prediction))


def test_pooling_is_over_folds_and_averaging_over_seeds() -> None:
    """Seed 0: fold 1 a→a, fold 2 b→a: pooled recalls 1 and 0.  Seed 1: all right.  Mean UA 0.75."""
    common = {"system": "s", "id": ["u", "v"] * 2, "speaker": ["x", "y"] * 2, "fold": ["1", "2"] * 2}
    predictions = frame("abab", "aaab", seed=[0, 0, 1, 1], **common)
    results = [{"system": "s", "fold": f, "seed": s, "ua": None} for s in (0, 1) for f in "12"]
    (row,) = summarise(predictions, LABELS, results)
    assert row["ua"] == pytest.approx(0.75)
    assert row["ua_per_seed"] == [0.5, 1.0]
    assert row["ua_seed_std"] == pytest.approx(0.25)
    assert row["ua_fold_mean"] is None
    assert row["n_runs"] == 4


def test_no_interval_without_speaker_ids() -> None:
    predictions = frame("abab", "abab", system="s", id=list("uvwx"), speaker="", fold="1", seed=0)
    (row,) = summarise(predictions, LABELS, [{"system": "s", "fold": "1", "seed": 0, "ua": 1.0}])
    assert row["ua"] == 1.0
    assert row["ua_interval"] is None


def test_speaker_counts_hold_every_prediction_once() -> None:
    predictions = frame("abba", "abab", speaker=["x", "x", "y", "y"], seed=[0, 1, 0, 1])
    counts = speaker_counts(predictions, LABELS)
    assert counts.shape == (2, 2, 2, 2)
    assert counts[0, 0].tolist() == [[1, 0], [0, 0]]
    assert counts[1, 0].tolist() == [[0, 0], [1, 0]]
    assert counts.sum() == 4
