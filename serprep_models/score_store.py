"""A system that exists, a store that exists → scores, over the labels that both have, or of the numbers it says."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from serprep.errors import TrainError, one_line
from serprep.metrics import few_speakers
from serprep.store.store import Store
from serprep_models.checkpoint import training_of
from serprep_models.common_labels import CommonLabels, common_labels
from serprep_models.predict_store import predict_store
from serprep_models.predictions import Predictions
from serprep_models.predictor import Predictor, load
from serprep_models.scores import Pair, Result, Summary, score, summarise
from serprep_models.scores.dimensions import DimensionScores
from serprep_models.scores.distributions import RaterScore
from serprep_models.scores.groups import Groups, group_columns, score_groups
from serprep_models.scores.number_groups import with_groups
from serprep_models.seen import Seen, find_seen
from serprep_models.targets import Dimensions, corpora_of, dimensions_of


@dataclass(frozen=True, kw_only=True)
class StoreScores:
    """Scores of one system on one store."""

    checkpoints: tuple[str, ...]
    store: Store
    labels: CommonLabels
    results: list[Result]  # per seed
    summary: list[Summary]  # one; none of numbers
    groups: Groups
    predictions: pd.DataFrame
    seen: Seen  # in training
    notes: tuple[str, ...]
    scored: str = "test"
    comparisons: tuple[Pair, ...] = ()
    submissions: tuple[str, ...] = ()
    dimensions: DimensionScores = field(default_factory=DimensionScores)  # of numbers, in place of summary and groups
    raters: tuple[RaterScore, ...] = ()  # none: against these `run` alone scores

    @property
    def warnings(self) -> tuple[str, ...]:
        """What makes the scores better than they would be elsewhere."""
        return self.seen.warnings


def score_store(
    checkpoints: Sequence[Path],
    store: Store,
    *,
    mapping: Mapping[str, str] | None = None,
    scales: Mapping[str, Any] | None = None,
    groups: Sequence[str] = (),
    trained_on: Store | None = None,
    seeds: bool = False,
    among: Sequence[str] | None = None,
    quiet: bool = True,
) -> StoreScores:
    """Score the mean of checkpoints on every utterance of a store that has a label, or numbers.

    Parameters
    ----------
    checkpoints : sequence of Path
        Folders that each hold one.
    store : Store
    mapping : mapping of str to str, optional
        Label of the store or of the system → what it is scored as.
    scales : mapping, optional
        Of the store's numbers, as ``[train.scales]`` has them, where they are others than in training.
    groups : sequence of str
        Columns whose groups are scored apart, as `group_columns` takes them.
    trained_on : Store, optional
        What the checkpoints were trained on, where that does not lie beside them.
    seeds : bool
        Not their mean: each is a seed of its own, and scores are means over them.
    among : sequence of str, optional
        No other labels are scored.
    quiet : bool

    Raises
    ------
    TrainError
        If the store holds other features, fewer than two labels are in common, or numbers are missing or outside
        their scale.
    """
    predictor = load(checkpoints)
    read = predictor.checkpoints
    scored: _Labels | _Numbers
    if predictor.scales:
        if mapping:
            predictor.refuse_numbers("--map is for labels")
        scored = _Numbers.of(predictor, store, scales or {})
    elif scales:
        raise TrainError(f"--scale is for numbers, and the system knows labels ({one_line(', '.join(read[0].labels))})")
    else:
        scored = _Labels(common_labels(Counter(store.emotions), read[0].labels, mapping or {}, among=among))
    columns = group_columns(store, groups)
    told = [
        predict_store(part, store, quiet=quiet)
        for part in ([[path] for path in checkpoints] if seeds else [checkpoints])
    ]
    system = "+".join(dict.fromkeys(each.config.system for each in read))
    tables = [
        scored.table(predicted, store).assign(system=system, fold="", seed=seed) for seed, predicted in enumerate(told)
    ]
    predictions = pd.concat(tables, ignore_index=True)
    place = {name: row for row, name in enumerate(store.ids)}
    rows = [place[name] for name in tables[0]["id"]]
    marks = {
        "standardisation": read[0].standardisation,
        "enrol": read[0].enrol,
        "transductive": told[0].transductive,
    }
    results = [
        Result.of({"system": system, "fold": "", "seed": seed, **marks, **scored.score(table, store)})
        for seed, table in enumerate(tables)
    ]
    speakers = set(predictions["speaker"])
    few = few_speakers(len(speakers)) if speakers and "" not in speakers else ""
    seen = find_seen(read, checkpoints, store, rows=rows, trained_on=trained_on)
    return StoreScores(
        checkpoints=tuple(map(str, checkpoints)),
        store=store,
        labels=scored.labels,
        results=results,
        predictions=predictions,
        seen=seen,
        notes=(*told[0].notes, *scored.notes, *seen.remarks, *([few] if few else [])),
        **scored.all_of(predictions, results, columns),
    )


Columns = Mapping[str, Mapping[str, str]]


@dataclass(frozen=True)
class _Labels:
    """How labels are scored."""

    labels: CommonLabels

    @property
    def notes(self) -> list[str]:
        return self.labels.notes

    def table(self, predicted: Predictions, store: Store) -> pd.DataFrame:
        return self.labels.restrict(table_of_predictions(predicted, store))

    def score(self, table: pd.DataFrame, store: Store) -> dict[str, Any]:
        return score(table, self.labels.labels)

    def all_of(self, predictions: pd.DataFrame, results: Sequence[Result], columns: Columns) -> dict[str, Any]:
        labels = self.labels.labels
        return {
            "summary": summarise(predictions, labels, results),
            "groups": score_groups(predictions, labels, columns),
        }


@dataclass(frozen=True)
class _Numbers:
    """How numbers are scored: those of the store on its scale, those of the system on its own."""

    target: Dimensions
    said_on: Mapping[str, tuple[float, float]]
    known: list[int]  # rows with a number
    notes: list[str]
    labels = CommonLabels(labels=(), rows=())

    @classmethod
    def of(cls, predictor: Predictor, store: Store, scales: Mapping[str, Any]) -> "_Numbers":
        trained = training_of(predictor.checkpoints[0].about)["scales"]
        own = {name for name, scale in scales.items() if not isinstance(scale, Mapping)}
        if unknown := sorted(own.difference(predictor.labels)):
            said = one_line(", ".join(predictor.labels))
            raise TrainError(f"--scale {one_line(unknown[0])} is nothing that the system says; expected some of {said}")
        others = {name: table for name, table in trained.items() if isinstance(table, Mapping)}
        tables = {} if scales else {name: table for name, table in others.items() if name in corpora_of(store)}
        target = dimensions_of(predictor.labels, {**predictor.scales, **tables, **scales})
        target.check(store, where="--scale")
        known = [row for row, there in enumerate(target.known(store)) if there]
        n_unknown = len(store) - len(known)
        notes = [f"{n_unknown} utterances have none of the numbers"] if n_unknown else []
        if others and not scales and not corpora_of(store):
            notes.append(
                f"the numbers are taken to be on the scales of [train.scales]; those of {one_line(', '.join(others))} "
                "were others in training: name the store's with --scale if it is one of them"
            )
        return cls(target, predictor.scales, known, notes)

    def table(self, predicted: Predictions, store: Store) -> pd.DataFrame:
        low, high = np.array(list(self.said_on.values()), np.float32).T
        given = (predicted.probabilities[self.known] - low) / (high - low)
        return self.target.frame(store, self.known, given, "test")

    def score(self, table: pd.DataFrame, store: Store) -> dict[str, Any]:
        return self.target.score(table, store)

    def all_of(self, predictions: pd.DataFrame, results: Sequence[Result], columns: Columns) -> dict[str, Any]:
        scores = DimensionScores.of(predictions, self.target.scales, self.target.of_corpora)
        return {"summary": [], "groups": Groups(), "dimensions": with_groups(scores, predictions, columns)}


def table_of_predictions(predictions: Predictions, store: Store) -> pd.DataFrame:
    """Predictions of a store beside the truth: id, speaker, truth and the probability of each label."""
    frame = pd.DataFrame({"id": store.ids, "speaker": store.speakers, "truth": store.emotions})
    frame[[f"p_{label}" for label in predictions.labels]] = np.asarray(predictions.probabilities, np.float64)
    return frame
