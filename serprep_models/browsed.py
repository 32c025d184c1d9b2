"""A store or a recipe → what the browser shows of it, with the predictions of finished experiments."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pandas as pd

from serprep._typing import DoubleArray, FloatArray
from serprep.browse.subject import Subject
from serprep.card.beside import build_of, known_levels
from serprep.errors import SerprepError, SplitError, TrainError
from serprep.manifest.marks import read_marks
from serprep.parallel import Workers
from serprep.pipeline.gather import Quarantined
from serprep.place.place import at
from serprep.ratings import read_ratings
from serprep.recipe import OtherRooms, Recipe, read_recipe
from serprep.split import Split
from serprep.store.store import Store, open_store
from serprep.version import read_build
from serprep_models.built import find_built


def subject_of(place: str, *, audio: Path | None = None) -> Subject:
    """What there is to look at.

    Parameters
    ----------
    place : str
        A recipe, or a store as `open_store` takes it.
    audio : Path, optional
        The folder of the recordings; default: the recipe's root.
    """
    if not place.endswith(".toml"):
        store = open_store(place)
        return Subject(store=store, audio=audio, quarantined=_quarantined(store), levels=_levels(store))
    recipe = read_recipe(place)
    built, store = find_built(recipe, name=place)
    own = at(recipe.corpus.root, base=recipe.folder).direct()  # nothing is played from a URL
    root = audio or (Path(own) if own else None)
    subject = Subject(
        store=store,
        audio=root,
        quarantined=built.reasons,
        levels=_levels(store),
        ratings=read_ratings(recipe.path(recipe.corpus.manifest)) if recipe.corpus.manifest else (),
        marks=read_marks(recipe.path(recipe.corpus.marks)) if recipe.corpus.marks else (),
    )
    return _with_results(subject, recipe)


def _with_results(subject: Subject, recipe: Recipe) -> Subject:
    """Sides of the split and predictions of finished experiments, where there are such; else a note says why not."""
    try:
        from serprep_models.beforehand import split_of
        from serprep_models.experiments import run_experiments

        asked = replace(recipe, test=OtherRooms())  # predictions in other rooms are not shown
        outcome = run_experiments(asked, subject.store, pool=Workers(), only_finished=True)
    except ModuleNotFoundError as error:
        if error.name not in ("torch", "safetensors"):
            raise
        return replace(subject, notes=("no predictions are shown: reading them needs `pip install serprep[train]`",))
    except SplitError as error:  # an impossible split is no reason not to listen
        return replace(subject, notes=(str(error),))
    except TrainError as error:
        sides = sides_of(split_of(recipe, subject.store.manifest()), subject.store.ids)
        return replace(subject, sides=sides, notes=(str(error),))
    if outcome.dimensions.scores:
        note = "predictions are of numbers, and not shown"
        return replace(subject, sides=sides_of(outcome.split, subject.store.ids), notes=(note,))
    return replace(
        subject,
        sides=sides_of(outcome.split, subject.store.ids),
        probabilities=probabilities_of(outcome.predictions, subject.store),
        margins=margins_of(outcome.predictions, subject.store),
    )


def sides_of(split: Split, ids: list[str]) -> tuple[str, ...]:
    """In words, where each utterance stands: its role, or the folds that test it if there are several."""
    roles = [split.utterances[id_].roles if id_ in split.utterances else () for id_ in ids]
    if len(split.folds) == 1:
        return tuple((row[0] if row else "") or "left out" for row in roles)
    tested = [[fold for fold, role in zip(split.folds, row, strict=False) if role == "test"] for row in roles]
    return tuple(f"test in fold {', '.join(folds)}" if folds else "never tested" for folds in tested)


def probabilities_of(predictions: pd.DataFrame, store: Store) -> dict[str, DoubleArray]:
    """System → mean probabilities over seeds and folds, (n, n_labels); NaN where nothing was predicted."""
    columns = [f"p_{label}" for label in store.labels]
    means = {}
    for system, rows in predictions.groupby("system", sort=False):
        mean = rows.groupby("id")[columns].mean().reindex(store.ids)
        means[str(system)] = mean.to_numpy(np.float64)
    return means


def margins_of(predictions: pd.DataFrame, store: Store) -> dict[str, float]:
    """Id → mean probability of the given label less that of the likeliest other, by systems that are no floor."""
    from serprep_models.scores.doubt import doubtful

    table = doubtful(predictions, store.labels, paths=dict.fromkeys(store.ids, ""))
    return dict(zip(table["id"].astype(str), table["margin"].astype(float), strict=True))


def _levels(store: Store) -> FloatArray | None:
    return known_levels(store, None, build_of(store)[0])


def _quarantined(store: Store) -> tuple[Quarantined, ...]:
    """What the build beside a store left out; nothing where no report tells."""
    folder, _, file = store.path.rstrip("/").rpartition("/")
    try:
        entries = read_build(folder or ".", file.rsplit(".", 1)[0])["quarantined"]
        return tuple(Quarantined(**{key: str(entry[key]) for key in ("id", "path", "reason")}) for entry in entries)
    except (SerprepError, KeyError, TypeError, OSError):
        return ()
