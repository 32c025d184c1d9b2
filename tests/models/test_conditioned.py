"""Experiments in other conditions, on the small store."""

from dataclasses import replace
from pathlib import Path

import pandas as pd
import pytest

from serprep.errors import RecipeError
from serprep.parallel import Workers
from serprep.recipe import OtherRooms, Recipe
from serprep.store.store import Store
from serprep_models.conditioned import score_conditions


def test_only_the_test_side_is_transformed_and_what_is_done_is_kept(
    small: tuple[Recipe, Store], trained: Path, pool: Workers
) -> None:
    from serprep_models.experiments import run_experiments

    recipe, store = small
    loud = replace(
        recipe, test=OtherRooms(conditions={"same": {"of": "gain", "db": 0}, "off": {"of": "gain", "db": -60}})
    )
    found = run_experiments(loud, store, pool=pool, systems=["plain-crnn"], folds=["1"])
    assert (found.folder, found.n_kept) == (trained, 1)  # nothing is trained anew
    scores = {row.condition: row for row in found.conditions}
    assert list(scores) == ["clean", "same", "off"]
    assert scores["clean"].ua == found.summary[0].ua == scores["same"].ua
    assert len(list(trained.glob("plain-crnn/fold-01/seed-0/conditions/*.csv"))) == 2


def test_scores_are_per_condition_and_system() -> None:
    frame = pd.DataFrame({"truth": list("abab"), "prediction": list("abaa"), "speaker": list("xxyy")})
    both = pd.concat([frame.assign(condition="clean"), frame.assign(prediction="a", condition="mp3")])
    rows = score_conditions(both.assign(system="s", seed=0), "ab")
    assert [(row.condition, row.ua) for row in rows] == [("clean", 0.75), ("mp3", 0.5)]


def test_conditions_are_a_word_or_tables() -> None:
    assert len(OtherRooms(conditions="standard").applied) == 13
    with pytest.raises(RecipeError, match="conditions is 'all'; expected \"standard\" or a table"):
        OtherRooms(conditions="all")
