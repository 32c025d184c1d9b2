"""Experiments of several recipes side by side: scores, and differences with their certainty."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations
from pathlib import Path
from typing import Any

import pandas as pd

from serprep.errors import StoreError, TrainError, one_line
from serprep.store.store import Store, open_store
from serprep.systems import is_floor
from serprep_models.catalogue import files_of, json_object
from serprep_models.checkpoint import ABOUT, training_of
from serprep_models.experiment import is_whole, read_predictions
from serprep_models.outcome import Outcome
from serprep_models.raters import NAME as RATERS
from serprep_models.raters import read_said
from serprep_models.scores import Pair, Result, Summary, compare, corrected, summarise
from serprep_models.scores.dimensions import DimensionScores, corrected_for, read_numbers
from serprep_models.scores.distributions import RaterScore, score_raters
from serprep_models.targets import dimensions_of


@dataclass(frozen=True, kw_only=True)
class Comparison:
    """What several experiments folders hold; systems are named "name: system"."""

    summary: Sequence[Summary]
    comparisons: Sequence[Pair]  # of systems of different folders
    notes: tuple[str, ...]
    scored: str
    submissions: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()
    raters: tuple[RaterScore, ...] = ()  # of all systems on the same utterances, where a side learns what raters said
    dimensions: DimensionScores = field(default_factory=DimensionScores)  # of numbers, in place of the summary


def compare_experiments(sides: Mapping[str, Path | Outcome]) -> Comparison:
    """Compare what is finished in several experiments folders, on the same utterances.

    Parameters
    ----------
    sides : mapping of str to Path or Outcome
        A name for each, and the folder that `serprep train` names (``experiments/<digest>``), of which
        everything is taken, or what a recipe's experiments gave.

    Raises
    ------
    TrainError
        If a folder holds no experiment, is damaged, or has other labels, numbers, scales or another scored part than
        the first.
    """
    results: list[Result] = []
    of: dict[str, tuple[str, str]] = {}  # "name: system" → name, system
    parts: list[pd.DataFrame] = []
    known: list[tuple[str, ...]] = []
    for name, side in sides.items():
        own, predictions = _read(side) if isinstance(side, Path) else (side.results, side.predictions)
        known.append((*_columns(own[0], predictions), own[0].scored))
        if known[-1] != known[0]:
            raise TrainError(
                f"{one_line(name)} scores {one_line(', '.join(known[-1]))}, the first {one_line(', '.join(known[0]))}; "
                "expected the same labels and the same part"
            )
        of |= {f"{name}: {result.system}": (name, result.system) for result in own}
        results += [replace(result, system=f"{name}: {result.system}") for result in own]
        parts.append(predictions.assign(system=f"{name}: " + predictions["system"]))
    labels, scored = known[0][:-1], known[0][-1]
    predictions = pd.concat(parts, ignore_index=True)
    if scales := results[0].json.get("scales"):
        target = dimensions_of(list(scales), {**scales, **results[0].json.get("scales_of", {})})
        scores = DimensionScores.of(predictions, target.scales, target.of_corpora)
        apart = [row for row in scores.differences if of[row.first][0] != of[row.second][0]]
        beside = ["the emotion, learnt beside numbers, is not compared"] if "truth" in predictions else []
        return Comparison(
            summary=[],
            comparisons=[],
            dimensions=replace(scores, differences=corrected_for(apart)),
            notes=(*_differences(sides), *_lacking(results, of), *_devices(results, of), *beside),
            scored=scored,
        )
    unknown = set(predictions.loc[(predictions["speaker"] == "") & (predictions["truth"] != ""), "system"])
    systems = [system for system, (_, plain) in of.items() if not is_floor(plain)]
    known_speakers = predictions[predictions["system"].isin(set(systems) - unknown)]
    pairs: list[Pair] = []
    shared: list[str] = []
    for first, second in combinations(sides, 2):
        side_of = known_speakers["system"].map(lambda system: of[system][0])
        pair = [known_speakers[side_of == name] for name in (first, second)]
        before, after = (store_of(sides[name]) for name in (first, second))
        if before is not None and after is not None and before.version != after.version:
            pair, note = _on_shared(pair, (before, after), names=(first, second))
            shared.append(note)
        compared = compare(pd.concat(pair, ignore_index=True), labels)
        pairs += [each for each in compared if of[each.first][0] != of[each.second][0]]
    pairs.sort(key=lambda pair: of[pair.first][1] != of[pair.second][1])  # same systems first
    there = {(pair.first, pair.second) for pair in pairs}
    silent = [
        f"{a} and {b} are not compared: expected the same utterances of two known speakers or more, in the same folds"
        for a, b in combinations(systems, 2)
        if of[a][0] != of[b][0] and (a, b) not in there
    ]
    return Comparison(
        summary=summarise(predictions, labels, results),
        comparisons=corrected(pairs),
        notes=(*_differences(sides), *_lacking(results, of), *_devices(results, of), *shared, *silent),
        scored=scored,
        raters=_against_raters(sides, predictions),
    )


def _columns(result: Result, predictions: pd.DataFrame) -> list[str]:
    """The labels that are scored, or the numbers, each with its scales."""
    if "scales" not in result.json:
        return [column.removeprefix("p_") for column in predictions.columns if column.startswith("p_")]
    tables = {"": result.json["scales"], **result.json.get("scales_of", {})}
    return [
        f"{corpus}{': ' if corpus else ''}{name} from {low:g} to {high:g}"
        for corpus, scales in sorted(tables.items())
        for name, (low, high) in scales.items()
    ]


def _against_raters(sides: Mapping[str, Path | Outcome], predictions: pd.DataFrame) -> tuple[RaterScore, ...]:
    """Scores against what raters said, as the first side that learns it has it; of what all systems scored."""
    folders = (side if isinstance(side, Path) else side.folder for side in sides.values())
    path = next((folder / RATERS for folder in folders if (folder / RATERS).is_file()), None)
    if path is None:
        return ()
    each = [set(own["id"]) for _, own in predictions.groupby("system")]
    return score_raters(predictions[predictions["id"].isin(set.intersection(*each))], read_said(path).frame())


def _read(folder: Path) -> tuple[list[Result], pd.DataFrame]:
    """Results of a folder, and their scored predictions."""
    results, parts = [], []
    for path in files_of(folder, "result.json"):
        place = path.parent
        if not is_whole(place, place.parents[1].name):
            raise TrainError(f"{one_line(place)}: not as `serprep train` wrote it; train it again")
        result = Result.of(json.loads(path.read_bytes()))
        predictions = (read_numbers if "scales" in result.json else read_predictions)(place / "predictions.csv")
        own = predictions[predictions["role"] == result.scored]
        results.append(result)
        parts.append(own.assign(system=result.system, fold=result.fold, seed=result.seed))
    if not results:
        raise TrainError(
            f"{one_line(folder)}: no finished experiment; expected the folder that `serprep train` names, or a recipe"
        )
    return results, pd.concat(parts, ignore_index=True)


def store_of(side: Path | Outcome) -> Store | None:
    """The store that a side was trained on; None where it is gone."""
    if not isinstance(side, Path):
        return side.store
    about = [json_object(side / name) for name in ("experiment.json", "results.json")]
    checkpoint = next(iter(files_of(side, ABOUT)), None)
    about += [json_object(checkpoint)] if checkpoint else []
    version = next((str(told["version"]) for told in about if "version" in told), "")
    try:
        return open_store(f"{side.resolve().parents[1]}@{version}") if version else None
    except StoreError:
        return None


def _on_shared(
    pair: Sequence[pd.DataFrame], stores: Sequence[Store], *, names: tuple[str, str]
) -> tuple[list[pd.DataFrame], str]:
    """Predictions of the utterances that two versions share, whatever their folds; and a note that says so.

    The same utterance has the same id, the same audio digest and the same excerpt; one with
    another label or speaker now has no truth that both were scored by, and is left out.
    """
    recordings = []
    for store in stores:
        columns = [store.column(name) for name in ("id", "audio_digest", "start", "end")]
        recordings.append({row[0]: tuple(map(str, row[1:])) for row in zip(*columns, strict=True)})
    told = []
    for frame in pair:
        own = frame.drop_duplicates("id")
        told.append(dict(zip(own["id"], zip(own["speaker"], own["truth"], strict=True), strict=True)))
    both = [name for name in told[0] if name in told[1] and recordings[0].get(name) == recordings[1].get(name)]
    same = {name for name in both if told[0][name] == told[1][name]}
    note = f"{names[0]} and {names[1]} are of two versions, and compared on the {len(same)} utterances they share"
    if len(both) > len(same):
        note += f"; {len(both) - len(same)} with another label or speaker are left out"
    others = [len(each) - len(both) for each in told]
    if any(others):
        note += f"; {others[0]} are only in {names[0]}, {others[1]} only in {names[1]}"
    return [frame[frame["id"].isin(same)].assign(fold="") for frame in pair], note


def _devices(results: Sequence[Result], of: Mapping[str, tuple[str, str]]) -> Iterator[str]:
    """Whether the sides were trained on different kinds of devices."""
    ran: dict[str, set[str]] = {}
    for result in results:
        if result.feature_bytes:  # what a baseline does, it does on a CPU
            ran.setdefault(of[result.system][0], set()).add(str(result.device))
    if len(set().union(*ran.values())) > 1:
        told = ", ".join(f"{name} {' and '.join(sorted(devices))}" for name, devices in ran.items())
        yield f"trained on different devices, whose numbers differ a little: {told}"


def _lacking(results: Sequence[Result], of: Mapping[str, tuple[str, str]]) -> Iterator[str]:
    """Which systems, and folds of a system, a side lacks that another one has."""
    folds: dict[str, dict[str, set[str]]] = {}
    for result in results:
        name, system = of[result.system]
        folds.setdefault(name, {}).setdefault(system, set()).add(result.fold)
    every: dict[str, set[str]] = {}
    for own in folds.values():
        for system, some in own.items():
            every.setdefault(system, set()).update(some)
    for name, own in folds.items():
        systems = [system for system in every if system not in own]
        if systems:
            yield f"{name} lacks {', '.join(systems)}"
        for system, some in own.items():
            if len(some) < max(len(other.get(system, ())) for other in folds.values()):
                yield f"{name} lacks folds {', '.join(sorted(every[system] - some))} of {system}"


def _differences(sides: Mapping[str, Path | Outcome]) -> Iterator[str]:
    """Keys of ``[train]`` in which a side differs from the first."""
    (first, place), *others = ((name, side if isinstance(side, Path) else side.folder) for name, side in sides.items())
    base = train_of(place)
    for name, folder in others:
        own = train_of(folder)
        other = [f"{key} {base.get(key)} → {own.get(key)}" for key in {**base, **own} if base.get(key) != own.get(key)]
        if base and own:
            yield f"[train] from {first} to {name}: {one_line(', '.join(other) or 'no difference')}"


def train_of(folder: Path) -> dict[str, Any]:
    """``[train]`` as a whole run, or a checkpoint, tells it; nothing where neither does."""
    for path in (folder / "results.json", *files_of(folder, ABOUT)[:1]):
        about = json_object(path)
        if "train" in about:
            return training_of(about)
    return {}
