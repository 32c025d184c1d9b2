import itertools

import numpy as np
import pytest
import scipy

from helpers.late import Late
from serprep.metrics import (
    confusion,
    few_speakers,
    paired_test,
    recalls,
    speaker_intervals,
    ua_of,
    uar,
    wa,
    wa_of,
)

sk = Late("sklearn.metrics")

LABELS = ["angry", "happy", "neutral", "sad"]


def drawn(seed, n=200, n_labels=4):
    """Truth and prediction that agree in about half of the cases; every label occurs."""
    rng = np.random.default_rng(seed)
    truth = np.concatenate([np.arange(n_labels), rng.integers(n_labels, size=n - n_labels)])
    prediction = np.where(rng.random(n) < 0.5, truth, rng.integers(n_labels, size=n))
    return [LABELS[k] for k in truth], [LABELS[k] for k in prediction]


@pytest.mark.parametrize("seed", range(20))
def test_scores_equal_scikit_learn_s(seed):
    truth, prediction = drawn(seed, n=10 + 40 * seed)
    order = np.random.default_rng(seed).permutation(LABELS).tolist()
    np.testing.assert_array_equal(
        confusion(truth, prediction, order), sk.confusion_matrix(truth, prediction, labels=order)
    )
    assert wa(truth, prediction, order) == pytest.approx(sk.accuracy_score(truth, prediction), rel=1e-12)
    assert uar(truth, prediction, order) == pytest.approx(
        sk.recall_score(truth, prediction, average="macro"), rel=1e-12
    )
    np.testing.assert_allclose(
        recalls(confusion(truth, prediction, order)),
        sk.recall_score(truth, prediction, labels=order, average=None),
        rtol=1e-12,
    )


def test_scores_worked_by_hand():
    # a: 3 of 4 recalled, b: 1 of 2, c: 0 of 1
    truth, prediction = list("aaaabbc"), list("aaabbab")
    assert confusion(truth, prediction, "abc").tolist() == [[3, 1, 0], [1, 1, 0], [0, 1, 0]]
    assert recalls(confusion(truth, prediction, "abc")).tolist() == [0.75, 0.5, 0.0]
    assert wa(truth, prediction, "abc") == 4 / 7
    assert uar(truth, prediction, "abc") == pytest.approx(1.25 / 3)


def test_a_declared_label_without_utterances_leaves_uar_undefined():
    assert np.isnan(uar(["a", "b"], ["a", "b"], ["a", "b", "c"]))
    assert wa(["a", "b"], ["a", "b"], ["a", "b", "c"]) == 1.0
    assert np.isnan(recalls(confusion(["a", "b"], ["a", "c"], ["a", "b", "c"]))).tolist() == [False, False, True]


def test_scores_of_nothing_are_undefined():
    assert np.isnan(uar([], [], ["a", "b"]))
    assert np.isnan(wa([], [], ["a", "b"]))


def test_a_label_that_is_only_predicted_does_not_count_as_present():
    assert np.isnan(uar(["a", "a"], ["a", "b"], ["a", "b"]))


@pytest.mark.parametrize(("truth", "prediction"), [(["a", "x"], ["a", "a"]), (["a", "a"], ["a", "x"])])
def test_undeclared_labels_are_refused(truth, prediction):
    with pytest.raises(ValueError, match=r"labels \['x'\] are not among the declared \['a', 'b'\]"):
        confusion(truth, prediction, ["a", "b"])


def test_truth_and_prediction_of_different_length_are_refused():
    with pytest.raises(ValueError, match="shorter"):
        confusion(["a", "a"], ["a"], ["a"])


# -- intervals -----------------------------------------------------------------------


def some_counts(*, n_speakers=12, n_seeds=3, n_labels=4, seed=0):
    """Confusion matrices of speakers who differ in size and in how well they are recognised."""
    rng = np.random.default_rng(seed)
    counts = np.zeros((n_speakers, n_seeds, n_labels, n_labels), np.int64)
    for speaker in range(n_speakers):
        skill, sizes = rng.uniform(0.3, 0.9), rng.integers(0, 15, n_labels)
        for k in range(n_seeds):
            for label in range(n_labels):
                chances = np.full(n_labels, (1 - skill) / (n_labels - 1))
                chances[label] = skill
                counts[speaker, k, label] = rng.multinomial(sizes[label], chances)
    return counts


def slow_bootstrap(counts, *, n_draws, seed):
    """(wa, ua) of every accepted draw, and the number of redrawn ones: one draw at a time."""
    rng = np.random.default_rng(seed)
    scores, redrawn = [], 0
    while len(scores) < n_draws:
        chosen = rng.integers(len(counts), size=len(counts))
        per_seed = []
        for matrices in np.moveaxis(counts, 1, 0):
            pooled = sum(matrices[speaker] for speaker in chosen)
            per_seed.append((wa_of(pooled), ua_of(pooled)))
        if np.isnan(per_seed).any():
            redrawn += 1
        else:
            scores.append(np.mean(per_seed, axis=0))
    return np.array(scores), redrawn


def test_intervals_agree_with_a_slow_bootstrap():
    counts = some_counts()
    scores, _ = slow_bootstrap(counts, n_draws=3000, seed=1)
    found = speaker_intervals(counts, n_draws=20_000, seed=2)
    expected = np.percentile(scores, [2.5, 97.5], axis=0)
    # the standard error of a 2.5 % percentile of 3000 normal draws is 0.05 standard deviations
    for interval, column in ((found.wa, 0), (found.ua, 1)):
        np.testing.assert_allclose(interval, expected[:, column], atol=0.25 * scores[:, column].std())


def test_intervals_with_lost_labels_agree_with_a_slow_bootstrap():
    counts = some_counts(n_speakers=4, n_seeds=2)
    counts[1:, :, 0] = 0  # only one speaker has the first label: (3/4)^4 of draws lose it
    scores, redrawn = slow_bootstrap(counts, n_draws=3000, seed=1)
    found = speaker_intervals(counts, n_draws=20_000, seed=2)
    expected = np.percentile(scores, [10, 90], axis=0)
    narrow = speaker_intervals(counts, n_draws=20_000, seed=2, level=0.8)
    np.testing.assert_allclose(narrow.ua, expected[:, 1], atol=0.25 * scores[:, 1].std())
    lost = (3 / 4) ** 4
    assert found.redrawn / 20_000 == pytest.approx(lost / (1 - lost), rel=0.05)
    assert redrawn / 3000 == pytest.approx(lost / (1 - lost), rel=0.15)


def test_intervals_of_two_speakers_in_closed_form():
    right, wrong = np.diag([5, 5]), np.array([[0, 5], [5, 0]])
    counts = np.stack([right, wrong])[:, None]
    # the score is 0, 1/2 or 1 with probability 1/4, 1/2, 1/4
    assert speaker_intervals(counts).ua == (0.0, 1.0)
    assert speaker_intervals(counts, level=0.4).ua == (0.5, 0.5)
    assert speaker_intervals(counts, level=0.4).wa == (0.5, 0.5)


def test_a_drawn_speaker_brings_all_its_utterances():
    # 8 correct and 1 + 1 wrong: WA of draws is 1, 8/10 or 0; UA the same or 0.8
    counts = np.stack([np.diag([4, 4]), np.array([[0, 1], [1, 0]])])[:, None]
    assert speaker_intervals(counts, level=0.4).wa == pytest.approx((0.8, 0.8))


def test_identical_speakers_leave_no_width():
    counts = np.repeat(some_counts(n_speakers=1)[:, :1], 6, axis=0)  # one seed: several are drawn, too
    counts += np.eye(4, dtype=np.int64)
    found = speaker_intervals(counts)
    point = [np.mean([score(matrix) for matrix in counts.sum(axis=0)]) for score in (wa_of, ua_of)]
    assert (*found.wa, *found.ua) == pytest.approx((point[0], point[0], point[1], point[1]))
    assert found.redrawn == 0


@pytest.mark.parametrize("seed", range(5))
def test_intervals_are_fractions_around_the_score_and_widen_with_their_level(seed):
    counts = some_counts(seed=seed)
    point = [np.mean([score(matrix) for matrix in counts.sum(axis=0)]) for score in (wa_of, ua_of)]
    wide, narrow = speaker_intervals(counts), speaker_intervals(counts, level=0.5)
    for score, outer, inner in zip(point, (wide.wa, wide.ua), (narrow.wa, narrow.ua), strict=True):
        assert 0 <= outer[0] < inner[0] < score < inner[1] < outer[1] <= 1


def test_intervals_do_not_depend_on_scale_label_order_or_repeated_seeds():
    counts = some_counts()[:, :1]
    found = speaker_intervals(counts)
    order = [2, 0, 3, 1]
    for same in (7 * counts, counts[..., order, :][..., order], np.concatenate([counts, counts], axis=1)):
        again = speaker_intervals(same)
        assert (*again.wa, *again.ua) == pytest.approx((*found.wa, *found.ua), rel=1e-12)
    assert speaker_intervals(counts) == found
    assert speaker_intervals(counts, seed=1) != found


def test_redrawn_counts_the_draws_before_the_last_accepted_one():
    counts = np.stack([np.diag([2, 2]), np.array([[1, 1], [0, 0]])])[:, None]
    # a quarter of draws takes the second speaker twice and loses the second label, so redrawn draws
    # follow the negative binomial distribution: mean n q / p, variance n q / p^2
    n, p, q = 2000, 3 / 4, 1 / 4
    for seed in range(5):
        redrawn = speaker_intervals(counts, n_draws=n, seed=seed).redrawn
        assert abs(redrawn - n * q / p) < 4.5 * np.sqrt(n * q) / p


def test_no_interval_without_a_second_speaker_or_with_a_label_nobody_has():
    counts = some_counts()
    assert speaker_intervals(counts[:1]).ua is None
    assert speaker_intervals(counts[:0]).wa is None
    counts[:, 1, 2] = 0  # one seed lacks a label
    found = speaker_intervals(counts)
    assert (found.wa, found.ua, found.redrawn) == (None, None, 0)


def test_no_interval_when_hardly_any_draw_keeps_every_label():
    counts = np.zeros((10, 1, 10, 10), np.int64)
    counts[range(10), 0, range(10), range(10)] = 1  # 10!/10^10: one draw of 2756 has them all
    found = speaker_intervals(counts, n_draws=20)
    assert (found.wa, found.ua) == (None, None)
    assert found.redrawn > 20_000


def two_systems(n_speakers=7, n_seeds=(3, 1), seed=0, better=0.3):
    """Confusion matrices of two systems on the same utterances; the first is right more often."""
    rng = np.random.default_rng(seed)
    totals = rng.integers(1, 9, size=(n_speakers, 4))
    found = []
    for n, right in zip(n_seeds, (0.4 + better, 0.4), strict=True):
        counts = np.zeros((n_speakers, n, 4, 4), np.int64)
        for speaker, number, label in np.ndindex(n_speakers, n, 4):
            share = np.full(4, (1 - right) / 3)
            share[label] = right
            counts[speaker, number, label] = rng.multinomial(totals[speaker, label], share)
        found.append(counts)
    return found


def mean_score(score, counts):
    """Mean over seeds of a score pooled over speakers."""
    return np.mean([score(matrix) for matrix in counts.sum(axis=0)])


@pytest.mark.parametrize("seed", range(4))
def test_the_paired_test_equals_swapping_the_systems_speaker_by_speaker(seed):
    first, second = two_systems(seed=seed, n_seeds=(2, 2), better=0.1)
    found = paired_test(first, second)
    for score, difference, p in ((wa_of, found.wa, found.wa_p), (ua_of, found.ua, found.ua_p)):
        seen = mean_score(score, first) - mean_score(score, second)
        assert difference == pytest.approx(seen, abs=1e-12)
        swapped = []
        for flips in itertools.product([False, True], repeat=len(first)):
            choice = np.array(flips)[:, None, None, None]
            swapped.append(
                mean_score(score, np.where(choice, second, first)) - mean_score(score, np.where(choice, first, second))
            )
        assert p == pytest.approx(np.mean(np.abs(swapped) >= abs(seen) - 1e-12))
    assert found.exact


def test_the_paired_test_equals_scipy_s_on_means_of_speakers():
    # with one utterance a label and speaker, UA is the mean over speakers of the speakers' own recalls
    rng = np.random.default_rng(3)
    right = rng.random((2, 10, 4)) < [[[0.7]], [[0.5]]]
    counts = np.zeros((2, 10, 1, 4, 4), np.int64)
    for system, speaker, label in np.ndindex(2, 10, 4):
        counts[system, speaker, 0, label, label if right[system, speaker, label] else (label + 1) % 4] = 1
    own = right.mean(axis=2)
    expected = scipy.stats.permutation_test(
        (own[0], own[1]), lambda a, b: np.mean(a - b), permutation_type="samples", n_resamples=np.inf
    )
    found = paired_test(*counts)
    assert found.ua == pytest.approx(expected.statistic)
    assert found.ua_p == pytest.approx(expected.pvalue)


def test_many_speakers_are_permuted_at_random_and_never_give_p_zero():
    first, second = two_systems(n_speakers=40, better=0.5)
    found = paired_test(first, second, n_draws=999)
    assert not found.exact
    assert found.ua_p == pytest.approx(1 / 1000)
    assert paired_test(first, second, n_draws=999) == found
    wider = paired_test(first, second, n_draws=999, level=0.999)
    assert wider.ua_interval[0] < found.ua_interval[0] < found.ua < found.ua_interval[1] < wider.ua_interval[1]


def test_under_the_null_p_is_small_as_rarely_as_it_says():
    # 300 pairs of equally good systems: the number of p <= 0.1 is binomial with at most that chance
    n_small = sum(
        paired_test(*two_systems(seed=seed, better=0.0, n_seeds=(1, 1)), n_draws=10).ua_p <= 0.1 for seed in range(300)
    )
    assert 10 <= n_small <= scipy.stats.binom.ppf(0.9999, 300, 0.1)


def test_equal_systems_do_not_differ_and_exchanged_ones_change_the_sign():
    first, second = two_systems()
    same = paired_test(first, first)
    assert (same.wa, same.ua, same.wa_p, same.ua_p) == (0, 0, 1, 1)
    assert same.ua_interval == (0, 0)
    there, back = paired_test(first, second), paired_test(second, first)
    assert (there.ua, there.ua_p) == (pytest.approx(-back.ua), back.ua_p)
    assert there.ua_interval == pytest.approx((-back.ua_interval[1], -back.ua_interval[0]))


def test_no_paired_test_without_a_second_speaker_or_with_a_label_nobody_has():
    first, second = two_systems()
    assert paired_test(first[:1], second[:1]) is None
    first[:, :, 2] = second[:, :, 2] = 0
    assert paired_test(first, second) is None


def test_systems_that_scored_other_utterances_are_not_compared():
    first, second = two_systems()
    second[0, 0, 0, 0] += 1
    with pytest.raises(ValueError, match="did not score the same utterances"):
        paired_test(first, second)
    with pytest.raises(ValueError, match="did not score the same utterances"):
        paired_test(first, first[:-1])


def test_too_few_speakers_are_warned_of():
    assert "p = 0.05" in few_speakers(5)  # 2 / 2^5 = 0.0625
    assert "too narrow" in few_speakers(6)
    assert few_speakers(10) == ""
