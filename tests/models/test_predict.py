"""Prediction gives what training gave, from files, manifests and stores."""

import dataclasses
import json
import os
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
import soundfile

import serprep_models
from helpers.trained import checkpoint_of, probabilities_of
from serprep.errors import AudioError, FeatureError, TrainError
from serprep.systems import SYSTEMS as REGISTRY
from serprep_models.checkpoint import checkpoints_below, write_checkpoint
from serprep_models.predict import predict_files
from serprep_models.predictions import render
from serprep_models.predictor import load
from serprep_models.recordings import utterances_of
from serprep_models.train import Trained

SYSTEMS = ("plain-crnn", "hsf-crnn", "multi-crnn")


@pytest.fixture(scope="module")
def corpus(small) -> Path:
    recipe, _ = small
    return recipe.root


@pytest.mark.parametrize("system", SYSTEMS)
def test_recordings_get_the_probabilities_of_training(small, trained, corpus, pool, system: str) -> None:
    folder = checkpoint_of(trained, system)
    expected = probabilities_of(folder)
    found = predict_files([folder], utterances_of([str(corpus)]), pool=pool)
    assert found.reasons == {}
    assert len(found.ids) == 32
    rows = [found.ids.index(name) for name in expected.index]
    np.testing.assert_allclose(found.probabilities[rows], expected.to_numpy(), rtol=1e-4, atol=1e-6)
    np.testing.assert_allclose(found.probabilities.sum(axis=1), 1, rtol=1e-5)


def test_one_signal_from_python(trained, corpus) -> None:
    path = next(iter(sorted(corpus.glob("*/*.wav"))))
    signal, rate = soundfile.read(path, dtype="float32")
    folder = checkpoint_of(trained, "hsf-crnn")
    found = serprep_models.load(folder).predict(signal, rate)
    assert list(found) == ["angry", "happy", "neutral", "sad"]
    whole = predict_files([folder], utterances_of([str(path)]), pool=None)
    assert list(found.values()) == pytest.approx(whole.probabilities[0].tolist(), rel=1e-5)
    stereo = serprep_models.load(folder).predict(np.stack([signal, signal], axis=1), rate)
    assert stereo == pytest.approx(found, rel=1e-5)
    for bad, error in ((np.zeros(0), AudioError), (np.full(16_000, np.nan), AudioError), (np.zeros(900), FeatureError)):
        with pytest.raises(error, match="samples"):
            serprep_models.load(folder).predict(bad, rate)


def test_several_checkpoints_give_the_mean(trained, corpus, tmp_path: Path) -> None:
    for system in SYSTEMS:
        shutil.copytree(checkpoint_of(trained, system), tmp_path / system / "fold-01")
    path = str(next(iter(sorted(corpus.glob("*/*.wav")))))
    single = [predict_files([checkpoint_of(trained, s)], utterances_of([path]), pool=None) for s in SYSTEMS]
    both = predict_files(checkpoints_below(tmp_path), utterances_of([path]), pool=None)
    assert len(checkpoints_below(tmp_path)) == 3
    expected = np.mean([found.probabilities for found in single], axis=0)
    np.testing.assert_allclose(both.probabilities, expected, rtol=1e-5)


def test_checkpoints_that_do_not_belong_together_are_refused(trained) -> None:
    first = load(checkpoint_of(trained, "plain-crnn")).checkpoints[0]
    with pytest.raises(TrainError, match="different labels"):
        serprep_models.Predictor([first, dataclasses.replace(first, labels=("a", "b", "c", "d"))])
    with pytest.raises(TrainError, match="different features"):
        serprep_models.Predictor([first, dataclasses.replace(first, segment_dtype="float16")])
    with pytest.raises(TrainError, match="no checkpoint given"):
        load([])


def test_what_cannot_be_used_is_left_out_with_its_reason(trained, corpus, tmp_path: Path) -> None:
    good = sorted(corpus.glob("*/*.wav"))[0]
    (tmp_path / "noise.wav").write_bytes(b"RIFF")
    soundfile.write(tmp_path / "short.wav", np.zeros(300), 16_000)
    found = predict_files([checkpoint_of(trained, "plain-crnn")], utterances_of([str(good), str(tmp_path)]), pool=None)
    assert found.ids == (good.stem,)
    assert set(found.reasons) == {"noise", "short"}
    assert "too short" in found.reasons["short"]


@pytest.mark.skipif(sys.platform != "linux", reason="names are bytes on Linux only")
def test_a_name_that_is_no_utf8_is_predicted_and_written(trained, corpus, tmp_path: Path) -> None:
    name = os.fsdecode(b"caf\xe9\xc3\xa9.wav")
    shutil.copy(next(corpus.glob("*/*.wav")), tmp_path / name)
    found = predict_files([checkpoint_of(trained, "plain-crnn")], utterances_of([str(tmp_path)]), pool=None)
    assert found.ids == ("caf\\udce9é",)
    (tmp_path / "caf\\udce9é.wav").touch()  # what the other would be called
    with pytest.raises(TrainError, match="named twice"):
        utterances_of([str(tmp_path)])
    for form in ("csv", "jsonl", "arff"):
        assert "udce9é" in render(found, form).encode().decode()


def test_a_folder_above_checkpoints_is_their_mean(trained, corpus, tmp_path: Path) -> None:
    for seed in ("0", "1"):
        shutil.copytree(checkpoint_of(trained, "plain-crnn"), tmp_path / "hsf" / f"seed-{seed}")
    signal, rate = soundfile.read(sorted(corpus.glob("*/*.wav"))[0], dtype="float32")
    both = serprep_models.load(tmp_path / "hsf")
    assert len(both.checkpoints) == 2
    assert both.predict(signal, rate) == serprep_models.load(checkpoint_of(trained, "plain-crnn")).predict(signal, rate)
    for system, message in (
        ("majority", "majority keeps no checkpoint, since it says the same"),
        ("compare-svm", "by an older serprep, which kept no checkpoint; run `serprep train`"),
        ("other", "no checkpoint there; expected a folder that `serprep train` wrote"),
    ):
        (tmp_path / system / "fold-01/seed-0").mkdir(parents=True)
        (tmp_path / system / "fold-01/seed-0/result.json").write_text("{}")
        with pytest.raises(TrainError, match=message):
            serprep_models.load(tmp_path / system)


def test_checkpoints_of_other_trainings_are_averaged_and_that_is_said(trained, corpus, tmp_path: Path) -> None:
    recording = utterances_of([str(sorted(corpus.glob("*/*.wav"))[0])])
    own, other = checkpoint_of(trained, "plain-crnn"), tmp_path / "other"
    shutil.copytree(own, other)
    assert predict_files([own, other], recording, pool=None).notes == ()
    about = json.loads((other / "checkpoint.json").read_bytes())
    del about["sha256"]
    about["train"] |= {"seeds": [5], "device": "cuda"}  # the same training otherwise
    del about["train"]["mixup"]  # as an older serprep wrote it
    (other / "checkpoint.json").write_text(json.dumps(about))
    assert predict_files([own, other], recording, pool=None).notes == ()
    about["train"]["learning_rate"] = 0.5
    (other / "checkpoint.json").write_text(json.dumps(about))
    (note,) = predict_files([own, other], recording, pool=None).notes
    assert note.startswith("the checkpoints are of 2 trainings")


def test_a_checkpoint_of_other_code_than_today_s_says_so(small, trained, corpus, tmp_path: Path, monkeypatch) -> None:
    recording = utterances_of([str(sorted(corpus.glob("*/*.wav"))[0])])
    before = checkpoint_of(trained, "plain-crnn")
    monkeypatch.setattr(type(REGISTRY["plain-crnn"]), "revision", 3)
    (note,) = predict_files([before], recording, pool=None).notes
    assert note.startswith("plain-crnn was trained by its revision 0, this serprep has 3: ")
    read = load([before]).checkpoints[0]
    again, (recipe, store) = Trained(read.system, read.config), small
    write_checkpoint(tmp_path, again, store=store, statistics=read.statistics, how=recipe.train, origin={})
    assert predict_files([tmp_path], recording, pool=None).notes == ()
