"""What could not be trained or split is found before anything is computed."""

from collections.abc import Sequence

from serprep.errors import TrainError, one_line
from serprep.manifest.table import Manifest, make_manifest
from serprep.pipeline.gather import Asked, gather
from serprep.recipe import Recipe
from serprep.split import Split, make_split, read_split
from serprep.systems import SYSTEMS, default_systems, options_of, shapes_of
from serprep_models.cautions import confounded
from serprep_models.start import start_of
from serprep_models.statistics import check_speakers
from serprep_models.submission import check_submission
from serprep_models.train import check_training


def split_of(recipe: Recipe, manifest: Manifest) -> Split:
    """The recipe's split of the rows of a store."""
    if recipe.split.protocol == "list":
        return read_split(recipe.path(recipe.split.file))
    return make_split(manifest, recipe.split)


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
        inputs = spec.inputs(options, recipe.features)
        try:
            shapes_of(inputs, recipe.features)
        except TrainError as error:
            raise TrainError(f"{system} needs {error}, or leave it out") from None
        spec.check(options, recipe.train)
        if spec.by_gradient:
            check_training(recipe.train)
    start_of(recipe, chosen)
    asked = gather(recipe)
    unique = {row.id: row for row in asked.manifest.utterances}
    labels = [repr(label) for label in {row.emotion for row in unique.values()} if label]
    if len(labels) < 2 and recipe.train.learns != "numbers":
        raise TrainError(
            f"{one_line(recipe.name)}: no emotion but {one_line(', '.join(labels) or 'none')}; "
            "expected two or more to tell apart: see [corpus.emotions], and the pattern or the label file"
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
