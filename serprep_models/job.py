"""One experiment, a system, fold and seed: trained, scored and written.

It is the task that workers run.  Its files, ``result.json`` last, say by their digests
whether it is finished.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Any

import numpy as np
import pandas as pd

from serprep.cache import canonical_json
from serprep.errors import TrainError
from serprep.files import write_whole
from serprep.recipe import NEURAL, TrainConfig
from serprep.split import Bound, bind, read_split
from serprep.store.store import Store, open_store
from serprep_models.baselines import compare_svm, majority
from serprep_models.checkpoint import write_checkpoint
from serprep_models.crnn import SystemConfig
from serprep_models.examples import Examples, Stored, kinds_of
from serprep_models.scores import score
from serprep_models.standardise import CLIP, Statistics, standardise
from serprep_models.statistics import fold_statistics
from serprep_models.train import HISTORY, STATE, Trained, json_line, one_thread, probabilities, train


@dataclass(frozen=True, kw_only=True)
class Job:
    """One experiment."""

    folder: str  # where its files go
    store: str
    split: str
    system: str
    fold: int
    seed: int
    how: TrainConfig
    statistics: str = ""  # folder of what systems and seeds share; "": each computes its own


def finished(job: Job) -> bool:
    """Whether an experiment was run, and its files are what it wrote; others are run again."""
    folder = Path(job.folder)
    try:
        result = json.loads((folder / "result.json").read_bytes())
        digest = result.pop("sha256")
        whole = hashlib.sha256(canonical_json(result)).hexdigest() == digest
        table = hashlib.sha256((folder / "predictions.csv").read_bytes()).hexdigest()
        return bool(whole and table == result["predictions_sha256"])
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return False


def marks_of(job: Job) -> dict[str, Any]:
    """What every entry of a result says about how features were standardised."""
    how = job.how
    reads = bool(read_by(job.system))  # the majority class is the same for everybody
    return {"standardisation": how.standardisation, "enrol": how.enrol, "transductive": how.transductive and reads}


def n_epochs_of(job: Job) -> int:
    """Epochs of an experiment; a baseline counts as one."""
    return job.how.epochs if job.system in NEURAL else 1


def n_epochs_done(job: Job) -> int:
    """Epochs of an experiment that are done, also while it runs elsewhere."""
    folder = Path(job.folder)
    if (folder / "result.json").is_file():
        return n_epochs_of(job)
    try:
        return min((folder / HISTORY).read_bytes().count(b"\n"), n_epochs_of(job))
    except OSError:
        return 0


def run_job(job: Job) -> None:
    """Run one experiment and write its files; the task that workers run."""
    began = monotonic()
    store = open_store(job.store)
    split = read_split(Path(job.split))
    bound = bind(split, store.manifest())
    emotions = store.emotions
    rows = {role: bound.rows(job.fold, role) for role in ("train", "dev", "test")}
    rows["train"] = [row for row in rows["train"] if emotions[row]]
    role = scored_role(bound, store)
    if not rows["train"] or not rows[role]:
        raise TrainError(f"fold {split.folds[job.fold]!r} has no labelled utterances to train on, or none to test")
    refit = job.how.refit and bool(rows["dev"]) and bool(rows["test"])
    n_train = len(rows["train"])
    with one_thread():
        # a dev part that chose the epoch would be no honest score, and training on it leaves nothing to choose by
        scores, trained, statistics = _run(job, store, rows, use_dev=role == "test" and bool(rows["dev"]) and not refit)
        if refit:
            both = rows["train"] + [row for row in rows["dev"] if emotions[row]]
            again, trained, statistics = _run(job, store, rows | {"train": sorted(both), "dev": []}, use_dev=False)
            scores["test"] = again["test"]
            n_train = len(both) if role == "test" else n_train
    predictions = pd.concat([_predictions(store, rows[name], scores[name], name) for name in scores], ignore_index=True)
    found = score(predictions[predictions["role"] == role], store.labels)
    result = {
        "system": job.system,
        "fold": split.folds[job.fold],
        "seed": job.seed,
        **marks_of(job),
        "scored": role,
        "n_train": n_train,
        **found,
        "seconds": round(monotonic() - began, 3),
    }
    folder = Path(job.folder)
    table = predictions.to_csv(index=False, lineterminator="\n").encode()
    write_whole(folder / "predictions.csv", table)
    result["predictions_sha256"] = hashlib.sha256(table).hexdigest()
    result["sha256"] = hashlib.sha256(canonical_json(result)).hexdigest()
    if trained is not None:
        write_whole(folder / HISTORY, "".join(map(json_line, trained.history)).encode())
        write_checkpoint(
            folder,
            trained,
            store=store,
            statistics=statistics,
            how=job.how,
            origin={"split": split.digest, "fold": split.folds[job.fold], "seed": job.seed},
        )
    write_whole(folder / "result.json", (json.dumps(result, indent=1) + "\n").encode())  # last: it says "finished"
    (folder / STATE).unlink(missing_ok=True)


def _run(
    job: Job, store: Store, rows: Mapping[str, list[int]], *, use_dev: bool
) -> tuple[dict[str, Any], Trained | None, Statistics]:
    """Scores per role, and of neural systems what was trained, with its statistics."""
    if job.system in NEURAL:
        return _run_neural(job, store, rows, use_dev=use_dev)
    return _run_baseline(job, store, rows), None, {}


def _run_neural(
    job: Job, store: Store, rows: Mapping[str, list[int]], *, use_dev: bool
) -> tuple[dict[str, Any], Trained, Statistics]:
    """Scores per role, the trained system, and the statistics it was trained with."""
    kinds = kinds_of(job.system)
    statistics = _statistics(job, store, rows["train"], kinds)
    stored = {name: Stored(store, np.array(part), kinds, statistics) for name, part in rows.items() if part}
    budget = job.how.memory_budget << 20
    fits = sum(int(part.n_bytes.sum()) for part in stored.values()) <= budget
    sets: dict[str, Examples | Stored] = {name: part.load() if fits else part for name, part in stored.items()}
    trained = train(
        system_config(job.system, store),
        sets["train"],
        how=job.how,
        seed=job.seed,
        dev=sets["dev"] if use_dev else None,
        folder=Path(job.folder),
    )
    parts = [name for name in ("dev", "test") if name in sets]
    scores: dict[str, Any] = {name: probabilities(trained.system, sets[name], memory_budget=budget) for name in parts}
    return scores, trained, statistics


def _run_baseline(job: Job, store: Store, rows: Mapping[str, list[int]]) -> dict[str, Any]:
    place = {label: number for number, label in enumerate(store.labels)}
    labels = np.array([place[store.emotions[row]] for row in rows["train"]], np.int64)
    parts = [name for name in ("dev", "test") if rows[name]]
    if job.system == "majority":
        return {name: majority(labels, len(rows[name]), len(place)) for name in parts}
    own = _statistics(job, store, rows["train"], ("functionals",))["functionals"]
    values = {
        name: standardise(
            own,
            store.read_functionals(rows[name]),
            rows=np.array(rows[name]),
            counts=np.ones(len(rows[name]), np.int64),
            clip=CLIP,
        )
        for name in ("train", *parts)
    }
    return {name: compare_svm(values["train"], labels, values[name], n_labels=len(place)) for name in parts}


def _statistics(job: Job, store: Store, rows: Sequence[int], kinds: Sequence[str]) -> Statistics:
    """How the fold is standardised; what other systems and seeds computed is taken."""
    folder = Path(job.statistics) if job.statistics else None
    return fold_statistics(store, rows, kinds, how=job.how, folder=folder)


def prepare(task: tuple[Job, str]) -> None:
    """Compute an experiment's statistics of one kind, so that those that run at once need not all do it."""
    job, kind = task
    store = open_store(job.store)
    bound = bind(read_split(Path(job.split)), store.manifest())
    rows = [row for row in bound.rows(job.fold, "train") if store.emotions[row]]
    if rows:
        _statistics(job, store, rows, (kind,))


def read_by(system: str) -> tuple[str, ...]:
    """Kinds of features that any system reads, also a baseline."""
    return kinds_of(system) if system in NEURAL else ("functionals",) * (system == "compare-svm")


def system_config(system: str, store: Store) -> SystemConfig:
    """The configuration of a system that fits a store."""
    lengths = {name: segment.length for name, segment in store.features.segments.items()}
    return SystemConfig(
        system=system,
        n_labels=len(store.labels),
        n_mels=store.features.logmel.n_mels,
        short=lengths.get("short", 30),
        long=lengths.get("long", 50),
    )


def scored_role(bound: Bound, store: Store) -> str:
    """ "test", or "dev" where only that has labels (a challenge keeps those of the test part)."""
    emotions = store.emotions
    labelled = {role for row, roles in enumerate(bound.roles) for role in roles if emotions[row]}
    return "dev" if "dev" in labelled and "test" not in labelled else "test"


def _predictions(store: Store, rows: Sequence[int], scores: Any, role: str) -> pd.DataFrame:
    """Predictions of some utterances, one a row."""
    ids, speakers, emotions = store.ids, store.speakers, store.emotions
    frame = pd.DataFrame(
        {
            "id": [ids[row] for row in rows],
            "speaker": [speakers[row] for row in rows],
            "role": role,
            "truth": [emotions[row] for row in rows],
            "prediction": [store.labels[place] for place in scores.argmax(axis=1)],
        }
    )
    for place, label in enumerate(store.labels):
        frame[f"p_{label}"] = scores[:, place]
    return frame


def read_predictions(path: Path) -> pd.DataFrame:
    """Predictions as written; text stays text."""
    text = dict.fromkeys(("id", "speaker", "role", "truth", "prediction"), str)
    return pd.read_csv(path, dtype=text, keep_default_na=False, encoding="utf-8")
