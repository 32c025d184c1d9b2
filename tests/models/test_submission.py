"""A challenge from its folder to the files it takes: devel scored, test predicted, nothing guessed."""

import csv
import dataclasses
import json

import pandas as pd
import pytest

from serprep.errors import RecipeError, TrainError
from serprep.pipeline.build import build
from serprep.recipe import TrainConfig, recipe_from
from serprep.store.store import open_store
from serprep.testing import write_layout
from serprep_models.beforehand import check_recipe
from serprep_models.experiments import run_experiments
from serprep_models.outcome import scores_json
from serprep_models.report import report_outcome
from serprep_models.submission import to_csv, write_submissions

LABELS = ("angry", "happy", "neutral", "sad")
NAMES = [
    "a'b.wav",
    "a\\b.wav",
    "50%.wav",
    "a b,c.wav",
    "é{}.wav",
    'q"q.wav',
    "a\tb.wav",
    "a\nb.wav",
    "?.wav",
    "\\n.wav",
]
ODD = ["low mood", "it's", "?", "a,b", "plain", "50%", "{x}"]


def test_csv_keeps_any_name_and_label():
    rows = [[name, ODD[place % len(ODD)]] for place, name in enumerate(NAMES)]
    text = to_csv(map(tuple, rows), column="filename")
    assert list(csv.reader(text.splitlines(keepends=True))) == [["filename", "prediction"], *rows]


@pytest.mark.parametrize(
    ("form", "column", "suffixes"),
    [
        ("compare2018", "file_name", [".arff", ".csv"]),
        ("compare2019", "file_name", [".csv"]),
        ("compare2021", "filename", [".csv"]),
    ],
)
def test_each_challenge_gets_its_form(tmp_path, form, column, suffixes):
    frame = pd.DataFrame(
        {
            "system": "majority",
            "seed": 3,
            "id": ["test_0002", "test_0001"],
            "prediction": ["sad", "angry"],
            "p_sad": 0.0,
        }
    )
    paths = {"test_0001": "wav/test_0001.flac", "test_0002": "wav/test_0002.WAV"}
    written = write_submissions(form, frame, paths=paths, folder=tmp_path)
    assert [path.name for path in written] == [f"majority-seed-3{suffix}" for suffix in suffixes]
    text = written[-1].read_text(encoding="utf-8")
    assert text == f"{column},prediction\ntest_0001.wav,angry\ntest_0002.wav,sad\n"


# -- from the folder -----------------------------------------------------------------


def challenge(folder, **train):
    values = {
        "dataset": {"name": "challenge", "path": "stores"},
        "corpus": {"reader": "compare2018", "root": "corpus", "emotions": {name: name for name in LABELS}},
        "split": {"protocol": "fixed"},
        "train": {"systems": ["plain-crnn", "compare-svm", "majority"], "seeds": [0, 1], "epochs": 2}
        | {"batch_size": 4, "submission": "compare2018"}
        | train,
    }
    return recipe_from(values, folder=folder, name="challenge")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("challenge")
    write_layout("compare2018", folder / "corpus")
    return folder


@pytest.fixture(scope="module")
def store(folder, pool):
    return open_store(build(challenge(folder), pool=pool).store)


@pytest.fixture(scope="module")
def outcome(folder, store, pool):
    return run_experiments(challenge(folder), store, pool=pool)


def predictions_of(outcome, system, seed=0):
    return pd.read_csv(outcome.folder / system / "fold-01" / f"seed-{seed}" / "predictions.csv", keep_default_na=False)


def test_devel_is_scored_and_said_so(outcome):
    assert outcome.scored == "dev"
    assert {entry.scored for entry in outcome.results} == {"dev"}
    assert {(entry.n_train, entry.n_test) for entry in outcome.results} == {(8, 8)}
    assert next(row.ua for row in outcome.summary if row.system == "majority") == 0.25
    assert any("scores are of the dev part, which did not choose the epoch" in note for note in outcome.notes)
    assert any("no speaker ids" in note for note in outcome.notes)
    lines = (outcome.folder / "plain-crnn/fold-01/seed-0/history.jsonl").read_text().splitlines()
    assert [json.loads(line)["dev_ua"] for line in lines] == [None, None]  # nothing was chosen by it


def test_one_arff_and_one_csv_per_system_and_seed(outcome):
    names = {path.rpartition("/")[2] for path in outcome.submissions}
    runs = {"plain-crnn-seed-0", "plain-crnn-seed-1", "compare-svm-seed-0", "majority-seed-0"}
    assert names == {f"{run}{suffix}" for run in runs for suffix in (".arff", ".csv")}
    assert {path.name for path in (outcome.folder / "submission").iterdir()} == names


@pytest.mark.parametrize("run", [("plain-crnn", 0), ("plain-crnn", 1), ("compare-svm", 0)])
def test_a_submission_holds_what_the_system_predicted(outcome, run):
    frame = predictions_of(outcome, *run)
    test = frame[frame["role"] == "test"]
    assert set(test["truth"]) == {""}
    wanted = [[f"{name}.wav", label] for name, label in sorted(zip(test["id"], test["prediction"], strict=True))]
    assert len(wanted) == 8
    path = outcome.folder / "submission" / "{}-seed-{}".format(*run)
    assert path.with_name(path.name + ".arff").read_text(encoding="utf-8").splitlines() == [
        "@relation ComParE2018_AtypicalAffect_Predictions",
        "@attribute name string",
        "@attribute prediction {angry,happy,neutral,sad}",
        "@data",
        *(f"'{name}',{label}" for name, label in wanted),
    ]
    with path.with_name(path.name + ".csv").open(newline="") as file:
        assert list(csv.reader(file)) == [["file_name", "prediction"], *wanted]


def test_refit_changes_test_predictions_and_leaves_devel_alone(folder, store, outcome, pool):
    other = run_experiments(challenge(folder, refit=True), store, pool=pool)
    assert other.folder != outcome.folder
    assert other.summary == outcome.summary
    columns = [f"p_{label}" for label in LABELS]
    for seed in (0, 1):
        before, after = (predictions_of(each, "plain-crnn", seed).set_index("id") for each in (outcome, other))
        dev, test = before["role"] == "dev", before["role"] == "test"
        pd.testing.assert_frame_equal(before[dev], after[dev])
        assert (before.loc[test, columns] != after.loc[test, columns]).all(axis=None)
    assert any("refit" in note for note in other.notes)


def test_the_refitted_system_saw_train_and_devel(folder, store, pool):
    """With devel made the training part by hand, the same system comes out."""
    refitted = run_experiments(challenge(folder, refit=True, systems=["plain-crnn"]), store, pool=pool)
    recipe = challenge(folder, systems=["plain-crnn"], submission="none")
    split = refitted.split
    joined = {
        name: dataclasses.replace(row, roles=tuple("train" if role == "dev" else role for role in row.roles))
        for name, row in split.utterances.items()
    }
    from serprep.split import SplitConfig, write_split

    path = write_split(dataclasses.replace(split, utterances=joined), folder / "joined.json")
    recipe = dataclasses.replace(recipe, split=SplitConfig(protocol="list", file=str(path)))
    by_hand = run_experiments(recipe, store, pool=pool)
    for seed in (0, 1):
        one, other = (predictions_of(each, "plain-crnn", seed) for each in (refitted, by_hand))
        one = one[one["role"] == "test"].reset_index(drop=True)
        pd.testing.assert_frame_equal(one, other[other["role"] == "test"].reset_index(drop=True))
    checkpoints = [each.folder / "plain-crnn/fold-01/seed-0/weights.safetensors" for each in (refitted, by_hand)]
    assert checkpoints[0].read_bytes() == checkpoints[1].read_bytes()


def killed(*given, **more):
    raise KeyboardInterrupt


def test_a_refit_that_was_killed_goes_on_where_it_was(folder, store, pool, monkeypatch, tmp_path):
    """The second training has a state of its own, so the first is not trained again."""
    from serprep_models import experiment, tasks, train

    recipe = challenge(folder, refit=True, systems=["plain-crnn"], seeds=[0])
    whole = run_experiments(recipe, store, pool=pool)
    own = experiment.Experiment(
        folder=str(tmp_path / "killed"),
        store=store.path,
        split=str(whole.folder / "split.json"),
        system="plain-crnn",
        fold=0,
        seed=0,
        how=recipe.train,
    )
    step, steps = train._Training.step, []
    with monkeypatch.context() as patch:
        patch.setattr(tasks, "train", lambda *given, **more: train.train(*given, **more, save_every=0.0))
        patch.setattr(tasks, "write_checkpoint", killed)
        with pytest.raises(KeyboardInterrupt):
            tasks.run_experiment(own)
    monkeypatch.setattr(train._Training, "step", lambda self, batch: steps.append(batch) or step(self, batch))
    tasks.run_experiment(own)
    assert not steps  # both trainings had been over
    weights = [
        place / "weights.safetensors" for place in (tmp_path / "killed", whole.folder / "plain-crnn/fold-01/seed-0")
    ]
    assert weights[0].read_bytes() == weights[1].read_bytes()
    assert not list((tmp_path / "killed").rglob("state.safetensors"))


def test_with_test_labels_devel_chooses_the_epoch_unless_it_is_trained_on(pool, tmp_path):
    write_layout("compare2018", tmp_path / "corpus")
    rows = "".join(f"test_{number + 1:04}.wav\t{LABELS[number % 4]}\n" for number in range(8))
    labels = tmp_path / "corpus/lab/ComParE2018_AtypicalAffect.confidential.tsv"
    labels.write_text(f"file_name\temotion\n{rows}")
    recipe = challenge(tmp_path, systems=["plain-crnn"], seeds=[0])
    store = open_store(build(recipe, pool=pool).store)
    chosen = {}
    for refit in (False, True):
        outcome = run_experiments(challenge(tmp_path, systems=["plain-crnn"], seeds=[0], refit=refit), store, pool=pool)
        (result,) = outcome.results
        assert (result.scored, result.n_test, result.n_train) == ("test", 8, 16 if refit else 8)
        assert not any("scores are of the dev part" in note for note in outcome.notes)
        lines = (outcome.folder / "plain-crnn/fold-01/seed-0/history.jsonl").read_text().splitlines()
        chosen[refit] = [json.loads(line)["dev_ua"] is not None for line in lines]
    assert chosen == {False: [True, True], True: [False, False]}


def test_a_submission_changes_no_number(folder, store, outcome, pool):
    other = run_experiments(challenge(folder, submission="none"), store, pool=pool)
    assert (other.folder, other.submissions, other.n_kept) == (outcome.folder, (), 4)


def test_without_devel_there_is_no_score_but_a_reason(folder, store, pool, tmp_path):
    """Nothing that is scored has a label: predictions are written all the same."""
    (folder / "exclude.txt").write_text("".join(f"devel_{number:04}\n" for number in range(1, 9)))
    recipe = challenge(folder, systems=["compare-svm", "majority"])
    recipe = dataclasses.replace(recipe, corpus=dataclasses.replace(recipe.corpus, exclude="exclude.txt"))
    outcome = run_experiments(recipe, open_store(build(recipe, pool=pool).store), pool=pool)
    for entry in (*outcome.results, *outcome.summary):
        assert (entry.ua, entry.wa, entry.reason) == (None, None, "no scored utterance has a label")
    assert "NaN" not in json.dumps(scores_json(outcome))
    assert len(outcome.submissions) == 4
    page = report_outcome(recipe, outcome, built=None, path=tmp_path / "page.html").read_text(encoding="utf-8")
    assert "undefined" in page
    assert "no scored utterance has a label" in page


def test_a_quarantined_test_utterance_is_missed(pool, tmp_path):
    write_layout("compare2018", tmp_path / "corpus")
    (tmp_path / "corpus/wav/test_0003.wav").write_bytes(b"RIFF")
    recipe = challenge(tmp_path, systems=["majority"])
    outcome = run_experiments(recipe, open_store(build(recipe, pool=pool).store), pool=pool)
    note = "the submission is incomplete: 1 of 8 test utterances have no prediction, such as 'test_0003'"
    assert any(note in line for line in outcome.notes)
    assert "test_0003" not in (outcome.folder / "submission/majority-seed-0.csv").read_text()


def test_what_could_not_be_submitted_is_refused_at_once(folder):
    recipe = challenge(folder)
    merged = dataclasses.replace(recipe.corpus, emotions={**dict.fromkeys(LABELS, "any"), "sad": "sad"})
    with pytest.raises(TrainError, match=r"renames 'angry', but a submission needs the challenge's own words"):
        check_recipe(dataclasses.replace(recipe, corpus=merged), ["majority"])
    (folder / "no-test.txt").write_text("".join(f"test_{number:04}\n" for number in range(1, 9)))
    without = dataclasses.replace(recipe.corpus, exclude="no-test.txt")
    with pytest.raises(
        TrainError, match="a submission needs one fold with a test part, the split has 1 folds and 0 test"
    ):
        check_recipe(dataclasses.replace(recipe, corpus=without), ["majority"])
    (folder / "no-devel.txt").write_text("".join(f"devel_{number:04}\n" for number in range(1, 9)))
    alone = dataclasses.replace(
        challenge(folder, refit=True), corpus=dataclasses.replace(recipe.corpus, exclude="no-devel.txt")
    )
    with pytest.raises(TrainError, match="refit trains on train and dev, and the split has no dev part"):
        check_recipe(alone, ["majority"])


def test_an_unknown_form_is_answered_with_the_known_ones():
    with pytest.raises(RecipeError, match="submission is 'arff'; expected one of none, compare2018, compare2019"):
        TrainConfig(submission="arff")
