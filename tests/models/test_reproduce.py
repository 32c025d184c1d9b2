"""A bundle written of the small store's experiments, read back, attacked, and reproduced."""

import json
import shutil
import zipfile
from dataclasses import replace
from pathlib import Path

import pytest

from serprep.errors import TrainError
from serprep_models import reproduce as module
from serprep_models.bundle import ABOUT, LARGEST, RECIPE, bundle, read_bundle
from serprep_models.reproduce import reproduce

TOML = """
[dataset]
path = "data"
[corpus]
reader = "table"
root = "corpus"
file = "labels.csv"
[features.functionals]
enabled = false
[features.egemaps]
[split]
protocol = "group-k-fold"
folds = 2
[train]
systems = ["linear", "majority"]
seeds = [0]
[train.linear]
features = ["egemaps"]
"""


@pytest.fixture(scope="module")
def made(tmp_path_factory, inline_pool):
    """A recipe that was run, its recordings, and its bundle."""
    from serprep.recipe import read_recipe
    from serprep.testing import write_synthetic_corpus
    from serprep_models.run import run_recipe

    folder = tmp_path_factory.mktemp("reproduce")
    write_synthetic_corpus(folder / "corpus", n_speakers=4, n_texts=1)
    paths = sorted((folder / "corpus").rglob("*.wav"))
    rows = [f"{p.stem}-{p.parent.name},{p.parent.name}/{p.name},{p.stem.split('_')[0]},{p.parent.name}" for p in paths]
    (folder / "corpus" / "labels.csv").write_text("\n".join(["id,path,speaker,emotion", *rows]) + "\n")
    (folder / "recipe.toml").write_text(TOML)
    run_recipe(read_recipe(folder / "recipe.toml"), pool=inline_pool, page=False)
    bundle(folder / "recipe.toml", folder / "results.zip")
    return folder


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


def test_a_bundle_holds_no_audio_and_no_features(made):
    with zipfile.ZipFile(made / "results.zip") as file:
        assert set(file.namelist()) == set(LARGEST) - {"exclude.txt"}
    assert (made / "results.zip").stat().st_size < 20_000


def test_a_file_that_is_no_bundle_is_not_replaced(tmp_path):
    own = tmp_path / "table.csv"
    own.write_text("file,label\n")
    with pytest.raises(TrainError, match=r"table.csv is there and no bundle; name another file"):
        bundle(tmp_path / "recipe.toml", own)
    assert own.read_text() == "file,label\n"


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


def zipped(path, members):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, data in members:
            file.writestr(name, data)
    return path


LINK = zipfile.ZipInfo(RECIPE)
LINK.external_attr = 0o120777 << 16


@pytest.mark.parametrize(
    ("members", "message"),
    [
        ([("../recipe.toml", "x")], r"it holds '\.\./recipe\.toml', as no bundle does; nothing of it was unpacked"),
        ([("/etc/passwd", "x")], "it holds '/etc/passwd'"),
        ([(LINK, "/etc/passwd")], "'recipe.toml' is no plain file; nothing of it was unpacked"),
        ([(RECIPE, b"0" * ((1 << 20) + 1))], "'recipe.toml' is larger than 1048576 bytes"),
        ([(f"{n}.txt", "") for n in range(9)], "9 members; a bundle has at most 5"),
        ([(RECIPE, "")], "no bundle.json in it"),
        ([(ABOUT, "[]")], "it is no JSON object"),
        ([(ABOUT, '{"format": 2}')], "has format 2, this serprep reads 1"),
        ([(ABOUT, '{"format": 1}')], "no recipe.toml in it"),
    ],
)
def test_a_hostile_zip_is_refused_in_one_line(tmp_path, members, message):
    with pytest.raises(TrainError, match=message) as error:
        read_bundle(zipped(tmp_path / "b.zip", members))
    assert "\n" not in str(error.value) and [path.name for path in tmp_path.iterdir()] == ["b.zip"]


@pytest.mark.parametrize("data", [b"", b"PK\3\4 no zip", b"\0" * 1000])
def test_what_is_no_zip_is_one_line(tmp_path, data):
    (tmp_path / "b.zip").write_bytes(data)
    with pytest.raises(TrainError, match=r"b\.zip: .*; expected what `serprep bundle` writes"):
        read_bundle(tmp_path / "b.zip")


@pytest.mark.parametrize("name", ["version", "runs", "summary", "environment", "split"])
def test_fields_of_other_types_are_one_line(made, tmp_path, name):
    given = read_bundle(made / "results.zip")
    about = json.dumps({**given.about, name: 3})
    with pytest.raises(TrainError, match=f"{name} in bundle.json is not what"):
        read_bundle(zipped(tmp_path / "b.zip", [(ABOUT, about), *given.files.items()]))


def test_a_recipe_writes_nowhere_but_into_the_new_folder(made, tmp_path):
    given = read_bundle(made / "results.zip")
    hostile = TOML.replace('path = "data"', f'path = "{tmp_path}/away"\ncache = "{tmp_path}/away"')
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


def test_a_bundle_is_of_one_corpus(small, monkeypatch, tmp_path):
    several = replace(small[0], corpora=(small[0].corpus,))
    monkeypatch.setattr("serprep_models.bundle.finished_of", lambda path: (several, None, None))
    with pytest.raises(TrainError, match=r"both.toml: it has several corpora; a bundle is made of a recipe with one"):
        bundle(Path("both.toml"), tmp_path / "x.zip")
