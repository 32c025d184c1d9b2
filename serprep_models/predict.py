"""Recordings → labels and probabilities, by trained systems."""

import json
from collections.abc import Iterator, Sequence
from functools import lru_cache, partial
from pathlib import Path

import numpy as np

from serprep._typing import FloatArray
from serprep.audio.decode import decode, read_bytes
from serprep.errors import AudioError, FeatureError, TrainError, first_ten, one_line
from serprep.parallel import Died, Workers
from serprep.progress import Progress
from serprep.systems import SYSTEMS
from serprep_models.checkpoint import training_of
from serprep_models.experiment_folder import NO_NUMBERS
from serprep_models.predictions import Predictions
from serprep_models.predictor import Predictor, Values, load
from serprep_models.recordings import Utterances
from serprep_models.standardise import Statistics
from serprep_models.statistics import TRANSDUCTIVE, few_utterances
from serprep_models.threads import one_thread

BATCH = 16  # utterances per task


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
    notes = (*notes, *doubts(predictor))
    predictor.check_enrolment(predictor.speaker is not None)
    batches = [utterances.part(first, first + BATCH) for first in range(0, len(utterances), BATCH)]
    names = tuple(str(path.resolve()) for path in checkpoints)
    task = partial(_predict_batch, checkpoints=names, speaker=predictor.speaker)
    said: dict[str, FloatArray | str] = {}
    results = enumerate(map(task, batches)) if len(batches) < 2 else pool.run(task, batches)
    with Progress("predicting", len(utterances), quiet=quiet) as progress:
        for number, result in results:
            ids = batches[number].ids
            if isinstance(result, Died):
                said |= dict.fromkeys(ids, f"crashed the extractor or a neighbour did: {result.reason}")
                continue
            said |= result
            progress.add(len(ids))
    left_out = {name: reason for name in utterances.ids if isinstance(reason := said[name], str)}
    ids = tuple(name for name in utterances.ids if name not in left_out)
    rows = np.reshape([said[name] for name in ids], (-1, len(predictor.labels))).astype(np.float32)
    numbers = bool(predictor.scales)
    return Predictions(ids, predictor.labels, rows, left_out, notes, predictor.transductive, numbers=numbers)


_loaded = lru_cache(maxsize=1)(load)


def _predict_batch(
    utterances: Utterances, *, checkpoints: tuple[str, ...], speaker: Statistics | None
) -> dict[str, FloatArray | str]:
    """Probabilities of each recording, or why it cannot be used; the task that workers run."""
    predictor = Predictor(_loaded(checkpoints).checkpoints, speaker=speaker)
    features = dict(_features(predictor, utterances))
    reasons = {name: each for name, each in features.items() if isinstance(each, str)}
    values = {name: each for name, each in features.items() if not isinstance(each, str)}
    with one_thread():
        rows = predictor.said(list(values.values())) if values else ()
    return {**reasons, **dict(zip(values, rows, strict=True))}


def _features(predictor: Predictor, utterances: Utterances) -> Iterator[tuple[str, Values | str]]:
    """Id and features of each recording, or why it cannot be used."""
    for name, path, start, end in zip(
        utterances.ids, utterances.paths, utterances.starts, utterances.ends, strict=True
    ):
        try:
            signal = decode(read_bytes(Path(path)), start=start, end=end, config=predictor.features.signal)
            yield name, predictor.values(signal)
        except (AudioError, FeatureError) as error:
            yield name, str(error)


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
        for name, each in _features(predictor, enrol):
            if isinstance(each, str):
                left_out.append(f"{one_line(name)}: {each.removesuffix('; leave it out')}")
            else:
                values.append(each)
            progress.add(1)
    if not values:
        raise TrainError(first_ten([f"{reason}; leave it out of the enrolment" for reason in left_out]))
    notes = (TRANSDUCTIVE, *few_utterances(["the speaker"] * len(values)))
    return predictor.enrolled(values), (*notes, *(f"not enrolled: {reason}" for reason in left_out))


def doubts(predictor: Predictor) -> list[str]:
    """Whether checkpoints are of other code than today's, or of different recipes, as in a folder far above them."""
    origins, notes = set(), {}
    for checkpoint in predictor.checkpoints:
        about, spec = checkpoint.about, SYSTEMS[checkpoint.config.system]
        if (trained_by := about.get("revision", 0)) != spec.revision:
            notes[spec.name] = (
                f"{spec.name} was trained by its revision {one_line(trained_by)[:20]}, this serprep has "
                f"{spec.revision}: what was scored may have said other things of the same recordings; train it again"
            )
        how = {name: value for name, value in training_of(about).items() if name not in NO_NUMBERS}
        origins.add(json.dumps([about.get("version"), about.get("split"), how], sort_keys=True))
    many = f"the checkpoints are of {len(origins)} trainings with other stores, splits or [train]: name one's folder"
    return [*notes.values(), *([many] if len(origins) > 1 else [])]
