"""What raters said as a target: distributions by hand, and a small IEMOCAP from folder to scores."""

import json
from itertools import pairwise

import numpy as np
import pytest

from helpers.inline import Inline
from serprep.corpora import read_corpus
from serprep.errors import RecipeError, TrainError
from serprep.pipeline.build import build
from serprep.recipe import recipe_from
from serprep.store.store import open_store
from serprep.testing import write_layout
from serprep_models.compare import compare_experiments
from serprep_models.experiments import run_experiments
from serprep_models.raters import read_said, said_of, shares
from serprep_models.report import report_outcome
from serprep_models.scores.distributions import divergences

EMOTIONS = {"ang": "angry", "hap": "happy", "exc": "happy", "neu": "neutral", "sad": "sad", "xxx": ""}
LABELS = ("angry", "happy", "neutral", "sad")


def recipe_for(folder, **train):
    values = {
        "dataset": {"name": "iemocap", "path": "stores"},
        "corpus": {"reader": "iemocap", "root": "corpus", "emotions": EMOTIONS},
        "features": {"egemaps": {}, "functionals": {"enabled": False}, "logmel": {"enabled": False}, "segments": {}},
        "split": {"protocol": "leave-one-group-out", "group": "session"},
        "train": {
            "target": "raters",
            "systems": ["mlp", "svm", "majority"],
            "seeds": [0],
            "epochs": 2,
            "device": "cpu",
            "mlp": {"features": ["egemaps"], "layers": [8]},
            "svm": {"features": ["egemaps"], "c": [0.01]},
            **train,
        },
    }
    return recipe_from(values, folder=folder, name="iemocap")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    place = tmp_path_factory.mktemp("raters")
    write_layout("iemocap", place / "corpus")
    return place


@pytest.fixture(scope="module")
def store(folder):
    return open_store(build(recipe_for(folder), pool=Inline()).store)


@pytest.fixture(scope="module")
def outcome(folder, store):
    return run_experiments(recipe_for(folder), store, pool=Inline(), folds=["1", "2"])


def slow_distribution(ratings, secondary):
    """By the definition: a rater's words share one vote; what is no label is left out; the rest sums up to 1."""
    votes = dict.fromkeys(LABELS, 0.0)
    for rating in ratings:
        weights = {word: 1.0 if word == rating.emotions[0] else secondary for word in rating.emotions}
        for word, weight in weights.items():
            if EMOTIONS.get(word):
                votes[EMOTIONS[word]] += weight / sum(weights.values())
    total = sum(votes.values())
    return [votes[label] / total for label in LABELS] if total else None


@pytest.mark.parametrize("secondary", [0.0, 0.5, 1.0])
def test_every_rater_counts_once_and_secondary_words_weigh_as_the_recipe_says(folder, store, secondary) -> None:
    said = said_of(recipe_for(folder, secondary=secondary), store)
    ratings = [rating for rating in read_corpus("iemocap", folder / "corpus").ratings if rating.emotions]
    assert said.labels == LABELS
    for name in store.ids:
        expected = slow_distribution([rating for rating in ratings if rating.id == name], secondary)
        assert (expected is None) == (name not in said.distributions)
        if expected is not None:
            assert said.distributions[name] == pytest.approx(expected)
    assert said.n_ratings == len(ratings)
    assert "votes for what is no label are left out" in said.notes[1]


def test_shares_of_one_rater() -> None:
    assert shares(("sad",), secondary=0.5) == {"sad": 1}
    assert shares(("sad", "angry", "happy"), secondary=0.5) == {"sad": 0.5, "angry": 0.25, "happy": 0.25}
    assert shares(("sad", "angry", "sad"), secondary=0.0) == {"sad": 1, "angry": 0}


def test_utterances_without_a_majority_join_the_training_and_the_distributions(outcome, store) -> None:
    unlabelled = [name for name, emotion in zip(store.ids, store.emotions, strict=True) if not emotion]
    said = read_said(outcome.folder / "raters.json")
    joined = set(unlabelled) & set(said.distributions)
    assert joined and store.labels == LABELS
    per_session = {name[:5]: 0 for name in store.ids}
    for name in said.distributions:
        per_session[name[:5]] += 1
    for result in outcome.results:
        expected = sum(n for session, n in per_session.items() if session != f"Ses0{result.fold}")
        assert result.n_train == expected
        assert result.json["raters"]["n"] == per_session[f"Ses0{result.fold}"]
        assert result.n_test == 20  # those with a majority
    row = next(row for row in outcome.raters if row.system == "mlp" and row.part == "all")
    assert row.n_without_majority == sum(name[:5] in ("Ses01", "Ses02") for name in joined)


def test_divergences_of_a_run_are_those_of_its_predictions(outcome) -> None:
    said = read_said(outcome.folder / "raters.json").frame()
    own = outcome.predictions.query("system == 'mlp'")
    own = own[own["id"].isin(said.index)]
    found = divergences(said.loc[own["id"]].to_numpy(), own[[f"p_{label}" for label in LABELS]].to_numpy())
    rows = {row.part: row for row in outcome.raters if row.system == "mlp"}
    assert rows["all"].kl == pytest.approx(found.kl.mean()) and rows["all"].js == pytest.approx(found.js.mean())
    low, high = rows["all"].js_interval
    assert low < rows["all"].js < high
    thirds = [rows[name] for name in rows if name != "all"]
    assert sum(row.n_utterances for row in thirds) == rows["all"].n_utterances
    assert all(a.entropy[1] <= b.entropy[0] for a, b in pairwise(thirds))
    mean = sum(row.n_utterances * row.kl for row in thirds) / rows["all"].n_utterances
    assert mean == pytest.approx(rows["all"].kl)
    assert any("svm, majority: learn the majority's label" in note for note in outcome.notes)
    history = (outcome.folder / "mlp/fold-01/seed-0/history.jsonl").read_text().splitlines()
    assert 0 < json.loads(history[-1])["train_agreement"] < 1


def test_the_page_shows_divergences_by_thirds(outcome, folder, tmp_path) -> None:
    page = report_outcome(recipe_for(folder), outcome, built=None, path=tmp_path / "page.html").read_text()
    assert "Against what raters said" in page and "raters agree least" in page
    assert f"{outcome.raters[0].kl:.3f}" in page


def test_nobody_is_shut_out_of_the_page(outcome, folder, tmp_path, faults) -> None:
    assert not faults(report_outcome(recipe_for(folder), outcome, built=None, path=tmp_path / "page.html"))


def test_soft_and_hard_labels_are_compared_on_the_same_utterances(outcome, folder, store) -> None:
    hard = recipe_for(folder, target="emotion", systems=["mlp"])
    other = run_experiments(hard, store, pool=Inline(), folds=["1", "2"])
    assert other.folder != outcome.folder and not other.raters
    found = compare_experiments({"soft": outcome, "hard": other})
    rows = {row.system: row for row in found.raters if row.part == "all"}
    assert set(rows) == {"soft: mlp", "soft: svm", "soft: majority", "hard: mlp"}
    assert len({row.n_utterances for row in rows.values()}) == 1
    assert {(row.first, row.second) for row in found.comparisons} == {
        ("soft: mlp", "hard: mlp"),
        ("soft: svm", "hard: mlp"),
    }


def test_how_secondary_words_weigh_enters_the_identity(outcome, folder, store) -> None:
    again = run_experiments(recipe_for(folder), store, pool=Inline(), only_finished=True)
    assert again.folder == outcome.folder
    with pytest.raises(TrainError, match="no experiment of it is finished"):
        run_experiments(recipe_for(folder, secondary=1.0), store, pool=Inline(), only_finished=True)


def test_a_corpus_without_raters_and_options_of_one_label_are_refused(small, tmp_path) -> None:
    import dataclasses

    recipe, store = small
    how = dataclasses.replace(recipe.train, target="raters")
    with pytest.raises(TrainError, match="tells of no rater who said one of angry, happy, neutral, sad"):
        run_experiments(dataclasses.replace(recipe, train=how), store, pool=Inline())
    with pytest.raises(RecipeError, match="label_smoothing is for one label per utterance"):
        recipe_for(tmp_path, label_smoothing=0.1)


def test_the_objective_agrees_with_the_scores(outcome) -> None:
    """Agreement summed up over batches is 1 minus the mean Jensen–Shannon divergence."""
    import torch

    from serprep_models.objectives import Distributions

    rng = np.random.default_rng(0)
    truth, logits = rng.dirichlet([0.3] * 4, 50), rng.normal(size=(50, 4))
    truth[0] = [1, 0, 0, 0]
    objective = Distributions()
    sums = objective.sums(torch.tensor(logits), torch.tensor(truth)).numpy()
    given = torch.softmax(torch.tensor(logits), 1).numpy()
    assert objective.of_sums(sums) == pytest.approx(1 - divergences(truth, given).js.mean(), abs=1e-6)
    assert objective.of_part(given, truth) == pytest.approx(objective.of_sums(sums), abs=1e-6)
    expected = -(truth * np.log(given)).sum(1).mean()
    assert objective.loss(torch.tensor(logits), torch.tensor(truth), None).item() == pytest.approx(expected)
