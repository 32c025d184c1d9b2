"""Experiments of several recipes side by side: scores, and differences with their certainty."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import pandas as pd

from serprep.errors import TrainError, one_line
from serprep.recipe import TrainConfig
from serprep_models.checkpoint import ABOUT
from serprep_models.job import read_predictions
from serprep_models.scores import compare, summarise

MARKS = ("standardisation", "enrol", "transductive")


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """What several experiments folders hold; systems are named "name: system"."""

    summary: list[dict[str, Any]]  # as of `Outcome`
    comparisons: list[dict[str, Any]]  # of systems of different folders
    notes: tuple[str, ...]
    scored: str
    submissions: tuple[str, ...] = ()


def compare_experiments(folders: Mapping[str, Path]) -> Comparison:
    """Compare what is finished in several experiments folders, on the same utterances.

    Parameters
    ----------
    folders : mapping of str to Path
        A name for each, and the folder that `serprep train` names (``experiments/<digest>``).

    Raises
    ------
    TrainError
        If a folder holds no experiment, is damaged, or has other labels or another scored part than the first.
    """
    results: list[dict[str, Any]] = []
    parts: list[pd.DataFrame] = []
    known: list[tuple[str, ...]] = []
    for name, folder in folders.items():
        for path in _finished(folder):
            result, predictions, labels = _read(path)
            title = f"{name}: {result['system']}"
            results.append({**result, "system": title, "plain": result["system"], "of": name})
            known.append((*labels, result["scored"]))
            parts.append(predictions.assign(system=title, fold=result["fold"], seed=result["seed"]))
            if known[-1] != known[0]:
                raise TrainError(
                    f"{one_line(folder)} scores {', '.join(known[-1])}, the first {', '.join(known[0])}; "
                    "expected the same labels and the same part"
                )
    labels, scored = known[0][:-1], known[0][-1]
    predictions = pd.concat(parts, ignore_index=True)
    entry = {result["system"]: result for result in results}
    marks = {system: {mark: one[mark] for mark in MARKS} for system, one in entry.items()}
    able = [system for system, one in entry.items() if one["plain"] != "majority"]
    rows = compare(predictions[predictions["system"].isin(able)], labels)
    rows = [row for row in rows if entry[row["first"]]["of"] != entry[row["second"]]["of"]]
    rows.sort(key=lambda row: entry[row["first"]]["plain"] != entry[row["second"]]["plain"])  # same systems first
    pairs = {(row["first"], row["second"]) for row in rows}
    silent = [
        f"{a} and {b} did not score the same utterances in the same folds, or their speakers are unknown: not compared"
        for number, a in enumerate(able)
        for b in able[number + 1 :]
        if entry[a]["of"] != entry[b]["of"] and (a, b) not in pairs
    ]
    return Comparison(
        summary=[marks[row["system"]] | row for row in summarise(predictions, labels, results)],
        comparisons=[_marks_of(marks[row["first"]], marks[row["second"]]) | row for row in rows],
        notes=(*_differences(folders), *silent),
        scored=scored,
    )


def _marks_of(first: dict[str, Any], second: dict[str, Any]) -> dict[str, Any]:
    """Marks of a pair; each side's own stand beside it, because they may differ."""
    return {**first, "first_transductive": first["transductive"], "second_transductive": second["transductive"]}


def _finished(folder: Path) -> list[Path]:
    found = sorted(folder.glob("*/fold-*/seed-*/result.json"))
    if not found:
        raise TrainError(
            f"{one_line(folder)}: no finished experiment; expected the folder that `serprep train` names, or a recipe"
        )
    return found


def _read(path: Path) -> tuple[dict[str, Any], pd.DataFrame, tuple[str, ...]]:
    """A result, its scored predictions, and the labels."""
    try:
        result = json.loads(path.read_bytes())
        predictions = read_predictions(path.parent / "predictions.csv")
        labels = tuple(name.removeprefix("p_") for name in predictions.columns if name.startswith("p_"))
        own = predictions[predictions["role"] == result["scored"]]
        _ = [result[name] for name in ("system", "fold", "seed", "ua", *MARKS)]
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise TrainError(f"{one_line(path.parent)}: {one_line(error)}; train it again") from None
    return result, own, labels


def _differences(folders: Mapping[str, Path]) -> Iterator[str]:
    """Keys of ``[train]`` in which a folder differs from the first."""
    (first, place), *others = folders.items()
    base = _train_of(place)
    for name, folder in others:
        own = _train_of(folder)
        other = [f"{key} {base.get(key)} → {own.get(key)}" for key in {**base, **own} if base.get(key) != own.get(key)]
        if base and own:
            yield f"[train] from {first} to {name}: {one_line(', '.join(other) or 'no difference')}"


def _plain() -> dict[str, Any]:
    """The defaults, as JSON has them."""
    return dict(json.loads(json.dumps(asdict(TrainConfig()))))


def _train_of(folder: Path) -> dict[str, Any]:
    """``[train]`` as a whole run, or a checkpoint, tells it; nothing where neither does."""
    for path in (folder / "results.json", *sorted(folder.glob(f"*/fold-*/seed-*/{ABOUT}"))[:1]):
        try:
            return _plain() | dict(json.loads(path.read_bytes())["train"])
        except (OSError, ValueError, KeyError, TypeError):
            continue
    return {}
