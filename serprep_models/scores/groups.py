"""For whom a system fails: scores within groups of utterances, and differences between groups.

A group is a value of a column: a gender, an accent, a condition.  A column of many numbers, such as an
age, is cut into bands at round numbers.  Intervals come from a bootstrap that draws speakers, and seeds within.

The difference of two groups is tested by a permutation over speakers.  Where speakers belong to one group each,
it is chance who belongs to which; where they are in both (quiet and loud, two languages), it is chance which of
a speaker's two sets of predictions is of which group, and speakers in one of them only stay where they are.
A permutation that leaves a label without utterances counts as a difference as large as the one seen.
"""

import math
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations
from typing import Any, TypeVar

import numpy as np
import pandas as pd

from serprep._typing import DoubleArray, IntArray
from serprep.errors import TrainError, one_line
from serprep.store.store import Store
from serprep.systems import is_floor
from serprep_models.scores.dimensions import DimensionGroup
from serprep_models.scores.intervals import drawn_weights, interval_of, scores_of_counts
from serprep_models.scores.metrics import holm

FEWEST = 5  # speakers; a group of fewer is marked, and not called the worst where another can be
MOST = 20  # groups of a column
COLUMNS = (  # of these, whatever a store has, where a recipe names none
    *("gender", "age", "race", "ethnicity", "accent", "native_language", "language", "condition"),
)
UNKNOWN = "unknown"
_BANDS = 8  # at most, of a column of numbers
_DRAWS = 10_000  # permutations, where there are more


@dataclass(frozen=True, kw_only=True)
class GroupScore:
    """Scores within a group, mean over seeds; None where undefined."""

    system: str
    column: str
    group: str
    n_speakers: int
    n_utterances: int
    too_few: bool  # speakers, to believe in the interval
    ua: float | None
    ua_interval: tuple[float, float] | None
    macro_f1: float | None
    macro_f1_interval: tuple[float, float] | None
    recall: Mapping[str, float | None]  # by label
    recall_interval: Mapping[str, tuple[float, float] | None]
    worst: bool = False  # of the system's groups of that column


@dataclass(frozen=True, kw_only=True)
class GroupDifference:
    """How much better the UA of one group is than that of another."""

    system: str
    column: str
    first: str
    second: str
    ua: float
    ua_interval: tuple[float, float] | None
    p: float | None
    p_holm: float | None  # corrected for all differences of the system
    within_speakers: bool  # whether speakers are in both groups


@dataclass(frozen=True, kw_only=True)
class Groups:
    """Scores of all groups, and all differences of two of them."""

    scores: tuple[GroupScore, ...] = ()
    differences: tuple[GroupDifference, ...] = ()


def group_columns(store: Store, asked: Sequence[str] = ()) -> dict[str, dict[str, str]]:
    """Column → utterance's id → its group; of the columns asked for, or of those of `COLUMNS` with several groups.

    Raises
    ------
    TrainError
        If the store lacks a column that is asked for, or has too many groups of it.
    """
    if missing := [name for name in asked if name not in store.columns]:
        raise TrainError(
            f"[train] groups: no column {one_line(missing[0])!r}; the store has {', '.join(store.columns)}"
        )
    columns = {}
    for name in asked or [name for name in COLUMNS if name in store.columns]:
        groups = banded([UNKNOWN if value in ("", "nan") else value for value in map(str, store.column(name))])
        n_groups = len(set(groups))
        if asked and n_groups > MOST:
            raise TrainError(f"[train] groups: {one_line(name)!r} has {n_groups} values; expected {MOST} at most")
        if 1 < n_groups <= MOST or asked:
            columns[name] = dict(zip(store.ids, groups, strict=True))
    return columns


def banded(values: Sequence[str]) -> list[str]:
    """The values, or, if they are more different numbers than there may be bands, bands of them.

    Examples
    --------
    >>> banded(["20", "29", "31", "44", "55", "60", "61", "62", "63", "unknown"])[:4]
    ['20–29', '20–29', '30–39', '40–49']
    """
    try:
        numbers = {value: float(value) for value in set(values) - {UNKNOWN}}
    except ValueError:
        return list(values)
    if len(set(numbers.values())) <= _BANDS or not all(map(math.isfinite, numbers.values())):
        return list(values)
    low, high = min(numbers.values()), max(numbers.values())
    power = 10.0 ** math.floor(math.log10((high - low) / _BANDS))
    width = next(step * power for step in (1, 2, 5, 10) if (high - low) / (step * power) < _BANDS - 1)
    whole = width >= 2 and all(number.is_integer() for number in numbers.values())
    bands = {}
    for value, number in numbers.items():
        first = math.floor(number / width) * width
        bands[value] = f"{first:.0f}–{first + width - 1:.0f}" if whole else f"{first:.4g}–{first + width:.4g}"
    return [bands.get(value, value) for value in values]


def score_groups(predictions: pd.DataFrame, labels: Sequence[str], columns: Mapping[str, Mapping[str, str]]) -> Groups:
    """Scores within the groups of each column, of every system, and differences between groups.  Floors are left out.

    Parameters
    ----------
    predictions : DataFrame
        Columns system, seed, id, speaker, truth, prediction; rows without truth are left out.
    labels : sequence of str
    columns : mapping
        Column → utterance's id → its group; see `group_columns`.
    """
    known = predictions[(predictions["truth"] != "") & ~predictions["system"].map(is_floor).astype(bool)]
    scores: list[GroupScore] = []
    differences: list[GroupDifference] = []
    for system, own in known.groupby("system", sort=False):
        tests: list[GroupDifference] = []
        for column, group_of in columns.items():
            groups = own["id"].map(group_of).fillna(UNKNOWN)
            names = in_order(groups)
            counts = _counts(own, groups, names, labels)
            about: dict[str, Any] = {"system": str(system), "column": column}
            sure = bool((own["speaker"] != "").all())
            rows = [GroupScore(**about, **_scored(counts[i], name, labels, sure)) for i, name in enumerate(names)]
            scores += worst_marked(rows, by="ua")
            for i, k in combinations(range(len(names)), 2):
                if sure and (difference := compare_groups(counts[i], counts[k])) is not None:
                    tests.append(GroupDifference(**about, first=names[i], second=names[k], p_holm=None, **difference))
        corrected = holm([1.0 if row.p is None else row.p for row in tests])
        pairs = zip(tests, corrected, strict=True)
        differences += [replace(row, p_holm=None if row.p is None else p_holm) for row, p_holm in pairs]
    return Groups(scores=tuple(scores), differences=tuple(differences))


def _counts(own: pd.DataFrame, groups: "pd.Series[Any]", names: Sequence[str], labels: Sequence[str]) -> IntArray:
    """Confusion matrices, shape (n_groups, n_speakers, n_seeds, n_labels, n_labels)."""
    place = {label: number for number, label in enumerate(labels)}
    speakers, speaker = np.unique(own["speaker"].astype(str), return_inverse=True)
    seeds, seed = np.unique(own["seed"], return_inverse=True)
    counts = np.zeros((len(names), len(speakers), len(seeds), len(labels), len(labels)), np.int64)
    group = groups.map({name: number for number, name in enumerate(names)}).to_numpy()
    np.add.at(counts, (group, speaker, seed, own["truth"].map(place), own["prediction"].map(place)), 1)
    return counts


def _scored(counts: IntArray, name: str, labels: Sequence[str], sure: bool) -> dict[str, Any]:
    """What a group's `GroupScore` says of its counts (n_speakers, n_seeds, n_labels, n_labels)."""
    present = counts[counts.sum(axis=(1, 2, 3)) > 0]
    measures = scores_of_counts(present, labels, known=sure)
    told = ("ua", "macro_f1", "recall")
    return {
        "group": name,
        "n_speakers": len(present) if sure else 0,
        "n_utterances": int(present[:, 0].sum()),
        "too_few": len(present) < FEWEST,
        **{key: measures[key] for score in told for key in (score, f"{score}_interval")},
    }


def in_order(groups: "pd.Series[Any]") -> list[str]:
    """Their names, what is not known last."""
    return sorted(set(groups), key=lambda name: (name == UNKNOWN, _natural(name)))


Row = TypeVar("Row", GroupScore, DimensionGroup)


def worst_marked(rows: Sequence[Row], *, by: str) -> list[Row]:
    """The same, the lowest score marked; of groups with enough speakers, if there are two or more."""
    defined = [row for row in rows if getattr(row, by) is not None and row.group != UNKNOWN]
    enough = [row for row in defined if not row.too_few]
    among = enough if len(enough) > 1 else defined
    worst = min(among, key=lambda row: float(getattr(row, by))) if len(among) > 1 else None
    return [replace(row, worst=row is worst) for row in rows]


def compare_groups(first: IntArray, second: IntArray) -> dict[str, Any] | None:
    """The difference in UA of two groups, its interval and its p-value; None where a UA is undefined.

    Parameters
    ----------
    first, second : ndarray, shape (n_speakers, n_seeds, n_labels, n_labels)
        Confusion matrices of the same speakers in the same order; zeros where a speaker is not in a group.

    Examples
    --------
    >>> right, wrong = np.array([[1, 0], [0, 1]]), np.array([[0, 1], [1, 0]])
    >>> members = np.array([1, 1, 1, 1, 0, 0, 0, 0])[:, None, None, None]
    >>> difference = compare_groups(members * right, (1 - members) * wrong)
    >>> difference["ua"], difference["p"] == 2 / 70  # of the 70 ways to choose 4 of 8 speakers, two are as extreme
    (1.0, True)
    """
    sums = [np.stack([np.diagonal(c, axis1=-2, axis2=-1), c.sum(axis=-1)], -2) for c in (first, second)]
    (exchanged,) = exchange(*sums, score=_uas)
    if exchanged is None:
        return None
    told = {"ua": exchanged.difference, "ua_interval": exchanged.interval}
    return told | {"p": exchanged.p, "within_speakers": exchanged.within_speakers}


@dataclass(frozen=True, kw_only=True)
class Exchanged:
    """How much higher the score of one group is than that of another."""

    difference: float
    interval: tuple[float, float] | None
    p: float | None
    within_speakers: bool


Sums = IntArray | DoubleArray


def exchange(first: Sums, second: Sums, *, score: Callable[[DoubleArray], DoubleArray]) -> list[Exchanged | None]:
    """The difference of two groups in each score of sums, and its certainty; None where it is undefined.

    Parameters
    ----------
    first, second : ndarray, shape (n_speakers, n_seeds, …)
        Sums over utterances of the same speakers in the same order; zeros where a speaker is not in a group.
    score : callable
        Sums (n, n_seeds, …) → scores (n, n_seeds, n_scores).
    """
    there = [(sums != 0).any(axis=tuple(range(1, sums.ndim))) for sums in (first, second)]
    kept = there[0] | there[1]
    both = (there[0] & there[1])[kept]
    parts = [sums[kept].astype(np.float64) for sums in (first, second)]  # BLAS multiplies no whole numbers
    seen = _differences(np.ones((1, len(both)), np.int64), parts, score)[0].mean(axis=0)
    if np.isnan(seen).all():
        return [None] * len(seen)
    exact, kinds = _exchanges(there[0][kept], both, np.random.default_rng([0, 1]))
    drawn = _differences(kinds, parts, score).mean(axis=1)
    as_large = (~(np.abs(drawn) < np.abs(seen) - 1e-12)).sum(axis=0)  # NaN among them
    p = as_large / len(kinds) if exact else (as_large + 1) / (len(kinds) + 1)
    weights, seeds = drawn_weights(len(both), first.shape[1])
    scores = [score(np.tensordot(weights.astype(np.float64), part, axes=1)) for part in parts]
    apart = scores[0] - scores[1]
    return [
        None
        if np.isnan(difference)
        else Exchanged(
            difference=float(difference),
            interval=interval_of(apart[..., place], seeds) if len(both) > 1 else None,  # of one, seeds alone vary
            p=float(p[place]) if len(kinds) > 1 else None,
            within_speakers=bool(both.any()),
        )
        for place, difference in enumerate(seen)
    ]


def _exchanges(in_first: "np.ndarray[Any, Any]", both: "np.ndarray[Any, Any]", rng: Any) -> tuple[bool, IntArray]:
    """Which speakers stay as they are (1) and which change groups (0), in each permutation; and whether it is all.

    The groups keep their numbers of speakers.
    """
    n, n_first = len(both), int(in_first.sum())
    if both.any():
        places = np.flatnonzero(both)
        exact = len(places) <= 13
        choices = (
            (np.arange(2 ** len(places))[:, None] >> np.arange(len(places))) & 1
            if exact
            else rng.integers(2, size=(_DRAWS, len(places)))
        )
        stays = np.ones((len(choices), n), np.int64)
        stays[:, places] = choices
        return exact, stays
    exact = math.comb(n, n_first) <= _DRAWS
    if exact:
        chosen = np.array(list(combinations(range(n), n_first)))
    else:
        chosen = rng.permuted(np.tile(np.arange(n), (_DRAWS, 1)), axis=1)[:, :n_first]
    member = np.zeros((len(chosen), n), bool)
    np.put_along_axis(member, chosen, True, axis=1)
    return exact, (member == in_first).astype(np.int64)


def _differences(
    stays: IntArray, parts: Sequence[DoubleArray], score: Callable[[DoubleArray], DoubleArray]
) -> DoubleArray:
    """Scores of the first group minus those of the second where some speakers change groups, (n_draws, n_seeds, …)."""
    kept, moved = stays.astype(np.float64), 1.0 - stays
    pairs = (parts, parts[::-1])
    mixed = [np.tensordot(kept, own, axes=1) + np.tensordot(moved, other, axes=1) for own, other in pairs]
    return score(mixed[0]) - score(mixed[1])


def _uas(sums: DoubleArray) -> DoubleArray:
    """Mean recall (…, 1) over labels, of how many utterances are right, and all (…, 2, n_labels); NaN without any."""
    right, total = np.moveaxis(sums, -2, 0)
    recalls = np.divide(right, total, out=np.full(right.shape, np.nan), where=total > 0)
    return np.asarray(recalls.mean(axis=-1, keepdims=True))


def _natural(name: str) -> str:
    """Sorts "2" before "10"."""
    return re.sub(r"\d+", lambda digits: digits[0].zfill(20), name)
