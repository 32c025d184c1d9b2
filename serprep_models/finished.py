"""A recipe → what is finished of it; nothing is built or trained."""

from dataclasses import replace
from pathlib import Path

from serprep.errors import TrainError, one_line
from serprep.files import read_regular
from serprep.parallel import Workers
from serprep.pipeline.build import BuildResult
from serprep.recipe import Recipe, read_recipe, read_training
from serprep_models.built import find_built
from serprep_models.experiments import run_experiments
from serprep_models.outcome import Outcome


def finished_of(recipe_path: Path, *, train_from: Path | None = None) -> tuple[Recipe, BuildResult, Outcome]:
    """What is finished of a recipe; nothing is built or trained.

    Raises
    ------
    StoreError, TrainError
        If there is no store of it, or no experiment is finished; the message says what to run.
    """
    recipe = trained_as(read_recipe(recipe_path), train_from)
    built, store = find_built(recipe, name=str(recipe_path))
    try:
        outcome = run_experiments(recipe, store, pool=Workers(), only_finished=True)
    except TrainError as error:
        raise TrainError(f"{one_line(recipe_path)}: {error}") from None
    return recipe, built, outcome


def trained_as(recipe: Recipe, other: Path | None) -> Recipe:
    """The recipe, with the ``[train]`` of another one if it is given."""
    if other is None:
        return recipe
    return replace(recipe, train=read_training(other), sources={**recipe.sources, other.name: read_regular(other)})
