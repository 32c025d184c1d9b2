"""Intervals of scores: what the bootstrap draws, and where there is none."""

import numpy as np
import pandas as pd
import pytest

from serprep_models.scores.intervals import interval_of, scores_of_counts, scores_of_probabilities


def frame(n_speakers: int, *, seeds: tuple[int, ...] = (0,)) -> pd.DataFrame:
    rng = np.random.default_rng(0)
    n = 4 * n_speakers * len(seeds)
    first = rng.random(n).round(2)
    return pd.DataFrame(
        {
            "speaker": np.tile(np.repeat([f"s{k}" for k in range(n_speakers)], 4), len(seeds)),
            "seed": np.repeat(seeds, 4 * n_speakers), "truth": rng.choice(["a", "b"], n),
            "prediction": np.where(first >= 0.5, "a", "b"), "p_a": first, "p_b": 1 - first,
        }
    )  # fmt: skip


def test_every_score_lies_in_its_interval() -> None:
    found = scores_of_probabilities(frame(8, seeds=(0, 1)), "ab", known=True)
    for name in ("nll", "brier", "ece", "ece_classwise", "aurc"):
        low, high = found[f"{name}_interval"]
        assert low < found[name] < high
    assert found["ece_bins"] == len(found["reliability"]) == 15


def test_draws_of_a_biased_score_are_moved_to_it_and_never_below_nothing() -> None:
    draws, one = np.linspace(1.0, 3.0, 1001)[:, None], np.zeros((1001, 1), int)
    assert interval_of(draws, one) == pytest.approx((1.05, 2.95))
    assert interval_of(draws, one, about=1.5) == pytest.approx((0.55, 2.45))
    assert interval_of(draws, one, about=0.5) == pytest.approx((0.0, 1.45))


def test_one_speaker_has_scores_and_no_interval() -> None:
    found = scores_of_probabilities(frame(1), "ab", known=True)
    assert found["nll"] is not None and found["nll_interval"] is None
    counts = np.array([[[[1, 1], [0, 2]]]])
    told = scores_of_counts(counts, "ab", known=True)
    assert told["macro_f1"] == pytest.approx((2 / 3 + 0.8) / 2) and told["macro_f1_interval"] is None


def test_seeds_are_drawn_within() -> None:
    """All speakers alike, one seed always right and one never: only the seeds differ between draws."""
    counts = np.array([[[[2, 0], [0, 2]], [[0, 2], [2, 0]]]] * 5)
    assert scores_of_counts(counts, "ab", known=True)["macro_f1_interval"] == (0.0, 1.0)


def test_an_absent_label_leaves_macro_f1_undefined_and_weighted_f1_not() -> None:
    told = scores_of_counts(np.array([[[[2, 0], [0, 0]]]] * 3), "ab", known=True)
    assert told["macro_f1"] is None and told["macro_f1_interval"] is None
    assert told["weighted_f1"] == 1.0 and told["precision"] == {"a": 1.0, "b": None}
