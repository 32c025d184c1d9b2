"""Scores of predictions, always over *declared* labels.

WA is accuracy; UA (= UAR) is the mean recall over the declared labels.
A declared label that no test utterance carries leaves UA undefined: NaN, never 0,
and never a mean over the labels that happened to occur.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from serprep._typing import DoubleArray, IntArray


def confusion(truth: Sequence[str], prediction: Sequence[str], labels: Sequence[str]) -> IntArray:
    """Counts of (truth, prediction) pairs.

    Parameters
    ----------
    truth, prediction : sequence of str
        Equally long; every value is one of `labels`.
    labels : sequence of str
        The declared labels, in order.

    Returns
    -------
    ndarray, shape (n_labels, n_labels), int64
        Rows are the truth, columns the prediction.

    Raises
    ------
    ValueError
        If a value is not a declared label.

    Examples
    --------
    >>> confusion(["a", "a", "b"], ["a", "b", "b"], ["a", "b"]).tolist()
    [[1, 1], [0, 1]]
    """
    place = {label: number for number, label in enumerate(labels)}
    unknown = sorted({*truth, *prediction} - set(place))
    if unknown:
        raise ValueError(f"labels {unknown} are not among the declared {list(labels)}")
    counts = np.zeros((len(labels), len(labels)), np.int64)
    for true, predicted in zip(truth, prediction, strict=True):
        counts[place[true], place[predicted]] += 1
    return counts


def recalls(counts: IntArray) -> DoubleArray:
    """Recall per label from a confusion matrix; NaN for a label without utterances.

    Examples
    --------
    >>> recalls(np.array([[3, 1], [0, 0]])).tolist()
    [0.75, nan]
    """
    total = counts.sum(axis=1)
    known = np.maximum(total, 1)
    return np.where(total > 0, np.diag(counts) / known, np.nan)


def wa_of(counts: IntArray) -> float:
    """Weighted accuracy from a confusion matrix: the share of correct utterances.

    Examples
    --------
    >>> wa_of(np.array([[3, 1], [0, 4]]))
    0.875
    """
    total = int(counts.sum())
    return float(np.trace(counts) / total) if total else float("nan")


def ranking_ua(truth: IntArray, predicted: IntArray, n_labels: int) -> float:
    """UA over the labels that occur, to rank by: a development part may lack one."""
    counts = np.zeros((n_labels, n_labels), np.int64)
    np.add.at(counts, (truth, predicted), 1)
    return float(np.nanmean(recalls(counts)))


def ua_of(counts: IntArray) -> float:
    """Unweighted accuracy from a confusion matrix; NaN if a label has no utterances.

    Examples
    --------
    >>> ua_of(np.array([[3, 1], [0, 4]]))
    0.875
    >>> ua_of(np.array([[3, 1], [0, 0]]))
    nan
    """
    return float(np.mean(recalls(counts)))


def uar(truth: Sequence[str], prediction: Sequence[str], labels: Sequence[str]) -> float:
    """Unweighted average recall over the declared `labels`; NaN if one has no utterances.

    Examples
    --------
    >>> uar(["a", "a", "b"], ["a", "b", "b"], ["a", "b"])
    0.75
    """
    return ua_of(confusion(truth, prediction, labels))


def wa(truth: Sequence[str], prediction: Sequence[str], labels: Sequence[str]) -> float:
    """Weighted accuracy: the share of correct predictions.

    Examples
    --------
    >>> round(wa(["a", "a", "b"], ["a", "b", "b"], ["a", "b"]), 3)
    0.667
    """
    return wa_of(confusion(truth, prediction, labels))


@dataclass(frozen=True)
class Intervals:
    """Bootstrap intervals of fractions; None where they cannot be had."""

    wa: tuple[float, float] | None
    ua: tuple[float, float] | None
    redrawn: int  # draws that lost a declared label and were repeated


def speaker_intervals(counts: IntArray, *, n_draws: int = 2000, level: float = 0.95, seed: int = 0) -> Intervals:
    """Intervals of WA and UA from a bootstrap that resamples speakers, over all seeds.

    A drawn speaker brings all of its utterances; a draw's score is the mean over seeds,
    which are drawn, too (the same for all of its speakers).  Draws that lose a declared label are redrawn.

    Parameters
    ----------
    counts : ndarray, shape (n_speakers, n_seeds, n_labels, n_labels)
        Confusion matrices of each speaker and seed.
    n_draws : int
        Accepted draws.
    level : float
        Coverage in (0, 1).
    seed : int

    Returns
    -------
    Intervals
        None for both with fewer than two speakers or a label that nobody has.
    """
    n_speakers = len(counts)
    if n_speakers < 2 or np.isnan([ua_of(matrix) for matrix in counts.sum(axis=0)]).any():
        return Intervals(None, None, 0)
    rng, of_seeds = np.random.default_rng(seed), np.random.default_rng([seed, 1])
    accepted: list[DoubleArray] = []
    n_accepted = redrawn = 0
    while n_accepted < n_draws:
        weights = rng.multinomial(n_speakers, np.full(n_speakers, 1 / n_speakers), size=n_draws)
        drawn = np.tensordot(weights, counts, axes=1)  # (n_draws, n_seeds, n_labels, n_labels)
        if drawn.shape[1] > 1:
            seeds = of_seeds.integers(drawn.shape[1], size=drawn.shape[:2])
            drawn = np.take_along_axis(drawn, seeds[:, :, None, None], axis=1)
        total = drawn.sum(axis=-1)  # (n_draws, n_seeds, n_labels)
        whole = (total > 0).all(axis=(1, 2))
        last = np.searchsorted(np.cumsum(whole), n_draws - n_accepted) + 1  # later draws are not needed
        drawn, total, whole = drawn[:last], total[:last], whole[:last]
        redrawn += int(np.count_nonzero(~whole))
        correct = np.diagonal(drawn, axis1=-2, axis2=-1)[whole]
        wa_draws = (correct.sum(axis=-1) / total[whole].sum(axis=-1)).mean(axis=1)
        ua_draws = (correct / total[whole]).mean(axis=(1, 2))
        accepted.append(np.stack([wa_draws, ua_draws], axis=1))
        n_accepted += len(wa_draws)
        if redrawn > 1000 * n_draws:  # hardly any draw keeps every label: no honest interval
            return Intervals(None, None, redrawn)
    edges = [100 * (1 - level) / 2, 100 * (1 + level) / 2]
    (wa_low, ua_low), (wa_high, ua_high) = np.percentile(np.concatenate(accepted), edges, axis=0)
    return Intervals((float(wa_low), float(wa_high)), (float(ua_low), float(ua_high)), redrawn)


FEW_SPEAKERS = 10  # below, a bootstrap over speakers gives intervals that are too narrow
FEWEST_TO_TEST = 6  # below, no permutation of speakers can reach p = 0.05: the smallest is 2 / 2^n


@dataclass(frozen=True, kw_only=True)
class Paired:
    """How much one system is better than another on the same test utterances; fractions."""

    wa: float  # difference, first minus second
    ua: float
    wa_interval: tuple[float, float]  # bootstrap over speakers
    ua_interval: tuple[float, float]
    wa_p: float  # two-sided, speaker-level permutation test
    ua_p: float
    exact: bool  # every permutation was looked at


def paired_test(
    first: IntArray, second: IntArray, *, n_draws: int = 10_000, level: float = 0.95, seed: int = 0
) -> Paired | None:
    """Compare two systems that scored the same utterances, speaker by speaker.

    The permutation test asks how often a difference as large as the one seen comes
    about when, for each speaker, it is chance which of the two systems gave which of
    the two sets of predictions (a sign-flip test, Fisher 1935; for systems, Noreen
    1989).  A score is the mean over seeds; the seeds of a speaker stay together, so
    the test is about other speakers, not about other seeds.

    Parameters
    ----------
    first, second : ndarray, shape (n_speakers, n_seeds, n_labels, n_labels)
        Confusion matrices of each speaker and seed, the same speakers in the same order; the
        numbers of seeds may differ.
    n_draws : int
        Bootstrap draws, and permutations where there are more than 2^16.
    level : float
        Coverage of the intervals in (0, 1).
    seed : int

    Returns
    -------
    Paired or None
        None with fewer than two speakers, a label that nobody has, or one that hardly any draw keeps.

    Raises
    ------
    ValueError
        If the two did not score the same utterances.

    Examples
    --------
    >>> right, wrong = np.array([[[[1, 0], [0, 1]]]] * 6), np.array([[[[0, 1], [1, 0]]]] * 6)
    >>> test = paired_test(right, wrong)
    >>> round(test.ua, 9), test.ua_p == 2 / 2**6
    (1.0, True)
    """
    totals = [counts.sum(axis=-1) for counts in (first, second)]  # (n_speakers, n_seeds, n_labels)
    total = totals[0][:, 0]
    if len(first) != len(second) or any((each != total[:, None]).any() for each in totals):
        raise ValueError("the two systems did not score the same utterances")
    if len(first) < 2 or (total.sum(axis=0) == 0).any():
        return None
    correct = [np.diagonal(counts, axis1=-2, axis2=-1).mean(axis=1) for counts in (first, second)]
    gained = correct[0] - correct[1]  # (n_speakers, n_labels), mean over seeds
    # both scores are sums over speakers, so a flipped speaker counts with the other sign
    parts = np.stack([gained.sum(axis=1) / total.sum(), (gained / total.sum(axis=0)).mean(axis=1)], axis=1)
    rng = np.random.default_rng(seed)
    exact = len(parts) <= 16
    if exact:
        signs = 1 - 2 * ((np.arange(2 ** len(parts))[:, None] >> np.arange(len(parts))) & 1)
    else:
        signs = rng.choice([-1, 1], size=(n_draws, len(parts)))
    seen = parts.sum(axis=0)
    as_large = (np.abs(signs @ parts) >= np.abs(seen) - 1e-12).sum(axis=0)
    p = as_large / len(signs) if exact else (as_large + 1) / (len(signs) + 1)  # the one seen counts (Phipson, Smyth)
    weights = rng.multinomial(len(parts), np.full(len(parts), 1 / len(parts)), size=n_draws)
    drawn_total = weights @ total
    kept = (drawn_total > 0).all(axis=1)  # a draw that lost a label has no UA
    if not kept.any():
        return None
    wa_draws = (weights @ gained).sum(axis=1)[kept] / drawn_total[kept].sum(axis=1)
    ua_draws = ((weights @ gained)[kept] / drawn_total[kept]).mean(axis=1)
    edges = [100 * (1 - level) / 2, 100 * (1 + level) / 2]
    (wa_low, ua_low), (wa_high, ua_high) = np.percentile(np.stack([wa_draws, ua_draws], axis=1), edges, axis=0)
    return Paired(
        wa=float(seen[0]),
        ua=float(seen[1]),
        wa_interval=(float(wa_low), float(wa_high)),
        ua_interval=(float(ua_low), float(ua_high)),
        wa_p=float(p[0]),
        ua_p=float(p[1]),
        exact=exact,
    )


def few_speakers(n_speakers: int) -> str:
    """What a reader of intervals and tests must know of so few speakers, or ""."""
    if n_speakers < FEWEST_TO_TEST:
        return (
            f"{n_speakers} test speakers: intervals are too narrow, and no permutation test can reach p = 0.05 "
            f"below {FEWEST_TO_TEST}"
        )
    if n_speakers < FEW_SPEAKERS:
        return f"{n_speakers} test speakers: a bootstrap over fewer than {FEW_SPEAKERS} gives too narrow intervals"
    return ""
