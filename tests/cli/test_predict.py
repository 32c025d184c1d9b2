"""``serprep predict`` from end to end on a synthetic corpus."""

import csv
import io
import json

import pytest

from serprep.testing import write_synthetic_corpus

RECIPE = """
[dataset]
name = "synthetic"
path = "data"
[corpus]
reader = "pattern"
root = "corpus"
pattern = "{emotion}/{speaker}_{text}_{take}.wav"
[features.functionals]
enabled = false
[split]
protocol = "group-k-fold"
folds = 2
[train]
systems = ["plain-crnn"]
seeds = [0]
epochs = 1
"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("predict")
    write_synthetic_corpus(folder / "corpus", n_speakers=4, n_texts=1)
    (folder / "recipe.toml").write_text(RECIPE, encoding="utf-8")
    return folder


def test_new_recordings_are_predicted(folder, serprep):
    trained = serprep("train", folder / "recipe.toml", "--json", "--workers", "1")
    assert trained.returncode == 0
    (checkpoints,) = (folder / "data" / "experiments").glob("*/plain-crnn")
    recordings = sorted((folder / "corpus").glob("sad/*.wav"))[:2]
    done = serprep("predict", checkpoints, *recordings)
    assert done.returncode == 0
    assert "the mean of 2 checkpoints" in done.stderr
    table = list(csv.DictReader(io.StringIO(done.stdout)))
    assert [row["id"] for row in table] == [path.stem for path in recordings]
    found = json.loads(serprep("predict", checkpoints, *recordings, "--json", "-o", folder / "p.csv").stdout)
    assert (folder / "p.csv").read_text() == done.stdout
    assert serprep("predict", checkpoints, folder / "data", "--json").returncode == 0  # a data set's folder: its latest
    assert "an empty name" in serprep("predict", checkpoints, "").stderr
    assert [entry["label"] for entry in found["predictions"]] == [row["label"] for row in table]
    whole = serprep(
        "predict",
        checkpoints / "fold-01" / "seed-0",
        f"{folder / 'data'}@latest",
        "-o",
        folder / "p.arff",
        "--format",
        "arff",
    )
    assert whole.returncode == 0
    assert (folder / "p.arff").read_text().count("\n'") == 16
    (folder / "bad.wav").write_bytes(b"no sound")
    bad = serprep("predict", checkpoints, folder / "bad.wav", recordings[0])
    assert bad.returncode == 3
    assert "left out: bad: " in bad.stderr
    assert bad.stdout.count("\n") == 2
    for words, message in (
        ((folder, recordings[0], "--with", folder / "corpus"), "corpus: no checkpoint"),
        ((checkpoints, folder / "nothing.wav"), "no such file"),
    ):
        failed = serprep("predict", *words)
        assert (failed.returncode, failed.stderr.count("Traceback")) == (1, 0)
        assert message in failed.stderr


def test_a_new_speaker_is_enrolled_and_the_word_is_said(folder, serprep, tmp_path):
    (folder / "speaker.toml").write_text(RECIPE + 'standardisation = "speaker"\n', encoding="utf-8")
    trained = serprep("train", folder / "speaker.toml", "--fold", "1", "--workers", "1")
    assert trained.returncode == 0, trained.stderr
    assert "plain-crnn (transductive)" in trained.stdout
    assert "unlabelled recordings of test speakers" in trained.stdout
    (found,) = (folder / "data" / "experiments").glob("*-transductive")
    checkpoint = found / "plain-crnn" / "fold-01" / "seed-0"
    own = sorted((folder / "corpus").glob("*/synth01_*.wav"))
    without = serprep("predict", checkpoint, own[0])
    assert (without.returncode, without.stdout, without.stderr.count("\n")) == (1, "", 1)
    assert "without labels, with --enrol" in without.stderr
    one = serprep("predict", checkpoint, own[0], "--enrol", own[1], "--enrol", own[2], "--json")
    assert one.returncode == 0
    assert json.loads(one.stdout)["transductive"] is True
    assert "note: transductive: " in one.stderr and "(the fewest: 2)" in one.stderr
    other = serprep("predict", checkpoint, own[0], "--enrol", folder / "corpus" / "sad", "--json")
    assert json.loads(other.stdout)["predictions"] != json.loads(one.stdout)["predictions"]
    written = serprep("onnx", checkpoint, tmp_path / "x.onnx", "--enrol", own[1], "--json")
    assert json.loads(written.stdout) == {
        "onnx": str(tmp_path / "x.onnx"),
        "inputs": ["short"],
        "labels": ["angry", "happy", "neutral", "sad"],
    }
    assert (tmp_path / "x.onnx").is_file()
    assert "--enrol" in serprep("onnx", checkpoint, tmp_path / "y.onnx").stderr
    assert not (tmp_path / "y.onnx").exists()
