"""A system that exists, a store that exists → scores, over the labels that both have."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pandas as pd

from serprep.metrics import few_speakers
from serprep.store.store import Store
from serprep_models.common_labels import CommonLabels, common_labels
from serprep_models.predict_store import predict_store
from serprep_models.predictions import Predictions
from serprep_models.predictor import load
from serprep_models.scores import Pair, Result, Summary, score, summarise
from serprep_models.scores.dimensions import DimensionScores
from serprep_models.scores.distributions import RaterScore
from serprep_models.scores.groups import Groups, group_columns, score_groups
from serprep_models.seen import Seen, find_seen


@dataclass(frozen=True, kw_only=True)
class StoreScores:
    """Scores of one system on one store."""

    checkpoints: tuple[str, ...]
    store: Store
    labels: CommonLabels
    results: list[Result]  # per seed
    summary: list[Summary]  # one
    groups: Groups
    predictions: pd.DataFrame
    seen: Seen  # in training
    notes: tuple[str, ...]
    scored: str = "test"
    comparisons: tuple[Pair, ...] = ()
    submissions: tuple[str, ...] = ()
    # none: what learnt numbers or raters is scored by `run` alone
    dimensions: DimensionScores = field(default_factory=DimensionScores)
    raters: tuple[RaterScore, ...] = ()

    @property
    def warnings(self) -> tuple[str, ...]:
        """What makes the scores better than they would be elsewhere."""
        return self.seen.warnings


def score_store(
    checkpoints: Sequence[Path],
    store: Store,
    *,
    mapping: Mapping[str, str] | None = None,
    groups: Sequence[str] = (),
    trained_on: Store | None = None,
    seeds: bool = False,
    among: Sequence[str] | None = None,
    quiet: bool = True,
) -> StoreScores:
    """Score the mean of checkpoints on every labelled utterance of a store.

    Parameters
    ----------
    checkpoints : sequence of Path
        Folders that each hold one.
    store : Store
    mapping : mapping of str to str, optional
        Label of the store or of the system → what it is scored as.
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
        If the store holds other features, or fewer than two labels are in common.
    """
    predictor = load(checkpoints)
    predictor.refuse_numbers("`serprep score` scores labels")
    read = predictor.checkpoints
    labels = common_labels(Counter(store.emotions), read[0].labels, mapping or {}, among=among)
    columns = group_columns(store, groups)
    told = [
        predict_store(part, store, quiet=quiet)
        for part in ([[path] for path in checkpoints] if seeds else [checkpoints])
    ]
    system = "+".join(dict.fromkeys(each.config.system for each in read))
    tables = [
        labels.restrict(table_of_predictions(predicted, store)).assign(system=system, fold="", seed=seed)
        for seed, predicted in enumerate(told)
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
        Result.of({"system": system, "fold": "", "seed": seed, **marks, **score(table, labels.labels)})
        for seed, table in enumerate(tables)
    ]
    speakers = set(predictions["speaker"])
    few = few_speakers(len(speakers)) if speakers and "" not in speakers else ""
    seen = find_seen(read, checkpoints, store, rows=rows, trained_on=trained_on)
    return StoreScores(
        checkpoints=tuple(map(str, checkpoints)),
        store=store,
        labels=labels,
        results=results,
        summary=summarise(predictions, labels.labels, results),
        groups=score_groups(predictions, labels.labels, columns),
        predictions=predictions,
        seen=seen,
        notes=(*told[0].notes, *labels.notes, *seen.remarks, *([few] if few else [])),
    )


def table_of_predictions(predictions: Predictions, store: Store) -> pd.DataFrame:
    """Predictions of a store beside the truth: id, speaker, truth and the probability of each label."""
    frame = pd.DataFrame({"id": store.ids, "speaker": store.speakers, "truth": store.emotions})
    frame[[f"p_{label}" for label in predictions.labels]] = np.asarray(predictions.probabilities, np.float64)
    return frame
