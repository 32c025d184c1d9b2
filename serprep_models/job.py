"""One experiment, a system, fold and seed: trained, scored and written.

It is the task that workers run.  Its files, ``result.json`` last, say by their digests
whether it is finished.
"""

import csv
import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from time import monotonic
from typing import Any

import numpy as np
import pandas as pd
import torch
from torch import nn

from serprep._json import canonical_json
from serprep._typing import FloatArray, IntArray
from serprep.errors import TrainError, one_line
from serprep.files import write_whole
from serprep.recipe import NEURAL, TrainConfig
from serprep.split import Bound, Split, bind, read_split
from serprep.store.layout import FUNCTIONALS
from serprep.store.store import Store, open_store
from serprep_models.baselines import Labelled, LinearSVM, compare_svm, majority
from serprep_models.checkpoint import ABOUT, WEIGHTS, write_checkpoint
from serprep_models.crnn import SystemConfig, WithSVM, make_system
from serprep_models.examples import Examples, Stored, kinds_of
from serprep_models.scores import score
from serprep_models.standardise import CLIP, Statistics, standardise
from serprep_models.statistics import fold_statistics, kept
from serprep_models.threads import one_thread
from serprep_models.train import HISTORY, STATE, Trained, device_named, json_line, probabilities, train

REFIT = "refit"  # folder of the second training, on train and dev
PREDICTIONS, CHECKPOINT = "predictions.csv", (WEIGHTS, ABOUT)


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
    return is_whole(Path(job.folder), job.system)


def is_whole(folder: Path, system: str) -> bool:
    """Whether a folder holds a finished experiment of a system as it was written."""
    try:
        result = json.loads((folder / "result.json").read_bytes())
        digest = result.pop("sha256")
        whole = hashlib.sha256(canonical_json(result)).hexdigest() == digest
        needed = {PREDICTIONS, *(CHECKPOINT if system in NEURAL else ())}
        known = needed <= set(result["files"]) <= {PREDICTIONS, *CHECKPOINT}
        return bool(whole and known and _is_result(result) and result["files"] == _digests(folder, result["files"]))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError, OverflowError):
        return False


def _is_result(result: Mapping[str, Any]) -> bool:
    """Whether what is read of a result has the types that `run_job` writes."""
    counts = np.array(result["confusion"])
    n_labels = len(counts)
    texts = all(isinstance(result[name], str) for name in ("system", "fold", "reason", "standardisation"))
    numbers = all(type(result[name]) is int and result[name] >= 0 for name in ("seed", "n_train", "n_test", "enrol"))
    scores = all(result[name] is None or 0 <= float(result[name]) <= 1 for name in ("wa", "ua"))
    square = counts.dtype == np.int64 and counts.shape == (n_labels, n_labels) and (counts >= 0).all()
    rest = result["scored"] in ("dev", "test") and 0 <= float(result["seconds"]) < np.inf
    return bool(texts and numbers and scores and square and rest and type(result["transductive"]) is bool)


def ran_as_asked(job: Job) -> bool:
    """Whether a finished experiment ran on the device that is named, and in memory or streamed as it would now.

    Device "auto" takes what there is, whatever it ran on.  Results of an older serprep do not
    tell: they count as a CPU's, with the same budget.
    """
    if job.system not in NEURAL:
        return True
    result = json.loads((Path(job.folder) / "result.json").read_bytes())
    named = job.how.device.partition(":")[0]
    if named not in ("auto", result.get("device", "cpu")):
        return False
    streams = result.get("feature_bytes", 0) > job.how.memory_budget << 20
    return bool(result.get("memory_budget") == (job.how.memory_budget if streams else None))


def lacks_checkpoint(job: Job) -> bool:
    """Whether a finished experiment is of an older serprep, which kept no checkpoint of compare-svm."""
    return job.system == "compare-svm" and not (Path(job.folder) / ABOUT).is_file()


def _digests(folder: Path, names: Iterable[str]) -> dict[str, str]:
    """SHA-256 of what an experiment writes before its result."""
    found = {}
    for name in names:
        with (folder / name).open("rb") as file:
            found[name] = hashlib.file_digest(file, "sha256").hexdigest()
    return found


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
    part = _part(job, store)
    split, rows, role = part.split, part.rows, part.role
    n_train = len(rows["train"])
    with one_thread():
        run = _run(job, store, rows, use_dev=part.use_dev)
        scores = run.scores
        if part.refit:
            both = rows["train"] + [row for row in rows["dev"] if store.emotions[row]]
            again = replace(job, folder=str(Path(job.folder) / REFIT))  # each goes on from a state of its own
            run = _run(again, store, rows | {"train": sorted(both), "dev": []}, use_dev=False)
            scores["test"] = run.scores["test"]
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
        **({"svm": run.choice} if run.choice else {}),
        **run.where,
        "seconds": round(monotonic() - began, 3),
    }
    folder = Path(job.folder)
    table = predictions.to_csv(index=False, lineterminator="\n").encode()
    write_whole(folder / PREDICTIONS, table)
    if run.trained is not None and run.trained.history:
        write_whole(folder / HISTORY, "".join(map(json_line, run.trained.history)).encode())
    if run.trained is not None:
        write_checkpoint(
            folder,
            run.trained,
            store=store,
            statistics=run.statistics,
            how=job.how,
            origin={"split": split.digest, "fold": split.folds[job.fold], "seed": job.seed, **run.where},
        )
    result["files"] = _digests(folder, (PREDICTIONS, *(CHECKPOINT if run.trained is not None else ())))
    result["sha256"] = hashlib.sha256(canonical_json(result)).hexdigest()
    write_whole(folder / "result.json", (json.dumps(result, indent=1) + "\n").encode())  # last: it says "finished"
    for place in (folder, folder / REFIT):
        (place / STATE).unlink(missing_ok=True)


@dataclass(frozen=True, kw_only=True)
class _Part:
    """What an experiment trains on and scores."""

    split: Split
    rows: dict[str, list[int]]  # "train" (those with a label), "dev", "test" → rows of the store
    role: str  # what is scored
    refit: bool  # the test part is predicted by a second training, on train and dev
    use_dev: bool  # the dev part may choose the epoch, and C


@lru_cache(maxsize=1)
def _bound(store: str, seal: str, split: str, digest: str) -> Bound:
    """A split bound to a store's rows: once per process, not per experiment; by seal and digest both are the same."""
    return bind(read_split(Path(split)), open_store(store).manifest())


def _part(job: Job, store: Store) -> _Part:
    path = Path(job.split)
    bound = _bound(job.store, store.seal, job.split, *_digests(path.parent, [path.name]).values())
    split = bound.split
    rows, role = rows_of(bound, store, job.fold), scored_role(bound, store)
    refit = job.how.refit and bool(rows["dev"]) and bool(rows["test"])
    # a dev part that chose the epoch would be no honest score, and training on it leaves nothing to choose by
    use_dev = role == "test" and any(store.emotions[row] for row in rows["dev"]) and not refit
    return _Part(split=split, rows=rows, role=role, refit=refit, use_dev=use_dev)


@dataclass(frozen=True, kw_only=True)
class _Run:
    """What one training gave."""

    scores: dict[str, FloatArray]  # role → probabilities (n, n_labels)
    trained: Trained | None = None  # of all systems but majority
    statistics: Statistics = field(default_factory=dict)  # with which it was trained
    choice: dict[str, Any] | None = None  # of the SVM: which C, on what, and how good each was
    where: dict[str, Any] = field(default_factory=lambda: where("cpu"))


def where(device: str, *, feature_bytes: int = 0, memory_budget: int | None = None) -> dict[str, Any]:
    """What changes the last digits of an experiment's numbers though it is not asked for by name.

    That is the type of device, and the budget (MiB) where features were streamed: None says that they were in memory.
    """
    return {"device": device, "feature_bytes": feature_bytes, "memory_budget": memory_budget}


def _run(job: Job, store: Store, rows: Mapping[str, list[int]], *, use_dev: bool) -> _Run:
    """Train on the rows of "train" and score those of "dev" and "test"; `use_dev`: the dev part may choose."""
    parts = [name for name in ("dev", "test") if rows[name]]
    if job.system == "majority":
        return _Run(scores={n: majority(_labels(store, rows["train"]), len(rows[n]), len(store.labels)) for n in parts})
    svm = _svm(job, store, rows, use_dev=use_dev) if reads_svm(job) else None
    if job.system == "compare-svm":
        assert svm is not None
        scores = {name: svm.probabilities(_functionals(job, store, rows, name)) for name in parts}
        statistics = _statistics(job, store, rows["train"], ("functionals",))
        machine = linear_machine(svm, system_config(job.system, store, job.how))
        return _Run(scores=scores, trained=machine, statistics=statistics, choice=svm.choice)
    kinds = kinds_of(job.system)
    statistics = _statistics(job, store, rows["train"], kinds)
    stored = {name: Stored(store, np.array(part), kinds, statistics) for name, part in rows.items() if part}
    budget = job.how.memory_budget << 20
    n_bytes = sum(int(part.n_bytes.sum()) for part in stored.values())
    fits = n_bytes <= budget
    sets: dict[str, Examples | Stored] = {name: part.load() if fits else part for name, part in stored.items()}
    trained = train(
        system_config(job.system, store, job.how),
        sets["train"],
        how=job.how,
        seed=job.seed,
        dev=sets["dev"] if use_dev else None,
        folder=Path(job.folder),
    )
    if svm is not None:
        trained = with_svm(trained, svm, share=job.how.svm_share)
    scores = {name: probabilities(trained.system, sets[name], memory_budget=budget) for name in parts}
    return _Run(
        scores=scores,
        trained=trained,
        statistics=statistics,
        choice=svm.choice if svm else None,
        where=where(
            device_named(job.how.device).type,
            feature_bytes=n_bytes,
            memory_budget=None if fits else job.how.memory_budget,
        ),
    )


def with_svm(trained: Trained, svm: LinearSVM, *, share: float) -> Trained:
    """A trained system whose probabilities are averaged with those of an SVM."""
    config = replace(trained.config, svm=share)
    device = next(trained.system.parameters()).device
    layer = nn.Linear(config.n_functionals, config.n_labels, device=device)
    with torch.no_grad():
        layer.weight.copy_(torch.from_numpy(svm.weights))
        layer.bias.copy_(torch.from_numpy(svm.bias))
    return Trained(WithSVM(trained.system, layer, share=share).eval(), config, trained.history)


def linear_machine(svm: LinearSVM, config: SystemConfig) -> Trained:
    """A linear SVM as a checkpoint holds it."""
    machine = make_system(config)
    machine.load_state_dict({"svm.weight": torch.from_numpy(svm.weights), "svm.bias": torch.from_numpy(svm.bias)})
    return Trained(machine.eval(), config)


def reads_svm(job: Job) -> bool:
    """Whether an experiment needs the linear SVM of its fold."""
    return job.system == "compare-svm" or (job.how.svm_share > 0 and "functionals" in read_by(job.system))


def _svm(job: Job, store: Store, rows: Mapping[str, list[int]], *, use_dev: bool) -> LinearSVM:
    """The linear SVM of a fold; the same for all systems and seeds, so what one of them made is taken.

    Every training row has a label.
    """
    how, learns = job.how, rows["train"]
    chooses = [row for row in rows["dev"] if store.emotions[row]] if use_dev and how.keep == "best" else []

    def labelled(part: list[int], name: str) -> Labelled:
        values = _functionals(job, store, {"train": learns, name: part}, name)
        return Labelled(values=values, labels=_labels(store, part), speakers=[store.speakers[row] for row in part])

    def fill(out: FloatArray) -> dict[str, Any]:
        dev = labelled(chooses, "dev") if chooses else None
        train = labelled(learns, "train")
        found = compare_svm(train, n_labels=len(store.labels), c=how.svm_c, dev=dev, balance=how.svm_balance)
        out[:, :-1], out[:, -1] = found.weights, found.bias
        return found.choice

    origin = [store.seal, learns, chooses, how.svm_c, how.svm_balance, how.standardisation, how.enrol]
    name = hashlib.sha256(canonical_json([learns, chooses])).hexdigest()[:16]
    place = Path(job.statistics) / f"svm-{name}.npy" if job.statistics else None
    shape = (len(store.labels), store.array(FUNCTIONALS).shape[1] + 1)
    values, choice = kept(place, shape, np.float32, origin=origin, fill=fill)
    return LinearSVM(weights=np.array(values[:, :-1]), bias=np.array(values[:, -1]), choice=choice)


def _labels(store: Store, rows: Sequence[int]) -> IntArray:
    place = {label: number for number, label in enumerate(store.labels)}
    return np.array([place[store.emotions[row]] for row in rows], np.int64)


def _functionals(job: Job, store: Store, rows: Mapping[str, Sequence[int]], name: str) -> FloatArray:
    """Functionals of a part, standardised as all systems of the fold see them."""
    own = _statistics(job, store, rows["train"], ("functionals",))["functionals"]
    part = np.array(rows[name])
    one = np.ones(len(part), np.int64)
    return standardise(own, store.read_functionals(part), rows=part, counts=one, clip=CLIP)


def _statistics(job: Job, store: Store, rows: Sequence[int], kinds: Sequence[str]) -> Statistics:
    """How the fold is standardised; what other systems and seeds computed is taken."""
    folder = Path(job.statistics) if job.statistics else None
    return fold_statistics(store, rows, kinds, how=job.how, folder=folder)


def prepare(task: tuple[Job, str]) -> None:
    """Compute what experiments of a fold share, so that those that run at once need not all do it.

    That is its statistics of one kind of features, or, of the kind "svm", its linear SVM.
    """
    job, kind = task
    store = open_store(job.store)
    part = _part(job, store)
    if part.rows["train"] and kind == "svm":
        with one_thread():
            _svm(job, store, part.rows, use_dev=part.use_dev)
    elif part.rows["train"]:
        _statistics(job, store, part.rows["train"], (kind,))


def read_by(system: str) -> tuple[str, ...]:
    """Kinds of features that any system reads, also a baseline."""
    return () if system == "majority" else kinds_of(system)


def system_config(system: str, store: Store, how: TrainConfig) -> SystemConfig:
    """The configuration of a system that fits a store and a recipe."""
    lengths = {name: segment.length for name, segment in store.features.segments.items()}
    return SystemConfig(
        system=system,
        n_labels=len(store.labels),
        n_mels=store.features.logmel.n_mels,
        short=lengths.get("short", 30),
        long=lengths.get("long", 50),
        hsf_layers=how.hsf_layers,
        activation=how.activation,
        batch_norm=how.batch_norm,
        dropout=how.dropout,
        auxiliary_heads=how.auxiliary_heads,
    )


def rows_of(bound: Bound, store: Store, fold: int) -> dict[str, list[int]]:
    """Rows of the store of each role in a fold; of the training part those with a label."""
    rows = {role: bound.rows(fold, role) for role in ("train", "dev", "test")}
    rows["train"] = [row for row in rows["train"] if store.emotions[row]]
    return rows


def check_rows(bound: Bound, store: Store, fold: int) -> None:
    """Raise a TrainError if a fold has nothing to train on, or nothing to score."""
    rows, role = rows_of(bound, store, fold), scored_role(bound, store)
    missing = [name for name in ("train", role) if not rows[name]]
    if missing:
        word = "labelled utterance" if missing[0] == "train" else "utterance"
        raise TrainError(
            f"fold {bound.split.folds[fold]!r} has no {word} in its {missing[0]} part; name the other folds with --fold"
        )


def scored_role(bound: Bound, store: Store) -> str:
    """ "test", or "dev" where only that has labels (a challenge keeps those of the test part)."""
    emotions = store.emotions
    combinations = {roles for row, roles in enumerate(bound.roles) if emotions[row]}
    labelled = {role for roles in combinations for role in roles}
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
    """Predictions as written; text stays text.

    Raises
    ------
    TrainError
        If the file is not what an experiment writes.
    """
    text = dict.fromkeys(("id", "speaker", "role", "truth", "prediction"), str)
    try:
        found = pd.read_csv(path, dtype=text, keep_default_na=False, encoding="utf-8")
        chances = found.filter(regex="^p_").to_numpy(np.float64)
        known = {name.removeprefix("p_") for name in found.columns} | {""}
        fits = list(found.columns[:5]) == list(text) and np.isfinite(chances).all() and chances.shape[1] > 0
        fits = fits and set(found["truth"]) <= known and set(found["prediction"]) <= known - {""}
    except (ValueError, KeyError, TypeError, OSError, OverflowError, csv.Error) as error:
        raise TrainError(f"{one_line(path)}: {one_line(error)}; remove its folder, and train again") from None
    if not fits:
        raise TrainError(f"{one_line(path)}: not as an experiment writes it; remove its folder, and train again")
    return found
