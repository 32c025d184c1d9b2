import json

import pytest

from serprep.recipe import read_recipe


@pytest.fixture
def folder(tmp_path):
    for person in ("anna", 'b"ert'):
        for mood in ("angry", "sad"):
            for take in ("01", "02"):
                path = tmp_path / "my corpus" / f"{person}_{mood}_{take}.wav"
                path.parent.mkdir(exist_ok=True)
                path.touch()
    return tmp_path


def test_a_recipe_is_written_that_reads_the_folder_and_none_is_overwritten(serprep, folder):
    done = serprep("init", "my corpus", cwd=folder)
    assert done.returncode == 0, done.stderr
    for said in ("8 in my corpus", "8 of 2 speakers", "angry 4, sad 4", "serprep run my corpus.toml"):
        assert said in done.stdout
    recipe = read_recipe(folder / "my corpus.toml")
    assert recipe.root == (folder / "my corpus").resolve()
    assert recipe.corpus.reader_options == {"pattern": "{speaker}_{emotion}_{take}.wav"}
    before = (folder / "my corpus.toml").read_bytes()
    again = serprep("init", "my corpus", cwd=folder)
    assert again.returncode == 1
    assert "is there already and is not overwritten" in again.stderr
    assert (folder / "my corpus.toml").read_bytes() == before


def test_the_recipe_may_lie_elsewhere_and_json_says_the_same(serprep, folder):
    done = serprep("init", folder / "my corpus", "--json", "--output", folder / "a" / "x.toml")
    about = json.loads(done.stdout)
    assert about["recipe"] == str(folder / "a" / "x.toml")
    assert (about["n_speakers"], about["emotions"], about["reader"]) == (2, {"angry": 4, "sad": 4}, "pattern")
    assert read_recipe(about["recipe"]).root == (folder / "my corpus").resolve()


def test_one_emotion_is_said_with_the_next_step(serprep, folder):
    for path in (folder / "my corpus").glob("*_angry_*"):
        path.unlink()
    (folder / "my corpus" / "sad").mkdir()
    for name in ("a", "b"):
        (folder / "my corpus" / "sad" / f"{name}.wav").touch()
    alone = serprep("init", folder / "my corpus")
    assert (alone.returncode, alone.stdout) == (1, "")
    assert "6 recordings of one emotion, 'sad': nothing to tell apart; add recordings of others" in alone.stderr
    below = serprep("init", folder / "my corpus" / "sad")
    assert "one emotion, 'sad': nothing to tell apart; it lies in a folder of others: name that one" in below.stderr
    rows = [f"{path.relative_to(folder / 'my corpus')},sad" for path in (folder / "my corpus").rglob("*.wav")]
    (folder / "my corpus" / "labels.csv").write_text("\n".join(["path,emotion", *rows]))
    table = serprep("init", folder / "my corpus", "-o", folder / "x.toml")
    assert table.returncode == 0 and "one emotion only, 'sad'" in table.stderr


def test_a_folder_that_tells_nothing_is_one_line(serprep, tmp_path):
    done = serprep("init", tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert "no recordings" in done.stderr
