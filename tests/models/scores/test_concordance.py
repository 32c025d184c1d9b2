"""Concordance, correlation and error against closed forms, NumPy and, where it is installed, audmetric."""

import numpy as np
import pytest

from serprep_models.scores.concordance import Moments, concordance


def slow_ccc(x, y):
    """Lin (1989), of the whole set."""
    return 2 * np.mean((x - x.mean()) * (y - y.mean())) / (x.var() + y.var() + (x.mean() - y.mean()) ** 2)


def cases(n):
    rng = np.random.default_rng(0)
    for _ in range(n):
        size = rng.integers(2, 40)
        truth = np.round(rng.uniform(size=size), rng.integers(1, 4))  # ties
        yield truth, rng.uniform(-1, 2) * truth + rng.uniform(-1, 1) + rng.uniform(0, 1) * rng.normal(size=size)


def test_scores_are_those_of_numpy_in_a_thousand_cases() -> None:
    for truth, predicted in cases(1000):
        moments = Moments.of(truth, predicted)
        assert float(moments.ccc) == pytest.approx(slow_ccc(truth, predicted), abs=1e-9)
        assert float(moments.rmse) == pytest.approx(np.sqrt(np.mean((truth - predicted) ** 2)), abs=1e-9)
        if truth.std() > 1e-6 and predicted.std() > 1e-6:
            assert float(moments.pearson) == pytest.approx(np.corrcoef(truth, predicted)[0, 1], abs=1e-6)


def test_scores_are_those_of_audmetric() -> None:
    audmetric = pytest.importorskip("audmetric")
    for truth, predicted in cases(200):
        if truth.std() > 1e-6:
            assert concordance(truth, predicted) == pytest.approx(audmetric.concordance_cc(truth, predicted), abs=1e-9)


def test_closed_forms() -> None:
    truth = np.array([0.0, 0.5, 1.0])
    assert concordance(truth, truth) == 1
    assert concordance(truth, 1 - truth) == -1
    assert concordance(truth, np.full(3, 0.5)) == 0
    # a shift d: 2 s² / (2 s² + d²), with s² = 1/6
    assert concordance(truth, truth + 1) == pytest.approx((1 / 3) / (1 / 3 + 1))
    moments = Moments.of(truth, truth + 1)
    assert float(moments.pearson) == pytest.approx(1) and float(moments.rmse) == pytest.approx(1)
    constant = Moments.of(np.full(3, 0.5), np.full(3, 0.5))
    assert np.isnan(constant.ccc) and np.isnan(constant.pearson) and float(constant.rmse) == pytest.approx(0)
    assert np.isnan(Moments.of(np.full(2, np.nan), truth[:2]).rmse)
