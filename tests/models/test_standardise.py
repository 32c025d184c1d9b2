"""Statistics of the training part, against numpy in float64 on all values at once."""

import numpy as np

from serprep_models.standardise import Moments, moments, training_statistics


def test_moments_are_numpys_over_everything() -> None:
    rng = np.random.default_rng(0)
    blocks = [rng.normal(3, 2, (n, 30, 5)).astype("f4") for n in (1, 4, 7)]
    together = np.concatenate(blocks).reshape(-1, 5).astype("f8")
    found = moments(blocks)
    np.testing.assert_allclose(found.mean, together.mean(0), rtol=1e-12)
    np.testing.assert_allclose(found.std, together.std(0), rtol=1e-12)


def test_constant_features_become_zero_even_where_rounding_gives_a_deviation() -> None:
    values = np.full((1000, 2), 0.1, "f4")
    values[:, 1] = np.arange(1000)
    standard = moments([values]).apply(values)
    assert (standard[:, 0] == 0).all()
    assert abs(standard[:, 1].std() - 1) < 1e-6


def test_clipping_bounds_only_where_asked() -> None:
    found = Moments(np.zeros(1), np.ones(1))
    assert found.apply(np.array([[50.0]])).tolist() == [[50.0]]
    assert found.apply(np.array([[50.0], [-50.0]]), clip=10.0).tolist() == [[10.0], [-10.0]]


def test_only_training_rows_decide(small) -> None:
    """Against the frames of the training segments, read one utterance at a time."""
    _, store = small
    rows = [1, 5, 9, 30]
    found = training_statistics(store, rows, ("short", "functionals"))
    frames = np.concatenate([store.segments(row, 30) for row in rows]).reshape(-1, 40).astype("f8")
    np.testing.assert_allclose(found["short"].mean, frames.mean(0), rtol=1e-12)
    np.testing.assert_allclose(found["short"].std, frames.std(0), rtol=1e-12)
    values = np.stack([store.functionals(row) for row in rows]).astype("f8")
    np.testing.assert_allclose(found["functionals"].mean, values.mean(0), rtol=1e-9, atol=1e-12)
