import numpy as np
import pytest
from sklearn.metrics import accuracy_score, confusion_matrix, recall_score

from serprep.metrics import confusion, recalls, speaker_intervals, ua_of, uar, wa, wa_of

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
        confusion(truth, prediction, order), confusion_matrix(truth, prediction, labels=order)
    )
    assert wa(truth, prediction, order) == pytest.approx(accuracy_score(truth, prediction), rel=1e-12)
    assert uar(truth, prediction, order) == pytest.approx(recall_score(truth, prediction, average="macro"), rel=1e-12)
    np.testing.assert_allclose(
        recalls(confusion(truth, prediction, order)),
        recall_score(truth, prediction, labels=order, average=None),
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
    counts = np.repeat(some_counts(n_speakers=1), 6, axis=0)
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
    counts = some_counts()
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
