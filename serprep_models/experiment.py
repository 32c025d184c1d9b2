"""All (system, fold, seed) of a recipe → results, predictions and a page.

Folds, seeds and systems are independent: they run as tasks on the workers that built
the store.  A finished experiment is kept under a digest of what it depends on, and not
run again.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from time import monotonic
from typing import Any

import numpy as np
import pandas as pd
from safetensors.torch import save
from torch import Tensor

from serprep.cache import canonical_json
from serprep.errors import SplitError, TrainError
from serprep.files import write_whole
from serprep.manifest import Manifest, make_manifest
from serprep.parallel import Died, Workers
from serprep.pipeline import BuildResult, build, gather
from serprep.progress import Progress
from serprep.recipe import NEURAL, SYSTEMS, Recipe, TrainConfig, read_recipe
from serprep.remote import is_url
from serprep.split import Bound, Split, bind, describe, make_split, read_split, refuse_leaks, write_split
from serprep.store.store import Store, open_store
from serprep_models.baselines import compare_svm, majority
from serprep_models.crnn import SystemConfig
from serprep_models.loader import check_store, kinds_of, load
from serprep_models.report import Report, write_report
from serprep_models.scores import score, summarise
from serprep_models.standardise import CLIP, Statistics, training_statistics
from serprep_models.train import Trained, device_named, one_thread, probabilities, train

REVISION = 1  # raised whenever the same experiment gives other numbers
COST = {"hsf-crnn": 4, "multi-crnn": 3, "plain-crnn": 2, "compare-svm": 1, "majority": 0}


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


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a recipe's experiments gave."""

    store: Store
    split: Split
    folder: Path
    results: list[dict[str, Any]]  # per experiment: system, fold, seed, n_test, wa, ua …
    summary: list[dict[str, Any]]  # per system
    predictions: pd.DataFrame
    n_kept: int  # experiments that were finished before
    seconds: float
    notes: tuple[str, ...] = ()  # what a reader of the scores must know


def split_of(recipe: Recipe, manifest: Manifest) -> Split:
    """The recipe's split of the rows of a store."""
    if recipe.split.protocol == "list":
        return read_split(recipe.path(recipe.split.file))
    return make_split(manifest, recipe.split)


def run_experiments(
    recipe: Recipe,
    store: Store,
    *,
    pool: Workers,
    systems: Sequence[str] | None = None,
    folds: Sequence[str] | None = None,
    seeds: Sequence[int] | None = None,
    only_finished: bool = False,
    quiet: bool = True,
) -> Outcome:
    """Train and score every system, fold and seed that is not finished yet.

    Parameters
    ----------
    recipe : Recipe
    store : Store
        What `build` made of the recipe.
    pool : Workers
    systems, folds, seeds : sequence, optional
        Some of the recipe's; default all.
    only_finished : bool
        Train nothing; take what is there.
    quiet : bool

    Returns
    -------
    Outcome

    Raises
    ------
    SplitError
        If a speaker is on both sides of a fold, or the split does not fit the store.
    TrainError
        If training is impossible.
    """
    began = monotonic()
    manifest = store.manifest()
    split = split_of(recipe, manifest)
    bound = bind(split, manifest)
    refuse_leaks(split)
    numbers = _fold_numbers(split, folds)
    chosen = tuple(systems or recipe.train.systems)
    _known_systems(chosen)
    for system in chosen:
        check_store(store, kinds_of(system) if system in NEURAL else ("functionals",) * (system == "compare-svm"))
    folder = experiments_folder(recipe, store, split)
    split_path = write_split(split, folder / "split.json")
    jobs = [
        Job(
            folder=str(folder / system / f"fold-{number + 1:02d}" / f"seed-{seed}"),
            store=store.path,
            split=str(split_path),
            system=system,
            fold=number,
            seed=seed,
            how=recipe.train,
        )
        for system in sorted(chosen, key=lambda name: -COST[name])
        for number in numbers
        # the baselines are deterministic: one seed says all
        for seed in (list(seeds or recipe.train.seeds) if system in NEURAL else list(seeds or recipe.train.seeds)[:1])
    ]
    if only_finished:
        jobs = [job for job in jobs if finished(job)]
        if not jobs:
            raise TrainError("no experiment of this recipe is finished: run `serprep run` first")
    waiting = [job for job in jobs if not finished(job)]
    with Progress("training", len(waiting), unit="experiments", quiet=quiet) as progress:
        for number, receipt in pool.run(run_job, waiting):
            if isinstance(receipt, Died):
                job = waiting[number]
                raise TrainError(f"{job.system}, fold {job.fold + 1}, seed {job.seed}: {receipt.reason}; run again")
            progress.add()
    order = {system: place for place, system in enumerate(chosen)}
    jobs.sort(key=lambda job: (order[job.system], job.fold, job.seed))
    results = [json.loads((Path(job.folder) / "result.json").read_bytes()) for job in jobs]
    for result in results:
        del result["sha256"], result["predictions_sha256"]
    predictions = pd.concat(
        [
            read_predictions(Path(job.folder) / "predictions.csv").assign(
                system=job.system, fold=split.folds[job.fold], seed=job.seed
            )
            for job in jobs
        ],
        ignore_index=True,
    )
    scored = predictions[predictions["role"] == scored_role(bound, store)]
    outcome = Outcome(
        store=store,
        split=split,
        folder=folder,
        results=results,
        summary=summarise(scored, store.labels, results),
        predictions=scored,
        n_kept=len(jobs) - len(waiting),
        seconds=monotonic() - began,
        notes=(*split.notes, *_dropped_note(bound)),
    )
    if not (systems or folds or seeds or only_finished):  # a part must not pass for the whole
        text = json.dumps({"results": results, "summary": outcome.summary}, indent=1)
        write_whole(folder / "results.json", (text + "\n").encode())
    return outcome


def _dropped_note(bound: Bound) -> list[str]:
    """How many utterances only the split knows."""
    return [f"{bound.n_dropped} utterances of the split are not in the store"] if bound.n_dropped else []


def experiments_folder(recipe: Recipe, store: Store, split: Split) -> Path:
    """Where the experiments of this store, split and configuration lie."""
    how = {name: value for name, value in asdict(recipe.train).items() if name not in ("systems", "seeds")}
    depends = [REVISION, store.version, split.digest, how]
    digest = hashlib.sha256(canonical_json(depends)).hexdigest()
    root = recipe.folder if is_url(recipe.dataset_path) else Path(recipe.dataset_path)
    return root / "experiments" / digest[:16]


def _known_systems(systems: Sequence[str]) -> None:
    unknown = [system for system in systems if system not in SYSTEMS]
    if unknown:
        raise TrainError(f"unknown system {unknown[0]!r}; expected some of {', '.join(SYSTEMS)}")


def _fold_numbers(split: Split, folds: Sequence[str] | None) -> list[int]:
    unknown = [fold for fold in folds or () if fold not in split.folds]
    if unknown:
        raise SplitError(f"no fold {unknown[0]!r}; the split has {', '.join(split.folds)}")
    return [number for number, fold in enumerate(split.folds) if not folds or fold in folds]


def scored_role(bound: Bound, store: Store) -> str:
    """ "test", or "dev" where no test utterance has a label (a challenge keeps them)."""
    emotions = store.emotions
    labelled = {role for row, roles in enumerate(bound.roles) for role in roles if emotions[row]}
    return "test" if "test" in labelled else "dev"


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
        raise TrainError(f"fold {split.folds[job.fold]!r} has no labelled utterances to train on, or none to score")
    with one_thread():
        if job.system in NEURAL:
            scores, trained, statistics = _run_neural(job, store, rows, use_dev=role == "test" and bool(rows["dev"]))
        else:
            scores, trained, statistics = _run_baseline(job, store, rows), None, {}
    predictions = pd.concat([_predictions(store, rows[name], scores[name], name) for name in scores], ignore_index=True)
    found = score(predictions[predictions["role"] == role], store.labels)
    result = {
        "system": job.system,
        "fold": split.folds[job.fold],
        "seed": job.seed,
        "scored": role,
        "n_train": len(rows["train"]),
        **found,
        "seconds": round(monotonic() - began, 3),
    }
    folder = Path(job.folder)
    table = predictions.to_csv(index=False, lineterminator="\n").encode()
    write_whole(folder / "predictions.csv", table)
    result["predictions_sha256"] = hashlib.sha256(table).hexdigest()
    result["sha256"] = hashlib.sha256(canonical_json(result)).hexdigest()
    if trained is not None:
        lines = "".join(json.dumps(_finite(entry)) + "\n" for entry in trained.history)
        write_whole(folder / "history.jsonl", lines.encode())
        _write_checkpoint(folder, job, store, split, trained, statistics)
    write_whole(folder / "result.json", (json.dumps(result, indent=1) + "\n").encode())  # last: it says "finished"


def _run_neural(
    job: Job, store: Store, rows: Mapping[str, list[int]], *, use_dev: bool
) -> tuple[dict[str, Any], Trained, Statistics]:
    """Scores per role, the trained system, and the statistics it was trained with."""
    kinds = kinds_of(job.system)
    statistics = training_statistics(store, rows["train"], kinds)
    sets = {name: load(store, part, kinds=kinds, statistics=statistics) for name, part in rows.items() if part}
    trained = train(
        system_config(job.system, store),
        sets["train"],
        how=job.how,
        seed=job.seed,
        dev=sets["dev"] if use_dev else None,
    )
    return (
        {name: probabilities(trained.system, sets[name]) for name in ("dev", "test") if name in sets},
        trained,
        statistics,
    )


def _run_baseline(job: Job, store: Store, rows: Mapping[str, list[int]]) -> dict[str, Any]:
    place = {label: number for number, label in enumerate(store.labels)}
    labels = np.array([place[store.emotions[row]] for row in rows["train"]], np.int64)
    parts = [name for name in ("dev", "test") if rows[name]]
    if job.system == "majority":
        return {name: majority(labels, len(rows[name]), len(place)) for name in parts}
    moments = training_statistics(store, rows["train"], ("functionals",))["functionals"]
    values = {name: moments.apply(store.read_functionals(rows[name]), clip=CLIP) for name in ("train", *parts)}
    return {name: compare_svm(values["train"], labels, values[name], n_labels=len(place)) for name in parts}


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


def _finite(entry: Mapping[str, Any]) -> dict[str, Any]:
    """NaN as null: JSON has none."""
    return {name: None if value != value else value for name, value in entry.items()}


def _write_checkpoint(
    folder: Path, job: Job, store: Store, split: Split, trained: Trained, statistics: Statistics
) -> None:
    """Weights and statistics as safetensors, everything else as JSON beside them."""
    tensors: dict[str, Tensor] = {name: value.cpu().contiguous() for name, value in trained.system.state_dict().items()}
    about = {
        "format": 1,
        "system": asdict(trained.config),
        "features": store.features.to_json(),
        "labels": list(store.labels),
        "statistics": {
            name: {"mean": moments.mean.tolist(), "std": moments.std.tolist()} for name, moments in statistics.items()
        },
        "version": store.version,
        "split": split.digest,
        "fold": split.folds[job.fold],
        "seed": job.seed,
        "train": asdict(job.how),
        "libraries": {name: version(name) for name in ("serprep", "torch")},
    }
    write_whole(folder / "weights.safetensors", save(tensors))
    write_whole(folder / "checkpoint.json", (json.dumps(about) + "\n").encode())


# -- the page ------------------------------------------------------------------------


def report_outcome(recipe: Recipe, outcome: Outcome, *, built: BuildResult | None, path: Path) -> Path:
    """Write the page of a run."""
    store, split = outcome.store, outcome.split
    labels = store.labels
    groups = {entry["fold"]: entry["test_groups"] for entry in describe(split)}
    folds = pd.DataFrame(
        [
            {
                **{
                    name: entry[name] for name in ("system", "fold", "seed", "n_train", "n_test", "wa", "ua", "seconds")
                },
                "test_groups": groups[entry["fold"]],
            }
            for entry in outcome.results
        ]
    )
    matrices: dict[str, Any] = {}
    for entry in outcome.results:
        matrices[entry["system"]] = matrices.get(entry["system"], 0) + np.array(entry["confusion"], np.int64)
    report = Report(
        title=recipe.dataset.name,
        synthetic=is_synthetic(recipe),
        labels=labels,
        utterances=utterance_table(store),
        dropped=left_out(built),
        summary=outcome.summary,
        folds=folds,
        confusion=matrices,
        curves=_curves(outcome),
        split={
            "protocol": split.protocol,
            "group": split.group,
            "folds": len(split.folds),
            "seed": split.seed,
            "digest": split.digest,
            "notes": list(outcome.notes),
            "roles": describe(split),
        },
        provenance=provenance(recipe, store) | {"rows of the split": split.rows_digest} | _warnings(built),
    )
    return write_report(report, path)


def _warnings(built: BuildResult | None) -> dict[str, str]:
    """What the corpus reader remarked."""
    return {"reader's warnings": "; ".join(built.warnings)} if built and built.warnings else {}


def is_synthetic(recipe: Recipe) -> bool:
    """Whether the corpus folder says that its recordings were made by serprep's generator."""
    readme = recipe.root / "README.txt"
    return readme.is_file() and "SYNTHETIC" in readme.read_text(encoding="utf-8", errors="replace")[:2000]


def utterance_table(store: Store) -> pd.DataFrame:
    """Rows of the store for the page."""
    columns = [name for name in store.columns if name not in ("path", "audio_digest", "start", "end")]
    return pd.DataFrame({name: store.column(name) for name in columns})


def left_out(built: BuildResult | None) -> dict[str, int]:
    """Reason → utterances that are not in the store."""
    found = dict(built.dropped) if built else {}
    for entry in built.reasons if built else ():
        found[f"quarantined: {entry.reason}"] = found.get(f"quarantined: {entry.reason}", 0) + 1
    return found


def provenance(recipe: Recipe, store: Store) -> dict[str, str]:
    """What a reader needs to repeat the page."""
    how = recipe.train
    training = (
        f"Adam, learning rate {how.learning_rate}, batch {how.batch_size}, {how.epochs} epochs, "
        f"class weights {how.class_weights}, seeds {list(how.seeds)}"
    )
    return store_provenance(store) | {"training": training}


def store_provenance(store: Store) -> dict[str, str]:
    """What a reader needs to get the same store."""
    corpus = store.attributes["provenance"]["corpus"]
    return {
        "corpus": ", ".join(str(corpus[name]) for name in ("corpus", "release", "source") if corpus.get(name)),
        "licences": "; ".join(store.attributes["licences"]),
        "version": store.version,
        "seal": store.seal,
        "features": json.dumps(store.attributes["configurations"]["features"], sort_keys=True),
        "libraries": ", ".join(
            f"{name} {version(name)}" for name in ("serprep", "torch", "numpy", "opensmile", "zarr")
        ),
    }


def _curves(outcome: Outcome) -> pd.DataFrame:
    numbers = {fold: number for number, fold in enumerate(outcome.split.folds)}
    rows = []
    for entry in outcome.results:
        place = outcome.folder / entry["system"] / f"fold-{numbers[entry['fold']] + 1:02d}" / f"seed-{entry['seed']}"
        path = place / "history.jsonl"
        if path.is_file():
            head = {name: entry[name] for name in ("system", "fold", "seed")}
            rows += [head | json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    columns = ["system", "fold", "seed", "epoch", "train_loss", "train_ua", "dev_ua"]
    return pd.DataFrame(rows, columns=columns).astype({"train_loss": float, "train_ua": float, "dev_ua": float})


def run_recipe(
    recipe: Recipe,
    *,
    workers: int | None = None,
    scheduler: str | None = None,
    systems: Sequence[str] | None = None,
    folds: Sequence[str] | None = None,
    seeds: Sequence[int] | None = None,
    on_bad_audio: str = "quarantine",
    page: bool = True,
    quiet: bool = True,
) -> tuple[BuildResult, Outcome, Path]:
    """The whole path of a recipe: build, split, train, score, and write the page.

    Returns
    -------
    BuildResult, Outcome, Path
        The last is where the page is, or would be with ``page=False``.
    """
    check_recipe(recipe, systems or recipe.train.systems)
    pool = Workers(workers, scheduler)
    try:
        built = build(recipe, pool=pool, on_bad_audio=on_bad_audio, quiet=quiet)
        outcome = run_experiments(
            recipe, open_store(built.store), pool=pool, systems=systems, folds=folds, seeds=seeds, quiet=quiet
        )
    finally:
        pool.close()
    path = outcome.folder / "report.html"
    if page:
        report_outcome(recipe, outcome, built=built, path=path)
    return built, outcome, path


def check_recipe(recipe: Recipe, systems: Sequence[str]) -> None:
    """Find out before anything is computed what could not be trained or split afterwards.

    Raises
    ------
    TrainError, SplitError
    """
    _known_systems(systems)
    for system in systems:
        kinds = kinds_of(system) if system in NEURAL else ("functionals",) * (system == "compare-svm")
        for kind in kinds:
            if kind == "functionals" and not recipe.features.functionals.enabled:
                raise TrainError(f"{system} needs functionals: enable them in [features.functionals], or leave it out")
            if kind != "functionals" and kind not in recipe.features.segments:
                raise TrainError(f"{system} needs segments named {kind!r}: add them to [features.segments]")
    if set(systems) & set(NEURAL):
        device_named(recipe.train.device)
    asked = gather(recipe).manifest
    unique = {row.id: row for row in asked.utterances}
    split_of(recipe, make_manifest(unique.values(), asked.info))


def report_recipe(recipe_path: Path, *, path: Path | None = None) -> Path:
    """Write the page of what is finished of a recipe; nothing is trained."""
    recipe = read_recipe(recipe_path)
    pool = Workers()
    try:
        built = build(recipe, pool=pool)
        outcome = run_experiments(recipe, open_store(built.store), pool=pool, only_finished=True)
    finally:
        pool.close()
    return report_outcome(recipe, outcome, built=built, path=path or outcome.folder / "report.html")


def report_store(place: str, *, path: Path) -> Path:
    """Write a page about what is in a store."""
    store = open_store(place)
    build_path = Path(store.path).with_suffix(".build.json")
    dropped: dict[str, int] = {}
    name = str(store.attributes["provenance"]["corpus"].get("corpus", "store"))
    if build_path.is_file():
        about = json.loads(build_path.read_bytes())
        name = str(about.get("dataset", name))
        dropped = dict(about.get("dropped", {}))
        for entry in about.get("quarantined", ()):
            reason = f"quarantined: {entry['reason']}"
            dropped[reason] = dropped.get(reason, 0) + 1
    empty = pd.DataFrame()
    report = Report(
        title=name,
        synthetic=False,
        labels=store.labels,
        utterances=utterance_table(store),
        dropped=dropped,
        summary=[],
        folds=empty,
        confusion={},
        curves=empty,
        split={},
        provenance=store_provenance(store),
    )
    return write_report(report, path)
