"""Trained systems → labels and probabilities of new audio.

The features and statistics are exactly those of training; the checkpoint says which.
Several checkpoints (folds, seeds, systems) give the mean of their probabilities.
"""

import csv
import io
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path

import numpy as np
import torch

from serprep import audio
from serprep._typing import FloatArray
from serprep.errors import AudioError, FeatureError, TrainError, one_line
from serprep.features.extract import Features, extract
from serprep.features.framing import cut_segments
from serprep.files import walk, without_suffix
from serprep.manifest import read_manifest
from serprep.parallel import Died, Workers
from serprep.progress import Progress
from serprep.store.store import Store
from serprep_models.checkpoint import Checkpoint, read_checkpoint
from serprep_models.crnn import SEGMENTS_OF, Batch
from serprep_models.examples import check_store, kinds_of
from serprep_models.standardise import CLIP
from serprep_models.submission import to_arff
from serprep_models.train import one_thread

#: Features of one utterance as a store would hold them: segments by name, "functionals".
Values = Mapping[str, FloatArray]

BATCH = 16  # utterances per task


@dataclass(frozen=True)
class Utterances:
    """Recordings, or excerpts of them, to predict."""

    ids: tuple[str, ...]
    paths: tuple[str, ...]
    starts: tuple[float | None, ...]  # seconds; None is the file's start
    ends: tuple[float | None, ...]

    def __len__(self) -> int:
        return len(self.ids)

    def part(self, first: int, last: int) -> "Utterances":
        """Utterances ``first`` to ``last - 1``."""
        columns = (self.ids, self.paths, self.starts, self.ends)
        return Utterances(*(column[first:last] for column in columns))  # type: ignore[arg-type]


@dataclass(frozen=True)
class Predictions:
    """Probabilities of utterances, and what could not be predicted."""

    ids: tuple[str, ...]
    labels: tuple[str, ...]
    probabilities: FloatArray  # (n, n_labels), rows sum to 1
    reasons: Mapping[str, str]  # id → why it could not be used

    def predicted(self) -> list[str]:
        """The most probable label of each utterance; ties to the first."""
        return [self.labels[place] for place in self.probabilities.argmax(axis=1)] if len(self.ids) else []


class Predictor:
    """Trained systems, ready to predict.

    Examples
    --------
    ::

        import serprep_models
        serprep_models.load("experiments/…/hsf-crnn/fold-01/seed-0").predict(signal, 16_000)
        # {'angry': 0.91, 'happy': 0.07, 'neutral': 0.01, 'sad': 0.01}
    """

    def __init__(self, checkpoints: Sequence[Checkpoint]) -> None:
        if not checkpoints:
            raise TrainError("no checkpoint given; name at least one folder that `serprep train` wrote")
        first = checkpoints[0]
        for other in checkpoints[1:]:
            if other.labels != first.labels:
                raise TrainError(
                    f"checkpoints have different labels, {one_line(list(first.labels))} and "
                    f"{one_line(list(other.labels))}; average those of one recipe"
                )
            if (other.features, other.segment_dtype) != (first.features, first.segment_dtype):
                raise TrainError("checkpoints were trained on different features; average those of one recipe")
        self.checkpoints = tuple(checkpoints)
        self.labels = first.labels
        self.features: Features = first.features
        self.kinds = tuple(dict.fromkeys(kind for each in checkpoints for kind in kinds_of(each.config.system)))

    def predict(self, signal: FloatArray, sample_rate: int) -> dict[str, float]:
        """Probability of each label.

        Parameters
        ----------
        signal : ndarray, shape (n_samples,) or (n_samples, n_channels)
            Amplitudes; full scale is 1.
        sample_rate : int
            Hz.

        Returns
        -------
        dict of str to float
            Label → probability, in logit order.

        Raises
        ------
        AudioError, FeatureError
            If the signal cannot be used: no samples, NaN, too short.
        """
        guarded = audio.guard(signal, sample_rate, self.features.signal)
        found = self.probabilities([self.values(guarded)])[0]
        return dict(zip(self.labels, map(float, found), strict=True))

    def values(self, signal: FloatArray) -> dict[str, FloatArray]:
        """Features of a guarded signal, as a store holds them."""
        kinds = ("logmel", *(["functionals"] if "functionals" in self.kinds else []))
        found = extract(signal, self.features, kinds)
        dtype = self.checkpoints[0].segment_dtype
        values = {
            kind: cut_segments(found["logmel"], self.features.segments[kind]).astype(dtype)
            for kind in self.kinds
            if kind != "functionals"
        }
        return values | ({"functionals": found["functionals"]} if "functionals" in self.kinds else {})

    def probabilities(self, utterances: Sequence[Values]) -> FloatArray:
        """Mean probabilities over the checkpoints, shape (n, n_labels)."""
        total = np.zeros((len(utterances), len(self.labels)))
        for each in self.checkpoints:
            segments, counts, functionals = {}, {}, None
            for name in SEGMENTS_OF[each.config.system]:
                parts = [values[name] for values in utterances]
                segments[name] = torch.from_numpy(each.statistics[name].apply(np.concatenate(parts)))
                counts[name] = torch.tensor([len(part) for part in parts])
            if "functionals" in kinds_of(each.config.system):
                rows = np.concatenate([values["functionals"] for values in utterances])
                functionals = torch.from_numpy(each.statistics["functionals"].apply(rows, clip=CLIP))
            batch = Batch(segments, counts, functionals, torch.full((len(utterances),), -1))
            with torch.inference_mode():
                total += torch.softmax(each.system(batch), 1).numpy()
        return (total / len(self.checkpoints)).astype(np.float32)


def load(checkpoint: Path | str | Sequence[Path | str]) -> Predictor:
    """A predictor from one checkpoint, or the mean of several.

    Parameters
    ----------
    checkpoint : path, or sequence of paths
        Folders that `serprep train` wrote.

    Raises
    ------
    TrainError
        If one is damaged, or they do not belong together.
    """
    paths = [checkpoint] if isinstance(checkpoint, str | Path) else list(checkpoint)
    return Predictor([read_checkpoint(Path(path)) for path in paths])


def predict_files(
    checkpoints: Sequence[Path], utterances: Utterances, *, pool: Workers, quiet: bool = True
) -> Predictions:
    """Predict recordings; those that cannot be used are left out, with their reasons.

    Parameters
    ----------
    checkpoints : sequence of Path
    utterances : Utterances
    pool : Workers
        Not started for fewer utterances than two tasks hold.
    quiet : bool
    """
    predictor = load(checkpoints)
    names = tuple(str(path.resolve()) for path in checkpoints)
    tasks = [_Task(names, utterances.part(first, first + BATCH)) for first in range(0, len(utterances), BATCH)]
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
    return Predictions(ids, predictor.labels, rows, {name: reasons[name] for name in utterances.ids if name in reasons})


@dataclass(frozen=True)
class _Task:
    checkpoints: tuple[str, ...]
    utterances: Utterances


@lru_cache(maxsize=1)
def _loaded(checkpoints: tuple[str, ...]) -> Predictor:
    return load(checkpoints)


def _predict_batch(task: _Task) -> tuple[dict[str, FloatArray], dict[str, str]]:
    """Probabilities by id, and reasons by id; the task that workers run."""
    predictor = _loaded(task.checkpoints)
    values: dict[str, Values] = {}
    reasons: dict[str, str] = {}
    own = task.utterances
    for name, path, start, end in zip(own.ids, own.paths, own.starts, own.ends, strict=True):
        try:
            data = audio.read_bytes(Path(path))
            values[name] = predictor.values(audio.decode(data, start=start, end=end, config=predictor.features.signal))
        except (AudioError, FeatureError) as error:
            reasons[name] = str(error)
    with one_thread():
        rows = predictor.probabilities(list(values.values())) if values else ()
    return dict(zip(values, rows, strict=True)), reasons


def predict_store(checkpoints: Sequence[Path], store: Store, *, quiet: bool = True) -> Predictions:
    """Predict every utterance of a store that holds the features the checkpoints were trained on.

    Raises
    ------
    TrainError
        If it holds other features.
    """
    predictor = load(checkpoints)
    own, wanted = store.features, predictor.features
    needed = {name: wanted.segments[name] for name in predictor.kinds if name != "functionals"}
    same = own.logmel == wanted.logmel and all(own.segments.get(name) == value for name, value in needed.items())
    if "functionals" in predictor.kinds:
        same = same and own.functionals.feature_set == wanted.functionals.feature_set
    if not same:
        raise TrainError(
            f"{one_line(store.path)} holds other features than the checkpoint was trained on; build it with the "
            "same [features]"
        )
    check_store(store, predictor.kinds)
    found = []
    with Progress("predicting", len(store), quiet=quiet) as progress:
        for first in range(0, len(store), 256):
            rows = np.arange(first, min(first + 256, len(store)))
            found.append(predictor.probabilities(_stored(store, rows, predictor)))
            progress.add(len(rows))
    return Predictions(tuple(store.ids), predictor.labels, np.concatenate(found), {})


def _stored(store: Store, rows: np.ndarray, predictor: Predictor) -> list[Values]:
    values: list[dict[str, FloatArray]] = [{} for _ in rows]
    for kind in predictor.kinds:
        if kind == "functionals":
            for place, row in enumerate(store.read_functionals(rows)):
                values[place][kind] = row[None]
        else:
            segments, offsets = store.read_segments(rows, store.features.segments[kind].length)
            for place in range(len(rows)):
                values[place][kind] = segments[offsets[place] : offsets[place + 1]]
    return list(values)


# -- what to predict, and what to print ----------------------------------------------


def utterances_of(places: Sequence[str], *, root: Path | None = None) -> Utterances:
    """Utterances of recordings, of folders of them, and of manifests.

    Parameters
    ----------
    places : sequence of str
        Audio files, folders, manifests (``utterances.csv`` or its folder).
    root : Path, optional
        Where a manifest's recordings lie.

    Returns
    -------
    Utterances
        Ids are a manifest's own, paths below a folder without suffix, file stems; and whole paths without
        suffix where those are not unique.

    Raises
    ------
    TrainError
        If a place does not exist or holds no recordings.
    """
    rows: list[tuple[str, str, float | None, float | None]] = []
    for place in places:
        path = Path(place)
        if path.suffix == ".csv" or (path / "utterances.csv").is_file():
            if root is None:
                raise TrainError(f"{one_line(place)} is a manifest: say where its recordings lie with --root")
            rows += [(row.id, str(root / row.path), row.start, row.end) for row in read_manifest(path).utterances]
        elif path.is_dir():
            found = list(walk(path, audio.SUFFIXES))
            if not found:
                raise TrainError(f"{one_line(place)}: no recordings; expected {', '.join(audio.SUFFIXES)}")
            rows += [(without_suffix(name), str(path / name), None, None) for name in found]
        elif path.is_file():
            rows.append((path.stem, place, None, None))
        else:
            raise TrainError(f"{one_line(place)}: no such file; expected a recording, a folder, a manifest or a store")
    counts = Counter(name for name, *_ in rows)
    named = [(name if counts[name] == 1 else without_suffix(path), path, start, end) for name, path, start, end in rows]
    ids = [name for name, *_ in named]
    doubled = next((name for name, count in Counter(ids).items() if count > 1), None)
    if doubled is not None:
        raise TrainError(f"{one_line(doubled)!r} is named twice; name each recording once")
    columns = zip(*named, strict=True)
    return Utterances(*map(tuple, columns))


def checkpoints_below(place: Path) -> list[Path]:
    """The checkpoint at `place`, or all of those below it, sorted.

    Raises
    ------
    TrainError
        If there is none.
    """
    if (place / "checkpoint.json").is_file() or place.is_file():
        return [place if place.is_dir() else place.parent]
    found = sorted(path.parent for path in place.rglob("checkpoint.json"))
    if not found:
        raise TrainError(
            f"{one_line(place)}: no checkpoint; expected a folder that `serprep train` wrote, or one above"
        )
    return found


def render(predictions: Predictions, form: str) -> str:
    """Predictions as text.

    Parameters
    ----------
    predictions : Predictions
    form : {"csv", "jsonl", "arff"}
        "arff" is what the ComParE challenges take: names and predictions.
    """
    rows = list(zip(predictions.ids, predictions.predicted(), predictions.probabilities.tolist(), strict=True))
    if form == "arff":
        return to_arff(
            [(name, label) for name, label, _ in rows], relation="serprep_predictions", labels=predictions.labels
        )
    if form == "jsonl":
        return "".join(
            json.dumps(
                {"id": name, "label": label, "probabilities": dict(zip(predictions.labels, values, strict=True))},
                ensure_ascii=False,
            )
            + "\n"
            for name, label, values in rows
        )
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(["id", "label", *(f"p_{label}" for label in predictions.labels)])
    table.writerows([name, label, *map(repr, values)] for name, label, values in rows)
    return text.getvalue()
