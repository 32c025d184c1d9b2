"""Predictions of many experiments → scores: per fold, pooled over folds, averaged over seeds."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from itertools import combinations
from typing import Any

import numpy as np
import pandas as pd

from serprep._typing import IntArray
from serprep.metrics import confusion, paired_test, speaker_intervals, ua_of, wa_of


def undefined_as_none(value: float) -> float | None:
    """NaN (a UA that is not defined) as None, for JSON."""
    return None if np.isnan(value) else float(value)


def shown(system: str, entry: Mapping[str, Any]) -> str:
    """The name of a system as tables show it; `entry` is a result, a summary or a comparison.

    Examples
    --------
    >>> shown("compare-svm", {"transductive": True})
    'compare-svm (transductive)'
    """
    return f"{system} (transductive)" if entry["transductive"] else system


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
    found = np.divide(right, totals, out=np.full(right.shape, np.nan), where=totals > 0).mean(axis=0)
    return {label: undefined_as_none(value) for label, value in zip(labels, found, strict=True)}


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


def summarise(
    predictions: pd.DataFrame, labels: Sequence[str], results: Sequence[Mapping[str, Any]]
) -> list[dict[str, Any]]:
    """One row per system: pooled over folds, mean over seeds, with intervals.

    Parameters
    ----------
    predictions : DataFrame
        Columns system, fold, seed, id, speaker, truth, prediction; of all experiments.
    labels : sequence of str
    results : sequence of mapping
        Per experiment: system, fold, seed, wa, ua.
    """
    rows = []
    for system in dict.fromkeys(entry["system"] for entry in results):
        own = predictions[(predictions["system"] == system) & (predictions["truth"] != "")]
        counts = speaker_counts(own, labels)  # (n_speakers, n_seeds, n_labels, n_labels)
        pooled = counts.sum(axis=0) if len(own) else np.zeros((1, len(labels), len(labels)), np.int64)
        intervals = speaker_intervals(counts)
        known_speakers = bool((own["speaker"] != "").all())
        per_seed = [(wa_of(matrix), ua_of(matrix)) for matrix in pooled]
        runs = [entry for entry in results if entry["system"] == system]
        folds = [entry["ua"] for entry in runs if entry["ua"] is not None]
        accuracies = [entry["wa"] for entry in runs if entry.get("wa") is not None]
        rows.append(
            {
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
    return rows


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


def compare(predictions: pd.DataFrame, labels: Sequence[str]) -> list[dict[str, Any]]:
    """One row per pair of systems: how much the first is better than the second, and with what certainty.

    Parameters
    ----------
    predictions : DataFrame
        As for `summarise`.
    labels : sequence of str

    Returns
    -------
    list of dict
        ``first``, ``second``; differences ``ua``, ``wa``; their ``ua_interval``, ``wa_interval`` (bootstrap
        over speakers); ``ua_p``, ``wa_p`` (two-sided, speaker-level permutation test).  The majority
        baseline is compared with nobody, and systems that scored other utterances are not compared; nor is
        anything where a speaker is unknown or a UA undefined.
    """
    known = predictions[(predictions["truth"] != "") & (predictions["system"] != "majority")]
    if not len(known) or bool((known["speaker"] == "").any()):
        return []
    systems = dict(iter(known.groupby("system", sort=False)))
    rows = []
    for first, second in combinations(systems, 2):
        if len(scored(systems[first]) | scored(systems[second])) > 1:  # a part of the folds only
            continue
        found = paired_test(*(speaker_counts(systems[system], labels) for system in (first, second)))
        if found is not None:
            rows.append({"first": first, "second": second} | {k: v for k, v in asdict(found).items() if k != "exact"})
    return rows
