"""Probabilities → true ones, by one temperature: what is scored has no part in fitting it.

Logits are divided by the temperature that makes the truth of held-out utterances most likely (Guo et al., 2017);
the most probable label stays.  It is fitted in probabilities, of which logits are the logarithms.
With it goes how often predictions were right from which confidence on, so that whoever abstains below a
threshold knows what that was worth.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from serprep._typing import DoubleArray, FloatArray, IntArray
from serprep.errors import TrainError, one_line
from serprep_models.scores.intervals import scores_of_probabilities
from serprep_models.scores.result import Result

HOTTEST = 20.0  # and its inverse is the coldest temperature
N_STEPS = 100  # thresholds, from 0 on
_LEAST = float(np.finfo(np.float32).tiny)  # probability


@dataclass(frozen=True, kw_only=True)
class Calibration:
    """A temperature, and what thresholds were worth where it was fitted."""

    temperature: float
    fitted_on: str  # "dev", or "inner folds by speaker"
    n: int  # predictions: an utterance counts once for each checkpoint that held it out
    kept: tuple[int, ...]  # of them, how many are as confident as 0.00, 0.01 … 0.99
    right: tuple[int, ...]  # and how many of those are predicted rightly

    @classmethod
    def fitted(cls, chances: DoubleArray | FloatArray, truth: IntArray, *, fitted_on: str) -> "Calibration":
        """The calibration by probabilities (n, n_labels) of utterances that were not trained on."""
        temperature = fit_temperature(chances, truth)
        calibrated = scaled(chances, temperature)
        steps = np.arange(N_STEPS)[:, None] / N_STEPS
        kept = calibrated.max(axis=1) >= steps
        right = kept & (calibrated.argmax(axis=1) == truth)
        return cls(
            temperature=temperature,
            fitted_on=fitted_on,
            n=len(truth),
            kept=tuple(kept.sum(axis=1).tolist()),
            right=tuple(right.sum(axis=1).tolist()),
        )

    @classmethod
    def read(cls, values: Any) -> "Calibration":
        """The calibration that a checkpoint holds.

        Raises
        ------
        TrainError
            If it is none.
        """
        try:
            made = cls(**{**values, "kept": tuple(values["kept"]), "right": tuple(values["right"])})
            counts = np.array([made.kept, made.right])
            whole = counts.dtype == np.int64 and counts.shape == (2, N_STEPS) and type(made.n) is int
            fits = 1 / HOTTEST <= float(made.temperature) <= HOTTEST and isinstance(made.fitted_on, str)
            if whole and fits and counts.min() >= 0 and counts.max() <= made.n and (counts[1] <= counts[0]).all():
                return made
        except (TypeError, KeyError, ValueError, OverflowError):
            pass
        raise TrainError(
            f"calibration is {one_line(values)[:80]}; expected a temperature and what thresholds were worth"
        )


@dataclass(frozen=True, kw_only=True)
class Abstention:
    """What a threshold was worth where temperatures were fitted."""

    threshold: float
    coverage: float  # share of the utterances that were as confident
    accuracy: float | None  # among them; None where there were none
    n: int  # predictions: an utterance counts once for each checkpoint that held it out

    @property
    def words(self) -> str:
        """The same in a sentence."""
        told = "none was" if self.accuracy is None else f"accuracy was {100 * self.accuracy:.1f} %"
        return (
            f"below {self.threshold:.2f} no label is given; of {self.n} predictions of held-out utterances "
            f"{100 * self.coverage:.1f} % were as confident, {told}"
        )


def abstention(calibrations: Sequence[Calibration], threshold: float) -> Abstention:
    """What a threshold, rounded down to hundredths, was worth for several calibrations together."""
    place = min(int(threshold * N_STEPS + 1e-9), N_STEPS - 1)
    n, kept, right = (
        (sum(values) for values in zip(*((c.n, c.kept[place], c.right[place]) for c in calibrations), strict=True))
        if calibrations
        else (0, 0, 0)
    )
    return Abstention(
        threshold=place / N_STEPS, coverage=kept / n if n else 0.0, accuracy=right / kept if kept else None, n=n
    )


def before_and_after(
    predictions: pd.DataFrame, labels: Sequence[str], results: Sequence[Result]
) -> dict[str, dict[str, Any]]:
    """System → scores of its probabilities before they were calibrated, of those systems that were.

    Parameters
    ----------
    predictions : DataFrame
        Columns system, fold, seed, speaker, truth, prediction and p_LABEL, calibrated.
    labels : sequence of str
    results : sequence of Result
    """
    heat = {(r.system, r.fold, r.seed): r.calibration["temperature"] for r in results if r.calibration}
    columns = [f"p_{label}" for label in labels]
    parts: dict[str, list[pd.DataFrame]] = {}
    for key, own in predictions[predictions["truth"] != ""].groupby(["system", "fold", "seed"]):
        assert isinstance(key, tuple)
        if key in heat:
            before = scaled(own[columns].to_numpy(np.float64), 1 / heat[key])
            parts.setdefault(str(key[0]), []).append(own.assign(**dict(zip(columns, before.T, strict=True))))
    frames = {system: pd.concat(some) for system, some in parts.items()}
    return {
        system: scores_of_probabilities(frame, labels, known=bool((frame["speaker"] != "").all()))
        for system, frame in frames.items()
    }


def scaled(chances: DoubleArray | FloatArray, temperature: float) -> DoubleArray:
    """Probabilities (n, n_labels) whose logits are divided by a temperature.

    Examples
    --------
    >>> scaled(np.array([[0.8, 0.2]]), 2.0).round(3).tolist()
    [[0.667, 0.333]]
    """
    logits = np.log(np.maximum(np.asarray(chances, np.float64), _LEAST)) / temperature
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


def fit_temperature(chances: DoubleArray | FloatArray, truth: IntArray) -> float:
    """The temperature, 1/20 to 20, of the least mean negative log-probability of the truth.

    That is convex in the inverse temperature, so its slope is followed to 0 by halving.

    Examples
    --------
    >>> always_sure = np.array([[0.9, 0.1]] * 4)  # and right three times of four: 3 : 1 instead of 9 : 1
    >>> round(fit_temperature(always_sure, np.array([0, 0, 0, 1])), 6)  # 9 ** (1 / 2) is 3
    2.0
    """
    logits = np.log(np.maximum(np.asarray(chances, np.float64), _LEAST))
    own = logits[np.arange(len(truth)), truth].mean()
    low, high = 1 / HOTTEST, HOTTEST  # inverse temperatures
    for _ in range(60):
        middle = (low + high) / 2
        slope = (scaled(chances, 1 / middle) * logits).sum(axis=1).mean() - own
        low, high = (middle, high) if slope < 0 else (low, middle)
    return float(np.clip(2 / (low + high), 1 / HOTTEST, HOTTEST))
