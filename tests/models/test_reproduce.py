"""A bundle written of the small store's experiments, read back, attacked, and reproduced."""

import shutil
from dataclasses import replace

import pytest

from serprep.errors import TrainError
from serprep.systems import SYSTEMS
from serprep_models import reproduce as module
from serprep_models.bundle import RECIPE, read_bundle
from serprep_models.reproduce import reproduce


@pytest.fixture(scope="module")
def inline_pool():
    from helpers.inline import Inline

    return Inline()


def steps(done):
    return {step.name: step for step in done.steps}


def test_the_same_recordings_libraries_and_code_give_the_same_bits(made, tmp_path, inline_pool):
    done = reproduce(made / "results.zip", root=str(made / "corpus"), folder=tmp_path / "new", pool=inline_pool)
    assert done.ok and done.first_difference == "" and {step.result for step in done.steps} == {"same"}
    assert list(steps(done)) == ["libraries", "code", "recordings", "version", "seal", "split", "predictions"]
    about = read_bundle(made / "results.zip").about
    assert {(run["system"], run["fold"]) for run in about["runs"]} == {
        (system, fold) for system in ("linear", "majority") for fold in ("1", "2")
    }


def test_another_recording_is_named(made, tmp_path, inline_pool):
    shutil.copytree(made / "corpus", tmp_path / "corpus")
    one, two = sorted((tmp_path / "corpus").rglob("*.wav"))[:2]
    shutil.copy(two, one)
    name = f"{one.stem}-{one.parent.name}"
    done = reproduce(
        made / "results.zip",
        root=str(tmp_path / "corpus"),
        folder=tmp_path / "new",
        systems=["majority"],
        pool=inline_pool,
    )
    assert done.first_difference == f"recordings: 1 with another recording ({name})"


def test_another_label_is_named_and_the_library_that_differs(made, tmp_path, inline_pool, monkeypatch):
    shutil.copytree(made / "corpus", tmp_path / "corpus")
    lines = (tmp_path / "corpus" / "labels.csv").read_text().splitlines()
    name = lines[1].split(",")[0]
    lines[1] = lines[1].rpartition(",")[0] + ",sad"
    (tmp_path / "corpus" / "labels.csv").write_text("\n".join(lines) + "\n")
    real = module.environment()
    other = real | {"libraries": real["libraries"] | {"scipy": "1.0"}}
    monkeypatch.setattr(module, "environment", lambda: other)
    done = reproduce(made / "results.zip", root=str(tmp_path / "corpus"), folder=tmp_path / "new", pool=inline_pool)
    assert done.first_difference == f"libraries: scipy {real['libraries']['scipy']} there, 1.0 here"
    assert steps(done)["recordings"].words == f"1 with another label ({name})"


def test_revisions_of_the_systems_that_are_compared_are_compared(made, tmp_path, monkeypatch):
    given = read_bundle(made / "results.zip")
    assert module._code(given, {"linear", "majority"}) == module.Step("code", "same")
    monkeypatch.setattr(type(SYSTEMS["linear"]), "revision", 2)
    assert module._code(given, {"majority"}).result == "same"
    assert module._code(given, {"linear"}).words == "revision of linear 0 there, 2 here"
    about = {**given.about, "revisions": {"linear": 2}}
    assert module._code(replace(given, about=about), {"linear"}).result == "same"


def test_other_numbers_are_held_against_the_stated_spread(made):
    given = read_bundle(made / "results.zip")
    runs = given.about["runs"]
    low, high = next(row["ua_interval"] for row in given.about["summary"] if row["system"] == "linear")
    spread = (high - low) / 2

    def compared(difference, result):
        moved = [run | {"ua": run["ua"] + difference, "predictions": "x"} for run in runs if run["system"] == "linear"]
        own = [run for run in runs if run["system"] == "linear"]
        return module._predictions(given, own, moved, [module.Step("libraries", result)])

    assert compared(spread / 2, "other").result == "within the spread"
    assert compared(spread + 0.01, "other").result == "other"
    same = compared(0.0, "same")
    assert same.result == "other" and "other bits in 2 of 2 experiments, with the same libraries" in same.words


def test_a_recipe_writes_nowhere_but_into_the_new_folder(made, tmp_path):
    given = read_bundle(made / "results.zip")
    hostile = (
        (made / "recipe.toml")
        .read_text()
        .replace('path = "data"', f'path = "{tmp_path}/away"\ncache = "{tmp_path}/away"')
    )
    bad = replace(given, files={**given.files, RECIPE: hostile.encode()})
    recipe = module._recipe(bad, tmp_path / "new", root=str(made / "corpus"))
    assert recipe.dataset_path == str(tmp_path / "new" / "data") and not recipe.cache_path
    with pytest.raises(TrainError, match="it exists; name a new folder"):
        reproduce(made / "results.zip", root="x", folder=tmp_path, pool=None)
    with pytest.raises(TrainError, match="no such experiment; it has linear in fold 1"):
        reproduce(made / "results.zip", root="x", folder=tmp_path / "n", systems=["svm"], pool=None)


def test_recordings_are_named_from_where_the_command_is_given(made, tmp_path, monkeypatch):
    class Named(Exception):
        pass

    def build(recipe, **_):
        raise Named(recipe.corpus.root)

    monkeypatch.chdir(made)
    monkeypatch.setattr(module, "build", build)
    with pytest.raises(Named, match=f"^{made / 'corpus'}$"):
        reproduce(made / "results.zip", root="corpus", folder=tmp_path / "new", pool=None)
    with pytest.raises(TrainError, match="nowhere: no such folder; expected the recordings of the bundle"):
        reproduce(made / "results.zip", root="nowhere", folder=tmp_path / "other", pool=None)
    assert not (tmp_path / "other").exists()
