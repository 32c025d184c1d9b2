"""Scores of labels and of probabilities, always over *declared* labels.

A label without utterances leaves its F1, and so macro-F1, undefined: NaN, as it does with UA.
A label that is never predicted has no precision.  Weighted F1 weights labels by their utterances.

NLL is the mean negative log-probability of the truth, at least float32's epsilon (as scikit-learn
bounds it); Brier score the mean squared distance from the truth, between 0 and 2 (Brier, 1950).
Confidence is the highest probability.  The expected calibration error is taken over bins of equal mass
(Nixon et al., 2019), classwise over each label's own probability, mean over labels (Kull et al., 2019).
AURC is the mean, over coverages 1/n … n/n, of the share of errors among the most confident (Geifman et al., 2019).
Where confidences are equal, order is chance: errors of equal ones are spread evenly over them, and so over
the bins they reach, which is the expectation of AURC over all orders, and makes no score depend on the order of rows.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from serprep._typing import DoubleArray, IntArray

N_BINS = 15  # of equal mass
_LEAST = float(np.finfo(np.float32).eps)  # probability


def precisions(counts: IntArray) -> DoubleArray:
    """Precision per label of confusion matrices (…, n_labels, n_labels); NaN for a label never predicted.

    Examples
    --------
    >>> precisions(np.array([[3, 0], [1, 0]])).tolist()
    [0.75, nan]
    """
    return _ratio(np.diagonal(counts, axis1=-2, axis2=-1), counts.sum(axis=-2))


def f1s(counts: IntArray) -> DoubleArray:
    """F1 per label of confusion matrices; NaN for a label without utterances.

    Examples
    --------
    >>> f1s(np.array([[2, 0], [1, 1]])).round(3).tolist()
    [0.8, 0.667]
    """
    right, total = np.diagonal(counts, axis1=-2, axis2=-1), counts.sum(axis=-1)
    return np.where(total > 0, _ratio(2 * right, total + counts.sum(axis=-2)), np.nan)


def weighted_f1(counts: IntArray) -> DoubleArray:
    """Mean F1 over labels, weighted by their utterances."""
    total = counts.sum(axis=-1)
    return _ratio(np.nansum(f1s(counts) * total, axis=-1), total.sum(axis=-1))


def _ratio(part: DoubleArray | IntArray, whole: DoubleArray | IntArray) -> DoubleArray:
    return np.divide(part, whole, out=np.full(np.shape(part), np.nan), where=np.asarray(whole) > 0)


def holm(p_values: Sequence[float]) -> list[float]:
    """p-values corrected for there being several of them (Holm, 1979).

    Examples
    --------
    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    corrected, largest = [0.0] * len(p_values), 0.0
    for rank, place in enumerate(np.argsort(p_values, kind="stable")):
        largest = max(largest, min(1.0, (len(p_values) - rank) * float(p_values[place])))
        corrected[place] = largest
    return corrected


def nlls(probabilities: DoubleArray, truth: IntArray) -> DoubleArray:
    """Negative log-probability of the truth of each utterance; `truth` are places in the declared labels."""
    return np.asarray(-np.log(np.clip(probabilities[np.arange(len(truth)), truth], _LEAST, 1 - _LEAST)))


def briers(probabilities: DoubleArray, truth: IntArray) -> DoubleArray:
    """Squared distance of each utterance's probabilities from the truth.

    Examples
    --------
    >>> briers(np.array([[0.5, 0.5], [0.0, 1.0]]), np.array([0, 0])).tolist()
    [0.5, 2.0]
    """
    return np.asarray(((probabilities - np.eye(probabilities.shape[1])[truth]) ** 2).sum(axis=1))


@dataclass(frozen=True)
class Ranking:
    """Utterances from the most confident down; equal ones count as one step.

    Examples
    --------
    >>> ranking = Ranking.of(np.array([0.9, 0.6]))
    >>> weights = np.ones((1, 2), int)
    >>> ranking.calibration_error(weights, np.array([-0.1, 0.6]), n_bins=2).tolist()
    [0.35]
    >>> ranking.aurc(weights, np.array([0, 1])).tolist()  # no error at coverage 1/2, half are errors at 1
    [0.25]
    """

    order: IntArray
    ends: IntArray  # place in `order` of the last one of each step

    @classmethod
    def of(cls, confidence: DoubleArray) -> "Ranking":
        """The ranking by a confidence."""
        order = np.argsort(-confidence, kind="stable")
        ends = np.flatnonzero(np.diff(confidence[order], append=-np.inf))
        return cls(order, ends)

    def steps(self, values: DoubleArray | IntArray) -> DoubleArray:
        """Sums up to each step, from 0 on, of values (…, n)."""
        sums = np.cumsum(values[..., self.order], axis=-1)[..., self.ends]
        return np.concatenate([np.zeros((*sums.shape[:-1], 1), sums.dtype), sums], axis=-1)

    def calibration_error(self, weights: IntArray, gaps: DoubleArray, *, n_bins: int = N_BINS) -> DoubleArray:
        """Expected calibration error over bins of equal mass.

        Parameters
        ----------
        weights : ndarray, shape (n_draws, n)
            How often each utterance counts.
        gaps : ndarray, shape (n,)
            Confidence minus correctness (0 or 1).
        n_bins : int
        """
        mass, gap = self.steps(weights), self.steps(weights * gaps)
        bins = [np.interp(np.linspace(0, m[-1], n_bins + 1), m, g) for m, g in zip(mass, gap, strict=True)]
        return np.asarray(np.abs(np.diff(bins, axis=1)).sum(axis=1) / mass[:, -1])

    def aurc(self, weights: IntArray, errors: IntArray) -> DoubleArray:
        """Area under the risk–coverage curve; `errors` are 0 or 1.

        With N utterances and E errors before a step of m utterances and e errors, the expected risks within it,
        (E + j e / m) / (N + j) for j = 1 … m, sum up to (E − N e / m) (H(N + m) − H(N)) + e, H the harmonic numbers.
        """
        mass, wrong = self.steps(weights), self.steps(weights * errors)
        harmonic = np.concatenate([[0.0], np.cumsum(1 / np.arange(1, mass.max() + 1))])
        before, added = mass[:, :-1], np.diff(wrong, axis=1)
        share = added / np.maximum(np.diff(mass, axis=1), 1)
        risks = (wrong[:, :-1] - before * share) * np.diff(harmonic[mass], axis=1) + added
        return np.asarray(risks.sum(axis=1) / mass[:, -1])

    def bins(self, confidence: DoubleArray, correct: IntArray, *, n_bins: int = N_BINS) -> list[tuple[float, float]]:
        """Mean confidence and accuracy of each bin of equal mass, from the most confident down."""
        mass = self.steps(np.ones(len(correct)))
        edges = np.linspace(0, mass[-1], n_bins + 1)
        sums = [np.diff(np.interp(edges, mass, self.steps(values))) for values in (confidence, correct)]
        width = mass[-1] / n_bins
        return [(float(c / width), float(a / width)) for c, a in zip(*sums, strict=True)]

    def risks(self, errors: IntArray, *, n_points: int = 50) -> list[tuple[float, float]]:
        """Coverage and share of errors among those covered."""
        mass, wrong = self.steps(np.ones(len(errors))), self.steps(errors)
        covered = np.linspace(0, mass[-1], n_points + 1)[1:]
        risk = np.interp(covered, mass, wrong) / covered
        return [(float(c), float(r)) for c, r in zip(covered / mass[-1], risk, strict=True)]
