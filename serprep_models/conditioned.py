"""Trained systems in other rooms and over other lines: the test part alone is transformed (``docs/conditions.md``)."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pandas as pd

from serprep._typing import FloatArray, IntArray
from serprep.config import configured
from serprep.errors import TrainError
from serprep.files import write_whole
from serprep.parallel import Died, Workers
from serprep.progress import Progress
from serprep.recipe import TrainConfig
from serprep.store.store import Store, open_store
from serprep_models.experiment import read_predictions
from serprep_models.predict_store import stored_values
from serprep_models.predictor import Predictor, load
from serprep_models.scores import speaker_counts
from serprep_models.scores.dimensions import predicted_of, read_numbers
from serprep_models.scores.intervals import scores_of_counts
from serprep_models.standardise import Statistics, parts, row_bytes
from serprep_models.statistics import fold_statistics
from serprep_models.threads import one_thread

CLEAN = "clean"


@dataclass(frozen=True, kw_only=True)
class ConditionScore:
    """Scores of a system in a condition, mean over seeds; None where undefined."""

    system: str
    condition: str
    ua: float | None
    ua_interval: tuple[float, float] | None
    macro_f1: float | None
    macro_f1_interval: tuple[float, float] | None


@dataclass(frozen=True)
class _Task:
    experiment: str  # folder of a finished one
    store: str
    role: str  # that is scored
    digest: str  # of the checkpoint
    numbers: bool  # whether it says these, not labels
    both: bool  # whether it says labels as well


def predict_conditioned(
    experiments: Sequence[Path], store: Store, *, role: str, pool: Workers, quiet: bool
) -> list[pd.DataFrame]:
    """Predictions of the scored utterances of finished experiments, from a store of another condition.

    They lie beside the experiment, and are not computed again.

    Raises
    ------
    TrainError
        If a worker died.
    """
    tasks = [_task(place, store, role) for place in experiments]
    waiting = [task for task in tasks if not _file(task).is_file()]
    with Progress("other conditions", len(waiting), unit="experiments", quiet=quiet or not waiting) as progress:
        for _, receipt in pool.run(predict_experiment, waiting):
            if isinstance(receipt, Died):
                raise TrainError(f"other conditions: {receipt.reason}; run again")
            progress.add(1)
    return [_read(_file(task), task) for task in tasks]


def _task(place: Path, store: Store, role: str) -> _Task:
    predictor = load(place)
    about = predictor.checkpoints[0].about
    return _Task(str(place), store.path, role, about["sha256"], numbers=bool(predictor.scales), both="beside" in about)


def _read(path: Path, task: _Task) -> pd.DataFrame:
    return (read_numbers if task.numbers else read_predictions)(path)


def _file(task: _Task) -> Path:
    version = Path(task.store).stem
    return Path(task.experiment) / "conditions" / f"{version[:16]}-{task.digest[:16]}.csv"


def predict_experiment(task: _Task) -> None:
    """Predict what an experiment scored, from another store; the task that workers run."""
    store = open_store(task.store)
    table = _read(Path(task.experiment) / "predictions.csv", task)
    table = table[table["role"] == task.role]
    place = {name: row for row, name in enumerate(store.ids)}
    rows = np.array([place[name] for name in table["id"]])
    if task.numbers and not task.both:  # nothing is said of labels that an older serprep learnt beside
        table = table.drop(columns=table.filter(regex="^(truth|prediction|p_.*)$").columns)
    for emotion in (False, True) if task.both else (False,):
        predictor = load(task.experiment, emotion=emotion)
        given, column_of = _given(predictor, store, rows), predicted_of if predictor.scales else "p_{}".format
        table = table.assign(**{column_of(name): given[:, n] for n, name in enumerate(predictor.labels)})
        if not predictor.scales:
            table = table.assign(prediction=[predictor.labels[best] for best in given.argmax(axis=1)])
    write_whole(_file(task), table.to_csv(index=False, lineterminator="\n").encode())


def _given(predictor: Predictor, store: Store, wanted: IntArray) -> FloatArray:
    """What a system says of some rows of a store, in their order."""
    order = np.argsort(wanted)
    rows = wanted[order]
    known: Statistics | None = None
    if predictor.transductive:
        own = {"standardisation": predictor.standardisation, "enrol": int(predictor.checkpoints[0].enrol)}
        how = configured(TrainConfig, own, "train")
        known = fold_statistics(store, (), predictor.names, how=how)
    sizes = np.asarray(sum(row_bytes(store, rows, name) for name in predictor.names))
    with one_thread():
        blocks = [
            predictor.probabilities(stored_values(store, some, predictor), rows=some, known=known)
            for some in parts(rows, sizes, at_most=256)
        ]
    given = np.empty((len(rows), len(predictor.labels)), np.float32)
    given[order] = np.concatenate(blocks)
    return given


def score_conditions(predictions: pd.DataFrame, labels: Sequence[str]) -> tuple[ConditionScore, ...]:
    """Scores per condition and system, conditions in the order of the rows.

    Parameters
    ----------
    predictions : DataFrame
        Columns condition, system, seed, speaker, truth, prediction; rows without truth are left out.
    labels : sequence of str
    """
    known = predictions[predictions["truth"].fillna("") != ""]
    scores = []
    for (condition, system), own in known.groupby(["condition", "system"], sort=False):
        measures = scores_of_counts(speaker_counts(own, labels), labels, known=bool((own["speaker"] != "").all()))
        told = {key: measures[key] for name in ("ua", "macro_f1") for key in (name, f"{name}_interval")}
        scores.append(ConditionScore(system=str(system), condition=str(condition), **told))
    return tuple(scores)
