"""What finished experiments wrote → scores: of systems, groups, conditions, dimensions, raters."""

import json
from collections.abc import Sequence
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from serprep.files import write_other
from serprep.manifest.table import make_manifest
from serprep.parallel import Workers
from serprep.pipeline.conditioned import build_conditioned
from serprep.pipeline.gather import Asked, gather
from serprep.recipe import Recipe
from serprep.split import Split
from serprep.store.store import Store
from serprep_models.beforehand import split_of
from serprep_models.conditioned import CLEAN, predict_conditioned, score_conditions
from serprep_models.experiment import PREDICTIONS, Experiment, marks_of, read_predictions
from serprep_models.notes import notes_on, part_of
from serprep_models.outcome import Outcome, scores_json
from serprep_models.plan import Plan
from serprep_models.scores import Result, compare, recall_of, summarise
from serprep_models.scores.calibration import before_and_after
from serprep_models.scores.dimensions import DimensionScores, read_numbers
from serprep_models.scores.distributions import score_raters
from serprep_models.scores.groups import Groups, score_groups
from serprep_models.scores.number_groups import with_conditions, with_groups
from serprep_models.submission import unpredicted, write_submissions
from serprep_models.targets import Dimensions
from serprep_models.tasks import scored_role


def gathered(plan: Plan, *, asked: Asked | None, pool: Workers, quiet: bool) -> Outcome:
    """Read what experiments wrote, and score it.

    Parameters
    ----------
    plan : Plan
        All of whose experiments are finished.
    asked : Asked, optional
        What was read of the recipe's corpus.
    pool : Workers
        Predicts in other conditions.
    quiet : bool
    """
    recipe, store, split, said = plan.recipe, plan.store, plan.bound.split, plan.said
    numeric, labelled = bool(recipe.train.dimensions), recipe.train.learns != "numbers"
    order = {system: place for place, system in enumerate(plan.chosen)}
    experiments = sorted(plan.experiments, key=lambda own: (order[own.system], own.fold, own.seed))
    results = [_result_of(experiment, store, numeric=numeric) for experiment in experiments]
    predictions = pd.concat(
        [
            (read_numbers if numeric else read_predictions)(Path(experiment.folder) / PREDICTIONS).assign(
                system=experiment.system, fold=split.folds[experiment.fold], seed=experiment.seed
            )
            for experiment in experiments
        ],
        ignore_index=True,
    )
    role = scored_role(plan.bound, plan.known)
    scored = predictions[predictions["role"] == role]
    submissions, missing = _submit(recipe, predictions, asked=asked, store=store, folder=plan.folder)
    partial = part_of(experiments, recipe, split)
    conditioned = _conditioned(recipe, store, experiments, scored, split, pool=pool, quiet=quiet)
    before = {} if numeric else before_and_after(scored, store.labels, results)
    dimensions = DimensionScores()
    if isinstance(plan.target, Dimensions):
        told = DimensionScores.of(scored, plan.target.scales, plan.target.of_corpora)
        dimensions = with_conditions(with_groups(told, scored, plan.columns), conditioned)
    return Outcome(
        store=store,
        split=split,
        folder=plan.folder,
        results=results,
        summary=[
            replace(row, uncalibrated=before.get(row.system, {}))
            for row in (summarise(scored, store.labels, results) if labelled else [])
        ],
        comparisons=compare(scored, store.labels) if labelled else [],
        groups=score_groups(scored, store.labels, plan.columns) if labelled else Groups(),
        raters=score_raters(scored, said.frame()) if said else (),
        dimensions=dimensions,
        conditions=score_conditions(conditioned, store.labels) if len(conditioned) and labelled else (),
        predictions=scored,
        n_kept=0,
        seconds=0.0,
        notes=notes_on(
            recipe,
            store,
            plan.bound,
            partial=partial,
            said=said,
            experiments=experiments,
            results=results,
            scored=scored,
            role=role,
            besides=missing,
        ),
        partial=partial,
        missing=tuple((own.system, split.folds[own.fold], own.seed) for own in plan.unfinished),
        scored=role,
        submissions=tuple(map(str, submissions)),
        warnings=plan.warnings,
        audit=tuple(row for row in plan.audit.summary if row["kind"] != "classes"),
    )


def _result_of(experiment: Experiment, store: Store, *, numeric: bool) -> Result:
    """What a finished experiment wrote."""
    told = marks_of(experiment) | json.loads((Path(experiment.folder) / "result.json").read_bytes())
    del told["sha256"], told["files"]
    if not numeric:
        told.setdefault("recall", recall_of(np.array([told["confusion"]]), store.labels))  # older
    return Result.of(told)


def write_results(plan: Plan, outcome: Outcome) -> None:
    """Write ``results.json``: all scores of all experiments."""
    train = plan.recipe.train
    content: dict[str, Any] = {"version": plan.store.version, "split": plan.bound.split.digest, "train": asdict(train)}
    content |= scores_json(outcome) | {"warnings": list(outcome.warnings), "groups": asdict(outcome.groups)}
    content["conditions"] = [asdict(row) for row in outcome.conditions]
    content |= {"dimensions": asdict(outcome.dimensions)} if train.dimensions else {}
    content |= {"raters": [asdict(row) for row in outcome.raters]} if plan.said else {}
    write_other(plan.folder / "results.json", (json.dumps(content, indent=1) + "\n").encode())


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
