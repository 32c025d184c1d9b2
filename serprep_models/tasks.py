"""The tasks that workers run: an experiment, and what those of a fold share."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from time import monotonic
from typing import Any

import numpy as np
import pandas as pd
from torch import Tensor

from serprep._json import canonical_json
from serprep._typing import FloatArray
from serprep.errors import TrainError
from serprep.files import write_whole
from serprep.split import Bound, Split, bind, read_split
from serprep.split.folds import count_groups, divide
from serprep.store.store import Store, open_store
from serprep_models.checkpoint import read_checkpoint, write_checkpoint
from serprep_models.children import with_children
from serprep_models.examples import Examples, Stored
from serprep_models.experiment import CHECKPOINT, PREDICTIONS, Experiment, digests_of, marks_of
from serprep_models.fold import Fitted, Fold
from serprep_models.scores.calibration import Calibration, scaled
from serprep_models.standardise import Statistics
from serprep_models.start import digest_of, weights_for
from serprep_models.system import SystemConfig
from serprep_models.threads import one_thread
from serprep_models.train import HISTORY, STATE, Trained, device_named, json_line, outputs, train

INNER, N_INNER = "inner", 3  # folders of trainings without some speakers, by whom probabilities are calibrated
REFIT = "refit"  # folder of the second training, on train and dev


def run_experiment(experiment: Experiment) -> None:
    """Run one experiment and write its files; the task that workers run."""
    began = monotonic()
    store = open_store(experiment.store)
    part = _part(experiment, store)
    split, rows, role = part.split, part.rows, part.role
    n_train = len(rows["train"])
    with one_thread():
        run = _run(experiment, store, rows, use_dev=part.use_dev)
        n_outputs = experiment.target.n_outputs(store)
        scores = run.scores or {role: np.zeros((0, n_outputs), np.float32)}  # all of it is trained on
        calibration = _calibration(experiment, store, part, scores)
        if part.refit:
            known = experiment.target.known(store)
            both = rows["train"] + [row for row in rows["dev"] if known[row]]
            folder_of_its_own = str(Path(experiment.folder) / REFIT)  # each goes on from a state of its own
            again = replace(experiment, folder=folder_of_its_own)
            run = _run(again, store, rows | {"train": sorted(both), "dev": []}, use_dev=False)
            scores["test"] = run.scores["test"]
            n_train = len(both) if role == "test" else n_train
    if calibration is not None:
        scores = {name: scaled(chances, calibration.temperature).astype(np.float32) for name, chances in scores.items()}
    target = experiment.target
    predictions = pd.concat([target.frame(store, rows[name], scores[name], name) for name in scores], ignore_index=True)
    measures = target.score(predictions[predictions["role"] == role], store)
    result = {
        "system": experiment.system,
        "fold": split.folds[experiment.fold],
        "seed": experiment.seed,
        **marks_of(experiment),
        "scored": role,
        "n_train": n_train,
        **measures,
        **({} if calibration is None else {"calibration": asdict(calibration)}),
        **run.note,
        **run.where,
        "seconds": round(monotonic() - began, 3),
    }
    folder = Path(experiment.folder)
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
            how=experiment.how,
            calibration=calibration,
            origin={
                "split": split.digest,
                "fold": split.folds[experiment.fold],
                "seed": experiment.seed,
                **({"start_from": digest_of(Path(experiment.start))} if experiment.start else {}),
                **run.where,
            },
        )
    result["files"] = digests_of(folder, (PREDICTIONS, *(CHECKPOINT if run.trained is not None else ())))
    result["sha256"] = hashlib.sha256(canonical_json(result)).hexdigest()
    write_whole(folder / "result.json", (json.dumps(result, indent=1) + "\n").encode())  # last: it says "finished"
    for place in (folder, folder / REFIT, *folder.glob(f"{INNER}-*")):
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


def _part(experiment: Experiment, store: Store) -> _Part:
    path = Path(experiment.split)
    bound = _bound(experiment.store, store.seal, experiment.split, *digests_of(path.parent, [path.name]).values())
    split = bound.split
    known = experiment.target.known(store)
    rows, role = rows_of(bound, experiment.fold, known), scored_role(bound, known)
    refit = experiment.how.refit and bool(rows["dev"]) and bool(rows["test"])
    # a dev part that chose the epoch would be no honest score, and training on it leaves nothing to choose by
    use_dev = role == "test" and any(known[row] for row in rows["dev"]) and not refit
    return _Part(split=split, rows=rows, role=role, refit=refit, use_dev=use_dev)


def _calibration(
    experiment: Experiment, store: Store, part: _Part, scores: Mapping[str, FloatArray]
) -> Calibration | None:
    """How probabilities are calibrated: by the dev part, or by trainings without some of the training speakers."""
    if experiment.how.calibrate == "none" or experiment.spec.floor:
        return None
    emotions, place = store.emotions, {label: number for number, label in enumerate(store.labels)}
    known = [number for number, row in enumerate(part.rows["dev"]) if emotions[row]]
    if known and part.role == "test":
        rows, fitted_on = [part.rows["dev"][number] for number in known], "dev"
        chances = scores["dev"][known]
    else:
        rows, fitted_on, parts = [], "inner folds by speaker", []
        for number, held in enumerate(inner_folds(store, part.rows["train"])):
            inner = replace(experiment, folder=str(Path(experiment.folder) / f"{INNER}-{number + 1}"), statistics="")
            others = sorted(set(part.rows["train"]) - set(held))
            sides: dict[str, list[int]] = {"train": others, "dev": [], "test": held}
            parts.append(_run(inner, store, sides, use_dev=False).scores["test"])
            rows += held
        chances = np.concatenate(parts)
    return Calibration.fitted(chances, np.array([place[emotions[row]] for row in rows]), fitted_on=fitted_on)


def inner_folds(store: Store, rows: Sequence[int]) -> list[list[int]]:
    """Training rows in parts of whole speakers, alike in classes.

    Raises
    ------
    TrainError
        If speakers are not known, or one alone.
    """
    speakers = [store.speakers[row] for row in rows]
    groups = count_groups(speakers, [store.emotions[row] for row in rows], [""] * len(rows))
    if "" in groups.names or len(groups.names) < 2:
        raise TrainError("calibrate needs two or more training speakers, all known, or a dev part; leave it out")
    n_parts = min(N_INNER, len(groups.names))
    part_of = dict(zip(groups.names, divide(groups, n_parts, seed=0), strict=True))
    pairs = list(zip(rows, speakers, strict=True))
    return [[row for row, speaker in pairs if part_of[speaker] == number] for number in range(n_parts)]


@dataclass(frozen=True, kw_only=True)
class _Run:
    """What one training gave."""

    scores: dict[str, FloatArray]  # role → probabilities (n, n_labels)
    trained: Trained | None = None  # of all systems but floors
    statistics: Statistics = field(default_factory=dict)  # with which it was trained
    note: Mapping[str, Any] = field(default_factory=dict)  # such as which C an SVM has, on what it was chosen …
    where: dict[str, Any] = field(default_factory=lambda: where("cpu"))


def where(device: str, *, feature_bytes: int = 0, memory_budget: int | None = None) -> dict[str, Any]:
    """What changes the last digits of an experiment's numbers though it is not asked for by name.

    That is the type of device, and the budget (MiB) where features were streamed: None says that they were in memory.
    """
    return {"device": device, "feature_bytes": feature_bytes, "memory_budget": memory_budget}


def _run(experiment: Experiment, store: Store, rows: Mapping[str, list[int]], *, use_dev: bool) -> _Run:
    """Train on the rows of "train", and their children, and score "dev" and "test"; `use_dev`: dev may choose."""
    spec, options = experiment.spec, experiment.options
    fold, names = _fold(experiment, store, rows, use_dev=use_dev), experiment.reads(store)
    target = experiment.target
    n_children = len(fold.rows["train"]) - len(rows["train"])
    counted = {"n_children": n_children} if n_children else {}
    n_outputs, options_given = target.n_outputs(store), experiment.how.options.get(experiment.system, {})
    config = SystemConfig.of(experiment.system, store.features, n_outputs, **options_given)
    statistics = fold.statistics(names)
    if not spec.by_gradient:
        fitted: Fitted = spec.fit(options, fold)
        trained = None if fitted.module is None else Trained(fitted.module.eval(), config)
        return _Run(scores=dict(fitted.scores), trained=trained, statistics=statistics, note={**fitted.note, **counted})
    stored = {
        name: Stored(fold.store, np.array(part), names, statistics, target) for name, part in fold.rows.items() if part
    }
    budget = experiment.how.memory_budget << 20
    n_bytes = sum(int(part.n_bytes.sum()) for part in stored.values())
    fits = n_bytes <= budget
    sets: dict[str, Examples | Stored] = {name: part.load() if fits else part for name, part in stored.items()}
    trained = train(
        config,
        sets["train"],
        how=experiment.how,
        seed=experiment.seed,
        dev=sets["dev"] if use_dev else None,
        speakers=fold.store.speakers,
        start=_start(experiment, config, store),
        folder=Path(experiment.folder),
    )
    module, note = spec.finish(trained.system, options, fold)
    scores = {
        name: outputs(module, sets[name], probabilities=target.probabilities, memory_budget=budget)
        for name in fold.scored
    }
    device, streamed = device_named(experiment.how.device).type, None if fits else experiment.how.memory_budget
    return _Run(
        scores=scores,
        trained=replace(trained, system=module),
        statistics=statistics,
        note={**note, **counted},
        where=where(device, feature_bytes=n_bytes, memory_budget=streamed),
    )


def _start(experiment: Experiment, config: SystemConfig, store: Store) -> Mapping[str, Tensor]:
    """The weights that a training begins with, where not all are drawn."""
    if not experiment.start:
        return {}
    how = experiment.how
    labels = (*how.dimensions, *(store.labels if how.emotion_weight or not how.dimensions else ()))
    return weights_for(config, read_checkpoint(Path(experiment.start)), labels)


def _fold(experiment: Experiment, store: Store, rows: Mapping[str, list[int]], *, use_dev: bool) -> Fold:
    folder = Path(experiment.statistics) if experiment.statistics else None
    if experiment.augmented:
        augmented = open_store(experiment.augmented)
        store, rows = augmented, with_children(store, augmented, rows)
    return Fold(store=store, rows=rows, how=experiment.how, use_dev=use_dev, folder=folder, target=experiment.target)


def prepare(task: tuple[Experiment, str]) -> None:
    """Compute what experiments of a fold share, so that those that run at once need not all do it.

    That is its statistics of one input, or, with "", whatever else the system shares.
    """
    experiment, name = task
    store = open_store(experiment.store)
    part = _part(experiment, store)
    if not part.rows["train"]:
        return
    fold = _fold(experiment, store, part.rows, use_dev=part.use_dev)
    if name:
        fold.statistics([name])
    else:
        with one_thread():
            experiment.spec.shares(experiment.options, fold)


def rows_of(bound: Bound, fold: int, known: Sequence[bool]) -> dict[str, list[int]]:
    """Rows of the store of each role in a fold; of the training part those of which the truth is known."""
    rows = {role: bound.rows(fold, role) for role in ("train", "dev", "test")}
    rows["train"] = [row for row in rows["train"] if known[row]]
    return rows


def check_rows(bound: Bound, known: Sequence[bool], fold: int) -> None:
    """Raise a TrainError if a fold has nothing to train on, or nothing to score."""
    rows, role = rows_of(bound, fold, known), scored_role(bound, known)
    missing = [name for name in ("train", role) if not rows[name]]
    if missing:
        word = "labelled utterance" if missing[0] == "train" else "utterance"
        raise TrainError(
            f"fold {bound.split.folds[fold]!r} has no {word} in its {missing[0]} part; name the other folds with --fold"
        )


def scored_role(bound: Bound, known: Sequence[bool]) -> str:
    """ "test", or "dev" where only that has labels (a challenge keeps those of the test part)."""
    combinations = {roles for row, roles in enumerate(bound.roles) if known[row]}
    labelled = {role for roles in combinations for role in roles}
    return "dev" if "dev" in labelled and "test" not in labelled else "test"
