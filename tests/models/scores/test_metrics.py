"""Scores of labels and probabilities against scikit-learn, a slow reference, and cases by hand."""

from itertools import permutations

import numpy as np
import pytest

from serprep_models.scores.metrics import Ranking, briers, f1s, holm, nlls, precisions, weighted_f1


@pytest.mark.parametrize("case", range(40))
def test_scores_equal_scikit_learns(case: int) -> None:
    from sklearn.metrics import brier_score_loss, confusion_matrix, f1_score, log_loss, precision_score

    """Probabilities of one decimal, so that ties abound; of few utterances, so that labels are absent."""
    rng = np.random.default_rng(case)
    n_labels, n = int(rng.integers(2, 6)), int(rng.integers(2, 30))
    chances = rng.multinomial(10, np.full(n_labels, 1 / n_labels), size=n) / 10
    truth, predicted, places = rng.integers(n_labels, size=n), chances.argmax(axis=1), np.arange(n_labels)
    counts = confusion_matrix(truth, predicted, labels=places)
    how = {"labels": places, "zero_division": 0}
    assert np.nan_to_num(precisions(counts)) == pytest.approx(precision_score(truth, predicted, average=None, **how))
    assert np.nan_to_num(f1s(counts)) == pytest.approx(f1_score(truth, predicted, average=None, **how))
    assert weighted_f1(counts) == pytest.approx(f1_score(truth, predicted, average="weighted", **how))
    single = chances.astype(np.float32)  # whose epsilon bounds the logarithm
    assert nlls(chances, truth).mean() == pytest.approx(log_loss(truth, single, labels=places), rel=1e-5)
    if n_labels > 2:
        expected = brier_score_loss(truth, chances, labels=places, scale_by_half=False)
        assert briers(chances, truth).mean() == pytest.approx(expected)


def test_absent_and_unpredicted_labels_are_undefined() -> None:
    counts = np.array([[2, 1, 0], [0, 0, 0], [1, 0, 0]])
    assert precisions(counts).tolist() == pytest.approx([2 / 3, 0.0, np.nan], nan_ok=True)
    assert f1s(counts).tolist() == pytest.approx([2 / 3, np.nan, 0.0], nan_ok=True)
    assert weighted_f1(counts) == pytest.approx(2 / 3 * 3 / 4)


def test_aurc_is_the_mean_over_all_orders_of_equal_confidences() -> None:
    confidence, errors = np.array([0.9, 0.5, 0.5, 0.5, 0.2]), np.array([0, 1, 0, 0, 1])
    orders = [(0, *middle, 4) for middle in permutations((1, 2, 3))]
    expected = np.mean([np.mean(np.cumsum(errors[list(order)]) / np.arange(1, 6)) for order in orders])
    one = np.ones((1, 5), np.int64)
    assert Ranking.of(confidence).aurc(one, errors) == pytest.approx([expected])
    assert Ranking.of(confidence[::-1]).aurc(one, errors[::-1]) == pytest.approx([expected])


def test_a_weight_is_that_many_utterances() -> None:
    rng = np.random.default_rng(0)
    confidence, errors, weights = rng.random(20).round(1), rng.integers(2, size=20), rng.integers(3, size=20)
    whole, times = Ranking.of(np.repeat(confidence, weights)), np.ones((1, weights.sum()), np.int64)
    ranking, gaps = Ranking.of(confidence), confidence - (1 - errors)
    assert ranking.aurc(weights[None], errors) == pytest.approx(whole.aurc(times, np.repeat(errors, weights)))
    found = ranking.calibration_error(weights[None], gaps, n_bins=4)
    assert found == pytest.approx(whole.calibration_error(times, np.repeat(gaps, weights), n_bins=4))


def test_calibration_error_of_whole_bins_is_that_of_their_means() -> None:
    rng = np.random.default_rng(1)
    confidence, correct = rng.random(60), rng.integers(2, size=60)
    order = np.argsort(confidence)
    expected = np.mean([abs(confidence[p].mean() - correct[p].mean()) for p in np.split(order, 15)])
    ranking = Ranking.of(confidence)
    assert ranking.calibration_error(np.ones((1, 60), np.int64), confidence - correct) == pytest.approx([expected])
    gaps = [abs(sure - right) for sure, right in ranking.bins(confidence, correct)]
    assert np.mean(gaps) == pytest.approx(expected)


def test_the_last_point_of_the_risk_curve_is_the_error_rate() -> None:
    errors = np.array([0, 0, 1, 1])
    points = Ranking.of(np.array([0.9, 0.8, 0.7, 0.6])).risks(errors, n_points=4)
    assert np.array(points) == pytest.approx(np.array([(0.25, 0.0), (0.5, 0.0), (0.75, 1 / 3), (1.0, 0.5)]))


def test_holm_keeps_order_and_never_exceeds_one() -> None:
    assert holm([0.5, 0.01, 0.6]) == pytest.approx([1.0, 0.03, 1.0])
    assert holm([]) == []
