"""Augmentation by conditions: children are where their parents are, on the training side alone."""

import json
from dataclasses import replace

import numpy as np
import pytest

from helpers.inline import Inline
from serprep.cache.place import cache_of
from serprep.conditions import conditions_from
from serprep.errors import RecipeError
from serprep.pipeline.conditioned import build_augmented, build_conditioned
from serprep.recipe import recipe_from
from serprep.split import bind
from serprep.store.store import Store, open_store
from serprep_models.beforehand import split_of
from serprep_models.children import parents_of, with_children
from serprep_models.experiment_folder import experiments_folder
from serprep_models.experiments import run_experiments
from serprep_models.statistics import Speakers
from serprep_models.systems.svm import Labelled, inner_folds
from serprep_models.tasks import rows_of

OFF = {"off": {"of": "gain", "db": -60}}  # as in test_conditioned, so that it is computed once


@pytest.fixture(scope="module")
def augmented(small) -> Store:
    recipe, store = small
    return build_augmented(recipe, store, conditions_from(OFF, ""), parents=range(8, 32), pool=Inline())


@pytest.fixture(scope="module")
def outcome(small):
    recipe, store = small
    how = replace(recipe.train, augment=OFF, calibrate="temperature")
    return run_experiments(
        replace(recipe, train=how), store, pool=Inline(), systems=["compare-svm"], folds=["1"], quiet=True
    )


def test_a_child_names_its_parent_and_has_its_features_in_the_condition(small, augmented):
    recipe, store = small
    off = build_conditioned(recipe, store, *conditions_from(OFF, ""), pool=Inline())
    assert set(augmented.ids) == {*store.ids, *(f"{name}~off" for name in store.ids[8:])}
    for row, (name, parent) in enumerate(zip(augmented.ids, parents_of(augmented).tolist(), strict=True)):
        source, own = (off, name.removesuffix("~off")) if parent != row else (store, name)
        assert augmented.ids[parent] == own and augmented.column("parent")[row] == (own if parent != row else "")
        place = source.ids.index(own)
        assert (augmented.functionals(row) == source.functionals(place)).all()
        assert (augmented.segments(row, 30) == source.segments(place, 30)).all()
        assert (augmented.speakers[row], augmented.emotions[row]) == (store.speakers[place], store.emotions[place])


def test_no_child_is_developed_on_or_tested_or_comes_from_there(small, augmented):
    recipe, store = small
    bound = bind(split_of(recipe, store.manifest()), store.manifest())
    for fold in range(2):
        clean = rows_of(bound, fold, [bool(label) for label in store.emotions])
        found = with_children(store, augmented, clean)
        ids = {role: [augmented.ids[row] for row in rows] for role, rows in found.items()}
        for role in ("dev", "test"):
            assert ids[role] == [store.ids[row] for row in clean[role]]
        expected = [store.ids[row] for row in clean["train"]]
        expected += [f"{store.ids[row]}~off" for row in clean["train"] if row >= 8]
        assert ids["train"] == sorted(expected)


def test_statistics_are_of_what_is_trained_on_and_the_rest_of_recordings(small, outcome):
    recipe, store = small
    off = build_conditioned(recipe, store, *conditions_from(OFF, ""), pool=Inline())
    folder = outcome.folder / "compare-svm" / "fold-01" / "seed-0"
    about = json.loads((folder / "checkpoint.json").read_bytes())
    rows = [store.ids.index(name) for name in outcome.split.ids(0, "train")]
    both = np.concatenate([each.read_functionals(rows) for each in (store, off)]).astype(np.float64)
    assert about["statistics"]["functionals"]["mean"] == pytest.approx(both.mean(axis=0), rel=1e-9, abs=1e-12)
    assert about["version"] == store.version
    assert about["calibration"]["n"] == len(rows) == 16  # no child has a part in the temperature
    (result,) = outcome.results
    assert (result.n_train, result.n_children) == (16, 16)
    assert set(outcome.predictions["id"]) == set(outcome.split.ids(0, "test"))
    assert any("16 and 16 (conditions off); no child is developed on or tested" in note for note in outcome.notes)


def test_it_is_named_only_where_it_is_set(small, outcome):
    recipe, store = small
    split = split_of(recipe, store.manifest())

    def folder(**changes):
        return experiments_folder(replace(recipe, train=replace(recipe.train, **changes)), store, split)

    assert folder() == folder(augment=()) == folder(augment={})
    assert folder(augment=OFF, calibrate="temperature") == outcome.folder != folder(calibrate="temperature")
    listed, named = ("white-10", "telephone"), {"telephone": {}, "white-10": {"of": "white"}}
    assert folder(augment=listed) == folder(augment=named) != folder(augment=listed[:1])


def test_the_bytes_are_the_same_whoever_makes_them(small, augmented, pool, tmp_path):
    recipe, store = small
    cache = cache_of(recipe.dataset_path, named="", scheduler=None).cache.root
    elsewhere = replace(recipe, dataset=replace(recipe.dataset, path=str(tmp_path), cache=cache))
    again = build_augmented(elsewhere, store, conditions_from(OFF, ""), parents=range(8, 32), pool=pool)
    assert again.path != augmented.path and again.seal == augmented.seal
    assert open_store(again.path).version == augmented.version


@pytest.mark.parametrize("speakers", [[""] * 30, [f"s{i // 5}" for i in range(30)]])
def test_inner_folds_keep_children_with_their_parents(speakers):
    rng = np.random.default_rng(0)
    labels, parents = rng.integers(3, size=30), np.arange(30)
    parents[1::2] = parents[::2]  # every other one is the child of the one before
    labels = labels[parents]
    train = Labelled(values=np.zeros((30, 1), np.float32), labels=labels, speakers=speakers, parents=parents)
    _, numbers = inner_folds(train, np.unique(labels))
    assert len(set(numbers)) > 1 and (numbers == numbers[parents]).all()
    alone = Labelled(values=train.values[::2], labels=labels[::2], speakers=speakers[::2])
    assert (inner_folds(alone, np.unique(labels))[1] == numbers[::2]).all()


def test_a_speaker_is_known_by_recordings_alone():
    found = Speakers.of(list("abcd"), list("xxyx"), parents=np.array([0, 0, 2, 3]))
    assert [rows.tolist() for rows in found.enrolled] == [[0, 3], [2]]


@pytest.mark.parametrize(
    ("augment", "message"),
    [
        (["babble-10"], r"\[train.augment\] babble-10 mixes in other speakers, and some of them are tested"),
        (["street"], "unknown condition 'street'; expected one of telephone"),
        ({"loud": {"of": "gain", "dB": 3}}, r"\[train.augment.loud\] unknown key 'dB'; expected one of db"),
        ("telephone", r"augment is 'telephone'; expected a table"),
    ],
)
def test_what_cannot_be_trained_on_is_told(augment, message, tmp_path):
    values = {"corpus": {"reader": "ravdess", "root": "."}, "train": {"augment": augment}}
    with pytest.raises(RecipeError, match=message):
        recipe_from(values, folder=tmp_path, name="r")


def test_a_regression_tries_recordings_alone():
    from serprep_models.systems.svr import _inner, _Part

    parents = np.repeat(np.arange(0, 20, 2), 2)  # every other one is the child of the one before
    train = _Part(values=np.arange(20.0, dtype=np.float32)[:, None], numbers=np.arange(20.0))
    sides = _inner(train, [""] * 20, parents)
    assert sorted(np.concatenate([tried.numbers for _, tried in sides])) == sorted(set(parents))
    for learn, tried in sides:
        assert set(learn.numbers) == {float(i) for i in range(20) if parents[i] not in tried.numbers}


def test_children_are_trained_on_and_never_scored_where_numbers_are_learnt(small):
    recipe, store = small
    how = replace(recipe.train, augment=OFF, target=("take",), scales={"take": [0, 9]})
    numbers = run_experiments(replace(recipe, train=how), store, pool=Inline(), systems=["svr"], folds=["1"])
    (result,) = numbers.results
    assert result.n_children == result.n_train == 16 and result.n_test == 16
    assert set(numbers.predictions["id"]) < set(store.ids)  # no "~off"


def test_raters_heard_the_parent(augmented, monkeypatch):
    from serprep_models import targets

    class Said:
        def of(self, ids):
            return np.array([[len(name), "~" in name] for name in ids], np.float64)

    monkeypatch.setattr(targets, "read_said", lambda path: Said())
    truth = targets.Raters("").truth(augmented, range(len(augmented)))
    assert not truth[:, 1].any() and (truth == truth[parents_of(augmented)]).all()
