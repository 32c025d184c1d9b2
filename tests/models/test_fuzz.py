"""Files of an experiment, mutated: one line or the truth, whatever they hold.

``SERPREP_FUZZ=5000`` tries so many of each instead of a few.
"""

import copy
import hashlib
import json
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch

from serprep._json import canonical_json
from serprep.errors import TrainError
from serprep.features.extract import Features
from serprep.features.framing import Segment
from serprep.features.logmel import LogMel
from serprep_models.adam import Adam
from serprep_models.catalogue import experiments_in
from serprep_models.checkpoint import read_checkpoint
from serprep_models.experiment import is_whole, read_predictions
from serprep_models.report import _history
from serprep_models.resume import UNFIT, read_state, write_state
from serprep_models.system import SystemConfig, make_system

N = int(os.environ.get("SERPREP_FUZZ", "40"))
ODD = (
    *(None, True, -1, 0, 2**63, 10**400, 1e308, float("nan"), float("inf"), 0.5, "", "x", "\ud800", "\x1b[2J"),
    *([], {}, [[]], {"a": 1}, ["train"], "../../x", [0] * 1000),
)


def mutated(data: bytes, rng: np.random.Generator) -> bytes:
    """Bytes flipped, cut, doubled, or put in."""
    if not data:
        return b"["
    kind, place = rng.integers(6), int(rng.integers(len(data)))
    if kind == 0:
        return data[:place]
    if kind == 1:
        return data[:place] + data[place + 1 + int(rng.integers(20)) :]
    if kind == 2:
        return data[:place] + b"[" * 200_000 + data[place:]
    if kind == 3:
        return data[:place] + b"9" * 5000 + data[place:]
    flipped = bytearray(data)
    for _ in range(int(rng.integers(1, 4))):
        flipped[int(rng.integers(len(data)))] ^= 1 << int(rng.integers(8))
    return bytes(flipped)


def odd(value, rng: np.random.Generator):
    """JSON in which one value is something else, or gone."""
    value = copy.deepcopy(value)
    at = value
    while True:
        keys = list(at) if isinstance(at, dict) else range(len(at))
        key = keys[int(rng.integers(len(keys)))]
        if not isinstance(at[key], (dict, list)) or not at[key] or rng.random() < 0.3:
            break
        at = at[key]
    if rng.random() < 0.2:
        del at[key]
    else:
        at[key] = ODD[int(rng.integers(len(ODD)))]
    return value


@pytest.fixture
def place(trained: Path, tmp_path: Path) -> Path:
    folder = tmp_path / "experiments/aaaa1111bbbb2222/plain-crnn/fold-01/seed-0"
    return Path(shutil.copytree(trained / "plain-crnn" / "fold-01" / "seed-0", folder))


def test_a_checkpoint_is_read_as_it_was_written_or_refused(place) -> None:
    rng = np.random.default_rng(1)
    whole = read_checkpoint(place)
    for name in ("checkpoint.json", "weights.safetensors"):
        data = (place / name).read_bytes()
        for _ in range(N):
            (place / name).write_bytes(mutated(data, rng))
            try:
                found = read_checkpoint(place)
            except TrainError as error:
                assert "\n" not in str(error) and len(str(error)) < 2000
            else:  # such as a space outside of the values
                assert found.about == whole.about
                for key, value in found.system.state_dict().items():
                    assert torch.equal(value, whole.system.state_dict()[key])
        (place / name).write_bytes(data)


def test_a_forged_checkpoint_is_sound_or_refused(place) -> None:
    rng = np.random.default_rng(2)
    about = json.loads((place / "checkpoint.json").read_bytes())
    for name in ("sha256", "weights_sha256"):  # as an older serprep wrote it
        del about[name]
    for _ in range(4 * N):
        (place / "checkpoint.json").write_text(json.dumps(odd(about, rng)))
        try:
            found = read_checkpoint(place)
        except TrainError as error:
            assert "\n" not in str(error) and "\x1b" not in str(error)
            str(error).encode()
        else:
            "".join(found.labels).encode()
            assert all(np.isfinite(one.mean).all() for one in found.statistics.values())


def test_pipes_and_giants_are_not_waited_for(place) -> None:
    for name, message in (
        ("checkpoint.json", r"are no checkpoint\.json"),
        ("weights.safetensors", "expected a file of"),
    ):
        data = (place / name).read_bytes()
        (place / name).unlink()
        os.mkfifo(place / name)
        with pytest.raises(TrainError, match=message):
            read_checkpoint(place)
        (place / name).unlink()
        with (place / name).open("wb") as file:
            file.truncate(1 << 40)
        with pytest.raises(TrainError, match=message):
            read_checkpoint(place)
        (place / name).write_bytes(data)


def test_a_pipe_in_a_finished_experiment_is_not_waited_for(place) -> None:
    assert is_whole(place, place.parents[1].name)
    for name in ("result.json", "predictions.csv", "checkpoint.json", "weights.safetensors"):
        data = (place / name).read_bytes()
        (place / name).unlink()
        os.mkfifo(place / name)
        assert not is_whole(place, place.parents[1].name)
        (place / name).unlink()
        (place / name).write_bytes(data)
    assert is_whole(place, place.parents[1].name)


def test_results_are_what_was_written_or_nothing(place) -> None:
    rng = np.random.default_rng(3)
    data = (place / "result.json").read_bytes()
    result = json.loads(data)
    for _ in range(N):
        (place / "result.json").write_bytes(mutated(data, rng))
        if is_whole(place, "plain-crnn"):
            assert json.loads((place / "result.json").read_bytes()) == result
    del result["sha256"]
    for _ in range(4 * N):
        forged = odd(result, rng)
        try:
            forged["sha256"] = hashlib.sha256(canonical_json(forged)).hexdigest()
        except ValueError:  # no JSON has it
            continue
        (place / "result.json").write_text(json.dumps(forged))
        if is_whole(place, "plain-crnn"):
            assert 0 <= (forged["ua"] or 0) <= 1 and np.array(forged["confusion"]).shape == (4, 4)
        (kept,) = experiments_in(place.parents[4])
        json.dumps(kept.to_json(), allow_nan=False)


def test_predictions_and_histories_are_read_or_refused(place) -> None:
    rng = np.random.default_rng(4)
    table, history = ((place / name).read_bytes() for name in ("predictions.csv", "history.jsonl"))
    for _ in range(N):
        (place / "predictions.csv").write_bytes(mutated(table, rng))
        try:
            found = read_predictions(place / "predictions.csv")
        except TrainError as error:
            assert "\n" not in str(error)
        else:
            assert set(found["prediction"]) <= {name.removeprefix("p_") for name in found.columns}
        lines = [json.dumps(odd(json.loads(line), rng)) for line in history.decode().splitlines()]
        for text in (mutated(history, rng), "\n".join(lines).encode()):
            (place / "history.jsonl").write_bytes(text)
            assert all(
                set(epoch) == {"epoch", "train_loss", "train_ua", "dev_ua"}
                for epoch in _history(place / "history.jsonl")
            )


def test_a_state_is_what_was_written_or_does_not_fit(tmp_path) -> None:
    rng = np.random.default_rng(5)
    system = make_system(
        SystemConfig.of("plain-crnn", Features({"short": Segment(length=15, hop=15)}, logmel=LogMel(n_mels=1)), 2)
    )
    optimiser = Adam(system.parameters(), rate=1e-3)
    write_state(tmp_path / "state", system, optimiser, best=None, about={"origin": [1], "history": []})
    data = (tmp_path / "state").read_bytes()
    before = {name: value.clone() for name, value in system.state_dict().items()}
    random = torch.get_rng_state()
    for _ in range(N):
        (tmp_path / "state").write_bytes(mutated(data, rng))
        try:
            read_state(tmp_path / "state", system, optimiser, origin=[1])
        except UNFIT:
            continue
        assert torch.equal(torch.get_rng_state(), random)
        assert all(torch.equal(value, before[name]) for name, value in system.state_dict().items())
