"""One experiment, a system, fold and seed: trained, scored and written.

It is the task that workers run.  Its files, ``result.json`` last, say by their digests
whether it is finished.
"""

import csv
import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import lru_cache
from pathlib import Path
from time import monotonic
from typing import Any

import numpy as np
import pandas as pd

from serprep._json import canonical_json
from serprep._typing import FloatArray
from serprep.errors import TrainError, one_line
from serprep.files import write_whole
from serprep.recipe import TrainConfig
from serprep.split import Bound, Split, bind, read_split
from serprep.split.folds import count_groups, divide
from serprep.store.store import Store, open_store
from serprep.systems import SYSTEMS, SystemSpec, options_of
from serprep_models.checkpoint import ABOUT, WEIGHTS, write_checkpoint
from serprep_models.children import with_children
from serprep_models.examples import Examples, Stored
from serprep_models.fold import Fitted, Fold
from serprep_models.scores.calibration import Calibration, scaled
from serprep_models.scores.dimensions import is_score
from serprep_models.standardise import Statistics
from serprep_models.system import SystemConfig
from serprep_models.targets import Target, target_of
from serprep_models.threads import one_thread
from serprep_models.train import HISTORY, STATE, Trained, device_named, json_line, narrowed, outputs, train

INNER, N_INNER = "inner", 3  # folders of trainings without some speakers, by whom probabilities are calibrated
REFIT = "refit"  # folder of the second training, on train and dev
# keys of [train] that change no number of an experiment: where and how, not what
NO_NUMBERS = ("systems", "seeds", "submission", "tensorboard", "device", "memory_budget", "allow_confounded", "groups")
PREDICTIONS, CHECKPOINT = "predictions.csv", (WEIGHTS, ABOUT)


@dataclass(frozen=True, kw_only=True)
class Experiment:
    """One experiment."""

    folder: str  # where its files go
    store: str
    split: str
    system: str
    fold: int
    seed: int
    how: TrainConfig
    statistics: str = ""  # folder of what systems and seeds share; "": each computes its own
    raters: str = ""  # what they said, where that is learnt
    augmented: str = ""  # store that has children of training utterances besides; "": there are none

    @property
    def spec(self) -> SystemSpec[Any]:
        """The system."""
        return SYSTEMS[self.system]

    @property
    def options(self) -> Any:
        """Its options."""
        return options_of(self.system, self.how.options)

    def reads(self, store: Store) -> tuple[str, ...]:
        """What it reads of the store."""
        return self.spec.inputs(self.options, store.features)

    @property
    def target(self) -> Target:
        """What it learns."""
        return target_of(self.how, self.raters)


def finished(experiment: Experiment) -> bool:
    """Whether an experiment was run, and its files are what it wrote; others are run again."""
    return is_whole(Path(experiment.folder), experiment.system)


def is_whole(folder: Path, system: str) -> bool:
    """Whether a folder holds a finished experiment of a system as it was written."""
    try:
        result = json.loads((folder / "result.json").read_bytes())
        digest = result.pop("sha256")
        whole = hashlib.sha256(canonical_json(result)).hexdigest() == digest
        keeps = system in SYSTEMS.names and SYSTEMS[system].by_gradient  # what others keep was once not kept
        needed = {PREDICTIONS, *(CHECKPOINT if keeps else ())}
        known = needed <= set(result["files"]) <= {PREDICTIONS, *CHECKPOINT}
        return bool(whole and known and _is_result(result) and result["files"] == _digests(folder, result["files"]))
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError, OverflowError):
        return False


def _is_result(result: Mapping[str, Any]) -> bool:
    """Whether what is read of a result has the types that `run_experiment` writes."""
    texts = all(isinstance(result[name], str) for name in ("system", "fold", "standardisation"))
    numbers = all(type(result[name]) is int and result[name] >= 0 for name in ("seed", "n_train", "n_test", "enrol"))
    rest = result["scored"] in ("dev", "test") and 0 <= float(result["seconds"]) < np.inf
    about = texts and numbers and rest and type(result["transductive"]) is bool
    if "dimensions" in result:
        return bool(about and is_score(result["dimensions"], result["scales"]))
    counts = np.array(result["confusion"])
    n_labels = len(counts)
    scores = all(result[name] is None or 0 <= float(result[name]) <= 1 for name in ("wa", "ua"))
    square = counts.dtype == np.int64 and counts.shape == (n_labels, n_labels) and (counts >= 0).all()
    return bool(about and isinstance(result["reason"], str) and scores and square)


def ran_as_asked(experiment: Experiment) -> bool:
    """Whether a finished experiment ran on the device that is named, and in memory or streamed as it would now.

    Device "auto" takes what there is, whatever it ran on.  Results of an older serprep do not
    tell: they count as a CPU's, with the same budget.
    """
    if not experiment.spec.by_gradient:
        return True
    result = json.loads((Path(experiment.folder) / "result.json").read_bytes())
    named = experiment.how.device.partition(":")[0]
    if named not in ("auto", result.get("device", "cpu")):
        return False
    streams = result.get("feature_bytes", 0) > experiment.how.memory_budget << 20
    return bool(result.get("memory_budget") == (experiment.how.memory_budget if streams else None))


def lacks_checkpoint(experiment: Experiment) -> bool:
    """Whether a finished experiment is of an older serprep, which kept checkpoints of some systems only."""
    return not experiment.spec.floor and not (Path(experiment.folder) / ABOUT).is_file()


def _digests(folder: Path, names: Iterable[str]) -> dict[str, str]:
    """SHA-256 of what an experiment writes before its result."""
    digests = {}
    for name in names:
        with (folder / name).open("rb") as file:
            digests[name] = hashlib.file_digest(file, "sha256").hexdigest()
    return digests


def marks_of(experiment: Experiment) -> dict[str, Any]:
    """What every entry of a result says about how features were standardised."""
    how = experiment.how
    reads = not experiment.spec.floor
    return {"standardisation": how.standardisation, "enrol": how.enrol, "transductive": how.transductive and reads}


def n_epochs_of(experiment: Experiment) -> int:
    """Epochs of an experiment; what no gradient trains counts as one."""
    return experiment.how.epochs if experiment.spec.by_gradient else 1


def n_epochs_done(experiment: Experiment) -> int:
    """Epochs of an experiment that are done, also while it runs elsewhere."""
    folder = Path(experiment.folder)
    if (folder / "result.json").is_file():
        return n_epochs_of(experiment)
    try:
        return min((folder / HISTORY).read_bytes().count(b"\n"), n_epochs_of(experiment))
    except OSError:
        return 0


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
            again = replace(
                experiment, folder=str(Path(experiment.folder) / REFIT)
            )  # each goes on from a state of its own
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
            origin={"split": split.digest, "fold": split.folds[experiment.fold], "seed": experiment.seed, **run.where},
        )
    result["files"] = _digests(folder, (PREDICTIONS, *(CHECKPOINT if run.trained is not None else ())))
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
    bound = _bound(experiment.store, store.seal, experiment.split, *_digests(path.parent, [path.name]).values())
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
        folder=Path(experiment.folder),
    )
    module, note = spec.finish(trained.system, options, fold)
    scores = {
        name: outputs(module, sets[name], probabilities=target.probabilities, memory_budget=budget)
        for name in fold.scored
    }
    trained, n_named = replace(trained, system=module), len(target.names(store))
    device, streamed = device_named(experiment.how.device).type, None if fits else experiment.how.memory_budget
    return _Run(
        scores=scores,
        trained=trained if n_named == n_outputs else narrowed(trained, n_named),
        statistics=statistics,
        note={**note, **counted},
        where=where(device, feature_bytes=n_bytes, memory_budget=streamed),
    )


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


def read_predictions(path: Path) -> pd.DataFrame:
    """Predictions as written; text stays text.

    Raises
    ------
    TrainError
        If the file is not what an experiment writes.
    """
    text = dict.fromkeys(("id", "speaker", "role", "truth", "prediction"), str)
    try:
        table = pd.read_csv(path, dtype=text, keep_default_na=False, encoding="utf-8")
        chances = table.filter(regex="^p_").to_numpy(np.float64)
        known = {name.removeprefix("p_") for name in table.columns} | {""}
        fits = list(table.columns[:5]) == list(text) and np.isfinite(chances).all() and chances.shape[1] > 0
        fits = fits and set(table["truth"]) <= known and set(table["prediction"]) <= known - {""}
    except (ValueError, KeyError, TypeError, OSError, OverflowError, csv.Error) as error:
        raise TrainError(f"{one_line(path)}: {one_line(error)}; remove its folder, and train again") from None
    if not fits:
        raise TrainError(f"{one_line(path)}: not as an experiment writes it; remove its folder, and train again")
    return table
