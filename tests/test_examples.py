"""The recipes in `examples/` as they stand, on small generated folders; only times are cut short."""

import dataclasses
import json
from pathlib import Path

import pytest

from serprep.split import ROLES, read_split
from serprep.testing import write_layout

EXAMPLES = Path(__file__).parent.parent / "examples"
#: Recipe → layout of the corpus that it names, and where that is written.
CORPORA = {
    "compare2018": ("compare2018", "corpora/ComParE2018_AtypicalAffect"),
    "crema_d": ("crema_d", "corpora/CREMA-D"),
    "iemocap": ("iemocap", "corpora"),
    "iemocap-dev": ("iemocap", "corpora"),
    "msp_podcast": ("msp_podcast", "corpora/MSP-Podcast"),
}
SYSTEMS = ["plain-crnn", "multi-crnn", "hsf-crnn", "compare-svm", "majority"]
FEW = ["hsf-crnn", "majority"]  # where five folds are trained: one that reads everything, and the floor
SHORT = {"epochs = 60": "epochs = 1", "seeds = [0, 1, 2]": "seeds = [0]"}


def systems_of(name):
    return SYSTEMS if name in ("compare2018", "msp_podcast") else FEW


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory, pool):
    """Name → what running that recipe gave; each is run once."""
    from serprep.recipe import read_recipe
    from serprep_models.run import run_recipe

    done = {}

    def run(name):
        if name not in done:
            folder = tmp_path_factory.mktemp(name)
            layout, place = CORPORA[name]
            write_layout(layout, folder / place, litter=True)
            text = (EXAMPLES / f"{name}.toml").read_text(encoding="utf-8")
            for long, short in SHORT.items():
                assert long in text
                text = text.replace(long, short)
            whole = f"systems = {json.dumps(SYSTEMS)}"
            assert whole in text
            text = text.replace(whole, f"systems = {json.dumps(systems_of(name))}")
            (folder / "examples").mkdir()
            (folder / f"examples/{name}.toml").write_text(text, encoding="utf-8")
            recipe = read_recipe(folder / f"examples/{name}.toml")
            assert Path(recipe.dataset_path) == folder / f"stores/{layout}"
            done[name] = run_recipe(recipe, pool=pool)
        return done[name]

    return run


@pytest.mark.parametrize("name", CORPORA)
def test_a_recipe_runs_from_folder_to_page(outcomes, name):
    built, outcome, page = outcomes(name)
    assert built.quarantined == 0
    assert [row.system for row in outcome.summary] == systems_of(name)
    assert all(0 <= row.ua <= 1 for row in outcome.summary)
    assert page.is_file()
    written = json.loads((outcome.folder / "results.json").read_bytes())
    assert written["summary"] == json.loads(json.dumps([row.json for row in outcome.summary]))
    assert written["groups"] == json.loads(json.dumps(dataclasses.asdict(outcome.groups)))
    if "gender" in outcome.store.columns:
        assert {row.column for row in outcome.groups.scores} >= {"gender"}


def test_compare2018_scores_devel_and_predicts_test(outcomes):
    _, outcome, _ = outcomes("compare2018")
    assert outcome.scored == "dev"
    assert outcome.store.labels == ("angry", "happy", "neutral", "sad")
    assert len(outcome.submissions) == 5 * 2


def test_msp_podcast_tests_on_test1_and_counts_what_is_left_out(outcomes):
    _, outcome, _ = outcomes("msp_podcast")
    assert {entry.n_test for entry in outcome.results} == {4}
    assert {entry.n_train for entry in outcome.results} == {12}
    assert set(outcome.predictions["speaker"]) == {"4"}
    assert any("4 utterances are left out: Test2 4" in note for note in outcome.notes)
    assert outcome.store.numbers == ["arousal", "valence", "dominance"]


@pytest.mark.parametrize(("name", "n_speakers"), [("iemocap", 8), ("iemocap-dev", 7)])
def test_iemocap_leaves_one_session_out(outcomes, name, n_speakers):
    built, outcome, _ = outcomes(name)
    assert built.n_utterances == 100 and built.dropped == {"emotion 'xxx' not named in [corpus.emotions]": 20}
    assert outcome.store.labels == ("angry", "happy", "neutral", "sad")
    assert outcome.scored == "test"
    assert {(entry.fold, entry.n_test) for entry in outcome.results} == {(str(n), 20) for n in range(1, 6)}
    assert {entry.n_train for entry in outcome.results} == {10 * n_speakers}
    split = read_split(outcome.folder / "split.json")
    for number, fold in enumerate(split.folds):
        speakers = {role: {split.utterances[key].speaker for key in split.ids(number, role)} for role in ROLES}
        assert speakers["test"] == {f"Ses0{fold}F", f"Ses0{fold}M"}
        assert [len(speakers[role]) for role in ROLES] == [n_speakers, 8 - n_speakers, 2]
        assert len(set.union(*speakers.values())) == 10


def test_crema_d_tests_every_actor_once(outcomes):
    _, outcome, _ = outcomes("crema_d")
    assert outcome.store.labels == ("anger", "disgust", "fear", "happy", "neutral", "sad")
    tested = outcome.predictions.query("system == 'majority'")
    assert sorted(tested["id"]) == sorted(outcome.store.ids)
    assert sorted(tested.groupby("fold")["speaker"].agg(set).map(tuple)) == [
        ("1001",),
        ("1002",),
        ("1003",),
        ("1011",),
        ("1014",),
    ]


def test_crema_d_as_perceived_is_the_table_of_its_manifest(tmp_path, inline):
    """The lines that the recipe's comment gives, built."""
    from serprep.corpora import read_corpus
    from serprep.manifest.table import make_manifest, write_manifest
    from serprep.pipeline.build import build
    from serprep.recipe import read_recipe
    from serprep.store.store import open_store

    root = tmp_path / "corpora/CREMA-D"
    write_layout("crema_d", root)
    reading = read_corpus("crema_d", root)
    write_manifest(make_manifest(reading.utterances), tmp_path / "corpora/CREMA-D-manifest")

    text = (EXAMPLES / "crema_d.toml").read_text(encoding="utf-8")
    _, _, commented = text.partition("# [corpus]\n")
    lines = ["[corpus]", *(line.removeprefix("# ") for line in commented.partition("\n\n")[0].splitlines())]
    head, tail = text.partition("[corpus]")[0], text.partition("[split]")[2]
    (tmp_path / "examples").mkdir()
    path = tmp_path / "examples/crema_d.toml"
    path.write_text(head + "\n".join(lines) + "\n[split]" + tail, encoding="utf-8")

    store = open_store(build(read_recipe(path), pool=inline).store)
    votes = {u.id: u.extra["voice_vote"] for u in reading.utterances}
    words = {"A": "anger", "D": "disgust", "F": "fear", "H": "happy", "N": "neutral", "S": "sad"}
    assert dict(zip(store.ids, store.emotions, strict=True)) == {
        key: words[vote] for key, vote in votes.items() if vote != "A:D"
    }
    assert set(store.speakers) == {"1001", "1002", "1003", "1011", "1014"}
    assert "A:D" in votes.values()


def test_the_tuned_recipes_are_one_but_for_the_standardisation():
    """And their corpus, features and split are those of ravdess.toml, so that scores can be compared."""
    from serprep.recipe import read_recipe

    plain, speaker, paper = (read_recipe(EXAMPLES / f"{name}.toml") for name in ("tuned", "tuned-speaker", "ravdess"))
    assert dataclasses.replace(speaker.train, standardisation="train") == plain.train
    assert speaker.train.transductive and not plain.train.transductive
    for recipe in (plain, speaker):
        assert (recipe.corpus, recipe.features, recipe.split) == (paper.corpus, paper.features, paper.split)
        assert recipe.dataset_path == paper.dataset_path
