"""The floor: the most frequent training label for everybody; of numbers, the mean."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from serprep._typing import FloatArray, IntArray
from serprep.features.extract import Features
from serprep.systems import SystemSpec

if TYPE_CHECKING:
    from serprep_models.fold import Fitted, Fold


@dataclass(frozen=True, kw_only=True)
class Options:
    """``[train.majority]``, which has no keys."""


def majority(labels: IntArray, n_test: int, n_labels: int) -> FloatArray:
    """The most frequent training label for everybody, shape (n_test, n_labels); ties to the first."""
    scores = np.zeros((n_test, n_labels), np.float32)
    scores[:, np.bincount(labels, minlength=n_labels).argmax()] = 1
    return scores


class Majority(SystemSpec[Options]):
    """It reads nothing, and keeps nothing."""

    name = "majority"
    options = Options
    by_default = True
    seeded = False
    cost = 0
    by_gradient = False
    numbers = True
    floor = True

    def inputs(self, options: Options, features: Features) -> tuple[str, ...]:
        """Nothing."""
        return ()

    def fit(self, options: Options, fold: "Fold") -> "Fitted":
        """Count, and say the same of everybody."""
        from serprep_models.fold import Fitted

        if fold.how.dimensions:
            mean = np.nanmean(fold.truth(fold.rows["train"]), axis=0, dtype=np.float64).astype(np.float32)
            return Fitted(scores={role: np.tile(mean, (len(fold.rows[role]), 1)) for role in fold.scored})
        labels = fold.labels(fold.labelled("train"))
        return Fitted(scores={role: majority(labels, len(fold.rows[role]), fold.n_labels) for role in fold.scored})


MAJORITY = Majority()
