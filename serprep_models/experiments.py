"""All (system, fold, seed) of a recipe → trained and scored systems, and what they scored.

Folds, seeds and systems are independent: they run as tasks on the workers that built
the store.  A finished experiment is kept under a digest of what it depends on, and not
run again.
"""

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from time import monotonic

from serprep.errors import TrainError
from serprep.meanwhile import meanwhile
from serprep.parallel import Died, Workers
from serprep.pipeline.conditioned import build_augmented
from serprep.pipeline.gather import Asked
from serprep.progress import Progress
from serprep.recipe import Recipe
from serprep.split import Bound
from serprep.store.store import Store
from serprep.systems import is_row
from serprep_models.experiment import Experiment, finished, lacks_checkpoint, n_epochs_done, n_epochs_of, ran_as_asked
from serprep_models.gathered import gathered, write_results
from serprep_models.outcome import Outcome
from serprep_models.plan import Plan, planned
from serprep_models.tasks import prepare, run_experiment
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
    plan = planned(recipe, store, systems=systems, folds=folds, seeds=seeds, only_finished=only_finished)
    travel = Travel.of(plan.folder, recipe.dataset_path, pool=pool)
    travel.fetch(plan.experiments)
    waiting = [] if only_finished else [experiment for experiment in plan.experiments if not _is_kept(experiment)]
    if waiting:
        if plan.warnings and warn is not None:
            warn(plan.warnings)
        _train(plan, waiting, pool=pool, travel=travel, quiet=quiet, ended=ended)
    n_kept = len(plan.experiments) - len(waiting)
    outcome = gathered(plan, asked=asked, pool=pool, quiet=quiet)
    outcome = replace(outcome, n_kept=n_kept, seconds=monotonic() - began)
    if not (systems or folds or seeds or only_finished):  # a part must not pass for the whole
        write_results(plan, outcome)
    return outcome


def _train(
    plan: Plan,
    waiting: Sequence[Experiment],
    *,
    pool: Workers,
    travel: Travel,
    quiet: bool,
    ended: Callable[[], object] | None,
) -> None:
    """Run those that are not finished."""
    waiting = _augmented(plan.recipe, plan.store, plan.bound, waiting, pool=pool, quiet=quiet)
    travel.send_split()
    _prepare(waiting, plan.store, pool=pool, travel=travel, quiet=quiet)
    n_epochs = sum(n_epochs_of(experiment) for experiment in waiting)
    with Progress("training", n_epochs, unit="epochs", quiet=quiet) as progress, _counting(progress, waiting):
        for number, receipt in pool.run(travel.task(run_experiment), waiting):
            experiment = waiting[number]
            if isinstance(receipt, Died):
                where = f"{experiment.system}, fold {experiment.fold + 1}, seed {experiment.seed}"
                raise TrainError(f"{where}: {receipt.reason}; run again")
            travel.fetch([experiment])
            if ended is not None:
                ended()


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
