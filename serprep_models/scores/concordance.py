"""Concordance (Lin, 1989), Pearson's correlation and root of the mean squared error, from sums over utterances.

The moments are those of the whole set (divided by n).  Where both sides never vary, concordance and correlation
are undefined.
"""

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from serprep._typing import DoubleArray, FloatArray

_TINY = 1e-12  # a variance below is one of rounding

Numbers = FloatArray | DoubleArray


@dataclass(frozen=True)
class Moments:
    """Sums over utterances, shape (6, …): n, truth, prediction, their squares, their product."""

    N: ClassVar[int] = 6
    sums: DoubleArray

    @classmethod
    def of(cls, truth: Numbers, predicted: Numbers) -> "Moments":
        """Of some utterances; where the truth is NaN there is none."""
        known = ~np.isnan(truth)
        t, p = np.asarray(truth, np.float64)[known], np.asarray(predicted, np.float64)[known]
        return cls(np.array([len(t), t.sum(), p.sum(), t @ t, p @ p, t @ p], np.float64))

    @property
    def _central(self) -> tuple[DoubleArray, ...]:
        """n, difference of the means, variance of the truth, of the prediction, and covariance."""
        n, t, p, tt, pp, tp = self.sums
        size = np.where(n > 1, n, np.nan)  # one value has neither concordance nor correlation
        t, p = t / size, p / size
        return size, t - p, tt / size - t * t, pp / size - p * p, tp / size - t * p

    @property
    def ccc(self) -> DoubleArray:
        """Concordance."""
        _, off, of_truth, of_predicted, both = self._central
        below = of_truth + of_predicted + off**2
        return np.asarray(np.divide(2 * both, below, out=np.full(np.shape(below), np.nan), where=below > _TINY))

    @property
    def pearson(self) -> DoubleArray:
        """Correlation; undefined where one side never varies."""
        _, _, of_truth, of_predicted, both = self._central
        varies = (of_truth > _TINY) & (of_predicted > _TINY)
        below = np.sqrt(np.where(varies, of_truth * of_predicted, 1.0))
        return np.where(varies, np.clip(both / below, -1.0, 1.0), np.nan)

    @property
    def rmse(self) -> DoubleArray:
        """Root of the mean squared error."""
        n, _, _, tt, pp, tp = self.sums
        return np.asarray(np.sqrt(np.maximum((tt - 2 * tp + pp) / np.where(n > 0, n, np.nan), 0.0)))


def concordance(truth: Numbers, predicted: Numbers) -> float:
    """The concordance correlation coefficient of known values; NaN where it is undefined.

    Examples
    --------
    >>> round(concordance(np.array([1.0, 2.0, 3.0]), np.array([2.0, 3.0, 4.0])), 3)
    0.571
    """
    return float(Moments.of(truth, predicted).ccc)
