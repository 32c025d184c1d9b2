"""Numbers as a target, from recipe to page, on sounds of which the numbers are known functions."""

import csv
import json
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pandas as pd
import pytest
import soundfile

import serprep_models
from helpers.inline import Inline
from serprep.errors import RecipeError, TrainError
from serprep.features.extract import Features
from serprep.pipeline.build import build
from serprep.recipe import OtherRooms, TrainConfig, recipe_from
from serprep.store.store import open_store
from serprep_models.beforehand import split_of
from serprep_models.compare import compare_experiments
from serprep_models.cross import cross
from serprep_models.experiment import is_whole
from serprep_models.experiment_folder import experiments_folder
from serprep_models.experiments import run_experiments
from serprep_models.onnx import onnx
from serprep_models.predict_store import predict_store, stored_values
from serprep_models.predictions import render
from serprep_models.predictor import load
from serprep_models.report import report_outcome
from serprep_models.score_store import score_store
from serprep_models.scores import Result
from serprep_models.scores.concordance import concordance
from serprep_models.scores.dimensions import DimensionScores, predicted_of, read_numbers, truth_of
from serprep_models.targets import dimensions_of, numbers_of

RATE = 16_000
N_SPEAKERS, N_EACH, N_MISSING = 6, 20, 6
SCALES = {"arousal": [1, 5], "pitch": [0, 100]}
TRAIN = {
    "target": ["arousal", "pitch"],
    "scales": SCALES,
    "systems": ["mlp", "svr", "majority"],
    "seeds": [0],
    "epochs": 60,
    "batch_size": 20,
    "learning_rate": 0.01,
    "device": "cpu",
    "mlp": {"features": ["egemaps"], "layers": [16], "dropout": 0.0},
    "svr": {"features": ["egemaps"], "c": [0.01, 0.1]},
}


def recipe_for(folder, **train):
    values = {
        "dataset": {"name": "tones", "path": "stores"},
        "corpus": {
            "reader": "table",
            "root": "corpus",
            "file": "labels.csv",
            "columns": {"path": "file", "speaker": "speaker", "emotion": "emotion", "arousal": "arousal"},
        },
        "features": {"egemaps": {}, "functionals": {"enabled": False}, "logmel": {"enabled": False}, "segments": {}},
        "split": {"protocol": "group-k-fold", "folds": 2},
        "train": TRAIN | train,
    }
    return recipe_from(values, folder=folder, name="tones")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Six voices; arousal is the level in dB, pitch the octaves above 100 Hz, both mapped to their scales.

    The emotion is whether the level is above the middle.
    """
    place = tmp_path_factory.mktemp("numbers")
    (place / "corpus").mkdir()
    rng, rows = np.random.default_rng(0), []
    time = np.arange(RATE // 2) / RATE
    for speaker in range(N_SPEAKERS):
        for take in range(N_EACH):
            loud, high = rng.uniform(size=2)
            waves = [np.sin(2 * np.pi * 100 * 4**high * n * time) / n for n in range(1, 9)]
            signal = np.sum(waves, axis=0) * 0.02 * 10**loud + 1e-4 * rng.standard_normal(len(time))
            name = f"s{speaker}_{take}.wav"
            soundfile.write(place / "corpus" / name, signal, RATE, subtype="FLOAT")
            pitch = "" if take < N_MISSING // N_SPEAKERS else f"{100 * high:.4f}"
            rows.append([name, f"s{speaker}", "loud" if loud > 0.5 else "soft", f"{1 + 4 * loud:.4f}", pitch])
    with (place / "corpus" / "labels.csv").open("w", newline="") as file:
        csv.writer(file).writerows([["file", "speaker", "emotion", "arousal", "pitch"], *rows])
    return place


@pytest.fixture(scope="module")
def store(folder):
    return open_store(build(recipe_for(folder), pool=Inline()).store)


@pytest.fixture(scope="module")
def outcome(folder, store):
    return run_experiments(recipe_for(folder), store, pool=Inline())


def test_numbers_that_the_sound_decides_are_learnt(outcome) -> None:
    scores = {(row.system, row.dimension): row for row in outcome.dimensions.scores}
    for dimension in ("arousal", "pitch", "mean"):
        assert scores["mlp", dimension].ccc > 0.9
        assert scores["svr", dimension].ccc > 0.9
        low, high = scores["svr", dimension].ccc_interval
        assert low < scores["svr", dimension].ccc < high
        assert abs(scores["majority", dimension].ccc) < 0.1
    assert outcome.verdict.leader in ("mlp", "svr")
    assert {(row.n_utterances, row.n_missing) for row in outcome.dimensions.scores if row.dimension == "pitch"} == {
        (N_SPEAKERS * N_EACH - N_MISSING, N_MISSING)
    }
    assert outcome.summary == [] == outcome.comparisons


def test_the_mean_of_the_training_part_is_the_floor(outcome, store) -> None:
    table = read_numbers(outcome.folder / "majority/fold-01/seed-0/predictions.csv")
    tested = set(table["id"])
    for name, (low, high) in SCALES.items():
        numbers = (numbers_of(store, name) - low) / (high - low)
        own = [number for number, id_ in zip(numbers, store.ids, strict=True) if id_ not in tested]
        np.testing.assert_allclose(table[predicted_of(name)], np.nanmean(own), rtol=1e-6)
        truth = dict(zip(store.ids, numbers, strict=True))
        np.testing.assert_allclose(table[truth_of(name)], [truth[id_] for id_ in table["id"]], rtol=1e-6)


@pytest.mark.parametrize("system", ["mlp", "svr"])
def test_a_checkpoint_predicts_as_it_was_scored_on_the_scale_of_the_recipe(outcome, store, folder, system) -> None:
    place = outcome.folder / system / "fold-01" / "seed-0"
    assert is_whole(place, system)
    scored = read_numbers(place / "predictions.csv")
    found = predict_store([place], store)
    rows = [found.ids.index(id_) for id_ in scored["id"]]
    for column, (name, (low, high)) in enumerate(SCALES.items()):
        expected = low + (high - low) * scored[predicted_of(name)]
        np.testing.assert_allclose(found.probabilities[rows, column], expected, rtol=1e-4, atol=1e-4)
    path = folder / "corpus" / store.column("path")[rows[0]]
    said = serprep_models.load(place).predict(*soundfile.read(path, dtype="float32"))
    np.testing.assert_allclose(list(said.values()), found.probabilities[rows[0]], rtol=1e-3, atol=1e-3)
    assert list(said) == list(SCALES)
    head, first, *_ = render(found, "csv").splitlines()
    assert head == "id,arousal,pitch" and first.split(",")[0] == found.ids[0]
    assert json.loads(render(found, "jsonl").splitlines()[0])["numbers"]["arousal"] == pytest.approx(
        float(found.probabilities[0, 0]), abs=1e-6
    )
    with pytest.raises(TrainError, match="form arff is one of labels; expected csv or jsonl"):
        render(found, "arff")


@pytest.mark.parametrize("system", ["mlp", "svr"])
def test_an_onnx_file_says_the_numbers_of_predict(outcome, store, tmp_path, system) -> None:
    runtime = pytest.importorskip("onnxruntime")
    predictor = load(outcome.folder / system / "fold-01" / "seed-0")
    path = str(onnx(predictor, tmp_path / "a.onnx"))
    session = runtime.InferenceSession(path, providers=["CPUExecutionProvider"])
    about = {name: json.loads(value) for name, value in session.get_modelmeta().custom_metadata_map.items()}
    assert about["labels"] == list(SCALES) and about["scales"] == SCALES
    for values in stored_values(store, np.arange(3), predictor):
        (found,) = session.run(["numbers"], {"egemaps": values["egemaps"]})
        np.testing.assert_allclose(found, predictor.said([values]), rtol=1e-4, atol=1e-4)


def test_what_is_for_labels_refuses_numbers_in_a_line(outcome, store) -> None:
    place = outcome.folder / "mlp" / "fold-01" / "seed-0"
    with pytest.raises(TrainError, match="--abstain is for labels, and the system says numbers"):
        load(place).abstention(0.5)
    with pytest.raises(TrainError, match="--map is for labels, and the system says numbers"):
        score_store([place], store, mapping={"joy": "happy"})


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"scales": {"arousal": [1, 5]}},
            r"\[train.scales\] pitch is missing; expected where its scale begins and ends",
        ),
        ({"scales": {"arousal": [5, 1], "pitch": [0, 1]}}, r"arousal is \[5, 1\]; expected where"),
        ({"scales": {**SCALES, "mood": [0, 1]}}, "mood is no target; expected arousal, pitch"),
        ({"scales": {**SCALES, "msp": {"mood": [0, 1]}}}, r"\[train.scales.msp\] mood is no target"),
        ({"target": ["a\nb"], "scales": {}}, r"\[train.scales\] a\\nb is missing"),
        ({"scales": {**SCALES, "msp": {"pitch": [1]}}}, r"\[train.scales.msp\] pitch is \[1\]; expected where"),
        ({"target": "emotion"}, r"scales\] is for numbers"),
        ({"target": [], "scales": {}}, r"target is \[\]; expected one or more different columns"),
        ({"target": ["arousal", "arousal"]}, "expected one or more different columns"),
        ({"sampling": "balanced"}, r"sampling is for one label per utterance"),
        ({"calibrate": "temperature"}, "calibrate is for one label per utterance"),
        (
            {"target": "emotion", "scales": {}, "emotion_weight": 1},
            "emotion_weight is for numbers; name columns of them",
        ),
        ({"hsf-crnn": {"svm_share": 0.5}}, "svm_share averages probabilities; leave it out to learn numbers"),
    ],
)
def test_what_makes_no_sense_for_numbers_is_refused(tmp_path, change, message) -> None:
    with pytest.raises(RecipeError, match=message):
        recipe_for(tmp_path, **change)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            {"systems": ["svr"], "emotion_weight": 0.5},
            "svr cannot learn labels and numbers in layers that both share; name some of plain-crnn, multi-crnn",
        ),
        ({"systems": ["linear"], "emotion_weight": 0.5}, "linear cannot learn labels and numbers in layers"),
        ({"groups": ["gender"]}, r"\[train\] groups: no column 'gender'; the store has"),
        ({"systems": ["svm"]}, "svm cannot learn numbers; name some of plain-crnn"),
        ({"target": ["mood"], "scales": {"mood": [0, 1]}}, "no column 'mood'"),
        ({"target": ["speaker"], "scales": {"speaker": [0, 1]}}, "speaker is 's0'; expected a number, or nothing"),
        (
            {"scales": {"arousal": [1, 3], "pitch": [0, 100]}},
            r"arousal is 3.*its scale is \[1, 3\]; name another",
        ),
        ({"scales": {**SCALES, "msp": {"arousal": [1, 7]}}}, r"\[train.scales.msp\]: the store has no corpus of that"),
    ],
)
def test_what_the_store_cannot_teach_is_told_before_training(folder, store, change, message) -> None:
    with pytest.raises(TrainError, match=message):
        run_experiments(recipe_for(folder, **change), store, pool=Inline())


def test_a_regression_cannot_learn_labels(folder, store) -> None:
    with pytest.raises(TrainError, match="svr cannot learn labels"):
        run_experiments(recipe_for(folder, target="emotion", scales={}, systems=["svr"]), store, pool=Inline())


def test_the_page_and_the_results_tell_scores_and_scales(outcome, folder, tmp_path) -> None:
    page = report_outcome(recipe_for(folder), outcome, built=None, path=tmp_path / "page.html").read_text()
    assert "arousal from 1 to 5, pitch from 0 to 100 became 0 to 1" in page
    assert f"{outcome.dimensions.scores[0].ccc:.3f}" in page and "prediction of pitch against the truth" in page
    told = json.loads((outcome.folder / "results.json").read_bytes())["dimensions"]
    assert told["scales"] == {name: [float(low), float(high)] for name, (low, high) in SCALES.items()}
    assert not (outcome.folder / "doubtful.csv").exists()
    history = (outcome.folder / "mlp/fold-01/seed-0/history.jsonl").read_text().splitlines()
    assert json.loads(history[-1])["train_ccc"] > 0.95 and json.loads(history[-1])["train_loss"] < 0.05


def test_nobody_is_shut_out_of_the_page_of_numbers(outcome, folder, tmp_path, faults) -> None:
    assert not faults(report_outcome(recipe_for(folder), outcome, built=None, path=tmp_path / "page.html"))


def test_groups_and_conditions_are_scored_by_concordance(outcome, folder, store, tmp_path, capsys) -> None:
    from serprep_cli.run import print_dimensions

    loud = replace(
        recipe_for(folder, systems=["svr"], groups=["speaker"]),
        test=OtherRooms(conditions={"loud": {"of": "gain", "db": 6}}),
    )
    found = run_experiments(loud, store, pool=Inline())
    assert found.n_kept == 2 and found.folder == outcome.folder  # nothing is trained anew
    scores = found.dimensions
    arousal = {row.condition: row for row in scores.conditions if row.dimension == "arousal"}
    (clean,) = (row for row in scores.scores if row.dimension == "arousal")
    assert arousal["clean"].ccc == clean.ccc
    # arousal is the level: 20 dB are its whole scale, so 6 dB more are 0.3 more, for whoever is as good as this
    assert arousal["loud"].rmse == pytest.approx(0.3, abs=0.05) and arousal["loud"].pearson > 0.9
    assert {row.group for row in scores.groups} == {f"s{number}" for number in range(N_SPEAKERS)}
    assert all(row.too_few and row.n_speakers == 1 for row in scores.groups)
    page = report_outcome(loud, found, built=None, path=tmp_path / "page.html").read_text()
    assert "Mean CCC where the test part alone is transformed" in page and "speaker s3" in page
    print_dimensions(found)
    told = capsys.readouterr().out
    assert "CCC in" in told and "loud" in told and "speaker s3" in told


@pytest.fixture(scope="module")
def elsewhere(folder, tmp_path_factory):
    """A third of the first corpus under other names and in other bytes; arousal is from -1 to 1."""
    place = tmp_path_factory.mktemp("elsewhere")
    (place / "corpus").mkdir()
    with (folder / "corpus" / "labels.csv").open() as file:
        rows = list(csv.DictReader(file))[::3]
    for row in rows:
        signal, rate = soundfile.read(folder / "corpus" / row["file"], dtype="float32")
        soundfile.write(place / "corpus" / f"x{row['file']}", 0.999 * signal, rate, subtype="FLOAT")
        row |= {"file": f"x{row['file']}", "speaker": f"x{row['speaker']}", "arousal": (float(row["arousal"]) - 3) / 2}
    rows[0] |= {"arousal": "", "pitch": ""}
    with (place / "corpus" / "labels.csv").open("w", newline="") as file:
        table = csv.DictWriter(file, list(rows[0]))
        table.writeheader()
        table.writerows(rows)
    recipe = recipe_for(place, scales={**SCALES, "arousal": [-1, 1]}, systems=["svr"])
    recipe = replace(recipe, name="elsewhere")
    return recipe, open_store(build(recipe, pool=Inline()).store)


def test_a_store_is_scored_on_a_scale_of_its_own(outcome, elsewhere, capsys) -> None:
    from serprep_cli.run import print_outcome
    from serprep_cli.score import scales_of, score_json

    place, store = outcome.folder / "svr" / "fold-01" / "seed-0", elsewhere[1]
    with pytest.raises(TrainError, match=r"arousal is -.*its scale is \[1, 5\]; name another in --scale"):
        score_store([place], store)
    with pytest.raises(TrainError, match="--scale arousl is nothing that the system says; expected some of arousal"):
        score_store([place], store, scales=scales_of(["arousl=-1,1"]))
    found = score_store([place], store, scales=scales_of(["arousal=-1,1"]), groups=["speaker"])
    told = predict_store([place], store).probabilities[:, 0]
    rows = {row.dimension: row for row in found.dimensions.scores}
    known = ~np.isnan(truth := numbers_of(store, "arousal"))
    assert rows["arousal"].ccc == pytest.approx(concordance((truth[known] + 1) / 2, (told[known] - 1) / 4))
    assert rows["arousal"].ccc > 0.9 and rows["pitch"].n_missing == known.sum() - rows["pitch"].n_utterances > 0
    assert len({row.group for row in found.dimensions.groups}) == N_SPEAKERS
    print_outcome(found)
    assert "arousal from -1 to 1" in capsys.readouterr().out
    assert score_json(found)["dimensions"]["scores"][0]["ccc"] == rows["arousal"].ccc


def test_what_other_scales_training_knew_is_said_and_the_callers_go_first(outcome, store, monkeypatch) -> None:
    place = outcome.folder / "svr" / "fold-01" / "seed-0"
    trained = {**SCALES, "lab": {"arousal": [-1, 1]}}
    monkeypatch.setattr("serprep_models.score_store.training_of", lambda about: {"scales": trained})
    monkeypatch.setattr("serprep_models.score_store.corpora_of", lambda store: ["lab"] * len(store))
    assert list(score_store([place], store, scales=SCALES).dimensions.scales_of) == []
    monkeypatch.setattr("serprep_models.score_store.corpora_of", lambda store: ())
    of_lab = "those of lab were others in training"
    assert any(of_lab in note for note in score_store([place], store).notes)
    assert not any(of_lab in note for note in score_store([place], store, scales=SCALES).notes)


def test_numbers_are_crossed_each_corpus_on_its_scale(folder, elsewhere, capsys) -> None:
    from serprep_cli.cross import cross_json, print_cross

    found = cross([recipe_for(folder, systems=["svr"]), elsewhere[0]], pool=Inline())
    cells = {(cell.train, cell.test): {row.dimension: row.ccc for row in cell.numbers} for cell in found.cells}
    assert len(cells) == 4 and all(row["arousal"] > 0.9 for row in cells.values())
    assert found.labels == () and found.dimensions == ("arousal", "pitch")
    assert any("elsewhere: arousal from -1 to 1" in note for note in found.notes)
    assert any("→ elsewhere: 1 utterances have none of the numbers" in note for note in found.notes)
    print_cross(found)
    assert "svr, arousal: trained on" in capsys.readouterr().out
    assert [cell["within"] for cell in cross_json(found)["cells"]] == [True, True, False, False]
    with pytest.raises(TrainError, match="target of b is emotion; expected emotion, or the same columns of numbers"):
        cross([elsewhere[0], replace(recipe_for(folder, target="emotion", scales={}), name="b")])


def test_every_corpus_may_have_a_scale_of_its_own() -> None:
    class Stored:
        ids, columns, numbers = ("a/1", "b/1", "b/2"), ("id", "corpus", "arousal"), ("arousal",)

        def __len__(self) -> int:
            return 3

        def column(self, name):
            return {"corpus": ["a", "b", "b"], "arousal": [2.0, 0.5, float("nan")]}[name]

    target = dimensions_of(["arousal"], {"arousal": [1, 5], "b": {"arousal": [-1, 1]}})
    np.testing.assert_allclose(target.truth(Stored(), range(3))[:, 0], [0.25, 0.75, np.nan])
    target.check(Stored())
    with pytest.raises(TrainError, match=r"'b/1': arousal is 0.5, and its scale is \[1, 5\]"):
        dimensions_of(["arousal"], {"arousal": [1, 5]}).check(Stored())
    with pytest.raises(TrainError, match=r"\[train.scales.c\]: the store has no corpus of that name; it has a, b"):
        dimensions_of(["arousal"], {"arousal": [-5, 5], "c": {"arousal": [1, 5]}}).check(Stored())
    words = DimensionScores(scales=target.scales, scales_of=target.of_corpora).words
    assert words.startswith("arousal from 1 to 5, of b arousal from -1 to 1 became 0 to 1")


def test_labels_are_learnt_beside_numbers_by_one_network(folder, store, tmp_path, capsys) -> None:
    from serprep_cli.run import print_outcome

    recipe = replace(
        recipe_for(folder, systems=["mlp"], emotion_weight=0.5, groups=["speaker"]),
        test=OtherRooms(conditions={"loud": {"of": "gain", "db": 6}}),
    )
    both = run_experiments(recipe, store, pool=Inline())
    (mean,) = both.dimensions.overall
    (emotion,) = both.summary
    assert mean.ccc > 0.9 and emotion.ua > 0.9 and emotion.ua_interval is not None and emotion.nll is not None
    place = both.folder / "mlp/fold-01/seed-0"
    table = read_numbers(place / "predictions.csv")
    np.testing.assert_allclose(table[["p_loud", "p_soft"]].sum(axis=1), 1, rtol=1e-6)
    assert {*table["truth"]} == {"loud", "soft"} and is_whole(place, "mlp")
    rows = np.array([store.ids.index(name) for name in table["id"]])
    columns = {False: [predicted_of(name) for name in SCALES], True: ["p_loud", "p_soft"]}
    for of_emotion, names in columns.items():
        kept = load(place, emotion=of_emotion)
        given = kept.probabilities(stored_values(store, rows, kept))
        np.testing.assert_allclose(given, table[names], rtol=1e-4, atol=1e-5)
    assert {row.group for row in both.groups.scores} == {f"s{number}" for number in range(N_SPEAKERS)}
    clean, loud = both.conditions
    # who is louder by 6 of 20 dB seems to be loud: softer ones of the middle are lost, none of the loud
    assert clean.ua == emotion.ua and 0.5 < loud.ua < clean.ua
    assert {row.condition for row in both.dimensions.conditions} == {"clean", "loud"}
    page = report_outcome(recipe, both, built=None, path=tmp_path / "page.html").read_text()
    assert "The emotion, learnt beside" in page and f"{100 * emotion.ua:.1f}" in page
    assert all(f"<h2>{title}: the emotion</h2>" in page for title in ("Groups", "Other conditions"))
    print_outcome(both)
    assert "The emotion, learnt beside" in capsys.readouterr().out


@pytest.mark.parametrize("system", ["plain-crnn", "multi-crnn", "hsf-crnn", "mlp"])
def test_of_both_a_checkpoint_keeps_the_outputs_of_numbers(system) -> None:
    from serprep_models.system import SystemConfig, make_system
    from serprep_models.train import Trained, narrowed

    config = SystemConfig.of(system, Features(), 2 + 3)
    whole = make_system(config)
    own = whole.state_dict()
    for part, n_outputs in ((slice(2), 2), (slice(2, None), 3)):
        trained = narrowed(Trained(whole, config), part)
        kept = trained.system.state_dict()
        other = {name for name in own if own[name].shape != kept[name].shape}
        assert other == {"out.weight", "out.bias"} and trained.config.n_labels == n_outputs
        assert all((kept[name] == own[name][part]).all() for name in other)
        assert all((kept[name] == own[name]).all() for name in own.keys() - other)


def test_the_loss_of_both_is_the_sum_in_the_stated_weight() -> None:
    import torch
    from torch.nn.functional import cross_entropy

    from serprep_models.objectives import Numbers, NumbersAndLabels
    from serprep_models.system import Mix

    torch.manual_seed(0)
    outputs, truth = torch.randn(8, 2 + 3), torch.rand(8, 2 + 1)
    truth[:, 2] = torch.tensor([0, 1, 2, 0, 1, 2, 0, 0])
    plain = Numbers(2).loss(outputs[:, :2], truth[:, :2], None)
    expected = plain + 0.3 * cross_entropy(outputs[:, 2:], truth[:, 2].long())
    assert NumbersAndLabels(2, 0.3).loss(outputs, truth, None) == pytest.approx(float(expected))
    same = Mix(partner=torch.arange(8).flip(0), share=torch.ones(8, 1))  # nothing of the partner
    assert NumbersAndLabels(2, 0.3).loss(outputs, truth, same) == pytest.approx(float(expected), rel=1e-6)
    truth[5:, 2] = torch.nan
    known = plain + 0.3 * cross_entropy(outputs[:5, 2:], truth[:5, 2].long())
    assert NumbersAndLabels(2, 0.3).loss(outputs, truth, None) == pytest.approx(float(known))
    assert NumbersAndLabels(2, 0.3).of_part(outputs.numpy(), truth.numpy()) == Numbers(2).of_part(
        outputs[:, :2].numpy(), truth[:, :2].numpy()
    )


def test_two_recipes_are_compared_by_concordance(outcome, folder, store) -> None:
    other = run_experiments(
        recipe_for(folder, systems=["svr"], svr={"features": ["egemaps"], "c": [1e-6]}), store, pool=Inline()
    )
    found = compare_experiments({"a": outcome.folder, "b": other})
    pairs = {(row.first, row.second) for row in found.dimensions.differences}
    assert pairs == {("a: mlp", "b: svr"), ("a: svr", "b: svr")}
    assert all(row.ccc > 0.5 and row.p == 2 / 2**N_SPEAKERS for row in found.dimensions.differences)
    labels = {"a": outcome.folder, "b": folder}
    with pytest.raises(TrainError, match="no finished experiment"):
        compare_experiments(labels)
    both = replace(other, predictions=other.predictions.assign(truth="loud", prediction="loud", p_loud=0.8, p_soft=0.2))
    beside = compare_experiments({"a": outcome.folder, "b": both})
    assert beside.dimensions.differences == found.dimensions.differences
    (note,) = {*beside.notes} - {*found.notes}
    assert note.startswith("the emotion, learnt beside numbers, is not compared") and not beside.comparisons
    scaled = [replace(row, json={**row.json, "scales_of": {"msp": {"arousal": [1, 7]}}}) for row in other.results]
    with pytest.raises(TrainError, match=r"b scores .*, msp: arousal from 1 to 7, test, the first .* to 100, test"):
        compare_experiments({"a": outcome, "b": replace(other, results=scaled)})


def test_an_emotion_is_compared_where_all_have_learnt_it_alone_or_beside_numbers() -> None:
    rows = pd.DataFrame(
        {
            "id": [f"u{n}" for n in range(12)],
            "speaker": [f"s{n // 2}" for n in range(12)],
            "truth": ["loud", "soft"] * 6,
            "prediction": ["loud", "soft"] * 6,
            "p_loud": [0.9, 0.1] * 6,
            "p_soft": [0.1, 0.9] * 6,
            "system": "mlp",
            "fold": "1",
            "seed": 0,
        }
    )
    wrong = rows.assign(prediction=["soft", "loud"] * 6, truth_arousal=[1.0, 0.0] * 6, predicted_arousal=[0.8, 0.2] * 6)
    told = {"system": "mlp", "fold": "1", "scored": "test"}
    scales = {"scales": {"arousal": [1, 5]}}
    side = {
        "alone": (rows, told),
        "beside": (wrong, told | scales),
        "other": (wrong, told | {"scales": {"arousal": [1, 7]}}),
    }
    sides = {
        name: SimpleNamespace(
            results=[Result.of(told)], predictions=table, folder=Path("nowhere"), store=SimpleNamespace(version="v")
        )
        for name, (table, told) in side.items()
    }

    def compared(*names):
        return compare_experiments({name: sides[name] for name in names})

    (pair,) = compared("alone", "beside").comparisons
    assert pair.ua == pytest.approx(1) and pair.ua_p == 2 / 2**6  # all of 6 speakers, one way or the other
    assert compared("alone", "beside").notes == (
        "the numbers are not compared: not all have the same, on the same scales",
    )
    assert compared("beside", "other").summary and not compared("beside", "other").dimensions.scores
    (row,) = compared("beside").dimensions.scores
    assert row.system == "beside: mlp"


def test_a_target_enters_the_identity_and_what_is_not_set_does_not(folder, store) -> None:
    recipe = recipe_for(folder, target="emotion", scales={})
    split = split_of(recipe, store.manifest())
    numbers = experiments_folder(recipe_for(folder), store, split)
    assert numbers != experiments_folder(recipe, store, split)
    assert "target" not in {
        key for key, value in vars(TrainConfig()).items() if value != getattr(TrainConfig, key, value)
    }
