"""The whole path of a recipe: build, split, train, score, and write the page."""

import contextlib
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from time import monotonic
from typing import Any

from serprep.errors import SerprepError
from serprep.parallel import WAIT, Workers
from serprep.pipeline.build import BuildResult, build
from serprep.recipe import OtherRooms, Recipe
from serprep.store.store import open_store
from serprep_models.beforehand import check_recipe
from serprep_models.experiments import run_experiments
from serprep_models.finished import finished_of, trained_as
from serprep_models.outcome import Outcome
from serprep_models.report import report_outcome

EVERY = 5.0  # seconds, at least, from one writing of an unfinished page to the next


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
    recipe = trained_as(recipe, train_from)
    how = replace(recipe.train, **{name: value for name, value in given.items() if value is not None})
    recipe = replace(recipe, train=how)
    asked = check_recipe(recipe, systems or recipe.train.systems)
    with contextlib.ExitStack() as stack:
        if pool is None:
            pool = Workers(workers, scheduler, wait=wait_for_workers, memory=memory_per_worker)
            stack.enter_context(pool)
        built = build(recipe, asked=asked, pool=pool, on_bad_audio=on_bad_audio, quiet=quiet)
        store = open_store(built.store)
        chosen: dict[str, Any] = {"asked": asked, "systems": systems, "folds": folds, "seeds": seeds}

        def show() -> None:
            """Write the page of what is finished so far."""
            seen = replace(recipe, test=OtherRooms(), train=replace(recipe.train, submission="none"))
            so_far = run_experiments(seen, store, pool=Workers(), only_finished=True, **chosen)
            if so_far.missing:
                report_outcome(seen, so_far, built=built, path=_page(recipe, so_far), train_from=train_from)

        ended = seldom(show) if page else None
        outcome = run_experiments(recipe, store, pool=pool, quiet=quiet, warn=warn, ended=ended, **chosen)
    path = _page(recipe, outcome)
    if page:
        report_outcome(recipe, outcome, built=built, path=path, train_from=train_from)
    return built, outcome, path


def seldom(write: Callable[[], object], *, every: float = EVERY) -> Callable[[], None]:
    """`write`, at most once in so many seconds and for a tenth of the time, and never a reason to stop."""
    due = 0.0

    def called() -> None:
        nonlocal due
        began = monotonic()
        if began < due:
            return
        with contextlib.suppress(SerprepError, OSError):
            write()
        due = monotonic() + max(every, 10 * (monotonic() - began))

    return called


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
    return report_outcome(
        recipe, outcome, built=built, path=page, train_from=train_from, audio=audio, with_sound=with_sound
    )


def _page(recipe: Recipe, outcome: Outcome) -> Path:
    return outcome.folder / ("report-transductive.html" if recipe.train.transductive else "report.html")
