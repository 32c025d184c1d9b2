"""All (system, fold, seed) of a recipe → results, predictions and a page.

Folds, seeds and systems are independent: they run as tasks on the workers that built
the store.  A finished experiment is kept under a digest of what it depends on, and not
run again.
"""

import hashlib
import json
import shlex
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from time import monotonic
from typing import Any

import numpy as np
import pandas as pd

from serprep._json import canonical_json
from serprep.errors import SplitError, TrainError, one_line
from serprep.files import write_whole
from serprep.manifest.table import Manifest, make_manifest
from serprep.meanwhile import meanwhile
from serprep.metrics import few_speakers
from serprep.parallel import Died, Workers
from serprep.pipeline.conditioned import build_augmented, build_conditioned
from serprep.pipeline.gather import Asked, gather
from serprep.progress import Progress
from serprep.recipe import Recipe, TrainConfig
from serprep.split import Bound, Split, bind, make_split, read_split, refuse_leaks, write_split
from serprep.store.store import Store
from serprep.systems import (
    SYSTEMS,
    beyond_defaults,
    default_systems,
    inputs_of,
    is_floor,
    is_row,
    options_of,
    shapes_of,
)
from serprep_models.catalogue import ABOUT, FOLDER, place_of
from serprep_models.cautions import audited, confounded
from serprep_models.conditioned import CLEAN, ConditionScore, predict_conditioned, score_conditions
from serprep_models.examples import check_store
from serprep_models.experiment import (
    NO_NUMBERS,
    Experiment,
    check_rows,
    finished,
    lacks_checkpoint,
    marks_of,
    n_epochs_done,
    n_epochs_of,
    prepare,
    ran_as_asked,
    read_predictions,
    run_experiment,
    scored_role,
)
from serprep_models.raters import NAME as RATERS
from serprep_models.raters import Said, said_of
from serprep_models.scores import (
    Pair,
    Result,
    Summary,
    Verdict,
    compare,
    judge,
    pairs_json,
    recall_of,
    summarise,
)
from serprep_models.scores.calibration import before_and_after
from serprep_models.scores.dimensions import DimensionScores, read_numbers
from serprep_models.scores.distributions import RaterScore, score_raters
from serprep_models.scores.groups import Groups, group_columns, score_groups
from serprep_models.scores.number_groups import with_conditions, with_groups
from serprep_models.statistics import TRANSDUCTIVE, check_speakers, few_utterances
from serprep_models.submission import check_submission, unpredicted, write_submissions
from serprep_models.targets import Dimensions, target_of
from serprep_models.train import check_training, device_named
from serprep_models.travel import Travel

REVISION = 3  # raised whenever the same experiment gives other numbers


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a recipe's experiments gave."""

    store: Store
    split: Split
    folder: Path
    results: list[Result]
    summary: list[Summary]
    comparisons: list[Pair]
    groups: Groups  # for whom they fail
    conditions: tuple[ConditionScore, ...]  # in other rooms and over other lines
    predictions: pd.DataFrame
    n_kept: int  # experiments that were finished before
    seconds: float
    notes: tuple[str, ...] = ()  # what a reader of the scores must know
    partial: str = ""  # which experiments of the recipe are missing
    missing: tuple[tuple[str, str, int], ...] = ()  # system, fold, seed of those that were asked for and are unfinished
    scored: str = "test"  # the role that is scored
    submissions: tuple[str, ...] = ()  # files with predictions of the test part, as a challenge takes them
    warnings: tuple[str, ...] = ()  # what makes scores other than they seem: leaks, label conflicts, confounding
    audit: tuple[dict[str, Any], ...] = ()  # what an audit of the split found, per kind; class counts left out
    raters: tuple[RaterScore, ...] = ()  # how far systems are from what raters said, where that is learnt
    dimensions: DimensionScores = field(
        default_factory=DimensionScores
    )  # in place of summary, where numbers are learnt

    def _repr_html_(self) -> str:
        """What a notebook shows."""
        from serprep.pages import percent
        from serprep.pages.notebook import table

        scores = {
            row.system: f"UA {percent(row.ua)} %"
            + (" ({}–{})".format(*map(percent, row.ua_interval)) if row.ua_interval else "")
            for row in self.summary
        }
        return table(f"Outcome: {self.verdict.words or len(self.results)}", {**scores, "partial": self.partial})

    @property
    def verdict(self) -> Verdict:
        """Whether one system is the best."""
        leaks = any(row["severity"] == "leak" for row in self.audit)
        if self.dimensions.scores:
            return self.dimensions.verdict(partial=bool(self.partial), leaks=leaks)
        return judge(self.summary, self.comparisons, partial=bool(self.partial), leaks=leaks)

    def predict_command(self, system: str) -> str:
        """What to type to predict recordings by a system, the mean of its folds and seeds; "" if it keeps none."""
        own = [result for result in self.results if result.system == system]
        if is_floor(system) or not own:
            return ""
        transductive = any(result.transductive for result in own)
        enrol = " --enrol FILES_OF_THE_SPEAKER" if transductive else ""
        return f"serprep predict {shlex.quote(str(self.folder / system))} RECORDINGS{enrol}"


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
    partial = _partial(experiments, recipe, split)
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
        notes=(
            *([partial] if partial else []),
            *split.notes,
            *_dropped_note(bound),
            *_speaker_notes(recipe, store),
            *_marks_note(recipe),
            *(_rater_notes(said, results) if said else ()),
            *_children_note(recipe, results),
            *_device_notes(experiments, results, how=recipe.train),
            *_scored_notes(role, recipe, results, split),
            *missing,
            *_speaker_note(scored),
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


def scores_json(outcome: Outcome) -> dict[str, Any]:
    """Results, summary and comparisons as files and ``--json`` have them."""
    return {
        "results": [result.json for result in outcome.results],
        "summary": [row.json for row in outcome.summary],
        "comparisons": pairs_json(outcome.comparisons, outcome.summary),
    }


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


def tell(
    folder: Path, recipe: Recipe, store: Store, split: Split, *, systems: Sequence[str], **besides: object
) -> None:
    """Write what the folder's name is a digest of, for people and for `serprep experiments`, and what else there is."""
    about = {"recipe": recipe.name, "version": store.version, "split": split.digest, "train": asdict(recipe.train)}
    text = (json.dumps(about | _revisions(recipe, systems) | besides, indent=1) + "\n").encode()
    path = folder / ABOUT
    if not path.is_file() or path.read_bytes() != text:
        write_whole(path, text)


def _is_kept(experiment: Experiment) -> bool:
    return finished(experiment) and ran_as_asked(experiment) and not lacks_checkpoint(experiment)


def _device_notes(experiments: Sequence[Experiment], results: Sequence[Result], *, how: TrainConfig) -> list[str]:
    """Whether numbers come from several kinds of devices, or from another than this machine would take."""
    pairs = zip(experiments, results, strict=True)
    ran = Counter(one_line(result.device) for experiment, result in pairs if experiment.spec.by_gradient)
    if len(ran) > 1:
        counts = ", ".join(f"{device} {n}" for device, n in sorted(ran.items()))
        return [f"experiments ran on different devices, whose numbers differ a little: {counts}"]
    here = device_named("auto").type
    if ran and here not in ran and how.device == "auto":
        return [f"results are of a {next(iter(ran))} device, and this machine would take its {here}: --device tells"]
    return []


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


def _partial(experiments: Sequence[Experiment], recipe: Recipe, split: Split) -> str:
    """Which systems lack folds or seeds of the recipe; then scores are not of the same utterances."""
    counts = Counter(experiment.system for experiment in experiments)
    whole = {name: len(split.folds) * (len(recipe.train.seeds) if SYSTEMS[name].seeded else 1) for name in counts}
    missing = [f"{name} has {n} of {whole[name]}" for name, n in counts.items() if n < whole[name]]
    return f"a part of the experiments, not to be compared with others: {', '.join(missing)}" if missing else ""


def _dropped_note(bound: Bound) -> list[str]:
    """How many utterances only the split knows."""
    return [f"{bound.n_dropped} utterances of the split are not in the store"] if bound.n_dropped else []


def _speaker_note(scored: pd.DataFrame) -> list[str]:
    """Whether there are enough speakers for intervals and tests."""
    speakers = set(scored["speaker"] if "truth" not in scored else scored.loc[scored["truth"] != "", "speaker"])
    warning = few_speakers(len(speakers)) if speakers and "" not in speakers else ""
    return [warning] if warning else []


def _speaker_notes(recipe: Recipe, store: Store) -> list[str]:
    """What statistics of speakers mean for the scores."""
    if not recipe.train.transductive:
        return []
    return [TRANSDUCTIVE, *few_utterances(store.speakers, enrol=recipe.train.enrol)]


def _rater_notes(said: Said, results: Sequence[Result]) -> list[str]:
    """How much raters said, and which systems learn the majority's label all the same."""
    hard = [name for name in dict.fromkeys(result.system for result in results) if not SYSTEMS[name].by_gradient]
    told = f"{', '.join(hard)}: learn the majority's label, others what raters said, also where there is no majority"
    return [*said.notes, *([told] if hard else [])]


def _marks_note(recipe: Recipe) -> list[str]:
    """That test labels may have been chosen by what systems said of them."""
    if not recipe.corpus.marks:
        return []
    return [
        f"labels were corrected, or utterances left out, by {one_line(recipe.corpus.marks)}: where whoever marked them "
        "had seen what systems predict, scores are too good"
    ]


def _children_note(recipe: Recipe, results: Sequence[Result]) -> list[str]:
    """How many children are trained on besides."""
    counts = {(result.n_train, result.n_children) for result in results if result.n_children}
    if not counts:
        return []
    most = max(counts)
    names = one_line(", ".join(applied.name for applied in recipe.train.augmentations))
    return [
        f"trained on the training utterances and on children of them, in a fold on up to {most[0]} and {most[1]} "
        f"(conditions {names}); no child is developed on or tested"
    ]


def _scored_notes(role: str, recipe: Recipe, results: Sequence[Result], split: Split) -> list[str]:
    """On what the scores stand, where that is not simply the test part."""
    reasons = sorted({result.reason for result in results if result.reason})
    notes = [f"UA is undefined: {reason}" for reason in reasons]
    if role == "dev":
        notes.append("scores are of the dev part, which did not choose the epoch: no test utterance has a label")
    if recipe.train.patience and role == "test" and not any(split.ids(n, "dev") for n in range(len(split.folds))):
        notes.append("patience does nothing: no development part tells when to stop")
    if recipe.train.refit:
        notes.append("the test part is predicted by systems trained on train and dev (refit)")
    return notes


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


def experiments_folder(
    recipe: Recipe, store: Store, split: Split, *, systems: Sequence[str] = (), raters: str = ""
) -> Path:
    """Where the experiments of this store, split and configuration lie.

    Parameters
    ----------
    recipe : Recipe
    store : Store
    split : Split
    systems : sequence of str
        What is trained besides the recipe's.
    raters : str
        A digest of what they said.
    """
    plain = asdict(TrainConfig())
    # what is not asked for is not named, so that a new key does not move what is finished
    how = {name: value for name, value in asdict(recipe.train).items() if value != plain[name]}
    how = {name: value for name, value in how.items() if name not in (*NO_NUMBERS, "options", "augment")}
    how |= (
        {"augment": [[applied.name, applied.to_json()] for applied in given]}
        if (given := sorted(recipe.train.augmentations, key=lambda applied: applied.name))
        else {}
    )
    how |= {"options": changed} if (changed := beyond_defaults(recipe.train.options)) else {}
    how |= _revisions(recipe, systems)
    depends = [REVISION, store.version, split.digest, how, *([raters] if raters else [])]
    digest = hashlib.sha256(canonical_json(depends)).hexdigest()
    return recipe.experiments_root / FOLDER / f"{digest[:16]}{'-transductive' if recipe.train.transductive else ''}"


def _revisions(recipe: Recipe, systems: Sequence[str]) -> dict[str, dict[str, int]]:
    """``revisions``, by system, of those of a recipe and others; nothing where all are 0."""
    own = recipe.train.systems or default_systems(recipe.train.learns)
    revisions = {name: SYSTEMS[name].revision for name in sorted({*own, *systems}) if SYSTEMS[name].revision}
    return {"revisions": revisions} if revisions else {}


def _fold_numbers(split: Split, folds: Sequence[str] | None) -> list[int]:
    unknown = [fold for fold in folds or () if fold not in split.folds]
    if unknown:
        raise SplitError(f"no fold {unknown[0]!r}; the split has {', '.join(split.folds)}")
    return [number for number, fold in enumerate(split.folds) if not folds or fold in folds]


def check_learns(systems: Sequence[str], recipe: Recipe) -> None:
    """Raise a TrainError if a system cannot learn what the recipe asks for."""
    learns = recipe.train.learns
    for system in systems:
        if not getattr(SYSTEMS[system], learns):
            able = [name for name, spec in SYSTEMS.usable().items() if getattr(spec, learns)]
            what = "labels and numbers in layers that both share" if learns == "both" else learns
            raise TrainError(
                f"{system} cannot learn {what}; name some of {', '.join(able)} in [train] systems, or another [train] "
                f"{'emotion_weight' if learns == 'both' else 'target'}"
            )


def check_recipe(recipe: Recipe, systems: Sequence[str]) -> Asked:
    """Find out before anything is computed what could not be trained or split afterwards.

    Returns
    -------
    Asked
        What was read of the recipe's corpus.

    Raises
    ------
    TrainError, SplitError
    """
    chosen = systems or default_systems(recipe.train.learns)
    check_learns(chosen, recipe)
    for system in chosen:
        spec, options = SYSTEMS[system], options_of(system, recipe.train.options)
        try:
            shapes_of(spec.inputs(options, recipe.features), recipe.features)
        except TrainError as error:
            raise TrainError(f"{system} needs {error}, or leave it out") from None
        spec.check(options, recipe.train)
        if spec.by_gradient:
            check_training(recipe.train)
    asked = gather(recipe)
    unique = {row.id: row for row in asked.manifest.utterances}
    labels = [repr(label) for label in {row.emotion for row in unique.values()} if label]
    if len(labels) < 2 and recipe.train.learns != "numbers":
        raise TrainError(
            f"{recipe.name}: no emotion but {one_line(', '.join(labels) or 'none')}; expected two or more to tell "
            "apart: see [corpus.emotions], and the pattern or the label file"
        )
    if recipe.train.transductive:
        check_speakers(list(unique), [row.speaker for row in unique.values()])
        rows = unique.values()
        confounded([row.speaker for row in rows], [row.emotion for row in rows], how=recipe.train)
    split = split_of(recipe, make_manifest(unique.values(), asked.manifest.info))
    if recipe.train.refit and not any(split.ids(number, "dev") for number in range(len(split.folds))):
        raise TrainError("refit trains on train and dev, and the split has no dev part: add one, or leave refit out")
    if recipe.train.submission != "none":
        check_submission(recipe, split)
    return asked
