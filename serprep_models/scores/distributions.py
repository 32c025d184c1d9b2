"""How far a system's probabilities are from what raters said, and whether it doubts what they doubt."""

from dataclasses import dataclass

import numpy as np

from serprep._typing import DoubleArray, FloatArray

LEAST = float(np.finfo(np.float32).eps)  # probability of a label, so that no divergence is infinite


@dataclass(frozen=True, kw_only=True)
class Divergences:
    """Of each utterance, shape (n,), in bits."""

    kl: DoubleArray  # Kullback–Leibler, of the system from the raters
    js: DoubleArray  # Jensen–Shannon, 0 to 1


def divergences(raters: FloatArray, system: FloatArray) -> Divergences:
    """How far distributions (n, K) are from those of raters.

    Examples
    --------
    >>> found = divergences(np.array([[1.0, 0.0]]), np.array([[0.5, 0.5]]))
    >>> found.kl.round(3).tolist(), found.js.round(3).tolist()
    ([1.0], [0.311])
    """
    p, q = np.asarray(raters, np.float64), np.clip(np.asarray(system, np.float64), LEAST, None)
    q = q / q.sum(axis=1, keepdims=True)
    middle = (p + q) / 2
    return Divergences(kl=_kl(p, q), js=(_kl(p, middle) + _kl(q, middle)) / 2)


def _kl(p: DoubleArray, q: DoubleArray) -> DoubleArray:
    ratio = np.divide(p, q, out=np.ones_like(p), where=p > 0)
    return np.asarray((p * np.log2(ratio)).sum(axis=1))


def entropies(distributions: FloatArray) -> DoubleArray:
    """In bits, of each row.

    Examples
    --------
    >>> entropies(np.array([[0.5, 0.5, 0.0], [1.0, 0.0, 0.0]])).tolist()
    [1.0, 0.0]
    """
    p = np.asarray(distributions, np.float64)
    return np.asarray(-(p * np.log2(np.where(p > 0, p, 1.0))).sum(axis=1)) + 0.0
