"""Predictions of many experiments → scores: per fold, pooled over folds, averaged over seeds."""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd

from serprep._typing import IntArray
from serprep.metrics import confusion, paired_test, speaker_intervals, ua_of, wa_of
from serprep.systems import is_floor
from serprep_models.scores.intervals import scores_of_counts, scores_of_probabilities
from serprep_models.scores.metrics import holm
from serprep_models.scores.result import Pair, Result, Summary, marks_in


def undefined_as_none(value: float) -> float | None:
    """NaN (a UA that is not defined) as None, for JSON."""
    return None if np.isnan(value) else float(value)


def shown(scores: Result | Summary) -> str:
    """The name of a system as tables show it.

    Examples
    --------
    >>> shown(Result(system="compare-svm", transductive=True))
    'compare-svm (transductive)'
    """
    return f"{scores.system} (transductive)" if scores.transductive else scores.system


def score(predictions: pd.DataFrame, labels: Sequence[str]) -> dict[str, Any]:
    """WA, UA, per-label recall and confusion of labelled predictions.

    Parameters
    ----------
    predictions : DataFrame
        Columns ``truth`` and ``prediction``; rows with truth "" are left out.
    labels : sequence of str
        The declared labels.

    Returns
    -------
    dict
        ``n_test``, ``wa``, ``ua`` (None where a label has no utterances; ``missing``
        names those, ``reason`` says it in words), ``recall`` (label → of its utterances;
        None where it has none) and ``confusion``.
    """
    known = predictions[predictions["truth"] != ""]
    counts = confusion(list(known["truth"]), list(known["prediction"]), labels)
    return {
        "n_test": len(known),
        "wa": undefined_as_none(wa_of(counts)),
        "ua": undefined_as_none(ua_of(counts)),
        "reason": reason_of(counts, labels),
        "recall": recall_of(counts[None], labels),
        "missing": [label for label, total in zip(labels, counts.sum(axis=1), strict=True) if total == 0],
        "confusion": counts.tolist(),
    }


def recall_of(counts: IntArray, labels: Sequence[str]) -> dict[str, float | None]:
    """Label → recall, mean over confusion matrices (n, n_labels, n_labels); None where it has no utterances."""
    totals = counts.sum(axis=2)
    right = np.diagonal(counts, axis1=1, axis2=2)
    recalls = np.divide(right, totals, out=np.full(right.shape, np.nan), where=totals > 0).mean(axis=0)
    return {label: undefined_as_none(value) for label, value in zip(labels, recalls, strict=True)}


def reason_of(counts: IntArray, labels: Sequence[str]) -> str:
    """Why UA is undefined, or "" where it is not.

    Examples
    --------
    >>> reason_of(np.array([[1, 0], [0, 0]]), ["happy", "sad"])
    "no scored utterance is 'sad'"
    """
    missing = [label for label, total in zip(labels, counts.sum(axis=1), strict=True) if total == 0]
    if len(missing) == len(labels):
        return "no scored utterance has a label"
    return f"no scored utterance is {' or '.join(map(repr, missing))}" if missing else ""


def summarise(predictions: pd.DataFrame, labels: Sequence[str], results: Sequence[Result]) -> list[Summary]:
    """One row per system: pooled over folds, mean over seeds, with intervals.

    Parameters
    ----------
    predictions : DataFrame
        Columns system, fold, seed, id, speaker, truth, prediction; of all experiments.
    labels : sequence of str
    results : sequence of Result
        Of all experiments.
    """
    rows = []
    for system in dict.fromkeys(result.system for result in results):
        own = predictions[(predictions["system"] == system) & (predictions["truth"] != "")]
        counts = speaker_counts(own, labels)  # (n_speakers, n_seeds, n_labels, n_labels)
        pooled = counts.sum(axis=0) if len(own) else np.zeros((1, len(labels), len(labels)), np.int64)
        intervals = speaker_intervals(counts)
        known_speakers = bool((own["speaker"] != "").all())
        per_seed = [(wa_of(matrix), ua_of(matrix)) for matrix in pooled]
        runs = [result for result in results if result.system == system]
        folds = [result.ua for result in runs if result.ua is not None]
        accuracies = [result.wa for result in runs if result.wa is not None]
        rows.append(
            scores_of_counts(counts if len(own) else pooled[None], labels, known=known_speakers)
            | scores_of_probabilities(own, labels, known=known_speakers)
            | marks_in(runs[0])
            | {
                "system": system,
                "n_runs": len(runs),
                "n_defined": len(folds),
                "n_seeds": len(per_seed),
                "wa": undefined_as_none(float(np.mean([wa for wa, _ in per_seed]))),
                "ua": undefined_as_none(float(np.mean([ua for _, ua in per_seed]))),
                "reason": next(filter(None, (reason_of(matrix, labels) for matrix in pooled)), ""),
                "ua_per_seed": [undefined_as_none(ua) for _, ua in per_seed],
                "ua_seed_std": undefined_as_none(float(np.std([ua for _, ua in per_seed]))),
                "ua_fold_mean": float(np.mean(folds)) if folds else None,
                "ua_fold_std": float(np.std(folds)) if folds else None,
                "wa_per_seed": [undefined_as_none(wa) for wa, _ in per_seed],
                "wa_seed_std": undefined_as_none(float(np.std([wa for wa, _ in per_seed]))),
                "wa_fold_mean": float(np.mean(accuracies)) if accuracies else None,
                "wa_fold_std": float(np.std(accuracies)) if accuracies else None,
                "recall": recall_of(pooled, labels),
                "wa_interval": intervals.wa if known_speakers else None,
                "ua_interval": intervals.ua if known_speakers else None,
                "redrawn": intervals.redrawn,
            }
        )
    return [Summary(**row) for row in rows]


def speaker_counts(predictions: pd.DataFrame, labels: Sequence[str]) -> IntArray:
    """Confusion matrices per speaker and seed, shape (n_speakers, n_seeds, n_labels, n_labels)."""
    speakers = sorted(predictions["speaker"].unique())
    seeds = sorted(predictions["seed"].unique())
    counts = np.zeros((len(speakers), len(seeds), len(labels), len(labels)), np.int64)
    for (speaker, seed), group in predictions.groupby(["speaker", "seed"]):
        counts[speakers.index(speaker), seeds.index(seed)] = confusion(
            list(group["truth"]), list(group["prediction"]), labels
        )
    return counts


def scored(predictions: pd.DataFrame) -> set[frozenset[tuple[Any, ...]]]:
    """What each seed scored: fold, id, speaker and label of every utterance.  One set, if all seeds scored the same."""
    names = ("fold", "id", "speaker", "truth")
    return {frozenset(zip(*(own[name] for name in names), strict=True)) for _, own in predictions.groupby("seed")}


def compare(predictions: pd.DataFrame, labels: Sequence[str]) -> list[Pair]:
    """One per pair of systems: how much the first is better than the second, and with what certainty.

    Parameters
    ----------
    predictions : DataFrame
        As for `summarise`.
    labels : sequence of str

    Returns
    -------
    list of Pair
        A floor, such as the majority class, is compared with nobody, and systems that scored other utterances
        are not compared; nor is anything where a speaker is unknown or a UA undefined.
    """
    known = predictions[(predictions["truth"] != "") & ~predictions["system"].map(is_floor).astype(bool)]
    if not len(known) or bool((known["speaker"] == "").any()):
        return []
    systems = dict(iter(known.groupby("system", sort=False)))
    pairs = []
    for first, second in combinations(systems, 2):
        if len(scored(systems[first]) | scored(systems[second])) > 1:  # a part of the folds only
            continue
        test = paired_test(*(speaker_counts(systems[system], labels) for system in (first, second)))
        if test is not None:
            differences = {name: value for name, value in asdict(test).items() if name != "exact"}
            pairs.append(Pair(first=str(first), second=str(second), **differences))
    return corrected(pairs)


def corrected(pairs: Sequence[Pair]) -> list[Pair]:
    """Pairs with p-values corrected for all of them (Holm)."""
    ua, wa = holm([pair.ua_p for pair in pairs]), holm([pair.wa_p for pair in pairs])
    return [replace(pair, ua_p_holm=u, wa_p_holm=w) for pair, u, w in zip(pairs, ua, wa, strict=True)]


@dataclass(frozen=True, kw_only=True)
class Verdict:
    """Whether one of several systems is the best."""

    leader: str  # the system of the highest score, "" where nothing is scored
    best: bool  # whether all others are told apart from it
    rivals: tuple[str, ...]  # those that are not
    words: str  # the same in a sentence; "" where there is nothing to choose between


def judge(
    summary: Sequence[Summary], comparisons: Sequence[Pair], *, partial: bool = False, leaks: bool = False
) -> Verdict:
    """Whether the system of the highest UA (WA, where no UA is defined) is better than all others, at p < 0.05.

    A floor, which is compared with nobody, is told apart where it lies below the leader's interval.

    Parameters
    ----------
    summary : sequence of Summary
    comparisons : sequence of Pair
    partial, leaks : bool
        Experiments are missing, or the split leaks: then no system is called the best.

    Examples
    --------
    >>> rows = [Summary(system="a", ua=0.7), Summary(system="b", ua=0.6)]
    >>> pair = Pair(first="a", second="b", ua=0.1, ua_interval=(0.02, 0.2), ua_p=0.01)
    >>> judge(rows, [pair]).words
    'a is the best: UA 70.0 %'
    >>> judge(rows, [replace(pair, ua_interval=(-0.1, 0.3), ua_p=0.4)]).words
    'a and b cannot be told apart: UA differs by 10.0 points (95 % -10.0 to 30.0, p = 0.400)'
    """
    score = "ua" if any(_defined(row.ua) for row in summary) else "wa"
    points = {row.system: getattr(row, score) for row in summary if _defined(getattr(row, score))}
    if not points:
        return Verdict(leader="", best=False, rivals=(), words="")
    leader = max(points, key=lambda system: float(points[system]))
    lead = next(row for row in summary if row.system == leader)
    if len(points) < 2 or partial or leaks:
        why = "the split leaks" if leaks else "experiments are missing" if partial else ""
        words = f"{why}: no system is called the best" if why and len(points) > 1 else ""
        return Verdict(leader=leader, best=False, rivals=(), words=words)
    pairs = {frozenset((pair.first, pair.second)): pair for pair in comparisons}
    around = getattr(lead, f"{score}_interval")
    rivals: dict[str, Pair | None] = {}
    for system in sorted(points, key=lambda system: -float(points[system])):
        pair = pairs.get(frozenset((leader, system)))
        below = pair is None and is_floor(system) and around is not None and around[0] > points[system]
        if system != leader and not (below or (pair is not None and getattr(pair, f"{score}_p") < 0.05)):
            rivals[system] = pair
    if not rivals:
        words = f"{leader} {stands(leader, points)}: {score.upper()} {100 * points[leader]:.1f} %"
        return Verdict(leader=leader, best=True, rivals=(), words=words)
    compared = [(name, pair) for name, pair in rivals.items() if pair is not None]
    names = [leader, *rivals]
    words = f"{', '.join(names[:-1])} and {names[-1]} cannot be told apart: "
    if compared:
        rival, nearest = compared[0]
        bounds = getattr(nearest, f"{score}_interval")
        low, high = sorted(bound if nearest.first == leader else -bound for bound in bounds)
        than = f" between {leader} and {rival}" if len(rivals) > 1 else ""
        words += (
            f"{score.upper()} differs by {100 * abs(getattr(nearest, score)):.1f} points{than} (95 % {100 * low:.1f} "
            f"to {100 * high:.1f}, p = {getattr(nearest, f'{score}_p'):.3f})"
        )
    else:
        words += "no test or interval over speakers tells"
    return Verdict(leader=leader, best=False, rivals=tuple(rivals), words=words)


def stands(leader: str, systems: Iterable[str]) -> str:
    """What is said of a system from which all others are told apart: above a floor alone, nobody is the best."""
    others = [system for system in systems if system != leader]
    return f"is above {', '.join(others)}" if all(map(is_floor, others)) else "is the best"


def _defined(value: float | None) -> bool:
    return value is not None and value == value
