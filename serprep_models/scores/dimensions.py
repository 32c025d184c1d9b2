"""Scores of numbers, such as arousal: concordance (Lin, 1989), Pearson's correlation, root of the mean squared error.

All follow from sums per speaker and seed, so a draw of the bootstrap is a weighted sum.  A value that is not
known, in the truth, has no part in a score and is counted.
"""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations
from pathlib import Path
from typing import Any, TypeVar

import numpy as np
import pandas as pd

from serprep._typing import DoubleArray
from serprep.errors import TrainError, one_line
from serprep.systems import is_floor
from serprep_models.scores.concordance import Moments
from serprep_models.scores.intervals import drawn_weights, interval_of
from serprep_models.scores.metrics import holm
from serprep_models.scores.summary import Verdict, stands

MEAN = "mean"  # in place of a dimension: over all of them
EXACT = 16  # speakers up to which every permutation is looked at
_ROUNDING = 1e-12  # by which one difference, summed in two orders, may differ

Interval = tuple[float, float] | None
Scales = Mapping[str, tuple[float, float]]  # dimension → what became 0, and 1


SCORES = {"ccc": "CCC", "pearson": "Pearson", "rmse": "RMSE"}  # as tables name them


@dataclass(frozen=True, kw_only=True)
class DimensionScore:
    """One system on one dimension: pooled over folds, mean over seeds; intervals draw speakers, and seeds within."""

    system: str
    dimension: str  # or "mean", over all
    n_utterances: int  # that are scored
    n_missing: int  # whose value is not known
    n_seeds: int
    ccc: float | None
    ccc_interval: Interval
    pearson: float | None
    pearson_interval: Interval
    rmse: float | None  # on a scale from 0 to 1
    rmse_interval: Interval


Row = TypeVar("Row", bound=DimensionScore)


@dataclass(frozen=True, kw_only=True)
class DimensionGroup(DimensionScore):
    """The same within a group of utterances: a value of a column."""

    column: str
    group: str
    n_speakers: int  # of whom a value is known; 0: who speaks is not
    too_few: bool  # speakers, to believe in the interval
    worst: bool = False  # of the system's groups of that column, on that dimension


@dataclass(frozen=True, kw_only=True)
class DimensionCondition(DimensionScore):
    """The same where the test part is transformed."""

    condition: str


@dataclass(frozen=True, kw_only=True)
class DimensionGroupDifference:
    """How much higher the concordance in one group is than in another."""

    system: str
    column: str
    dimension: str
    first: str
    second: str
    ccc: float
    ccc_interval: Interval
    p: float | None
    p_holm: float | None  # corrected for all differences of the system
    within_speakers: bool  # whether speakers are in both groups


@dataclass(frozen=True, kw_only=True)
class DimensionDifference:
    """How much higher the concordance of the first of two systems is."""

    first: str
    second: str
    dimension: str
    ccc: float
    ccc_interval: Interval
    p: float  # two-sided, permutation of the two systems speaker by speaker
    p_holm: float  # corrected for all pairs and dimensions


def truth_of(name: str) -> str:
    """The column that holds what is true of a dimension."""
    return f"truth_{name}"


def predicted_of(name: str) -> str:
    """The column that holds what a system says of it."""
    return f"predicted_{name}"


def score_numbers(predictions: pd.DataFrame, dimensions: Sequence[str]) -> dict[str, dict[str, float | int | None]]:
    """Of one experiment: dimension → n, n_missing, ccc, pearson, rmse; None where undefined."""
    scores: dict[str, dict[str, float | int | None]] = {}
    for name in dimensions:
        truth = predictions[truth_of(name)].to_numpy(np.float64)
        moments = Moments.of(truth, predictions[predicted_of(name)].to_numpy(np.float64))
        n = int(moments.sums[0])
        scores[name] = {"n": n, "n_missing": len(truth) - n}
        scores[name] |= {score: _told(float(getattr(moments, score))) for score in SCORES}
    return scores


def is_score(scores: Any, scales: Any) -> bool:
    """Whether what is read of a result has the types that `score_numbers` writes."""
    counts = all(type(row[name]) is int and row[name] >= 0 for row in scores.values() for name in ("n", "n_missing"))
    values = all(row[name] is None or np.isfinite(row[name]) for row in scores.values() for name in SCORES)
    return counts and values and list(scales) == list(scores) and all(low < high for low, high in scales.values())


def read_numbers(path: Path) -> pd.DataFrame:
    """Predictions of numbers as written, and of labels where these were learnt beside.

    Raises
    ------
    TrainError
        If the file is not what an experiment writes.
    """
    text = dict.fromkeys(("id", "speaker", "role"), str)
    of_labels = dict.fromkeys(("truth", "prediction"), str)
    try:
        table = pd.read_csv(path, dtype=text | of_labels, keep_default_na=False, na_values={}, encoding="utf-8")
        numbers = [name for name in table.columns if name.startswith((truth_of(""), predicted_of("")))]
        names = [name.removeprefix(truth_of("")) for name in numbers[::2]]
        expected = [*text, *(of(name) for name in names for of in (truth_of, predicted_of))]
        for name in expected[3:]:
            table[name] = pd.to_numeric(table[name].replace("", np.nan)).astype(np.float64)
        behind = list(table.columns[len(expected) :])
        fits = list(table.columns[: len(expected)]) == expected and len(names) > 0
        fits = fits and behind[:2] in ([], [*of_labels]) and all(name.startswith("p_") for name in behind[2:])
        labels = {name.removeprefix("p_") for name in behind[2:]}
        fits = fits and (not behind or (set(table["truth"]) <= labels | {""} and set(table["prediction"]) <= labels))
        fits = fits and bool(np.isfinite(table[behind[2:]].to_numpy(np.float64)).all())
        fits = fits and bool(np.isfinite(table[[predicted_of(name) for name in names]].to_numpy()).all())
    except (ValueError, KeyError, TypeError, OSError, OverflowError, csv.Error) as error:
        raise TrainError(f"{one_line(path)}: {one_line(error)}; remove its folder, and train again") from None
    if not fits:
        raise TrainError(f"{one_line(path)}: not as an experiment writes it; remove its folder, and train again")
    return table


def _told(value: float) -> float | None:
    return None if np.isnan(value) else value


def speaker_sums(predictions: pd.DataFrame, dimensions: Sequence[str]) -> DoubleArray:
    """Sums of `Moments`, shape (n_speakers, n_seeds, 6, n_dimensions)."""
    speakers, whose = np.unique(predictions["speaker"].astype(str), return_inverse=True)
    seeds, which = np.unique(predictions["seed"].to_numpy(), return_inverse=True)
    place = whose * len(seeds) + which
    parts = []
    for name in dimensions:
        t, p = (predictions[of(name)].to_numpy(np.float64) for of in (truth_of, predicted_of))
        known = ~np.isnan(t)
        t, p = np.where(known, t, 0.0), np.where(known, p, 0.0)
        values = (known.astype(np.float64), t, p, t * t, p * p, t * p)
        parts.append([np.bincount(place, each, len(speakers) * len(seeds)) for each in values])
    sums = np.array(parts).transpose(2, 1, 0)  # (speakers * seeds, 6, dimensions)
    return sums.reshape(len(speakers), len(seeds), Moments.N, len(dimensions))


def concordances(sums: DoubleArray) -> DoubleArray:
    """Concordance of each dimension and, of several, the mean (…, n) of sums (…, 6, n_dimensions)."""
    return _with_mean(_scores_of(sums))["ccc"]


def _scores_of(sums: DoubleArray) -> dict[str, DoubleArray]:
    """Score → values (…, n_dimensions) of sums (…, 6, n_dimensions)."""
    moments = Moments(np.moveaxis(sums, -2, 0))
    return {name: getattr(moments, name) for name in SCORES}


def summarise_numbers(predictions: pd.DataFrame, dimensions: Sequence[str]) -> tuple[DimensionScore, ...]:
    """A row per system and dimension, and one of the mean where there are several.

    Parameters
    ----------
    predictions : DataFrame
        Columns system, fold, seed, id, speaker and, per dimension, `truth_of` and `predicted_of`.
    dimensions : sequence of str
    """
    rows = []
    for system, own in predictions.groupby("system", sort=False):
        sums = speaker_sums(own, dimensions)
        points = _with_mean(_scores_of(sums.sum(axis=0)))  # score → (n_seeds, n_dimensions + 1)
        draws, seeds = {}, np.zeros((0, 0), np.int64)
        if len(sums) > 1 and not (own["speaker"] == "").any():
            weights, seeds = drawn_weights(*sums.shape[:2])
            draws = _with_mean(_scores_of(np.tensordot(weights, sums, axes=1)))
        n_seeds = sums.shape[1]
        for place, name in enumerate(names_of(dimensions)):
            missing = own[[truth_of(each) for each in (dimensions if name == MEAN else (name,))]].isna().to_numpy()
            told: dict[str, float | Interval] = {}
            for score in SCORES:
                value = _told(float(points[score][:, place].mean()))
                known = draws and value is not None
                told[score] = value
                told[f"{score}_interval"] = interval_of(draws[score][..., place], seeds) if known else None
            n_missing = int(missing.all(axis=1).sum()) // n_seeds
            rows.append(
                DimensionScore(
                    system=str(system),
                    dimension=name,
                    n_utterances=len(own) // n_seeds - n_missing,
                    n_missing=n_missing,
                    n_seeds=n_seeds,
                    **told,  # type: ignore[arg-type]
                )
            )
    return tuple(rows)


def names_of(dimensions: Sequence[str]) -> list[str]:
    """What rows are of: each dimension and, of several, their mean."""
    return [*dimensions, MEAN] if len(dimensions) > 1 else list(dimensions)


def _with_mean(scores: dict[str, DoubleArray]) -> dict[str, DoubleArray]:
    """Scores (…, n_dimensions), the mean over these behind them."""
    return {name: np.concatenate([values, values.mean(-1, keepdims=True)], -1) for name, values in scores.items()}


def compare_numbers(predictions: pd.DataFrame, dimensions: Sequence[str]) -> tuple[DimensionDifference, ...]:
    """Every pair of systems that scored the same utterances: difference of concordance, with its certainty.

    The permutation exchanges, speaker by speaker, which of the two systems gave which predictions; of
    several seeds, predictions are pooled for it.  A floor is compared with nobody, and nobody where a
    speaker is unknown.
    """
    known = predictions[~predictions["system"].map(is_floor).astype(bool)]
    if not len(known) or bool((known["speaker"] == "").any()):
        return ()
    systems = {str(name): own for name, own in known.groupby("system", sort=False)}
    scored = {name: frozenset(zip(own["fold"], own["id"], strict=True)) for name, own in systems.items()}
    sums = {name: speaker_sums(own, dimensions) for name, own in systems.items()}
    rows: list[DimensionDifference] = []
    for first, second in combinations(systems, 2):
        if scored[first] == scored[second] and len(sums[first]) > 1:
            rows += _pair(first, second, sums, dimensions)
    return corrected_for(rows)


def corrected_for(rows: Sequence[DimensionDifference]) -> tuple[DimensionDifference, ...]:
    """Differences with p-values corrected for all of them (Holm)."""
    return tuple(replace(row, p_holm=p) for row, p in zip(rows, holm([row.p for row in rows]), strict=True))


def _pair(
    first: str, second: str, sums: Mapping[str, DoubleArray], dimensions: Sequence[str]
) -> list[DimensionDifference]:
    a, b = sums[first], sums[second]
    points = [concordances(each.sum(axis=0)).mean(axis=0) for each in (a, b)]
    draws = []
    for each in (a, b):
        weights, seeds = drawn_weights(*each.shape[:2])  # the same speakers for both
        values = concordances(np.tensordot(weights, each, axes=1))
        draws.append(np.take_along_axis(values, seeds[..., None], axis=1).mean(axis=1))
    difference = draws[0] - draws[1]
    pooled = [each.mean(axis=1) for each in (a, b)]  # (n_speakers, 6, n_dimensions)
    flips = _flips(len(a))
    gained = np.tensordot(flips, pooled[1] - pooled[0], axes=1)
    sides = [pooled[0].sum(axis=0) + gained, pooled[1].sum(axis=0) - gained]
    permuted = np.subtract(*map(concordances, sides))
    rows = []
    for place, name in enumerate(names_of(dimensions)):
        seen = points[0][place] - points[1][place]
        if np.isnan(seen):
            continue
        as_large = np.abs(permuted[:, place]) >= np.abs(permuted[0, place]) - _ROUNDING  # the first flips nobody
        low_high = np.nanpercentile(difference[:, place], [2.5, 97.5])
        p = float(as_large.mean())
        rows.append(
            DimensionDifference(
                first=first,
                second=second,
                dimension=name,
                ccc=float(seen),
                ccc_interval=(float(low_high[0]), float(low_high[1])),
                p=p,
                p_holm=p,
            )
        )
    return rows


def _flips(n_speakers: int) -> DoubleArray:
    """Whose systems are exchanged, (n_permutations, n_speakers) of 0 and 1; nobody's first."""
    if n_speakers <= EXACT:
        return ((np.arange(2**n_speakers)[:, None] >> np.arange(n_speakers)) & 1).astype(np.float64)
    drawn = np.random.default_rng(0).integers(2, size=(10_001, n_speakers)).astype(np.float64)
    drawn[0] = 0
    return drawn


@dataclass(frozen=True, kw_only=True)
class DimensionScores:
    """How well numbers are predicted, by all systems of a recipe."""

    scores: tuple[DimensionScore, ...] = ()
    differences: tuple[DimensionDifference, ...] = ()
    groups: tuple[DimensionGroup, ...] = ()  # for whom they fail
    group_differences: tuple[DimensionGroupDifference, ...] = ()
    conditions: tuple[DimensionCondition, ...] = ()  # in other rooms and over other lines
    scales: Scales = field(default_factory=dict)
    scales_of: Mapping[str, Scales] = field(default_factory=dict)  # of single corpora, where theirs are others

    @classmethod
    def of(
        cls, predictions: pd.DataFrame, scales: Scales, scales_of: Mapping[str, Scales] | None = None
    ) -> "DimensionScores":
        """Of predictions of all experiments."""
        names = list(scales)
        return cls(
            scores=summarise_numbers(predictions, names),
            differences=compare_numbers(predictions, names),
            scales=scales,
            scales_of=scales_of or {},
        )

    def renamed(self, names: Mapping[str, str]) -> "DimensionScores":
        """The same, systems called otherwise."""
        told: dict[str, Any] = {
            key: tuple(replace(row, system=names[row.system]) for row in getattr(self, key))
            for key in ("scores", "groups", "group_differences", "conditions")
        }
        pairs = tuple(replace(row, first=names[row.first], second=names[row.second]) for row in self.differences)
        return replace(self, differences=pairs, **told)

    @property
    def overall(self) -> tuple[DimensionScore, ...]:
        """A row per system: of its only dimension, or of the mean."""
        return self.of_all(self.scores)

    def of_all(self, rows: Sequence[Row]) -> tuple[Row, ...]:
        """Those of the only dimension, or of the mean."""
        return tuple(row for row in rows if len(self.scales) == 1 or row.dimension == MEAN)

    @property
    def words(self) -> str:
        """The scales, in a sentence; "" without any."""
        ends = _ends(self.scales)
        others = "".join(f", of {one_line(corpus)} {_ends(scales)}" for corpus, scales in self.scales_of.items())
        return f"{ends}{others} became 0 to 1 ([train.scales]); RMSE is on that scale" if ends else ""

    def verdict(self, *, partial: bool = False, leaks: bool = False) -> Verdict:
        """Whether the system of the highest concordance is told apart from all others, at p < 0.05."""
        rows = [row for row in self.overall if row.ccc is not None]
        if not rows:
            return Verdict(leader="", best=False, rivals=(), words="")
        lead = max(rows, key=lambda row: row.ccc or 0.0)
        what = "CCC" if lead.dimension != MEAN else "mean CCC"
        if partial or leaks:
            why = "the split leaks" if leaks else "experiments are missing"
            words = f"{why}: no system is called the best" if len(rows) > 1 else ""
            return Verdict(leader=lead.system, best=False, rivals=(), words=words)
        p_of = {
            frozenset((row.first, row.second)): row.p for row in self.differences if row.dimension == lead.dimension
        }
        rivals = [
            row.system
            for row in sorted(rows, key=lambda row: -(row.ccc or 0.0))
            if row is not lead and not _told_apart(lead, row, p_of.get(frozenset((lead.system, row.system))))
        ]
        if len(rows) < 2:
            return Verdict(leader=lead.system, best=False, rivals=(), words="")
        if not rivals:
            words = f"{lead.system} {stands(lead.system, [row.system for row in rows])}: {what} {lead.ccc:.3f}"
            return Verdict(leader=lead.system, best=True, rivals=(), words=words)
        names = [lead.system, *rivals]
        words = f"{', '.join(names[:-1])} and {names[-1]} cannot be told apart by {what}"
        return Verdict(leader=lead.system, best=False, rivals=tuple(rivals), words=words)


def _ends(scales: Scales) -> str:
    return ", ".join(f"{one_line(name)} from {low:g} to {high:g}" for name, (low, high) in scales.items())


def _told_apart(lead: DimensionScore, row: DimensionScore, p: float | None) -> bool:
    if p is not None:
        return p < 0.05
    return bool(is_floor(row.system) and lead.ccc_interval is not None and lead.ccc_interval[0] > (row.ccc or 0.0))
