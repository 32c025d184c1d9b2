"""What the page of a recipe's results is made of, through the command that writes it."""

import base64
import html
import json
import re
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
    return re.sub("</?span[^>]*>", "", page.read_text(encoding="utf-8"))  # they hold words of commands together


def test_the_page_of_a_run_shows_what_is_finished_while_it_runs(folder, monkeypatch) -> None:
    from serprep.recipe import read_recipe
    from serprep_models import run

    (folder / "four.toml").write_text(RECIPE.replace("folds = 2", "folds = 4"))
    pages = []

    def kept(*words, path, **options):
        pages.append(write(*words, path=path, **options).read_text(encoding="utf-8"))

    write = run.report_outcome
    monkeypatch.setattr(run, "report_outcome", kept)
    monkeypatch.setattr(run, "seldom", lambda write: write)
    run.run_recipe(read_recipe(folder / "four.toml"), pool=Inline(order=lambda numbers: list(numbers)[::-1]))
    *growing, last = pages
    assert [f"{n} of 8 experiments are finished; missing: " in page for n, page in enumerate(growing, 1)] == [True] * 7
    assert "missing: linear fold 1 seed 0</p>" in growing[-1], "the order of the workers is the other way round"
    assert all("; unfinished. While the run goes on" in page and "download=" not in page for page in growing)
    assert "unfinished" not in last and "experiments are finished" not in last and "download=" in last
    assert not any("refresh" in page for page in pages), "nobody could stop it after a run that was killed"
    assert all("Best:" not in page for page in growing)


def test_a_page_is_written_seldom_and_its_failure_stops_nothing(monkeypatch) -> None:
    from serprep.errors import SplitError
    from serprep_models import run

    clock = [100.0]
    monkeypatch.setattr(run, "monotonic", lambda: clock[0])
    written = []

    def write():
        written.append(clock[0])
        clock[0] += 2
        raise SplitError("no fold is whole")

    ended = run.seldom(write, every=5.0)
    for clock[0] in (100.0, 103.0, 121.0, 122.0, 130.0, 144.0):  # two seconds of writing, so twenty of rest
        ended()
    assert written == [100.0, 122.0, 144.0]


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


def test_a_page_has_the_recipe_as_it_stands_and_carries_its_bundle(folder, serprep, tmp_path) -> None:
    from serprep_models.bundle import bundle

    (folder / "mine.toml").write_text(RECIPE + "# <b>mine</b>, not yours\n")
    page = tmp_path / "page.html"
    text = written(serprep("report", folder / "mine.toml", "-o", page), page)
    assert html.escape(RECIPE.strip(), quote=True) in text.replace("&#34;", "&quot;")
    assert "# &lt;b&gt;mine&lt;/b&gt;, not yours" in text and "serprep run mine.toml" in text
    assert str(folder) not in text  # whoever shares it shows no folder of theirs
    link = re.search(r'<a download="mine.zip" href="data:application/zip;base64,([^"]+)">', text)
    bundle(folder / "mine.toml", tmp_path / "expected.zip")
    assert link and base64.b64decode(link[1]) == (tmp_path / "expected.zip").read_bytes()

    shutil.copy(folder / "mine.toml", folder / "tuned.toml")  # its [train] is the same
    text = written(serprep("report", folder / "mine.toml", "--train-from", folder / "tuned.toml", "-o", page), page)
    assert f"serprep run mine.toml --train-from {folder}/tuned.toml" in text
    assert "<summary>tuned.toml</summary>" in text and "application/zip" not in text, "a bundle has one recipe"


def test_a_recipe_that_is_edited_while_it_runs_is_shown_as_it_was_read(folder, tmp_path) -> None:
    from serprep_models.bundle import RECIPE as NAME
    from serprep_models.bundle import read_bundle
    from serprep_models.finished import finished_of, trained_as
    from serprep_models.report import report_outcome

    path, other = folder / "edited.toml", tmp_path / "other.toml"
    path.write_text(RECIPE + "# as it was\n")
    other.write_text(RECIPE + "# the other, as it was\n")
    recipe, built, outcome = finished_of(path)
    both = trained_as(recipe, other)
    path.write_text(RECIPE.replace("folds = 2", "folds = 3") + "# edited\n")
    other.unlink()
    page = tmp_path / "page.html"
    text = report_outcome(recipe, outcome, built=built, path=page).read_text()
    assert "# as it was" in text and "# edited" not in text
    link = re.search(r'download="edited.zip" href="data:application/zip;base64,([^"]+)">', text)
    (tmp_path / "b.zip").write_bytes(base64.b64decode(link[1]))
    assert read_bundle(tmp_path / "b.zip").files[NAME].endswith(b"# as it was\n")
    text = report_outcome(both, outcome, built=built, path=page, train_from=other).read_text()
    assert "# the other, as it was" in text


def test_a_page_that_is_there_already_is_not_written_again(folder, serprep, tmp_path) -> None:
    page = tmp_path / "page.html"
    text = written(serprep("report", folder / "mine.toml", "-o", page), page)
    before = page.stat()
    assert written(serprep("report", folder / "mine.toml", "-o", page), page) == text
    assert page.stat().st_ino == before.st_ino, "it may be a colleague's, and read-only"
    page.write_text("<!-- another -->")
    assert written(serprep("report", folder / "mine.toml", "-o", page), page) == text


@pytest.fixture(scope="module")
def other(folder):
    """A second recipe over the same recordings, with stronger regularisation, that was run too."""
    from serprep.recipe import read_recipe
    from serprep_models.run import run_recipe

    (folder / "other.toml").write_text(RECIPE.replace('["linear", "majority"]', '["linear"]\nlearning_rate = 0.05'))
    run_recipe(read_recipe(folder / "other.toml"), pool=Inline(), page=False)
    return folder / "other.toml"


def test_two_recipes_are_compared_on_one_page(folder, other, serprep, tmp_path) -> None:
    page = tmp_path / "page.html"
    mine = folder / "mine.toml"
    text = " ".join(re.sub(r"<[^>]*>", " ", written(serprep("report", mine, other, "-o", page), page)).split())
    assert "mine against other" in text
    compared = json.loads(serprep("compare", mine, other, "--json").stdout)
    scores = {row["system"]: f"{100 * row['ua']:.1f}" for row in compared["summary"]}
    pair = next(row for row in compared["comparisons"] if row["first"] == "mine: linear")
    low, high = (f"{100 * bound:.1f}" for bound in pair["ua_interval"])
    row = re.search(r"p \(Holm\) linear (.*?) majority (.*?) UA: mean recall", text)
    assert row, text
    assert row[1].startswith(scores["mine: linear"]) and f" {scores['other: linear']} " in row[1]
    assert f"{100 * pair['ua']:.1f} {low}" in row[1] and high in row[1] and row[1].count("–") >= 2
    assert "– – – – –" in row[2], "the other recipe has no majority"
    assert "[train] learning_rate 0.001 0.05" in text and "-systems" in text and "+learning_rate = 0.05" in text
    assert "[train] from mine to other: " in text and "learning_rate 0.001 → 0.05" in text

    folder_of = json.loads(serprep("experiments", folder / "data", "--json").stdout)["experiments"]
    digest = next(kept["folder"] for kept in folder_of if kept["recipe"] == "mine")
    by_folder = written(serprep("report", digest, folder / "data", "-o", page), page)
    assert "against" in by_folder and "The recipes" not in by_folder


def test_nobody_is_shut_out_of_results_and_comparisons(folder, other, faults, tmp_path) -> None:
    from serprep_models.run import report_recipe
    from serprep_models.versus import report_versus

    mine = folder / "mine.toml"
    assert not faults(report_recipe(mine, path=tmp_path / "page.html"))
    assert not faults(report_versus(mine, other, path=tmp_path / "versus.html"))


def test_numbers_are_compared_in_their_own_tables(tmp_path, monkeypatch) -> None:
    from serprep_models import versus
    from serprep_models.compare import Comparison
    from serprep_models.scores.dimensions import DimensionDifference, DimensionScore, DimensionScores

    told = {"n_utterances": 8, "n_missing": 0, "n_seeds": 1, "ccc": 0.5, "ccc_interval": (0.25, 0.75), "pearson": None}
    told |= {"pearson_interval": None, "rmse": 0.125, "rmse_interval": None}
    score = DimensionScore(system="a: svr", dimension="arousal", **told)
    pair = {
        "first": "a: svr",
        "second": "b: svr",
        "dimension": "arousal",
        "ccc": 0.0625,
        "ccc_interval": (-0.25, 0.375),
    }
    pair = DimensionDifference(**pair, p=0.5, p_holm=0.5)
    dimensions = DimensionScores(scores=(score,), differences=(pair,), scales={"arousal": (1.0, 5.0)})
    numbers = Comparison(summary=[], comparisons=[], notes=(), scored="test", dimensions=dimensions)
    monkeypatch.setattr(versus, "sides_of", lambda places: {place.name: place for place in places})
    monkeypatch.setattr(versus, "compare_experiments", lambda sides: numbers)
    page = versus.report_versus(tmp_path / "a", tmp_path / "b", path=tmp_path / "page.html").read_text("utf-8")
    assert "a against b" in page and "0.250 to 0.750" in page and "-0.250 to 0.375" in page and "UA" not in page


def test_players_of_a_store_are_on_its_card(folder, serprep) -> None:
    done = serprep("report", folder / "data", "--with-sound", 1)
    assert done.returncode == 2 and "--with-sound is for a RECIPE" in done.stderr
