"""Recipes of several corpora → scores of systems trained on each and tested on each.

Within a corpus scores are those of the recipe's own split.  Between two, systems trained on all of one,
without a development part, are scored on all of the other, with statistics of the one.  Everything is scored
over the labels that all corpora have, as the recipes name them; what else there is is dropped and counted.
Numbers are scored from 0 to 1, each corpus's on the scale that its recipe names.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, replace
from pathlib import Path

import pandas as pd

from serprep.errors import TrainError, one_line
from serprep.parallel import Died, Workers
from serprep.recipe import OtherRooms, Recipe
from serprep.split import Assignment, Split, write_split
from serprep.store.store import Store
from serprep.systems import SYSTEMS, default_systems, inputs_of, is_floor
from serprep_models.catalogue import place_of
from serprep_models.common_labels import CommonLabels, LabelRow, common_labels
from serprep_models.experiment import Experiment, finished
from serprep_models.experiment_folder import experiments_folder, tell
from serprep_models.outcome import Outcome
from serprep_models.predict_store import computed_alike
from serprep_models.run import run_recipe
from serprep_models.score_store import score_store
from serprep_models.scores import Result, Summary, marks_in, score, summarise
from serprep_models.scores.dimensions import DimensionScore
from serprep_models.tasks import run_experiment


@dataclass(frozen=True, kw_only=True)
class Cell:
    """A system trained on one corpus and scored on one."""

    system: str
    train: str
    test: str
    n_utterances: int
    n_speakers: int  # 0: unknown
    summary: Summary | None = None  # None: numbers are scored
    numbers: tuple[DimensionScore, ...] = ()  # a row per dimension, and one of the mean of several

    @property
    def within(self) -> bool:
        """Whether it is one corpus, with speakers apart by its recipe's split."""
        return self.train == self.test


@dataclass(frozen=True, kw_only=True)
class Cross:
    """The matrix."""

    corpora: tuple[str, ...]
    systems: tuple[str, ...]
    labels: tuple[str, ...]  # none where numbers are scored
    dimensions: tuple[str, ...]  # those
    mapping: Mapping[str, tuple[LabelRow, ...]]  # corpus → what became of its labels
    cells: tuple[Cell, ...]
    warnings: tuple[str, ...]
    notes: tuple[str, ...]


def cross(
    recipes: Sequence[Recipe],
    *,
    systems: Sequence[str] | None = None,
    workers: int | None = None,
    pool: Workers | None = None,
    quiet: bool = True,
) -> Cross:
    """Train on each corpus, test on each.

    Parameters
    ----------
    recipes : sequence of Recipe
        Two or more, with the same configuration of what their systems read.
    systems : sequence of str, optional
        Default: those of the first recipe; floors, such as the majority class, are left out.
    workers : int, optional
    pool : Workers, optional
        Instead of workers of its own; it is left open.
    quiet : bool

    Raises
    ------
    TrainError
        If recipes have one name, other features, other numbers, or fewer than two labels in common.
    """
    recipes = [replace(recipe, test=OtherRooms()) for recipe in recipes]  # other rooms are another question
    _check_comparable(recipes)
    names, dimensions = [recipe.name for recipe in recipes], recipes[0].train.dimensions
    asked = systems or recipes[0].train.systems or default_systems(recipes[0].train.learns)
    chosen = tuple(name for name in asked if not is_floor(name))
    if not chosen:
        raise TrainError("no system to train; name one that is no floor with --system, such as compare-svm")
    _check_alike(recipes, chosen)
    with Workers(workers) if pool is None else nullcontext(pool) as used:
        outcomes = [run_recipe(recipe, pool=used, systems=chosen, page=False, quiet=quiet)[1] for recipe in recipes]
        stores = [outcome.store for outcome in outcomes]
        among = () if dimensions else _shared_labels(names, stores)
        trained = [
            train_on_all(recipe, store, chosen, pool=used) for recipe, store in zip(recipes, stores, strict=True)
        ]
    empty = CommonLabels(labels=(), rows=())
    tables = [
        empty if dimensions else common_labels(Counter(store.emotions), store.labels, {}, among=among)
        for store in stores
    ]
    cells, warnings, notes = [], [], []
    for name, outcome, table in zip(names, outcomes, tables, strict=True):
        warnings += [f"{one_line(name)}: {warning}" for warning in outcome.warnings]
        notes += [f"{one_line(name)}: {note}" for note in table.notes if "dropped" in note]
        notes += [f"{one_line(name)}: {outcome.dimensions.words}"] if dimensions else []
        cells += [_within(name, outcome, system, table, among) for system in chosen]
    for name, checkpoints in zip(names, trained, strict=True):
        for recipe, store in zip(recipes, stores, strict=True):
            other, scales = recipe.name, recipe.train.scales
            for system in chosen if other != name else ():
                scored = score_store(checkpoints[system], store, seeds=True, among=among, scales=scales, quiet=quiet)
                summary, numbers = next(iter(scored.summary), None), scored.dimensions.scores
                cells.append(_cell(system, (name, other), scored.predictions, summary=summary, numbers=numbers))
                warnings += [f"{one_line(name)} → {one_line(other)}: {warning}" for warning in scored.warnings]
                said = scored.notes if dimensions else scored.seen.notes  # of labels, the table says what is dropped
                notes += [f"{one_line(name)} → {one_line(other)}: {note}" for note in said]
    return Cross(
        corpora=tuple(names),
        systems=chosen,
        labels=among,
        dimensions=dimensions,
        mapping={name: table.rows for name, table in zip(names, tables, strict=True)},
        cells=tuple(cells),
        warnings=tuple(dict.fromkeys(warnings)),
        notes=tuple(dict.fromkeys(notes)),
    )


def _check_comparable(recipes: Sequence[Recipe]) -> None:
    """Raise a TrainError unless recipes have names of their own and learn the same, each from nothing."""
    names = [recipe.name for recipe in recipes]
    if len(set(names)) < max(2, len(names)):
        raise TrainError(f"{one_line(', '.join(names))}: expected two recipes or more, each with a name of its own")
    for recipe in recipes:
        if recipe.train.target == "raters" or recipe.train.dimensions != recipes[0].train.dimensions:
            raise TrainError(
                f"[train] target of {one_line(recipe.name)} is {one_line(recipe.train.target)}; expected emotion, "
                "or the same columns of numbers in all recipes"
            )
    if on := [recipe.name for recipe in recipes if recipe.train.start_from]:
        raise TrainError(f"{one_line(on[0])} goes on from a checkpoint, which may know the other corpus; leave it out")


def _check_alike(recipes: Sequence[Recipe], systems: Sequence[str]) -> None:
    """Raise a TrainError if a system would read other features of one corpus than of another."""
    first = recipes[0]
    for system in systems:
        for recipe in recipes[1:]:
            reads = inputs_of(system, recipe.train.options, recipe.features)
            if not computed_alike(first.features, recipe.features, reads):
                raise TrainError(
                    f"{one_line(first.name)} and {one_line(recipe.name)} have different [features] of what {system} "
                    f"reads ({', '.join(reads)}); write the same in both"
                )


def _shared_labels(names: Sequence[str], stores: Sequence[Store]) -> tuple[str, ...]:
    """The labels that utterances of all stores have, in the first one's order."""
    there = [set(store.emotions) for store in stores]
    among = tuple(label for label in stores[0].labels if all(label in labels for labels in there))
    if len(among) < 2:
        told = "; ".join(f"{name} has {', '.join(store.labels)}" for name, store in zip(names, stores, strict=True))
        raise TrainError(
            f"fewer than two labels in common: {one_line(told)}; name them alike in [corpus.emotions] of the recipes"
        )
    return among


def _within(name: str, outcome: Outcome, system: str, table: CommonLabels, among: Sequence[str]) -> Cell:
    """What the recipe's own split gave, over the common labels."""
    own = outcome.predictions[outcome.predictions["system"] == system]
    if outcome.dimensions.scores:
        numbers = tuple(row for row in outcome.dimensions.scores if row.system == system)
        return _cell(system, (name, name), own, numbers=numbers)
    predictions = table.restrict(own)
    results = []
    for run in outcome.results:
        if run.system == system:
            chosen = predictions[(predictions["fold"] == run.fold) & (predictions["seed"] == run.seed)]
            about = {"system": system, "fold": run.fold, "seed": run.seed, **marks_in(run)}
            results.append(Result.of(about | score(chosen, among)))
    return _cell(system, (name, name), predictions, summary=summarise(predictions, among, results)[0])


def _cell(
    system: str,
    corpora: tuple[str, str],
    predictions: pd.DataFrame,
    *,
    summary: Summary | None = None,
    numbers: tuple[DimensionScore, ...] = (),
) -> Cell:
    speakers = set(predictions["speaker"])
    return Cell(
        system=system,
        train=corpora[0],
        test=corpora[1],
        n_utterances=predictions["id"].nunique(),
        n_speakers=0 if "" in speakers else len(speakers),
        summary=summary,
        numbers=numbers,
    )


def train_on_all(recipe: Recipe, store: Store, systems: Sequence[str], *, pool: Workers) -> dict[str, list[Path]]:
    """System → checkpoints, one a seed, trained on every labelled utterance of a store; finished ones are kept.

    Raises
    ------
    TrainError
        If a worker dies while it trains.
    """
    rows = store.manifest().utterances
    everyone = {row.id: Assignment(row.speaker, row.speaker, ("train",)) for row in rows}
    split = Split(protocol="list", group="speaker", seed=0, folds=("all",), utterances=everyone)
    recipe = replace(recipe, train=replace(recipe.train, refit=False))  # there is no dev part
    folder = experiments_folder(recipe, store, split, systems=systems)
    path = write_split(split, folder / "split.json")
    tell(folder, recipe, store, split, systems=systems, on_all=True)  # it is never the latest: nothing of it is scored
    experiments = [
        Experiment(
            folder=str(place_of(folder, system, 0, seed)),
            store=store.path,
            split=str(path),
            system=system,
            fold=0,
            seed=seed,
            how=recipe.train,
            statistics=str(folder / "statistics"),
        )
        for system in systems
        for seed in list(recipe.train.seeds)[: None if SYSTEMS[system].seeded else 1]
    ]
    waiting = [experiment for experiment in experiments if not finished(experiment)]
    for number, receipt in pool.run(run_experiment, waiting):
        if isinstance(receipt, Died):
            raise TrainError(f"{waiting[number].system} on all of {one_line(recipe.name)}: {receipt.reason}; run again")
    return {
        system: [Path(experiment.folder) for experiment in experiments if experiment.system == system]
        for system in systems
    }
