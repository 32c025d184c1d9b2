"""What a reader of the scores must know: on what they stand, and what makes them other than they seem."""

from collections import Counter
from collections.abc import Sequence

import pandas as pd

from serprep.errors import one_line
from serprep.metrics import few_speakers
from serprep.recipe import Recipe, TrainConfig
from serprep.split import Bound, Split
from serprep.store.store import Store
from serprep.systems import SYSTEMS
from serprep_models.experiment import Experiment
from serprep_models.raters import Said
from serprep_models.scores import Result
from serprep_models.statistics import TRANSDUCTIVE, few_utterances
from serprep_models.train import device_named


def notes_on(
    recipe: Recipe,
    store: Store,
    bound: Bound,
    *,
    partial: str,
    said: Said | None,
    experiments: Sequence[Experiment],
    results: Sequence[Result],
    scored: pd.DataFrame,
    role: str,
    besides: Sequence[str] = (),
) -> tuple[str, ...]:
    """All of it, in the order in which it is read.

    Parameters
    ----------
    recipe : Recipe
    store : Store
    bound : Bound
    partial : str
        Which experiments are missing, as `part_of` says it.
    said : Said or None
        What raters said, where that is learnt.
    experiments, results : sequence
        One after the other, of the same.
    scored : DataFrame
        The predictions that are scored.
    role : str
        What they are of: "test" or "dev".
    besides : sequence of str
        What others have to say.
    """
    return (
        *([partial] if partial else []),
        *bound.split.notes,
        *_dropped_note(bound),
        *_speaker_notes(recipe, store),
        *_marks_note(recipe),
        *_start_note(recipe.train, results),
        *(_rater_notes(said, results) if said else ()),
        *_children_note(recipe, results),
        *_device_notes(experiments, results, how=recipe.train),
        *_scored_notes(role, recipe, results, bound.split),
        *besides,
        *_speaker_note(scored),
    )


def part_of(experiments: Sequence[Experiment], recipe: Recipe, split: Split) -> str:
    """Which systems lack folds or seeds of the recipe; then scores are not of the same utterances."""
    counts = Counter(experiment.system for experiment in experiments)
    whole = {name: len(split.folds) * (len(recipe.train.seeds) if SYSTEMS[name].seeded else 1) for name in counts}
    missing = [f"{name} has {n} of {whole[name]}" for name, n in counts.items() if n < whole[name]]
    return f"a part of the experiments, not to be compared with others: {', '.join(missing)}" if missing else ""


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


def _start_note(how: TrainConfig, results: Sequence[Result]) -> list[str]:
    """That weights know more than the training part."""
    began = {one_line(result.system) for result in results if how.start_from and SYSTEMS[result.system].by_gradient}
    return [
        f"{name} goes on from {one_line(how.start_from)}, and knows what that was trained on" for name in sorted(began)
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
