"""Recordings, or a store → labels and probabilities, by trained systems."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import lru_cache
from pathlib import Path

import numpy as np

from serprep._typing import FloatArray
from serprep.audio.decode import decode, read_bytes
from serprep.config import configured
from serprep.errors import AudioError, FeatureError, TrainError, first_ten, one_line
from serprep.exports import FORMS
from serprep.exports.csv_table import line as csv_line
from serprep.exports.exporter import Predicted
from serprep.features.extract import Features
from serprep.parallel import Died, Workers
from serprep.progress import Progress
from serprep.recipe import TrainConfig
from serprep.store.store import Store
from serprep_models.checkpoint import training_of
from serprep_models.examples import check_store
from serprep_models.experiment import NO_NUMBERS
from serprep_models.predictor import Predictor, Values, load
from serprep_models.recordings import Utterances
from serprep_models.scores.calibration import Abstention
from serprep_models.standardise import Statistics, parts, row_bytes, table_of
from serprep_models.statistics import TRANSDUCTIVE, few_utterances, fold_statistics
from serprep_models.threads import one_thread

BATCH = 16  # utterances per task


@dataclass(frozen=True)
class Predictions:
    """Probabilities of utterances, or numbers such as arousal, and what could not be predicted."""

    ids: tuple[str, ...]
    labels: tuple[str, ...]  # or names of numbers
    probabilities: FloatArray  # (n, n_labels), rows sum to 1; or numbers, on the scales of the recipe
    reasons: Mapping[str, str]  # id → why it could not be used
    notes: tuple[str, ...] = ()  # what a reader must know
    transductive: bool = False  # whether recordings of the predicted speakers made the statistics
    abstention: Abstention | None = None  # below which probability no label is given
    numbers: bool = False

    def predicted(self) -> list[str]:
        """The most probable label of each utterance; ties to the first; "" where the system abstains."""
        if not len(self.ids):
            return []
        least = self.abstention.threshold if self.abstention else 0.0
        best = zip(self.probabilities.argmax(axis=1), self.probabilities.max(axis=1), strict=True)
        return [self.labels[place] if chance >= least else "" for place, chance in best]

    def abstaining(self, checkpoints: Sequence[Path], threshold: float) -> "Predictions":
        """The same without labels below a probability, and a note that says what it was worth.

        Raises
        ------
        TrainError
            If the checkpoints are not calibrated.
        """
        found = load(checkpoints).abstention(threshold)
        return replace(self, abstention=found, notes=(*self.notes, found.words))


def predict_files(
    checkpoints: Sequence[Path],
    utterances: Utterances,
    *,
    enrol: Utterances | None = None,
    pool: Workers,
    quiet: bool = True,
) -> Predictions:
    """Predict recordings; those that cannot be used are left out, with their reasons.

    Parameters
    ----------
    checkpoints : sequence of Path
    utterances : Utterances
    enrol : Utterances, optional
        Of the speaker of all `utterances`; for transductive checkpoints, and needed there.
    pool : Workers
        Not started for fewer utterances than two tasks hold.
    quiet : bool

    Raises
    ------
    TrainError
        If a speaker must be enrolled, or must not.
    """
    loaded = load(checkpoints)
    loaded.check_computable()
    predictor, notes = enrolled_by(loaded, enrol, quiet=quiet)
    notes = (*notes, *_mixed(predictor))
    names = tuple(str(path.resolve()) for path in checkpoints)
    predictor.check_enrolment(predictor.speaker is not None)
    tasks = [
        _Task(names, utterances.part(first, first + BATCH), predictor.speaker)
        for first in range(0, len(utterances), BATCH)
    ]
    found: dict[str, FloatArray] = {}
    reasons: dict[str, str] = {}
    results = enumerate(map(_predict_batch, tasks)) if len(tasks) < 2 else pool.run(_predict_batch, tasks)
    with Progress("predicting", len(utterances), quiet=quiet) as progress:
        for number, result in results:
            own = tasks[number].utterances
            if isinstance(result, Died):
                reasons |= dict.fromkeys(own.ids, f"crashed the extractor or a neighbour did: {result.reason}")
                continue
            found |= result[0]
            reasons |= result[1]
            progress.add(len(own))
    ids = tuple(name for name in utterances.ids if name in found)
    rows = np.reshape([found[name] for name in ids], (-1, len(predictor.labels))).astype(np.float32)
    left_out = {name: reasons[name] for name in utterances.ids if name in reasons}
    said = bool(predictor.scales)
    return Predictions(ids, predictor.labels, rows, left_out, notes, predictor.transductive, numbers=said)


@dataclass(frozen=True)
class _Task:
    checkpoints: tuple[str, ...]
    utterances: Utterances
    speaker: Statistics | None  # who is enrolled


@lru_cache(maxsize=1)
def _loaded(checkpoints: tuple[str, ...]) -> Predictor:
    return load(checkpoints)


def _predict_batch(task: _Task) -> tuple[dict[str, FloatArray], dict[str, str]]:
    """Probabilities by id, and reasons by id; the task that workers run."""
    predictor = Predictor(_loaded(task.checkpoints).checkpoints, speaker=task.speaker)
    values: dict[str, Values] = {}
    reasons: dict[str, str] = {}
    own = task.utterances
    for name, path, start, end in zip(own.ids, own.paths, own.starts, own.ends, strict=True):
        try:
            data = read_bytes(Path(path))
            values[name] = predictor.values(decode(data, start=start, end=end, config=predictor.features.signal))
        except (AudioError, FeatureError) as error:
            reasons[name] = str(error)
    with one_thread():
        rows = predictor.said(list(values.values())) if values else ()
    return dict(zip(values, rows, strict=True)), reasons


def enrolled_by(
    predictor: Predictor, enrol: Utterances | None, *, quiet: bool = True
) -> tuple[Predictor, tuple[str, ...]]:
    """A predictor for the speaker of some recordings, and notes; the same predictor without any.

    Raises
    ------
    TrainError
        If the checkpoints know nothing of speakers, or none of the recordings can be used.
    """
    if enrol is None:
        return predictor, ()
    predictor.check_enrolment(True)
    values, left_out = [], []
    with Progress("enrolling", len(enrol), quiet=quiet) as progress:
        for name, path, start, end in zip(enrol.ids, enrol.paths, enrol.starts, enrol.ends, strict=True):
            try:
                data = read_bytes(Path(path))
                signal = decode(data, start=start, end=end, config=predictor.features.signal)
                values.append(predictor.values(signal))
            except (AudioError, FeatureError) as error:
                left_out.append(f"{one_line(name)}: {str(error).removesuffix('; leave it out')}")
            progress.add(1)
    if not values:
        raise TrainError(first_ten([f"{reason}; leave it out of the enrolment" for reason in left_out]))
    few = few_utterances(["the speaker"] * len(values))
    return predictor.enrolled(values), (TRANSDUCTIVE, *few, *(f"not enrolled: {reason}" for reason in left_out))


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
    predictor = load(checkpoints)
    same = computed_alike(store.features, predictor.features, predictor.names)
    if not same:
        raise TrainError(
            f"{one_line(store.path)} holds other features than the checkpoint was trained on; build it with the "
            "same [features]"
        )
    check_store(store, predictor.names)
    predictor, notes = enrolled_by(predictor, enrol, quiet=quiet)
    known: Statistics | None = None
    if predictor.transductive and enrol is None:
        enough = int(predictor.checkpoints[0].enrol)
        how = configured(TrainConfig, {"standardisation": predictor.standardisation, "enrol": enough}, "train")
        known = fold_statistics(store, (), predictor.names, how=how)
        notes = (TRANSDUCTIVE, *few_utterances(store.speakers, enrol=enough))
    notes = (*notes, *_mixed(predictor), *_store_notes(predictor, store))
    found = []
    with Progress("predicting", len(store), quiet=quiet) as progress:
        every = np.arange(len(store))
        sizes = sum(row_bytes(store, every, name) for name in predictor.names)
        for rows in parts(every, np.asarray(sizes), at_most=256):
            found.append(predictor.said(stored_values(store, rows, predictor), rows=rows, known=known))
            progress.add(len(rows))
    ids, said = tuple(store.ids), bool(predictor.scales)
    given = np.concatenate(found)
    return Predictions(ids, predictor.labels, given, {}, notes, predictor.transductive, numbers=said)


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


def _mixed(predictor: Predictor) -> list[str]:
    """Whether checkpoints of different recipes are averaged, as happens with a folder far above them."""
    origins = set()
    for one in predictor.checkpoints:
        how = {name: value for name, value in training_of(one.about).items() if name not in NO_NUMBERS}
        origins.add(json.dumps([one.about.get("version"), one.about.get("split"), how], sort_keys=True))
    many = f"the checkpoints are of {len(origins)} trainings with other stores, splits or [train]: name one's folder"
    return [many] if len(origins) > 1 else []


def _store_notes(predictor: Predictor, store: Store) -> list[str]:
    """What a reader of a store's predictions must know."""
    notes = []
    if any(one.about.get("version") == store.version for one in predictor.checkpoints):
        notes.append("trained on utterances of this very store: these are no scores; the test parts' are with the run")
    for name in set(predictor.names) & set(store.features.kinds):
        mine, theirs = (getattr(each.configs[name], "engine", "") for each in (store.features, predictor.features))
        if mine != theirs:
            notes.append(f"{name} of the store are by {mine}, those in training were by {theirs}")
    dtype = store.attributes["segment_dtype"]
    if dtype != predictor.checkpoints[0].segment_dtype:
        notes.append(
            f"segments of the store are {dtype}, those in training were {predictor.checkpoints[0].segment_dtype}"
        )
    return notes


def stored_values(store: Store, rows: np.ndarray, predictor: Predictor) -> list[Values]:
    """Features of some utterances of a store, as a predictor takes them."""
    values: list[dict[str, FloatArray]] = [{} for _ in rows]
    for name in predictor.names:
        stored, offsets = store.read_table(table_of(store, name), rows)
        for place in range(len(rows)):
            values[place][name] = stored[offsets[place] : offsets[place + 1]]
    return list(values)


def _csv(predictions: Predictions) -> Iterator[str]:
    """Numbers as CSV: id, and a column of each."""
    for cells in (("id", *predictions.labels), *zip(predictions.ids, *_columns(predictions), strict=True)):
        yield csv_line([one_line(cell) for cell in cells])


def _jsonl(predictions: Predictions) -> Iterator[str]:
    """Numbers as lines of JSON: id, and a table of each."""
    for name, *values in zip(predictions.ids, *_columns(predictions), strict=True):
        yield json.dumps({"id": name, "numbers": dict(zip(predictions.labels, values, strict=True))}) + "\n"


def _columns(predictions: Predictions) -> list[list[float]]:
    """The numbers of each name."""
    return [column.tolist() for column in predictions.probabilities.astype(np.float64).round(6).T]


NUMBERS = {"csv": _csv, "jsonl": _jsonl}


def render(predictions: Predictions, form: str) -> str:
    """Predictions as text of a form, one of `serprep.exports.FORMS`.

    Raises
    ------
    TrainError
        If the form is one of labels, and numbers are predicted.
    """
    if predictions.numbers:
        if form not in NUMBERS:
            raise TrainError(f"form {one_line(form)} is one of labels; expected {' or '.join(NUMBERS)} for numbers")
        return "".join(NUMBERS[form](predictions))
    rows = map(Predicted, predictions.ids, predictions.predicted(), map(tuple, predictions.probabilities.tolist()))
    return "".join(FORMS[form].predictions(rows, predictions.labels))
