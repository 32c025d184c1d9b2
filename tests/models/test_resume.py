"""A killed training goes on and ends with the same weights; a state that does not fit is as good as none."""

import dataclasses
import functools
import json
import shutil
import signal
import subprocess
import sys

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file, save_file

from serprep.features.extract import Features
from serprep.recipe import TrainConfig
from serprep.systems import inputs_of
from serprep_models.examples import Stored
from serprep_models.standardise import training_statistics
from serprep_models.system import SystemConfig
from serprep_models.train import HISTORY, STATE, _Training, json_line, train

SYSTEM = "plain-crnn"
HOW = TrainConfig(epochs=3, batch_size=4, device="cpu", memory_budget=1)
SHORT = TrainConfig(epochs=1, batch_size=4, device="cpu")
CONFIG = SystemConfig.of(SYSTEM, Features(), 4)


class Killed(Exception):
    """In place of SIGKILL."""


@pytest.fixture(scope="module")
def parts(small):
    """A streamed training part, the same in memory, and a development part."""
    _, store = small
    kinds = inputs_of(SYSTEM, {}, Features())
    train_rows, dev_rows = ([row for row in range(32) if (row % 4 == 3) == of_dev] for of_dev in (False, True))
    statistics = training_statistics(store, train_rows, kinds)
    stored, dev = (Stored(store, np.array(rows), kinds, statistics) for rows in (train_rows, dev_rows))
    return {"streaming": stored, "memory": stored.load(), "dev": dev.load()}


@pytest.fixture(scope="module")
def whole(parts):
    """Mode → a training that nothing interrupted; each is run once."""
    return functools.cache(lambda mode: train(CONFIG, parts[mode], how=HOW, seed=3, dev=parts["dev"]))


def killed_after(stop: int, patch, folder, *, config=CONFIG, how=HOW, examples, dev) -> None:
    """A training that ends with its save number `stop`; every step is saved."""
    saves, write = 0, _Training.save

    def save_then_die(self, folder):
        nonlocal saves
        write(self, folder)
        saves += 1
        if saves == stop:
            raise Killed("now")

    with patch.context() as during, pytest.raises(Killed, match="now"):
        during.setattr(_Training, "save", save_then_die)
        train(config, examples, how=how, seed=3, dev=dev, folder=folder, save_every=0.0)
    torch.manual_seed(99)  # another process would not have our random state


def weights(trained) -> dict[str, torch.Tensor]:
    return {name: value.clone() for name, value in trained.system.state_dict().items()}


def same(a, b) -> bool:
    return all(torch.equal(a[name], b[name]) for name in a)


def without_seconds(history):
    return [json_line({name: value for name, value in entry.items() if name != "seconds"}) for entry in history]


@pytest.mark.parametrize("mode", ["memory", "streaming"])
@pytest.mark.parametrize("stop", [1, 5, 6, 7, 13, 17])  # of 18 steps, 6 an epoch
def test_killed_after_any_step_the_weights_are_those_of_a_whole_run(
    parts, whole, tmp_path, monkeypatch, mode, stop
) -> None:
    killed_after(stop, monkeypatch, tmp_path, examples=parts[mode], dev=parts["dev"])
    steps, step = 0, _Training.step

    def count(self, batch):
        nonlocal steps
        steps += 1
        step(self, batch)

    monkeypatch.setattr(_Training, "step", count)
    resumed = train(CONFIG, parts[mode], how=HOW, seed=3, dev=parts["dev"], folder=tmp_path)
    assert steps == 18 - stop
    assert same(weights(whole(mode)), weights(resumed))
    assert without_seconds(resumed.history) == without_seconds(whole(mode).history)
    lines = [json.loads(line) for line in (tmp_path / HISTORY).read_text("utf-8").splitlines()]
    assert lines == resumed.history


def test_killed_with_all_options_the_weights_are_those_of_a_whole_run(parts, tmp_path, monkeypatch) -> None:
    """What is drawn for dropout, mixup and masks goes on where it was; so do running means and the learning rate."""
    options = {"batch_norm": True, "activation": "relu", "dropout": 0.3}
    how = dataclasses.replace(
        HOW,
        schedule="one-cycle",
        weight_decay=0.1,
        mixup=0.3,
        mask_bands=5,
        mask_frames=5,
        drop_segments=0.2,
    )
    config = SystemConfig.of(SYSTEM, Features(), 4, **options)
    whole = train(config, parts["memory"], how=how, seed=3, dev=parts["dev"])
    killed_after(8, monkeypatch, tmp_path, config=config, how=how, examples=parts["memory"], dev=parts["dev"])
    resumed = train(config, parts["memory"], how=how, seed=3, dev=parts["dev"], folder=tmp_path)
    assert same(weights(whole), weights(resumed))


def damaged(path, kind: str) -> None:
    data = path.read_bytes()
    tensors = load_file(path)
    if kind == "cut":
        path.write_bytes(data[: len(data) // 2])
    elif kind == "empty":
        path.write_bytes(b"")
    elif kind == "pickle":
        path.write_bytes(b"\x80\x04cos\nsystem\n(S'touch pwned'\ntR.")
    elif kind == "no header":
        save_file(tensors, path)
    elif kind == "other shapes":
        tensors["system/fc1.weight"] = torch.zeros(2, 2)
        save_with_header(tensors, path, data)
    elif kind == "moments of other shapes":
        tensors["optimiser/0/exp_avg"] = torch.zeros(2, 2)
        save_with_header(tensors, path, data)
    elif kind == "missing moments":
        save_with_header({name: value for name, value in tensors.items() if "optimiser/1/" not in name}, path, data)
    else:
        save_with_header({**tensors, "../../evil": torch.zeros(1)}, path, data)


def save_with_header(tensors, path, data: bytes) -> None:
    header = json.loads(data[8 : 8 + int.from_bytes(data[:8], "little")])
    save_file(tensors, path, header["__metadata__"])


@pytest.fixture(scope="module")
def short(parts, tmp_path_factory):
    """A training of one epoch, and the folder with its state."""
    folder = tmp_path_factory.mktemp("short")
    return train(CONFIG, parts["memory"], how=SHORT, seed=3, folder=folder, save_every=0.0), folder


@pytest.mark.parametrize(
    "kind",
    ["cut", "empty", "pickle", "no header", "other shapes", "moments of other shapes", "missing moments", "names"],
)
def test_a_state_that_does_not_fit_is_as_good_as_none(parts, short, tmp_path, kind) -> None:
    whole, folder = short
    shutil.copytree(folder, tmp_path, dirs_exist_ok=True)
    damaged(tmp_path / STATE, kind)
    assert same(weights(whole), weights(train(CONFIG, parts["memory"], how=SHORT, seed=3, folder=tmp_path)))
    assert not list(tmp_path.rglob("pwned")) and not list(tmp_path.rglob("evil"))
    assert not (tmp_path.parent / "evil").exists() and not (tmp_path.parent.parent / "evil").exists()


def test_the_state_of_another_training_is_not_taken(parts, short, tmp_path) -> None:
    shutil.copytree(short[1], tmp_path, dirs_exist_ok=True)
    other = train(CONFIG, parts["memory"], how=SHORT, seed=4, folder=tmp_path)
    assert same(weights(other), weights(train(CONFIG, parts["memory"], how=SHORT, seed=4)))


OLDER = """
{"epochs": 1, "batch_size": 4, "learning_rate": 0.001, "schedule": "constant", "weight_decay": 0.0,
"class_weights": "none", "sampling": "all", "standardisation": "train", "enrol": 0, "clip_norm": 0.0, "keep": "best",
"patience": 0, "label_smoothing": 0.0, "mixup": 0.0, "mask_bands": 0, "mask_frames": 0, "drop_segments": 0.0,
"bucket": 1, "mixed_precision": false, "memory_budget": 2048, "tensorboard": false, "device": "cpu",
"calibrate": "none", "refit": false, "submission": "none", "augment": [], "target": "emotion", "scales": {},
"secondary": 0.5, "options": {}}
"""


def test_a_state_of_before_emotions_were_learnt_beside_is_taken(short) -> None:
    with safe_open(short[1] / STATE, "pt") as file:
        _, how, seed, _ = json.loads(file.metadata()["about"])["origin"]
    assert (how, seed) == (json.loads(OLDER), 3)


SCRIPT = """
import sys
from pathlib import Path
import numpy as np
import torch
torch.set_num_threads(1)
from serprep.recipe import TrainConfig
from serprep.store.store import open_store
from serprep.features.extract import Features
from serprep.systems import inputs_of
from serprep_models.system import SystemConfig
from serprep_models.examples import Stored
from serprep_models.standardise import training_statistics
from serprep_models.train import _Training, train
saves, write = 0, _Training.save
def save_and_tell(self, folder):
    global saves
    write(self, folder)
    saves += 1
    print(saves, flush=True)
    if saves == 60:
        sys.stdin.read()  # however long the killer takes, the training is not over
_Training.save = save_and_tell
store, folder = open_store(sys.argv[1]), Path(sys.argv[2])
kinds = inputs_of("plain-crnn", {}, Features())
rows = [row for row in range(32) if row % 4 != 3]
stored = Stored(store, np.array(rows), kinds, training_statistics(store, rows, kinds))
how = TrainConfig(epochs=12, batch_size=4, device="cpu", clip_norm=1.0)
train(SystemConfig.of("plain-crnn", Features(), 4), stored.load(), how=how, seed=0, folder=folder, save_every=0.0)
"""


@pytest.mark.slow
def test_sigkill_at_any_moment(small, parts, tmp_path) -> None:
    """A process of its own, killed in its training; `benchmarks/faults.py` does it more often."""
    _, store = small
    command = [sys.executable, "-c", SCRIPT, store.path, tmp_path]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert [int(process.stdout.readline()) for _ in range(3)] == [1, 2, 3]
        process.kill()  # in the midst of whatever it does by now
    assert process.returncode == -signal.SIGKILL
    how = TrainConfig(epochs=12, batch_size=4, device="cpu", clip_norm=1.0)
    whole = train(CONFIG, parts["memory"], how=how, seed=0)
    resumed = train(CONFIG, parts["memory"], how=how, seed=0, folder=tmp_path)
    assert same(weights(whole), weights(resumed))
    lines = (tmp_path / HISTORY).read_text("utf-8").splitlines()
    assert [json.loads(line)["epoch"] for line in lines] == [*range(1, 13)]
