"""ONNX Runtime gives the probabilities of `predict`, for every system and way to standardise."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch

from serprep.audio.decode import decode
from serprep.errors import TrainError
from serprep.features.extract import Features
from serprep.features.signal import SIGNAL
from serprep.systems import SYSTEMS as SPECS
from serprep.systems import is_row
from serprep_models.checkpoint import Checkpoint
from serprep_models.experiment import read_predictions
from serprep_models.onnx import onnx
from serprep_models.predict_store import stored_values
from serprep_models.predictor import Predictor, load
from serprep_models.standardise import Moments, Ranks
from serprep_models.system import SystemConfig

onnxruntime = pytest.importorskip("onnxruntime")
SYSTEMS = ("plain-crnn", "hsf-crnn", "multi-crnn")
LABELS = ("angry", "happy", "neutral", "sad")


def session(path: Path):
    return onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])


def run(runtime, values) -> np.ndarray:
    inputs = {entry.name: values[entry.name].astype(np.float32) for entry in runtime.get_inputs()}
    (found,) = runtime.run(["probabilities"], inputs)
    return found


def made_up(system: str, standardisation: str = "train", *, features: Features | None = None, **options) -> Predictor:
    """A system with random weights, and statistics of some constant features."""
    rng = np.random.default_rng(0)
    features = features or Features()
    config = SystemConfig.of(system, features, 4, **options)
    torch.manual_seed(1)
    statistics = {}
    rows = {name for name in config.shapes if is_row(name, features)}
    if standardisation == "train":
        widths = {name: shape[-1] for name, shape in config.shapes.items() if name not in rows}
        statistics = {name: Moments(rng.normal(size=n), rng.uniform(1, 2, n)) for name, n in widths.items()}
    if rows and standardisation in ("train", "utterance"):
        std = np.where(rng.random(6373) < 0.1, 0, rng.uniform(0.1, 2, 6373))
        statistics["functionals"] = Moments(rng.normal(size=6373), std)
    return Predictor(
        [
            Checkpoint(
                system=with_running_statistics(SPECS[system].whole(config.options, config.shapes, 4)).eval(),
                config=config,
                features=features,
                segment_dtype="float32",
                labels=LABELS,
                standardisation=standardisation,
                enrol=0,
                statistics=statistics,
                about={},
            )
        ]
    )


def with_running_statistics(system: torch.nn.Module) -> torch.nn.Module:
    """As training leaves them: not 0 and 1."""
    for name, value in system.named_buffers():
        if value.is_floating_point():
            value.copy_(torch.rand_like(value) + ("var" in name))
    return system


def an_utterance(rng, n_segments: int) -> dict[str, np.ndarray]:
    values = {
        "short": rng.normal(-3, 4, (n_segments, 30, 40)),
        "long": rng.normal(-3, 4, (n_segments + 2, 50, 40)),
        "functionals": rng.normal(0, 9, (1, 6373)),  # far enough to be clipped
    }
    values["short"][..., 7] = -5.0  # a band that never changes
    return {name: value.astype(np.float32) for name, value in values.items()}


@pytest.mark.parametrize("standardisation", ["train", "utterance", "speaker"])
@pytest.mark.parametrize("system", [*SYSTEMS, "compare-svm"])
def test_made_up_utterances_of_any_length(system: str, standardisation: str, tmp_path: Path) -> None:
    rng = np.random.default_rng(5)
    predictor = made_up(system, standardisation)
    if standardisation == "speaker":
        predictor = predictor.enrolled([an_utterance(rng, 6) for _ in range(3)])
    runtime = session(onnx(predictor, tmp_path / "system.onnx"))
    for n_segments in (1, 2, 17):
        values = an_utterance(rng, n_segments)
        expected = predictor.probabilities([values])
        assert np.ptp(expected) > 0.01
        np.testing.assert_allclose(run(runtime, values), expected, atol=1e-5)


@pytest.mark.parametrize("system", SYSTEMS)
def test_the_options_beyond_the_paper(system: str, tmp_path: Path) -> None:
    options = {"batch_norm": True, "activation": "relu", "dropout": 0.5}
    options |= {"auxiliary_heads": True} if system != "plain-crnn" else {}
    options |= {"layers": (64, 32), "svm_share": 0.3} if system == "hsf-crnn" else {}
    predictor = made_up(system, **options)
    runtime = session(onnx(predictor, tmp_path / "system.onnx"))
    for n_segments in (1, 9):
        values = an_utterance(np.random.default_rng(n_segments), n_segments)
        np.testing.assert_allclose(run(runtime, values), predictor.probabilities([values]), atol=1e-5)


@pytest.mark.parametrize("standardisation", ["train", "utterance", "speaker"])
def test_signals_of_any_length(standardisation: str, tmp_path: Path) -> None:
    features = Features(segments={}, logmel=None, functionals=None, signal=SIGNAL.config())
    predictor = made_up("cnn-lstm", standardisation, features=features, leak=0.2)
    for name, value in predictor.checkpoints[0].system.named_parameters():
        value.data *= 30 if "out" in name else 3  # so that probabilities differ
    rng = np.random.default_rng(3)
    signals = [
        {"signal": rng.normal(0.1, 0.2, (n, 1)).astype(np.float32)} for n in (7, 639, 640, 1279, 5003, 6400, 16_001)
    ]
    if standardisation == "speaker":
        predictor = predictor.enrolled(signals)
    runtime = session(onnx(predictor, tmp_path / "system.onnx"))
    expected = predictor.probabilities(signals)  # of all in one batch
    np.testing.assert_allclose(np.concatenate([run(runtime, values) for values in signals]), expected, atol=1e-5)
    assert np.ptp(expected, axis=0).min() > 0.1
    assert {entry.name: entry.shape for entry in runtime.get_inputs()} == {"signal": ["signal_rows", 1]}


@pytest.mark.parametrize("system", SYSTEMS)
def test_trained_systems_on_synthetic_utterances(small, trained, tmp_path: Path, system: str) -> None:
    """Against the probabilities that training wrote, too."""
    _, store = small
    folder = trained / system / "fold-01" / "seed-0"
    predictor = load(folder)
    runtime = session(onnx(predictor, tmp_path / "system.onnx"))
    table = read_predictions(folder / "predictions.csv").set_index("id")
    rows = np.array([store.ids.index(name) for name in table.index])
    for values, written in zip(stored_values(store, rows, predictor), table.filter(like="p_").to_numpy(), strict=True):
        found = run(runtime, values)
        np.testing.assert_allclose(found, predictor.probabilities([values]), atol=1e-5)
        np.testing.assert_allclose(found[0], written, atol=1e-5)


@pytest.mark.parametrize("system", SYSTEMS)
def test_trained_systems_on_real_recordings(corpora: Path, trained, tmp_path: Path, system: str) -> None:
    predictor = load(trained / system / "fold-01" / "seed-0")
    runtime = session(onnx(predictor, tmp_path / "system.onnx"))
    recordings = sorted(path for path in (corpora / "ravdess" / "Actor_01").glob("03-01-0[1345]-*"))[::6]
    assert len(recordings) >= 4
    for path in recordings:
        values = predictor.values(decode(path.read_bytes(), config=predictor.features.signal))
        np.testing.assert_allclose(run(runtime, values), predictor.probabilities([values]), atol=1e-5)


def test_the_file_says_what_it_is(tmp_path: Path) -> None:
    runtime = session(onnx(made_up("multi-crnn"), tmp_path / "system.onnx"))
    shapes = {entry.name: entry.shape for entry in runtime.get_inputs()}
    assert shapes == {"short": ["short_segments", 30, 40], "long": ["long_segments", 50, 40]}
    about = {name: json.loads(value) for name, value in runtime.get_modelmeta().custom_metadata_map.items()}
    assert about["labels"] == list(LABELS)
    assert about["system"] == "multi-crnn"
    assert about["features"] == Features().to_json()


def test_what_cannot_be_exported_says_why(tmp_path: Path, monkeypatch) -> None:
    place = tmp_path / "system.onnx"
    one = made_up("hsf-crnn")
    with pytest.raises(TrainError, match="2 checkpoints; one ONNX file holds one"):
        onnx(Predictor([*one.checkpoints, *one.checkpoints]), place)
    with pytest.raises(TrainError, match=r"expected a file name that ends in \.onnx"):
        onnx(one, tmp_path / "system.bin")
    ranked = made_up("hsf-crnn", "speaker-rank")
    with pytest.raises(TrainError, match="give recordings of the speaker"):
        onnx(ranked, place)
    enrolled = ranked.enrolled([an_utterance(np.random.default_rng(0), 2)])
    assert isinstance(enrolled.speaker["functionals"], Ranks)
    with pytest.raises(TrainError, match="ranks cannot be exported"):
        onnx(enrolled, place)
    monkeypatch.setitem(sys.modules, "onnx", None)
    with pytest.raises(TrainError, match=r"pip install 'serprep\[onnx\]'"):
        onnx(one, place)
    assert not place.exists()
