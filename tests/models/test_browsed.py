"""What the browser shows of a recipe: sides, predictions, and notes where there are none."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from serprep.recipe import Recipe
from serprep.split import Assignment, Split
from serprep.store.store import Store
from serprep_models import browsed


def split_with(*folds: str, **roles: tuple[str, ...]) -> Split:
    rows = {name: Assignment("", "", told) for name, told in roles.items()}
    return Split(protocol="list", group="speaker", seed=0, folds=folds, utterances=rows)


@pytest.mark.parametrize(
    ("split", "sides"),
    [
        (split_with("1", a=("train",), b=("",)), ("train", "left out", "left out")),
        (
            split_with("1", "2", a=("test", "train"), b=("train", "dev")),
            ("test in fold 1", "never tested", "never tested"),
        ),
    ],
)
def test_sides_are_told_in_words(split: Split, sides: tuple[str, ...]) -> None:
    assert browsed.sides_of(split, ["a", "b", "c"]) == sides


def test_probabilities_are_means_in_the_order_of_the_store(small: tuple[Recipe, Store]) -> None:
    _, store = small
    first, other = store.ids[:2]
    rows = [
        {"system": "svm", "id": id_, **{f"p_{name}": value for name in store.labels}}
        for id_, value in ((other, 0.1), (other, 0.3), (first, 0.5))
    ]
    found = browsed.probabilities_of(pd.DataFrame(rows), store)["svm"]
    assert found.shape == (len(store), len(store.labels))
    assert found[:2] == pytest.approx(np.array([[0.5] * 4, [0.2] * 4])) and np.isnan(found[2:]).all()


def test_margins_are_of_systems_that_are_no_floor(small: tuple[Recipe, Store]) -> None:
    _, store = small
    id_, given = next((id_, label) for id_, label in zip(store.ids, store.emotions, strict=True) if label)
    for_all = {f"p_{label}": 0.1 for label in store.labels} | {f"p_{given}": 0.7}
    against = {f"p_{label}": 0.2 for label in store.labels} | {f"p_{given}": 0.4, "system": "majority"}
    rows = [{"system": "svm", "id": id_, "truth": given, **for_all}, {"id": id_, "truth": given, **against}]
    assert browsed.margins_of(pd.DataFrame(rows), store) == pytest.approx({id_: 0.6})


def test_a_store_alone_has_no_sides(small: tuple[Recipe, Store], tmp_path: Path) -> None:
    subject = browsed.subject_of(small[1].path, audio=tmp_path)
    assert (subject.sides, dict(subject.probabilities), subject.quarantined) == ((), {}, ())
    assert subject.levels is not None and np.isfinite(subject.levels).all(), "as the build has measured them"


def test_a_recipe_without_results_has_sides_and_says_what_is_missing(
    small: tuple[Recipe, Store], tmp_path: Path
) -> None:
    recipe, store = small
    path = tmp_path / "r.toml"
    path.write_text(
        f'[dataset]\nname = "synthetic"\npath = "{recipe.dataset_path}"\n[corpus]\nreader = "pattern"\n'
        f'root = "{recipe.root}"\npattern = "{recipe.corpus.pattern}"\n[split]\nprotocol = "group-k-fold"\nfolds = 4\n'
    )
    subject = browsed.subject_of(str(path))
    assert subject.audio == Path(recipe.root) and len(subject.store) == len(store)
    assert set(subject.sides) == {f"test in fold {number}" for number in range(1, 5)}
    assert "no experiment of it is finished" in subject.notes[0]
