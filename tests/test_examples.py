"""The recipes in `examples/` as they stand, on small generated folders; only times are cut short."""

import json
from pathlib import Path

import pytest

from serprep.testing import write_layout

EXAMPLES = Path(__file__).parent.parent / "examples"
#: Recipe → folder of the corpus that it names.
CORPORA = {
    "compare2018": "corpora/ComParE2018_AtypicalAffect",
    "msp_podcast": "corpora/MSP-Podcast",
}
SHORT = {"epochs = 60": "epochs = 1", "seeds = [0, 1, 2]": "seeds = [0]"}


@pytest.fixture(scope="module")
def outcomes(tmp_path_factory):
    """Name → what running that recipe gave; each is run once."""
    from serprep.recipe import read_recipe
    from serprep_models.run import run_recipe

    done = {}

    def run(name):
        if name not in done:
            folder = tmp_path_factory.mktemp(name)
            write_layout(name, folder / CORPORA[name], litter=True)
            text = (EXAMPLES / f"{name}.toml").read_text(encoding="utf-8")
            for long, short in SHORT.items():
                assert long in text
                text = text.replace(long, short)
            (folder / "examples").mkdir()
            (folder / f"examples/{name}.toml").write_text(text, encoding="utf-8")
            recipe = read_recipe(folder / f"examples/{name}.toml")
            assert Path(recipe.dataset_path) == folder / f"stores/{name}"
            done[name] = run_recipe(recipe, workers=2)
        return done[name]

    return run


@pytest.mark.parametrize("name", CORPORA)
def test_a_recipe_runs_from_folder_to_page(outcomes, name):
    built, outcome, page = outcomes(name)
    assert built.quarantined == 0
    assert [row["system"] for row in outcome.summary] == [
        "plain-crnn",
        "multi-crnn",
        "hsf-crnn",
        "compare-svm",
        "majority",
    ]
    assert all(0 <= row["ua"] <= 1 for row in outcome.summary)
    assert page.is_file()
    assert json.loads((outcome.folder / "results.json").read_bytes())["summary"] == outcome.summary


def test_compare2018_scores_devel_and_predicts_test(outcomes):
    _, outcome, _ = outcomes("compare2018")
    assert outcome.scored == "dev"
    assert outcome.store.labels == ("angry", "happy", "neutral", "sad")
    assert len(outcome.submissions) == 5 * 2


def test_msp_podcast_tests_on_test1_and_counts_what_is_left_out(outcomes):
    _, outcome, _ = outcomes("msp_podcast")
    assert {entry["n_test"] for entry in outcome.results} == {4}
    assert {entry["n_train"] for entry in outcome.results} == {12}
    assert set(outcome.predictions["speaker"]) == {"4"}
    assert any("4 utterances are left out: Test2 4" in note for note in outcome.notes)
    assert outcome.store.numbers == ["arousal", "valence", "dominance"]
