"""Checkpoints: what was written comes back, and what is damaged or malicious runs nothing."""

import json
import pickle
import shutil
import struct
from pathlib import Path

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from serprep.errors import TrainError
from serprep_models.checkpoint import read_checkpoint
from serprep_models.predictor import load
from serprep_models.systems.options import HSF


@pytest.fixture
def copy(trained: Path, tmp_path: Path) -> Path:
    """A checkpoint that may be damaged."""
    return Path(shutil.copytree(trained / "hsf-crnn" / "fold-01" / "seed-0", tmp_path / "checkpoint"))


def change(folder: Path, **values: object) -> None:
    path = folder / "checkpoint.json"
    about = json.loads(path.read_text()) | values
    path.write_text(json.dumps({key: value for key, value in about.items() if key != "sha256"}))  # as before digests


def test_a_checkpoint_comes_back(copy: Path, small) -> None:
    _, store = small
    found = read_checkpoint(copy)
    assert found.labels == store.labels
    assert found.features == store.features
    for name, value in found.system.state_dict().items():
        assert torch.equal(value, load_file(copy / "weights.safetensors")[name])
    written = json.loads((copy / "checkpoint.json").read_text())["statistics"]
    assert set(found.statistics) == set(written) == {"short", "functionals"}
    for kind, moments in found.statistics.items():
        np.testing.assert_array_equal(moments.mean, written[kind]["mean"])
    assert not found.system.training
    assert read_checkpoint(copy / "weights.safetensors").labels == store.labels


def test_weights_that_are_cut_short_are_refused(copy: Path) -> None:
    path = copy / "weights.safetensors"
    data = path.read_bytes()
    for keep in (0, 4, 8, 100, len(data) // 2, len(data) - 1):
        path.write_bytes(data[:keep])
        with pytest.raises(TrainError, match=r"weights\.safetensors: .*; train it again"):
            read_checkpoint(copy)


def test_a_pickle_is_refused_and_not_run(copy: Path, tmp_path: Path) -> None:
    class Bomb:
        def __reduce__(self):
            return (Path.touch, (tmp_path / "run",))

    data = pickle.dumps(Bomb())
    for name in ("weights.safetensors", "checkpoint.json"):
        before = (copy / name).read_bytes()
        (copy / name).write_bytes(data)
        with pytest.raises(TrainError, match=name.replace(".", r"\.")):
            read_checkpoint(copy)
        (copy / name).write_bytes(before)
    torch.save(Bomb(), copy / "weights.safetensors")
    with pytest.raises(TrainError, match=r"weights\.safetensors"):
        read_checkpoint(copy)
    assert not (tmp_path / "run").exists()


def test_weights_of_another_shape_are_refused(copy: Path) -> None:
    tensors = load_file(copy / "weights.safetensors")
    save_file(tensors | {"out.bias": torch.zeros(5)}, copy / "weights.safetensors")
    with pytest.raises(TrainError, match=r"out\.bias has shape \[5\], expected \[4\]; train it again"):
        read_checkpoint(copy)
    save_file({k: v for k, v in tensors.items() if k != "out.bias"}, copy / "weights.safetensors")
    with pytest.raises(TrainError, match=r"out\.bias has shape None"):
        read_checkpoint(copy)
    save_file(tensors | {"out.bias": torch.full((4,), torch.nan)}, copy / "weights.safetensors")
    with pytest.raises(TrainError, match="not finite float32"):
        read_checkpoint(copy)
    save_file(tensors | {"out.bias": torch.zeros(4, dtype=torch.float64)}, copy / "weights.safetensors")
    with pytest.raises(TrainError, match="not finite float32"):
        read_checkpoint(copy)


@pytest.mark.parametrize("head", [b"[]", b"{}", b'{"a": 1}', b'{"a": {"shape": [1e99]}}', b"\xff" * 20, b"[" * 5000])
def test_a_header_that_is_no_table_of_tensors_is_refused(copy: Path, head: bytes) -> None:
    (copy / "weights.safetensors").write_bytes(struct.pack("<Q", len(head)) + head)
    with pytest.raises(TrainError, match=r"weights\.safetensors"):
        read_checkpoint(copy)


def test_settings_that_are_impossible_are_refused(copy: Path) -> None:
    original = (copy / "checkpoint.json").read_text()
    system, features = (json.loads(original)[name] for name in ("system", "features"))
    options = system["options"]
    for values, message in (
        ({"format": 5}, "has format 5, this serprep reads 4"),
        ({"format": [1]}, "has format"),
        ({"labels": ["a", "a", "b", "c"]}, "not 4 different names"),
        ({"labels": ["a", "b", "c", {"d": 1}]}, "expected what|different names"),
        ({"labels": 7}, "expected what `serprep train` writes"),
        ({"system": system | {"name": "../../evil"}}, "unknown system"),
        ({"system": system | {"name": ["hsf-crnn"]}}, "system.name is"),
        ({"system": system | {"n_labels": 4.0}}, "system.n_labels is 4.0"),
        ({"system": system | {"path": "/etc/passwd"}}, "system has the keys"),
        ({"system": system | {"options": options | {"layers": [2**40]}}}, "layers is .*; expected one or more"),
        ({"system": system | {"options": options | {"layers": []}}}, "layers is .*; expected one or more"),
        ({"system": system | {"options": options | {"layers": "128"}}}, "layers is '128'; expected a list"),
        ({"system": system | {"options": options | {"dropout": float("nan")}}}, "dropout is nan; expected 0 to 0.95"),
        ({"system": system | {"options": options | {"activation": "__import__"}}}, "expected one of sigmoid, relu"),
        ({"system": system | {"options": options | {"svm_share": 1}}}, "svm_share is 1.0; expected 0 to 0.95"),
        ({"system": system | {"options": options | {"svm_share": 0.5}}}, "has shape None, expected"),
        ({"system": system | {"options": options | {"unknown": 1}}}, "unknown key 'unknown'"),
        ({"system": system | {"options": []}}, "system.options is .*expected a table"),
        ({"system": None}, "expected what `serprep train` writes"),
        ({"system": system | {"inputs": system["inputs"] | {"short": [31, 40]}}}, "disagree about the shapes"),
        ({"system": system | {"inputs": system["inputs"] | {"functionals": [10]}}}, "disagree about the shapes"),
        ({"features": features | {"functionals": {"enabled": False}}}, "disagree.*functionals"),
        ({"features": features | {"logmel": {"n_mels": 40.0}}}, r"n_mels is 40\.0"),
        ({"features": features | {"logmel": {"n_mels": "40"}}}, "feature configuration"),
        ({"segment_dtype": "object"}, "segment_dtype is object"),
        ({"statistics": {}}, "expected what `serprep train` writes"),
        ({"statistics": {"short": {"mean": [0.0], "std": [1.0]}}}, "statistics of 'short' are not 40"),
        ({"features": {}}, "feature configuration"),
    ):
        (copy / "checkpoint.json").write_text(original)
        change(copy, **values)
        with pytest.raises(TrainError, match=message) as caught:
            read_checkpoint(copy)
        assert "\n" not in str(caught.value)


def test_json_that_is_none_is_refused(copy: Path) -> None:
    for text in ("", "[" * 100_000, "[]", '{"format": NaN}', "\0"):
        (copy / "checkpoint.json").write_text(text)
        with pytest.raises(TrainError, match=r"checkpoint"):
            read_checkpoint(copy)


def test_a_missing_checkpoint_is_refused(tmp_path: Path, copy: Path) -> None:
    with pytest.raises(TrainError, match="expected a checkpoint: a folder that `serprep train` wrote"):
        read_checkpoint(tmp_path / "nowhere")
    (copy / "weights.safetensors").unlink()
    with pytest.raises(TrainError, match=r"weights\.safetensors: No such file"):
        read_checkpoint(copy)


FIRST = {"system": "hsf-crnn", "n_labels": 4, "n_mels": 40, "short": 30, "long": 50, "n_functionals": 6373}


def test_checkpoints_of_the_first_format_are_read(copy: Path) -> None:
    """As they were written: one list of keys for all systems, at first without options."""
    change(copy, format=1, system=FIRST)
    assert read_checkpoint(copy).config.options.layers == (1024, 520, 128)
    paper = {"hsf_layers": [1024, 520, 128], "activation": "sigmoid", "batch_norm": False, "dropout": 0.0}
    change(copy, format=1, system={**FIRST, **paper, "auxiliary_heads": False, "svm": 0.0})
    assert read_checkpoint(copy).config.options == HSF()
    change(copy, format=1, system={**FIRST, **paper, "dropout": 0.5, "auxiliary_heads": False, "svm": 0.25})
    with pytest.raises(TrainError, match="has shape None, expected"):  # an SVM belongs to it then
        read_checkpoint(copy)


def test_one_bit_of_the_weights_is_noticed(copy: Path) -> None:
    path = copy / "weights.safetensors"
    whole = path.read_bytes()
    for place in np.random.default_rng(0).integers(len(whole) // 2, len(whole), 5):
        data = bytearray(whole)
        data[place] ^= 1  # of the mantissa, mostly: still finite
        path.write_bytes(data)
        with pytest.raises(
            TrainError, match=r"weights\.safetensors: not the weights that were trained.*train it again"
        ):
            read_checkpoint(copy)
    path.write_bytes(whole)
    read_checkpoint(copy)


def test_labels_in_another_order_are_noticed(copy: Path) -> None:
    about = json.loads((copy / "checkpoint.json").read_text())
    (copy / "checkpoint.json").write_text(json.dumps(about | {"labels": about["labels"][::-1]}))
    with pytest.raises(TrainError, match=r"checkpoint\.json is not as it was written"):
        read_checkpoint(copy)
    (copy / "checkpoint.json").write_text(json.dumps(about | {"format": True}))
    with pytest.raises(TrainError, match="has format True"):
        read_checkpoint(copy)


def test_weights_that_are_absurd_give_no_probabilities(copy: Path) -> None:
    tensors = load_file(copy / "weights.safetensors")
    save_file({name: torch.full_like(value, 3e38) for name, value in tensors.items()}, copy / "weights.safetensors")
    change(copy, weights_sha256=None)
    with pytest.raises(TrainError, match="not finite: the weights are damaged"):
        load(copy).predict(np.sin(np.arange(16_000) * 0.1), 16_000)
