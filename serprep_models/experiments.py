"""All (system, fold, seed) of a recipe → results, predictions and a page.

Folds, seeds and systems are independent: they run as tasks on the workers that built
the store.  A finished experiment is kept under a digest of what it depends on, and not
run again.
"""

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, replace
from pathlib import Path
from time import monotonic

import numpy as np
import pandas as pd

from serprep.errors import SplitError, TrainError
from serprep.files import write_whole
from serprep.manifest.table import make_manifest
from serprep.meanwhile import meanwhile
from serprep.parallel import Died, Workers
from serprep.pipeline.conditioned import build_augmented, build_conditioned
from serprep.pipeline.gather import Asked, gather
from serprep.progress import Progress
from serprep.recipe import Recipe
from serprep.split import Bound, Split, bind, refuse_leaks, write_split
from serprep.store.store import Store
from serprep.systems import (
    SYSTEMS,
    default_systems,
    inputs_of,
    is_row,
)
from serprep_models.beforehand import check_learns, split_of
from serprep_models.catalogue import place_of
from serprep_models.cautions import audited, confounded
from serprep_models.conditioned import CLEAN, predict_conditioned, score_conditions
from serprep_models.examples import check_store
from serprep_models.experiment import (
    Experiment,
    finished,
    lacks_checkpoint,
    marks_of,
    n_epochs_done,
    n_epochs_of,
    ran_as_asked,
    read_predictions,
)
from serprep_models.experiment_folder import experiments_folder, tell
from serprep_models.notes import notes_on, part_of
from serprep_models.outcome import Outcome, scores_json
from serprep_models.raters import NAME as RATERS
from serprep_models.raters import said_of
from serprep_models.scores import (
    Result,
    compare,
    recall_of,
    summarise,
)
from serprep_models.scores.calibration import before_and_after
from serprep_models.scores.dimensions import DimensionScores, read_numbers
from serprep_models.scores.distributions import score_raters
from serprep_models.scores.groups import Groups, group_columns, score_groups
from serprep_models.scores.number_groups import with_conditions, with_groups
from serprep_models.statistics import check_speakers
from serprep_models.submission import unpredicted, write_submissions
from serprep_models.targets import Dimensions, target_of
from serprep_models.tasks import check_rows, prepare, run_experiment, scored_role
from serprep_models.travel import Travel


def run_experiments(
    recipe: Recipe,
    store: Store,
    *,
    pool: Workers,
    asked: Asked | None = None,
    systems: Sequence[str] | None = None,
    folds: Sequence[str] | None = None,
    seeds: Sequence[int] | None = None,
    only_finished: bool = False,
    quiet: bool = True,
    warn: Callable[[Sequence[str]], object] | None = None,
    ended: Callable[[], object] | None = None,
) -> Outcome:
    """Train and score every system, fold and seed that is not finished yet.

    Parameters
    ----------
    recipe : Recipe
    store : Store
        What `build` made of the recipe.
    pool : Workers
    asked : Asked, optional
        What `gather` read of the recipe's corpus, where the caller has it already.
    systems, folds, seeds : sequence, optional
        Some of the recipe's; default all.
    only_finished : bool
        Train nothing; take what is there.
    quiet : bool
    warn : callable, optional
        Is called with what a reader of the scores must know, before anything is trained.
    ended : callable, optional
        Is called whenever an experiment has ended.

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
    numeric, said = bool(recipe.train.dimensions), None
    if recipe.train.target == "raters":
        said = said_of(recipe, store)
    chosen = tuple(systems or recipe.train.systems or default_systems(recipe.train.learns))
    check_learns(chosen, recipe)
    specs = {system: SYSTEMS[system] for system in chosen}
    for system in chosen:
        check_store(store, inputs_of(system, recipe.train.options, store.features))
    if recipe.train.transductive:
        check_speakers(store.ids, store.speakers)
    columns = group_columns(store, recipe.train.groups)
    audit = audited(manifest, split)
    warnings = (*audit.warnings, *confounded(store.speakers, store.emotions, how=recipe.train))
    folder = experiments_folder(recipe, store, split, systems=chosen, raters=said.digest if said else "")
    raters = str(said.write(folder / RATERS)) if said else ""
    target = target_of(recipe.train, raters)
    target.check(store)
    known = target.known(store)
    split_path = write_split(split, folder / "split.json")
    if not only_finished:
        tell(folder, recipe, store, split, systems=chosen)
    experiments = [
        Experiment(
            folder=str(place_of(folder, system, number, seed)),
            store=store.path,
            split=str(split_path),
            system=system,
            fold=number,
            seed=seed,
            how=recipe.train,
            statistics=str(folder / "statistics"),
            raters=raters,
        )
        for system in sorted(chosen, key=lambda name: -specs[name].cost)
        for number in numbers
        for seed in list(seeds or recipe.train.seeds)[: None if specs[system].seeded else 1]
    ]
    unfinished: list[Experiment] = []
    if only_finished:
        whole, experiments = experiments, [experiment for experiment in experiments if finished(experiment)]
        unfinished = [experiment for experiment in whole if experiment not in experiments]
        if not experiments:
            raise TrainError("no experiment of it is finished: run `serprep run` with the recipe first")
    for number in sorted({experiment.fold for experiment in experiments}):
        check_rows(bound, known, number)
    travel = Travel.of(folder, recipe.dataset_path, pool=pool)
    travel.fetch(experiments)
    waiting = [] if only_finished else [experiment for experiment in experiments if not _is_kept(experiment)]
    if waiting and warnings and warn is not None:
        warn(warnings)
    if waiting:
        waiting = _augmented(recipe, store, bound, waiting, pool=pool, quiet=quiet)
        travel.send_split()
    _prepare(waiting, store, pool=pool, travel=travel, quiet=quiet)
    n_epochs = sum(n_epochs_of(experiment) for experiment in waiting)
    with (
        Progress("training", n_epochs, unit="epochs", quiet=quiet or not waiting) as progress,
        _counting(progress, waiting),
    ):
        for number, receipt in pool.run(travel.task(run_experiment), waiting):
            experiment = waiting[number]
            if isinstance(receipt, Died):
                where = f"{experiment.system}, fold {experiment.fold + 1}, seed {experiment.seed}"
                raise TrainError(f"{where}: {receipt.reason}; run again")
            travel.fetch([experiment])
            if ended is not None:
                ended()
    order = {system: place for place, system in enumerate(chosen)}
    experiments.sort(key=lambda experiment: (order[experiment.system], experiment.fold, experiment.seed))
    results = []
    for experiment in experiments:
        told = marks_of(experiment) | json.loads((Path(experiment.folder) / "result.json").read_bytes())
        del told["sha256"], told["files"]
        if not numeric:
            told.setdefault("recall", recall_of(np.array([told["confusion"]]), store.labels))  # older
        results.append(Result.of(told))
    predictions = pd.concat(
        [
            (read_numbers if numeric else read_predictions)(Path(experiment.folder) / "predictions.csv").assign(
                system=experiment.system, fold=split.folds[experiment.fold], seed=experiment.seed
            )
            for experiment in experiments
        ],
        ignore_index=True,
    )
    role = scored_role(bound, known)
    scored = predictions[predictions["role"] == role]
    submissions, missing = _submit(recipe, predictions, asked=asked, store=store, folder=folder)
    partial = part_of(experiments, recipe, split)
    conditioned = _conditioned(recipe, store, experiments, scored, split, pool=pool, quiet=quiet)
    before = {} if numeric else before_and_after(scored, store.labels, results)
    dimensions = DimensionScores()
    if isinstance(target, Dimensions):
        told = DimensionScores.of(scored, target.scales, target.of_corpora)
        dimensions = with_conditions(with_groups(told, scored, columns), conditioned)
    outcome = Outcome(
        store=store,
        split=split,
        folder=folder,
        results=results,
        summary=[
            replace(row, uncalibrated=before.get(row.system, {}))
            for row in ([] if recipe.train.learns == "numbers" else summarise(scored, store.labels, results))
        ],
        comparisons=[] if numeric else compare(scored, store.labels),
        groups=Groups() if numeric else score_groups(scored, store.labels, columns),
        raters=score_raters(scored, said.frame()) if said else (),
        dimensions=dimensions,
        conditions=score_conditions(conditioned, store.labels) if len(conditioned) and not numeric else (),
        predictions=scored,
        n_kept=len(experiments) - len(waiting),
        seconds=monotonic() - began,
        notes=notes_on(
            recipe,
            store,
            bound,
            partial=partial,
            said=said,
            experiments=experiments,
            results=results,
            scored=scored,
            role=role,
            besides=missing,
        ),
        partial=partial,
        missing=tuple((experiment.system, split.folds[experiment.fold], experiment.seed) for experiment in unfinished),
        scored=role,
        submissions=tuple(map(str, submissions)),
        warnings=warnings,
        audit=tuple(row for row in audit.summary if row["kind"] != "classes"),
    )
    if not (systems or folds or seeds or only_finished):  # a part must not pass for the whole
        origin = {"version": store.version, "split": split.digest, "train": asdict(recipe.train)}
        content = origin | scores_json(outcome) | {"warnings": list(warnings), "groups": asdict(outcome.groups)}
        content["conditions"] = [asdict(row) for row in outcome.conditions]
        content |= {"dimensions": asdict(outcome.dimensions)} if numeric else {}
        content |= {"raters": [asdict(row) for row in outcome.raters]} if said else {}
        text = json.dumps(content, indent=1)
        write_whole(folder / "results.json", (text + "\n").encode())
    return outcome


def _augmented(
    recipe: Recipe, store: Store, bound: Bound, waiting: Sequence[Experiment], *, pool: Workers, quiet: bool
) -> list[Experiment]:
    """The same experiments, which train on children of ``[train.augment]`` as well, where there are any."""
    conditions, roles = recipe.train.augmentations, {"train", "dev"} if recipe.train.refit else {"train"}
    if not conditions:
        return list(waiting)
    known = waiting[0].target.known(store)
    rows = [row for row, own in enumerate(bound.roles) if roles & set(own) and known[row]]
    path = build_augmented(recipe, store, conditions, parents=rows, pool=pool, quiet=quiet).path
    return [replace(experiment, augmented=path) for experiment in waiting]


def _conditioned(
    recipe: Recipe,
    store: Store,
    experiments: Sequence[Experiment],
    scored: pd.DataFrame,
    split: Split,
    *,
    pool: Workers,
    quiet: bool,
) -> pd.DataFrame:
    """Predictions of the scored part, clean and in every condition of ``[test.conditions]``; none without any."""
    kept = [experiment for experiment in experiments if not experiment.spec.floor]
    if not recipe.test.applied or not kept or not len(scored):
        return pd.DataFrame()
    role, systems = scored["role"].iloc[0], {experiment.system for experiment in kept}
    frames = [scored[scored["system"].isin(systems)].assign(condition=CLEAN)]
    for applied in recipe.test.applied:
        other = build_conditioned(recipe, store, applied, pool=pool, quiet=quiet)
        tables = predict_conditioned(
            [Path(experiment.folder) for experiment in kept], other, role=role, pool=pool, quiet=quiet
        )
        frames += [
            own.assign(
                condition=applied.name,
                system=experiment.system,
                fold=split.folds[experiment.fold],
                seed=experiment.seed,
            )
            for experiment, own in zip(kept, tables, strict=True)
        ]
    return pd.concat(frames, ignore_index=True)


def _is_kept(experiment: Experiment) -> bool:
    return finished(experiment) and ran_as_asked(experiment) and not lacks_checkpoint(experiment)


def _prepare(waiting: Sequence[Experiment], store: Store, *, pool: Workers, travel: Travel, quiet: bool) -> None:
    """Compute what every fold that is waiting needs once for all systems and seeds: statistics, then SVMs."""
    # those of training utterances differ from fold to fold, those of speakers do not
    statistics = {
        (0 if experiment.how.transductive else experiment.fold, name): (experiment, name)
        for experiment in waiting
        for name in experiment.reads(store)
    }
    shared: dict[str, dict[tuple[int, tuple[str, ...]], tuple[Experiment, str]]] = {}
    for experiment in waiting:
        if word := experiment.spec.share(experiment.options):
            rows = tuple(name for name in experiment.reads(store) if is_row(name, store.features))
            shared.setdefault(word, {})[experiment.fold, rows] = (experiment, "")
    stages = [("statistics", list(statistics.values()))]
    stages += [(word, list(tasks.values())) for word, tasks in shared.items()]
    for word, tasks in stages:
        with Progress(word, len(tasks), unit="tasks", quiet=quiet or not tasks) as progress:
            for _ in pool.run(travel.task(prepare), tasks):  # where one dies, the experiment says so
                progress.add(1)


@contextmanager
def _counting(progress: Progress, experiments: Sequence[Experiment]) -> Iterator[None]:
    """Keep the progress up to date while the block runs: workers write a line for each epoch."""
    with meanwhile(lambda: progress.to(sum(map(n_epochs_done, experiments))), every=1.0):
        yield
    progress.to(sum(map(n_epochs_of, experiments)))


def _submit(
    recipe: Recipe, predictions: pd.DataFrame, *, asked: Asked | None, store: Store, folder: Path
) -> tuple[list[Path], list[str]]:
    """Write what a challenge takes, if the recipe asks for it; the files, and what is missing in them."""
    form = recipe.train.submission
    if form == "none":
        return [], []
    test = predictions[predictions["role"] == "test"]
    paths = dict(zip(store.ids, store.column("path"), strict=True))
    manifest = (asked or gather(recipe)).manifest
    unique = {row.id: row for row in manifest.utterances}
    whole = split_of(recipe, make_manifest(unique.values(), manifest.info))
    mark = "-transductive" if recipe.train.transductive else ""
    written = write_submissions(form, test, paths=paths, folder=folder / "submission", mark=mark)
    return written, unpredicted(whole, test)


def _fold_numbers(split: Split, folds: Sequence[str] | None) -> list[int]:
    unknown = [fold for fold in folds or () if fold not in split.folds]
    if unknown:
        raise SplitError(f"no fold {unknown[0]!r}; the split has {', '.join(split.folds)}")
    return [number for number, fold in enumerate(split.folds) if not folds or fold in folds]
