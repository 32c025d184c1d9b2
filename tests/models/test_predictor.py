"""Transductive systems from experiment to prediction: the same probabilities, and the word in every place."""

import dataclasses
import json
from pathlib import Path

import numpy as np
import pytest
import soundfile

import serprep_models
from serprep.errors import AudioError, TrainError
from serprep_models.beforehand import check_recipe
from serprep_models.experiment import read_predictions
from serprep_models.experiments import run_experiments
from serprep_models.outcome import scores_json
from serprep_models.predict import enrolled_by, predict_files
from serprep_models.predict_store import predict_store
from serprep_models.predictor import load
from serprep_models.recordings import utterances_of
from serprep_models.report import report_outcome
from serprep_models.standardise import training_statistics

SYSTEM = "hsf-crnn"


def with_train(recipe, **values):
    return dataclasses.replace(recipe, train=dataclasses.replace(recipe.train, **values))


@pytest.fixture(scope="module", params=["utterance", "speaker", "speaker-rank"])
def outcome(request, small, pool):
    """HSF-CRNN, the SVM and the majority class on one fold."""
    recipe, store = small
    changed = with_train(recipe, standardisation=request.param, epochs=1)
    systems = (SYSTEM, "compare-svm", "majority")
    return changed, run_experiments(changed, store, pool=pool, systems=systems, folds=["1"])


@pytest.fixture(scope="module")
def folder(outcome) -> Path:
    return outcome[1].folder / SYSTEM / "fold-01" / "seed-0"


def written_by(folder: Path):
    table = read_predictions(folder / "predictions.csv").set_index("id")
    return table[[name for name in table.columns if name.startswith("p_")]]


def test_a_store_gets_the_probabilities_of_training(small, outcome, folder: Path) -> None:
    _, store = small
    expected = written_by(folder)
    found = predict_store([folder], store)
    rows = [found.ids.index(name) for name in expected.index]
    np.testing.assert_allclose(found.probabilities[rows], expected.to_numpy(), rtol=1e-4, atol=1e-6)
    said = any("transductive" in note for note in found.notes)
    assert found.transductive == outcome[0].train.transductive == said


def test_a_speaker_enrolled_with_all_utterances_gets_the_probabilities_of_training(
    small, outcome, folder, pool
) -> None:
    recipe, store = small
    expected = written_by(folder)
    speaker = store.speakers[store.ids.index(expected.index[0])]
    rows = [row for row, name in enumerate(store.speakers) if name == speaker]
    paths = [str(recipe.root / store.column("path")[row]) for row in rows]
    own = utterances_of(paths)
    enrol = own if outcome[0].train.transductive else None
    found = predict_files([folder], own, enrol=enrol, pool=pool)
    wanted = expected.loc[[store.ids[row] for row in rows]].to_numpy()
    np.testing.assert_allclose(found.probabilities, wanted, rtol=1e-4, atol=1e-6)
    sound = [soundfile.read(path, dtype="float32")[0] for path in paths]
    predictor = serprep_models.load(folder)
    if enrol:
        predictor = predictor.enrol(sound, soundfile.info(paths[0]).samplerate)
    one = predictor.predict(sound[0], soundfile.info(paths[0]).samplerate)
    assert list(one.values()) == pytest.approx(wanted[0].tolist(), rel=1e-4)


def test_enrolment_where_and_only_where_it_is_asked_for(outcome, folder, small) -> None:
    recipe, _ = small
    path = str(next(recipe.root.rglob("*.wav")))
    one = utterances_of([path])
    if outcome[0].train.transductive:
        with pytest.raises(TrainError, match=r"give recordings of the speaker, without labels, with --enrol"):
            predict_files([folder], one, pool=None)
        with pytest.raises(TrainError, match=r"load\(…\)\.enrol\(signals, sample_rate\)"):
            load(folder).predict(np.zeros(16_000, "f4"), 16_000)
        with pytest.raises(TrainError, match="no utterance to enrol the speaker with"):
            load(folder).enrol([], 16_000)
    else:
        with pytest.raises(TrainError, match="standardisation 'utterance', which knows nothing of speakers; leave"):
            predict_files([folder], one, enrol=one, pool=None)
        with pytest.raises(TrainError, match="knows nothing of speakers"):
            load(folder).enrol([np.zeros(16_000, "f4")], 16_000)


def test_transductive_systems_are_called_so_everywhere(outcome, tmp_path: Path) -> None:
    recipe, found = outcome
    says = recipe.train.transductive
    assert found.folder.name.endswith("-transductive") == says
    for entry in (*found.results, *found.summary):
        assert entry.standardisation == recipe.train.standardisation
        assert entry.transductive == (says and entry.system != "majority")
    assert all(pair["transductive"] == says for pair in scores_json(found)["comparisons"])
    assert [row.system for row in found.summary] == [SYSTEM, "compare-svm", "majority"]
    assert any("unlabelled recordings of the test speakers" in note for note in found.notes) == says
    assert any("4 of 4 speakers come from fewer than 10 utterances (the fewest: 8)" in n for n in found.notes) == says
    text = report_outcome(recipe, found, built=None, path=tmp_path / "page.html").read_text(encoding="utf-8")
    for words in ("hsf-crnn (transductive)", "compare-svm (transductive)", "<h1>synthetic (transductive)</h1>"):
        assert (words in text) == says
    assert "majority (transductive)" not in text
    assert ("unlabelled recordings of the test speakers" in text.split("<h1>")[0]) == says


def test_what_a_checkpoint_keeps(small, outcome, folder: Path) -> None:
    _, store = small
    about = json.loads((folder / "checkpoint.json").read_bytes())
    assert about["standardisation"] == outcome[0].train.standardisation
    assert set(about["statistics"]) == ({"functionals"} if about["standardisation"] == "utterance" else set())
    if about["statistics"]:
        rows = [store.ids.index(name) for name in outcome[1].split.ids(0, "train")]
        expected = training_statistics(store, rows, ["functionals"])["functionals"]
        np.testing.assert_array_equal(about["statistics"]["functionals"]["mean"], expected.mean)


def test_the_statistics_are_kept_once(outcome) -> None:
    kept = sorted(
        path.name.split(".")[0].rstrip("0123456789abcdef") for path in (outcome[1].folder / "statistics").glob("*.npy")
    )
    expected = {
        "utterance": ["svm-", "train-functionals-"],
        "speaker": ["speakers-functionals", "speakers-short", "svm-"],
        "speaker-rank": ["ranks-functionals", "speakers-short", "svm-"],
    }
    assert kept == expected[outcome[0].train.standardisation]


def test_a_default_experiment_lies_where_it_did(small, trained: Path) -> None:
    """A digest of before there was a choice: keys that say "as ever" do not count."""
    recipe, store = small
    from serprep_models.beforehand import split_of
    from serprep_models.experiment_folder import experiments_folder

    split = split_of(recipe, store.manifest())
    other = with_train(recipe, standardisation="speaker")
    assert experiments_folder(recipe, store, split) == trained
    assert not trained.name.endswith("-transductive")
    assert experiments_folder(other, store, split) != experiments_folder(with_train(other, enrol=3), store, split)


def test_speakers_must_be_known(small, pool, monkeypatch) -> None:
    recipe, store = small
    other = with_train(recipe, standardisation="speaker")
    monkeypatch.setattr(type(store), "speakers", property(lambda self: ["", *["x"] * 31]))
    with pytest.raises(TrainError, match="1 utterances have no speaker, such as"):
        run_experiments(other, store, pool=pool)
    monkeypatch.undo()
    check_recipe(other, ("plain-crnn",))
    unnamed = dataclasses.replace(
        other,
        corpus=dataclasses.replace(recipe.corpus, pattern="{emotion}/{text}.wav"),
        split=dataclasses.replace(recipe.split, group="text"),
    )
    with pytest.raises(TrainError, match=r"32 utterances have no speaker, .*name the speakers, or set standardisation"):
        check_recipe(unnamed, ("plain-crnn",))


def test_different_standardisation_is_not_averaged(trained: Path) -> None:
    first = load(trained / "plain-crnn" / "fold-01" / "seed-0").checkpoints[0]
    with pytest.raises(TrainError, match="different standardisation, train and speaker; average those of one recipe"):
        serprep_models.Predictor([first, dataclasses.replace(first, standardisation="speaker")])


def test_a_recording_that_cannot_enrol_is_named(trained: Path, tmp_path: Path) -> None:
    first = load(trained / "plain-crnn" / "fold-01" / "seed-0").checkpoints[0]
    predictor = serprep_models.Predictor([dataclasses.replace(first, standardisation="speaker")])
    (tmp_path / "bad.wav").write_bytes(b"RIFF")
    with pytest.raises(TrainError, match=r"bad: .*; leave it out of the enrolment"):
        enrolled_by(predictor, utterances_of([str(tmp_path / "bad.wav")]))


def test_what_cannot_enrol_is_left_out_and_named(trained: Path, small, tmp_path: Path) -> None:
    recipe, _ = small
    first = load(trained / "plain-crnn" / "fold-01" / "seed-0").checkpoints[0]
    predictor = serprep_models.Predictor([dataclasses.replace(first, standardisation="speaker")])
    own = sorted(map(str, recipe.root.glob("sad/*.wav")))
    soundfile.write(tmp_path / "short.wav", np.zeros(300), 16_000)
    alone, _ = enrolled_by(predictor, utterances_of(own))
    beside, notes = enrolled_by(predictor, utterances_of([*own, str(tmp_path / "short.wav")]))
    assert notes[-1].startswith("not enrolled: short: too short: 300 samples")
    np.testing.assert_array_equal(beside.speaker["short"].mean, alone.speaker["short"].mean)


def test_integers_have_the_full_scale_of_their_type(trained: Path, small) -> None:
    recipe, _ = small
    predictor = load(trained / "hsf-crnn" / "fold-01" / "seed-0")
    codes, rate = soundfile.read(sorted(recipe.root.glob("sad/*.wav"))[0], dtype="int16")
    expected = predictor.predict(codes / 32768, rate)
    assert predictor.predict(codes, rate) == expected
    assert predictor.predict(codes.astype(np.int32) << 16, rate) == expected
    assert predictor.predict((codes.astype(np.int32) + 32768).astype(np.uint16), rate) == expected
    for wrong in (codes.astype(np.float32), codes.astype(np.float64)):
        with pytest.raises(AudioError, match=r"the largest sample is \d+; expected a full scale of 1: divide"):
            predictor.predict(wrong, rate)
    for wrong in (
        codes.tolist(),
        codes.astype(complex),
        codes > 0,
        codes.reshape(-1, 1, 1),
        codes[None],
        np.float32(0.1),
        "a.wav",
    ):
        with pytest.raises(AudioError, match="expected"):
            predictor.predict(wrong, rate)
    for rate in (0, -1, 1, 10**9, None, "16 kHz", float("inf")):
        with pytest.raises(AudioError, match="expected"):
            predictor.predict(codes, rate)
