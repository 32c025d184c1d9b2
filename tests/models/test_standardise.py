"""Statistics of the training part, against numpy in float64 on all values at once."""

import numpy as np
import scipy

from serprep_models.standardise import (
    Moments,
    OwnMoments,
    Ranks,
    Ready,
    SpeakerMoments,
    moments,
    moments_of_groups,
    standardise,
    training_statistics,
)


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


def z_scores(values: np.ndarray) -> np.ndarray:
    """By hand: float64, ddof 0, over all but the last axis."""
    flat = values.reshape(-1, values.shape[-1]).astype("f8")
    return (values - flat.mean(0)) / flat.std(0)


def test_each_utterance_by_its_own_frames() -> None:
    rng = np.random.default_rng(1)
    parts = [rng.normal(i, 1 + i, (n, 30, 5)).astype("f4") for i, n in enumerate((3, 1, 4))]
    found = standardise(OwnMoments(), np.concatenate(parts), rows=np.array([7, 2, 9]), counts=np.array([3, 1, 4]))
    np.testing.assert_allclose(found, np.concatenate(list(map(z_scores, parts))), atol=1e-6)
    assert found.dtype == np.float32


def test_each_utterance_by_its_speaker() -> None:
    """Rows 3, 0, 1 are of speakers 1, 0, 1; the moments are those of other utterances."""
    rng = np.random.default_rng(2)
    mean, std = rng.normal(size=(2, 4)), rng.uniform(1, 2, (2, 4))
    std[1, 2] = 0  # constant for speaker 1
    how = SpeakerMoments(np.array([0, 1, 0, 1]), mean, std)
    values = rng.normal(0, 40, (6, 30, 4)).astype("f4")
    found = standardise(how, values, rows=np.array([3, 0, 1]), counts=np.array([1, 2, 3]), clip=10.0)
    owner = np.array([1, 0, 0, 1, 1, 1])
    expected = np.clip((values - mean[owner][:, None]) / np.where(std > 0, std, np.inf)[owner][:, None], -10, 10)
    np.testing.assert_allclose(found, expected, atol=1e-5)
    assert (found[owner == 1][..., 2] == 0).all() and np.abs(found).max() == 10


def test_moments_of_groups_are_numpys_of_each() -> None:
    rng = np.random.default_rng(3)
    blocks = [(rng.normal(3, 2, (n, 7, 5)), rng.permutation(np.arange(n) % 3)) for n in (900, 300, 600)]
    for values, _ in blocks:
        values[..., 1:] = 0.1, 0.3, 0.7, 1.1  # constant, and no binary fractions
    mean, std = moments_of_groups(blocks, 3)
    for group in range(3):
        own = np.concatenate([values[groups == group] for values, groups in blocks]).reshape(-1, 5).astype("f8")
        np.testing.assert_allclose(mean[group], own.mean(0), rtol=1e-12)
        np.testing.assert_allclose(std[group], [own[:, 0].std(), 0, 0, 0, 0], rtol=1e-12)


def test_ranks_become_the_quantiles_of_the_normal() -> None:
    """A column of 1 to 5 in any order, and one with ties, whose ranks are averaged."""
    values = np.array([[3, 0], [1, 0], [5, 2], [2, 0], [4, 1]], "f4")
    ranks = np.array([[3, 2], [1, 2], [5, 5], [2, 2], [4, 4]])
    expected = scipy.stats.norm.ppf((ranks - 0.5) / 5)
    np.testing.assert_allclose(Ranks.of(values).apply(values), expected, atol=1e-6)


def test_ranks_of_many_values_are_scipys() -> None:
    values = np.random.default_rng(4).integers(0, 25, (60, 9)).astype("f4") / 7
    expected = scipy.stats.norm.ppf((scipy.stats.rankdata(values, axis=0) - 0.5) / 60)
    np.testing.assert_allclose(Ranks.of(values).apply(values), expected, atol=1e-6)


def test_ranks_of_others_are_interpolated_and_end_where_the_enrolled_do() -> None:
    """Enrolled are 0 and 4: probabilities 1/4 and 3/4, so 1 is at 3/8."""
    enrolled = Ranks.of(np.array([[4.0], [0.0]], "f4"))
    found = enrolled.apply(np.array([[-9.0], [0.0], [1.0], [2.0], [4.0], [9.0]], "f4"))
    np.testing.assert_allclose(found[:, 0], scipy.stats.norm.ppf([0.25, 0.25, 0.375, 0.5, 0.75, 0.75]), atol=1e-6)
    alone = Ranks.of(np.array([[4.0]], "f4")).apply(np.array([[-9.0], [4.0], [9.0]], "f4"))
    assert alone.tolist() == [[0], [0], [0]]
    constant = Ranks.of(np.zeros((5, 1), "f4")).apply(np.zeros((5, 1), "f4"))
    assert constant.tolist() == [[0]] * 5


def test_what_is_ready_is_taken_by_row() -> None:
    table = np.arange(8, dtype="f4").reshape(4, 2)
    found = standardise(Ready(table), np.full((2, 2), np.nan, "f4"), rows=np.array([3, 1]), counts=np.ones(2, int))
    assert found.tolist() == [[6, 7], [2, 3]]
