"""What the page of a recipe's results is made of, through the command that writes it."""

import shutil

import numpy as np
import pytest

from helpers.inline import Inline

RECIPE = """
[dataset]
path = "data"
[corpus]
reader = "pattern"
root = "corpus"
pattern = "{emotion}/{speaker}_{text}_{take}.wav"
[features.functionals]
enabled = false
[features.imported]
path = "rows.npz"
[split]
protocol = "group-k-fold"
folds = 2
[train]
systems = ["linear", "majority"]
seeds = [0]
[train.linear]
features = ["imported"]
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A recipe that was run: rows that say nothing, so that many utterances are said wrongly."""
    from serprep.recipe import read_recipe
    from serprep.testing import write_synthetic_corpus
    from serprep_models.run import run_recipe

    place = tmp_path_factory.mktemp("report")
    write_synthetic_corpus(place / "corpus", n_speakers=4, n_texts=1)
    rng = np.random.default_rng(0)
    ids = [path.relative_to(place / "corpus").with_suffix("").as_posix() for path in place.rglob("*.wav")]
    np.savez(place / "rows.npz", **{id_: rng.normal(size=4).astype(np.float32) for id_ in sorted(ids)})
    (place / "mine.toml").write_text(RECIPE)
    run_recipe(read_recipe(place / "mine.toml"), pool=Inline(), page=False)
    return place


def written(done, page):
    """The text of a page that a command wrote."""
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == str(page)
    return page.read_text(encoding="utf-8")


def test_what_is_surely_wrong_is_played_where_it_is_asked_for(folder, serprep, tmp_path) -> None:
    page = tmp_path / "page.html"
    said = ["report", folder / "mine.toml", "-o", page]
    silent = written(serprep(*said), page)
    assert "Most surely wrong" in silent and "<audio" not in silent
    assert written(serprep(*said, "--with-sound", 2), page).count('src="data:audio/ogg;base64,') == 2

    moved = shutil.copytree(folder / "corpus", tmp_path / "moved")
    assert written(serprep(*said, "--with-sound", 2, "--audio", moved), page).count("<audio") == 2
    for path in moved.rglob("*.wav"):  # the same names, other recordings
        path.write_bytes((folder / "corpus").joinpath(*path.relative_to(moved).parts).read_bytes() + b"\0")
    other = written(serprep(*said, "--with-sound", 2, "--audio", moved), page)
    assert "<audio" not in other and "recording is missing, or another one" in other


def test_players_of_a_store_are_on_its_card(folder, serprep) -> None:
    done = serprep("report", folder / "data", "--with-sound", 1)
    assert done.returncode == 2 and "--with-sound is for a RECIPE" in done.stderr
