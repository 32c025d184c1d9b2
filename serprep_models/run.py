"""The whole path of a recipe: build, split, train, score, and write the page."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from serprep.errors import TrainError, one_line
from serprep.parallel import WAIT, Workers
from serprep.pipeline.build import BuildResult, build
from serprep.recipe import Recipe, read_recipe, read_training
from serprep.store.store import open_store
from serprep_models.built import find_built
from serprep_models.experiments import Outcome, check_recipe, run_experiments
from serprep_models.report import report_outcome


def run_recipe(
    recipe: Recipe,
    *,
    workers: int | None = None,
    scheduler: str | None = None,
    pool: Workers | None = None,
    systems: Sequence[str] | None = None,
    folds: Sequence[str] | None = None,
    seeds: Sequence[int] | None = None,
    device: str | None = None,
    memory_budget: int | None = None,
    train_from: Path | None = None,
    on_bad_audio: str = "quarantine",
    wait_for_workers: float = WAIT,
    memory_per_worker: int | None = None,
    page: bool = True,
    quiet: bool = True,
    warn: Callable[[Sequence[str]], object] | None = None,
) -> tuple[BuildResult, Outcome, Path]:
    """The whole path of a recipe: build, split, train, score, and write the page.

    Parameters
    ----------
    recipe : Recipe
    workers, scheduler
        As `serprep.parallel.Workers` takes them.
    pool : Workers, optional
        Instead of workers of its own; it is left open.
    systems, folds, seeds : sequence, optional
        Some of the recipe's; default all.
    device, memory_budget : optional
        Instead of the recipe's.
    train_from : Path, optional
        The recipe whose ``[train]`` is taken in place of this one's.
    on_bad_audio : {"quarantine", "fail"}
    wait_for_workers : float
        Seconds to wait for workers of a scheduler that has none.
    memory_per_worker : int, optional
        MiB that one recording may cost a worker; by default most of the machine's memory.
    page, quiet : bool
    warn : callable, optional
        As `run_experiments` takes it.

    Returns
    -------
    BuildResult, Outcome, Path
        The last is where the page is, or would be with ``page=False``.
    """
    given: dict[str, Any] = {"device": device, "memory_budget": memory_budget}  # instead of the recipe's
    recipe = _trained_as(recipe, train_from)
    how = replace(recipe.train, **{name: value for name, value in given.items() if value is not None})
    recipe = replace(recipe, train=how)
    asked = check_recipe(recipe, systems or recipe.train.systems)
    used = Workers(workers, scheduler, wait=wait_for_workers, memory=memory_per_worker) if pool is None else pool
    try:
        built = build(recipe, asked=asked, pool=used, on_bad_audio=on_bad_audio, quiet=quiet)
        outcome = run_experiments(
            recipe,
            open_store(built.store),
            pool=used,
            asked=asked,
            systems=systems,
            folds=folds,
            seeds=seeds,
            quiet=quiet,
            warn=warn,
        )
    finally:
        if pool is None:
            used.close()
    path = _page(recipe, outcome)
    if page:
        report_outcome(recipe, outcome, built=built, path=path)
    return built, outcome, path


def report_recipe(
    recipe_path: Path,
    *,
    path: Path | None = None,
    train_from: Path | None = None,
    audio: Path | None = None,
    with_sound: int = 0,
) -> Path:
    """Write the page of what is finished of a recipe; nothing is trained.

    Parameters
    ----------
    recipe_path : Path
    path : Path, optional
        The page; default: beside the results.
    train_from : Path, optional
        As `run_recipe` takes it.
    audio : Path, optional
        Folder of the recordings; default: the recipe's root.
    with_sound : int
        How many recordings of what a system is most surely wrong about are put into the page.
    """
    recipe, built, outcome = finished_of(recipe_path, train_from=train_from)
    page = path or _page(recipe, outcome)
    return report_outcome(recipe, outcome, built=built, path=page, audio=audio, with_sound=with_sound)


def finished_of(recipe_path: Path, *, train_from: Path | None = None) -> tuple[Recipe, BuildResult, Outcome]:
    """What is finished of a recipe; nothing is built or trained.

    Raises
    ------
    StoreError, TrainError
        If there is no store of it, or no experiment is finished; the message says what to run.
    """
    recipe = _trained_as(read_recipe(recipe_path), train_from)
    built, store = find_built(recipe, name=str(recipe_path))
    try:
        outcome = run_experiments(recipe, store, pool=Workers(), only_finished=True)
    except TrainError as error:
        raise TrainError(f"{one_line(recipe_path)}: {error}") from None
    return recipe, built, outcome


def _trained_as(recipe: Recipe, other: Path | None) -> Recipe:
    """The recipe, with the ``[train]`` of another one if it is given."""
    return recipe if other is None else replace(recipe, train=read_training(other))


def _page(recipe: Recipe, outcome: Outcome) -> Path:
    return outcome.folder / ("report-transductive.html" if recipe.train.transductive else "report.html")
