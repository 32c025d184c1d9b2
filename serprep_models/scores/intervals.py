"""Scores of one system over seeds, with intervals of a bootstrap that draws speakers, and seeds within.

Each draw takes as many speakers as there are, with replacement, and as many seeds; a drawn speaker brings
all of its utterances, a draw's score is the mean over the drawn seeds.  A seed is one training that predicts
all speakers of a fold, so the seeds of a draw are the same for all of its speakers.  Draws in which a score is
undefined (a label is lost) have no part in its interval.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np
import pandas as pd

from serprep._typing import DoubleArray, IntArray
from serprep_models.scores.metrics import (
    N_BINS,
    Ranking,
    briers,
    f1s,
    nlls,
    precisions,
    weighted_f1,
)
from serprep_models.scores.result import Summary

SCORES = {  # score → as tables name it, and by what it is multiplied there
    "macro_f1": ("macro-F1 %", 100),
    "weighted_f1": ("weighted F1 %", 100),
    "nll": ("NLL", 1),
    "brier": ("Brier", 1),
    "ece": ("ECE %", 100),
    "ece_classwise": ("classwise ECE %", 100),
    "aurc": ("AURC %", 100),
}
N_DRAWS = 2000
BOUNDS = (50 * (1 - 0.95), 50 * (1 + 0.95))  # per cent; not 2.5, which is another number in its last bits
N_SORTED_DRAWS = 500  # of scores that need all utterances of a draw sorted
_AT_ONCE = 4_000_000  # utterances of draws that are in memory at once
DRAWN_TOO_HIGH = ("ece", "ece_classwise")  # a sample drawn again and again is calibrated worse than the whole
OF_PROBABILITIES = ("nll", "brier", "ece", "ece_classwise", "aurc")


def beyond_rows(summary: Sequence[Summary]) -> list[Summary]:
    """Rows of a table of scores beside WA and UA: each system, and below it what it was before it was calibrated."""
    rows = []
    for row in summary:
        rows.append(row)
        if row.uncalibrated:
            rows.append(replace(row, **row.uncalibrated, system=f"{row.system}, not calibrated"))
    return rows


def drawn_weights(n_speakers: int, n_seeds: int, *, n_draws: int = N_DRAWS) -> tuple[IntArray, IntArray]:
    """How often each draw has each speaker (n_draws, n_speakers), and which seeds it has (n_draws, n_seeds)."""
    rng = np.random.default_rng(0)
    speakers = rng.multinomial(n_speakers, np.full(n_speakers, 1 / n_speakers), size=n_draws)
    return speakers, rng.integers(n_seeds, size=(n_draws, n_seeds))


def of_counts(counts: IntArray, labels: Sequence[str]) -> dict[str, DoubleArray]:
    """Scores of confusion matrices (…, n_labels, n_labels); "recall LABEL" and "precision LABEL" among them."""
    totals = counts.sum(axis=-1)
    right = np.diagonal(counts, axis1=-2, axis2=-1)
    recalls = np.divide(right, totals, out=np.full(totals.shape, np.nan), where=totals > 0)
    measures: dict[str, DoubleArray] = {
        "ua": recalls.mean(axis=-1),
        "macro_f1": f1s(counts).mean(axis=-1),
        "weighted_f1": weighted_f1(counts),
    }
    for name, values in (("recall", recalls), ("precision", precisions(counts))):
        measures |= {f"{name} {label}": values[..., place] for place, label in enumerate(labels)}
    return measures


def of_probabilities(chances: DoubleArray, truth: IntArray, predicted: IntArray, weights: IntArray) -> dict[str, Any]:
    """Scores of probabilities (n, n_labels) of each draw; `weights` (n_draws, n) say how often utterances count."""
    size = weights.sum(axis=1)
    ranking, wrong = Ranking.of(chances.max(axis=1)), (truth != predicted).astype(np.int64)
    own = np.eye(chances.shape[1])[truth]
    return {
        "nll": weights @ nlls(chances, truth) / size,
        "brier": weights @ briers(chances, truth) / size,
        "ece": ranking.calibration_error(weights, chances.max(axis=1) - (1 - wrong)),
        "ece_classwise": np.mean(
            [
                Ranking.of(chance).calibration_error(weights, chance - true)
                for chance, true in zip(chances.T, own.T, strict=True)
            ],
            axis=0,
        ),
        "aurc": ranking.aurc(weights, wrong),
    }


def interval_of(draws: DoubleArray, seeds: IntArray, *, about: float | None = None) -> tuple[float, float] | None:
    """The 95 % interval of a score of draws and seeds (n_draws, n_seeds); None if most draws leave it undefined.

    With `about`, the score itself, draws are first moved by what their mean is off from it, and none below 0.
    """
    values = np.take_along_axis(draws, seeds, axis=1).mean(axis=1)
    values = values[~np.isnan(values)]
    if len(values) < len(draws) / 2:
        return None
    if about is not None:
        values = np.maximum(values - values.mean() + about, 0)
    low, high = np.percentile(values, BOUNDS)
    return float(low), float(high)


def scores_of_counts(counts: IntArray, labels: Sequence[str], *, known: bool) -> dict[str, Any]:
    """Score → value, and "SCORE_interval" → interval, of counts (n_speakers, n_seeds, n_labels, n_labels)."""
    points = {name: values.mean() for name, values in of_counts(counts.sum(axis=0), labels).items()}
    intervals: dict[str, Any] = dict.fromkeys(points)
    if known and len(counts) > 1:
        weights, seeds = drawn_weights(*counts.shape[:2])
        draws = of_counts(np.tensordot(weights, counts, axes=1), labels)
        intervals = {name: interval_of(values, seeds) for name, values in draws.items()}
    return _told(points, intervals)


def scores_of_probabilities(predictions: pd.DataFrame, labels: Sequence[str], *, known: bool) -> dict[str, Any]:
    """The same of probabilities, with the reliability diagram and the risk–coverage curve of all seeds together."""
    if not len(predictions) or any(f"p_{label}" not in predictions for label in labels):
        return _told(dict.fromkeys(OF_PROBABILITIES, np.nan), {}) | {"reliability": [], "risk_coverage": []}
    place = {label: number for number, label in enumerate(labels)}
    speakers, whose = np.unique(predictions["speaker"].astype(str), return_inverse=True)
    chances = predictions[[f"p_{label}" for label in labels]].to_numpy(np.float64)
    truth, predicted = (predictions[name].map(place).to_numpy().astype(np.int64) for name in ("truth", "prediction"))
    numbers = predictions["seed"].to_numpy()
    parts = [np.flatnonzero(numbers == seed) for seed in np.unique(numbers)]

    def scored(weights: IntArray) -> dict[str, DoubleArray]:  # (n_draws, n_speakers) → (n_draws, n_seeds)
        step = max(1, _AT_ONCE // len(predictions))
        blocks: list[list[Mapping[str, DoubleArray]]] = [
            [of_probabilities(chances[p], truth[p], predicted[p], weights[at : at + step, whose[p]]) for p in parts]
            for at in range(0, len(weights), step)
        ]
        return {
            name: np.concatenate([np.stack([seed[name] for seed in block], axis=1) for block in blocks])
            for name in OF_PROBABILITIES
        }

    points = {name: v.mean() for name, v in scored(np.ones((1, len(speakers)), np.int64)).items()}
    intervals: dict[str, Any] = dict.fromkeys(points)
    if known and len(speakers) > 1:
        weights, seeds = drawn_weights(len(speakers), len(parts), n_draws=N_SORTED_DRAWS)
        kept = np.stack([weights[:, whose[part]].sum(axis=1) for part in parts], axis=1).all(axis=1)
        draws = scored(weights[kept])
        intervals = {
            name: interval_of(values, seeds[kept], about=points[name] if name in DRAWN_TOO_HIGH else None)
            for name, values in draws.items()
        }
    confidence, right = chances.max(axis=1), (truth == predicted).astype(np.int64)
    ranking = Ranking.of(confidence)
    return _told(points, intervals) | {
        "ece_bins": N_BINS,
        "reliability": ranking.bins(confidence, right),
        "risk_coverage": ranking.risks(1 - right),
    }


def _told(points: Mapping[str, Any], intervals: Mapping[str, Any]) -> dict[str, Any]:
    """As reports have it: None where a score is undefined, and then without an interval."""
    measures: dict[str, Any] = {}
    for name, value in points.items():
        known = not np.isnan(value)
        score, _, label = name.partition(" ")
        for key, told in ((score, float(value) if known else None), (f"{score}_interval", intervals.get(name))):
            told = told if known else None
            if label:
                measures.setdefault(key, {})[label] = told
            else:
                measures[key] = told
    return measures
