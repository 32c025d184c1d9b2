import json
import os
import shutil

import pytest
from serprep_cli.places import kind_of

RECIPE = '[corpus]\nreader = "table"\nroot = "corpus"\nfile = "labels.csv"\n[dataset]\npath = "data"\n'


@pytest.fixture
def place(two_versions):
    data, _, second = two_versions
    folder = data.parent
    rows = [f"u{i}.wav,s{i % 2},{'xy'[i // 2]}" for i in range(4)]
    (folder / "corpus" / "labels.csv").write_text("\n".join(["path,speaker,emotion", *rows]) + "\n")
    (folder / "recipe.toml").write_text(RECIPE)
    (folder / "m").mkdir()
    (folder / "m" / "utterances.csv").write_text("id,path,speaker,emotion\na,a.wav,s1,x\nb,b.wav,s2,x\n")
    return folder, data / "versions" / f"{second}.zarr"


def test_a_thing_of_another_kind_is_answered_with_the_command_that_takes_it(serprep, place):
    folder, store = place
    cases = {
        ("info", "recipe.toml"): "recipe.toml is a recipe, and `serprep info` takes a store or a data set: "
        "`serprep build recipe.toml` makes its store",
        ("verify", "m"): "m is a manifest, and `serprep verify` takes a store",
        ("build", str(store)): "is a store, and `serprep build` takes a recipe: `serprep info",
        ("build", "data"): "data is a data set, and `serprep build` takes a recipe: `serprep log data`",
        ("run", "corpus"): "corpus is a corpus, and `serprep run` takes a recipe: `serprep init corpus`",
        ("split", "corpus"): "`serprep init corpus` writes a recipe for it",
        ("check", "recipe.toml", "corpus"): "recipe.toml is a recipe, and `serprep check` takes a manifest",
        ("info", "corpus/u0.wav"): "is a recording, and `serprep info` takes a store",
        ("predict", "recipe.toml", "corpus"): "recipe.toml is a recipe, and `serprep predict` takes a checkpoint",
        ("log", "recipe.toml"): "recipe.toml is a recipe, and `serprep log` takes a data set",
    }
    for words, said in cases.items():
        done = serprep(*words, cwd=folder)
        assert (done.returncode, done.stdout) == (1, "")
        assert said in done.stderr, words
        assert done.stderr.count("\n") == 1


def test_right_things_keep_their_own_errors(serprep, place):
    folder, _ = place
    done = serprep("check", "m", "gone", cwd=folder)
    assert "no such folder" in done.stderr


def test_kinds(place):
    folder, store = place
    os.chdir(folder)
    assert [kind_of(name) for name in ("m", "data", str(store), "gone", "s3://b/x", "data@latest")] == [
        *("manifest", "data set", "store", "", "", "data set")
    ]


def test_split_and_audit_take_a_store_and_a_recipe(serprep, place):
    folder, store = place
    (folder / "recipe.toml").write_text(RECIPE + '[split]\nprotocol = "group-k-fold"\nfolds = 2\n')
    done = serprep("split", "recipe.toml", "--json", "--seed", "7", cwd=folder)
    about = json.loads(done.stdout)
    assert (about["config"]["protocol"], about["config"]["folds"], about["config"]["seed"]) == ("group-k-fold", 2, 7)
    assert set(json.loads((folder / "split.json").read_text())["utterances"]) == {"u0", "u1", "u2", "u3"}
    done = serprep("audit", "recipe.toml", "split.json", cwd=folder)
    assert "4 utterances, 2 folds: no leak found" in done.stdout
    assert serprep("audit", "recipe.toml", cwd=folder).stdout == done.stdout  # its own split
    alone = serprep("audit", store, cwd=folder)
    assert (alone.returncode, f"; `serprep split {store}` makes one" in alone.stderr) == (2, True)
    done = serprep("split", store, "--group", "path", "-o", "of_store.json", cwd=folder)
    assert done.returncode == 0, done.stderr
    assert serprep("audit", store, "of_store.json", cwd=folder).returncode == 0
    shutil.rmtree(folder / "m")


def test_a_recipe_that_is_split_is_told_of_copies_under_two_labels(serprep, place):
    folder, _ = place
    shutil.copy(folder / "corpus" / "u0.wav", folder / "corpus" / "u3.wav")  # speakers s0 and s1, labels x and y
    (folder / "recipe.toml").write_text(RECIPE + '[split]\nprotocol = "group-k-fold"\nfolds = 2\n')
    said = serprep("split", "recipe.toml", cwd=folder).stderr
    assert "warning: the split leaks: byte-identical recordings on both sides (1), such as u0 = u3" in said
    assert "warning: label conflict: recordings under two labels (1), such as u0 (x) = u3 (y)" in said


def test_one_speaker_is_told_the_next_step(serprep, tmp_path):
    (tmp_path / "m.csv").write_text("id,path,speaker,emotion\na,a.wav,s1,x\nb,b.wav,s1,y\n")
    done = serprep("split", "m.csv", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert "'speaker' has 1 values" in done.stderr and 'group = "session"' in done.stderr
