"""Which experiments a recipe asks for on a store: checked, before any of them runs."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from serprep.audit import Audit
from serprep.errors import SplitError, TrainError, brief
from serprep.recipe import Recipe
from serprep.split import Bound, Split, bind, refuse_leaks, write_split
from serprep.store.store import Store
from serprep.systems import SYSTEMS, default_systems, inputs_of
from serprep_models.beforehand import check_learns, split_of
from serprep_models.catalogue import place_of
from serprep_models.cautions import audited, confounded
from serprep_models.examples import check_store
from serprep_models.experiment import Experiment, finished
from serprep_models.experiment_folder import experiments_folder, tell
from serprep_models.raters import NAME as RATERS
from serprep_models.raters import Said, said_of
from serprep_models.scores.groups import group_columns
from serprep_models.start import NAME as START
from serprep_models.start import start_of
from serprep_models.statistics import check_speakers
from serprep_models.targets import Target, target_of
from serprep_models.tasks import check_rows


@dataclass(frozen=True, kw_only=True)
class Plan:
    """The experiments of a recipe on a store, and what is known before any of them runs."""

    recipe: Recipe
    store: Store
    bound: Bound
    said: Said | None  # what raters said, where that is learnt
    target: Target
    columns: dict[str, dict[str, str]]  # groups by which is scored: column → utterance's id → its group
    audit: Audit
    warnings: tuple[str, ...]
    folder: Path
    chosen: tuple[str, ...]  # systems, in the order of the recipe
    experiments: list[Experiment]  # those of the costliest systems first
    unfinished: list[Experiment]  # left out, where only finished ones are asked for

    @property
    def known(self) -> list[bool]:
        """Of which utterances the truth is known."""
        return self.target.known(self.store)


def planned(
    recipe: Recipe,
    store: Store,
    *,
    systems: Sequence[str] | None,
    folds: Sequence[str] | None,
    seeds: Sequence[int] | None,
    only_finished: bool,
) -> Plan:
    """Experiments that can be run, in a folder that tells what they are of.

    Raises
    ------
    SplitError
        If a speaker is on both sides of a fold, or the split does not fit the store.
    TrainError
        If training is impossible, or nothing is finished where only that is asked for.
    """
    manifest = store.manifest()
    split = split_of(recipe, manifest)
    bound = bind(split, manifest)
    refuse_leaks(split)
    numbers = _fold_numbers(split, folds)
    said = said_of(recipe, store) if recipe.train.target == "raters" else None
    chosen = tuple(systems or recipe.train.systems or default_systems(recipe.train.learns))
    check_learns(chosen, recipe)
    for system in chosen:
        check_store(store, inputs_of(system, recipe.train.options, store.features))
    if recipe.train.transductive:
        check_speakers(store.ids, store.speakers)
    columns = group_columns(store, recipe.train.groups)
    audit = audited(manifest, split)
    warnings = (*audit.warnings, *confounded(store.speakers, store.emotions, how=recipe.train))
    start = start_of(recipe, chosen)
    if start and not only_finished:
        warnings += start.refuse_seen(store, bound, numbers)
    digests = {"raters": said.digest if said else "", "start": start.digest if start else ""}
    folder = experiments_folder(recipe, store, split, systems=chosen, **digests)
    raters = str(said.write(folder / RATERS)) if said else ""
    target = target_of(recipe.train, raters)
    target.check(store)
    known = target.known(store)
    split_path = write_split(split, folder / "split.json")
    if not only_finished:
        tell(folder, recipe, store, split, systems=chosen)
    whole = [
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
            start=str(start.write(folder / START)) if start else "",
        )
        for system in sorted(chosen, key=lambda name: -SYSTEMS[name].cost)
        for number in numbers
        for seed in list(seeds or recipe.train.seeds)[: None if SYSTEMS[system].seeded else 1]
    ]
    experiments = [experiment for experiment in whole if finished(experiment)] if only_finished else whole
    if not experiments:
        raise TrainError("no experiment of it is finished: run `serprep run` with the recipe first")
    for number in sorted({experiment.fold for experiment in experiments}):
        check_rows(bound, known, number)
    return Plan(
        recipe=recipe,
        store=store,
        bound=bound,
        said=said,
        target=target,
        columns=columns,
        audit=audit,
        warnings=warnings,
        folder=folder,
        chosen=chosen,
        experiments=experiments,
        unfinished=[experiment for experiment in whole if experiment not in experiments],
    )


def _fold_numbers(split: Split, folds: Sequence[str] | None) -> list[int]:
    unknown = [fold for fold in folds or () if fold not in split.folds]
    if unknown:
        raise SplitError(f"no fold {unknown[0]!r}; the split has {brief(', '.join(split.folds))}")
    return [number for number, fold in enumerate(split.folds) if not folds or fold in folds]
