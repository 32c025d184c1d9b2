"""A store → labels and probabilities, by trained systems."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from serprep.config import configured
from serprep.errors import TrainError, one_line
from serprep.features.extract import Features
from serprep.progress import Progress
from serprep.recipe import TrainConfig
from serprep.store.store import Store
from serprep_models.examples import check_store
from serprep_models.predict import doubts, enrolled_by
from serprep_models.predictions import Predictions
from serprep_models.predictor import Predictor, Values, load
from serprep_models.recordings import Utterances
from serprep_models.standardise import Statistics, parts, row_bytes, table_of
from serprep_models.statistics import TRANSDUCTIVE, few_utterances, fold_statistics


def predict_store(
    checkpoints: Sequence[Path], store: Store, *, enrol: Utterances | None = None, quiet: bool = True
) -> Predictions:
    """Predict every utterance of a store that holds the features the checkpoints were trained on.

    Transductive checkpoints take the statistics of each speaker from the store, as in training,
    unless `enrol` gives those of the one speaker of all utterances.

    Raises
    ------
    TrainError
        If it holds other features.
    """
    trained = load(checkpoints)
    if not computed_alike(store.features, trained.features, trained.names):
        other = f"{one_line(store.path)} holds other features than the checkpoint was trained on"
        raise TrainError(f"{other}; build it with the same [features]")
    check_store(store, trained.names)
    predictor, notes = enrolled_by(trained, enrol, quiet=quiet)
    known: Statistics | None = None
    if predictor.transductive and enrol is None:
        enough = int(predictor.checkpoints[0].enrol)
        how = configured(TrainConfig, {"standardisation": predictor.standardisation, "enrol": enough}, "train")
        known = fold_statistics(store, (), predictor.names, how=how)
        notes = (TRANSDUCTIVE, *few_utterances(store.speakers, enrol=enough))
    said = []
    with Progress("predicting", len(store), quiet=quiet) as progress:
        every = np.arange(len(store))
        sizes = sum(row_bytes(store, every, name) for name in predictor.names)
        for rows in parts(every, np.asarray(sizes), at_most=256):
            said.append(predictor.said(stored_values(store, rows, predictor), rows=rows, known=known))
            progress.add(len(rows))
    notes = (*notes, *doubts(predictor), *_store_notes(predictor, store))
    given, numbers = np.concatenate(said), bool(predictor.scales)
    return Predictions(tuple(store.ids), predictor.labels, given, {}, notes, predictor.transductive, numbers=numbers)


def computed_alike(own: Features, wanted: Features, names: Sequence[str]) -> bool:
    """Whether two configurations have the same of what is read: names of segments, and kinds of feature."""
    segments = {name: wanted.segments[name] for name in names if name in wanted.segments}
    kinds = {segments[name].of if name in segments else name for name in names}
    return all(own.segments.get(name) == value for name, value in segments.items()) and all(
        kind in own.kinds
        and kind in wanted.kinds
        and own.kind(kind).what(own.configs[kind]) == wanted.kind(kind).what(wanted.configs[kind])
        for kind in kinds
    )


def _store_notes(predictor: Predictor, store: Store) -> list[str]:
    """What a reader of a store's predictions must know."""
    notes = []
    if any(each.about.get("version") == store.version for each in predictor.checkpoints):
        notes.append("trained on utterances of this very store: these are no scores; the test parts' are with the run")
    for name in set(predictor.names) & set(store.features.kinds):
        mine, theirs = (getattr(each.configs[name], "engine", "") for each in (store.features, predictor.features))
        if mine != theirs:
            notes.append(f"{name} of the store are by {mine}, those in training were by {theirs}")
    mine, theirs = store.attributes["segment_dtype"], predictor.checkpoints[0].segment_dtype
    if mine != theirs:
        notes.append(f"segments of the store are {mine}, those in training were {theirs}")
    return notes


def stored_values(store: Store, rows: np.ndarray, predictor: Predictor) -> list[Values]:
    """Features of some utterances of a store, as a predictor takes them."""
    tables = {name: store.read_table(table_of(store, name), rows) for name in predictor.names}
    return [
        {name: stored[offsets[place] : offsets[place + 1]] for name, (stored, offsets) in tables.items()}
        for place in range(len(rows))
    ]
