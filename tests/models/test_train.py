"""The training loop: it learns, repeats itself, and refuses what it should."""

import dataclasses
import sys
import types

import numpy as np
import pytest
import torch

from serprep.errors import TrainError
from serprep.recipe import TrainConfig
from serprep_models.crnn import SystemConfig
from serprep_models.loader import kinds_of, load
from serprep_models.standardise import training_statistics
from serprep_models.train import class_weights, device_named, probabilities, train


def examples_of(store, system, rows):
    kinds = kinds_of(system)
    return load(store, rows, kinds=kinds, statistics=training_statistics(store, rows, kinds))


@pytest.mark.parametrize(("system", "epochs"), [("plain-crnn", 150), ("hsf-crnn", 60), ("multi-crnn", 150)])
def test_every_system_can_memorise_32_utterances(small, system: str, epochs: int) -> None:
    _, store = small
    examples = examples_of(store, system, range(len(store)))
    assert len(examples) == 32
    how = TrainConfig(epochs=epochs, batch_size=8, learning_rate=3e-3)
    trained = train(SystemConfig(system=system, n_labels=4), examples, how=how, seed=0)
    predicted = probabilities(trained.system, examples).argmax(1)
    assert (predicted == examples.labels.numpy()).all()
    assert trained.history[-1]["train_loss"] < 0.2 * trained.history[0]["train_loss"]


def test_same_seed_same_weights_other_seed_others(small) -> None:
    _, store = small
    examples = examples_of(store, "plain-crnn", range(len(store)))
    config, how = SystemConfig(system="plain-crnn", n_labels=4), TrainConfig(epochs=2)
    first, again, other = (train(config, examples, how=how, seed=seed) for seed in (0, 0, 1))
    same = [torch.equal(a, b) for a, b in zip(first.system.parameters(), again.system.parameters(), strict=True)]
    assert all(same)
    assert first.history == again.history or all(
        a["train_loss"] == b["train_loss"] for a, b in zip(first.history, again.history, strict=True)
    )
    assert not all(torch.equal(a, b) for a, b in zip(first.system.parameters(), other.system.parameters(), strict=True))


def test_the_epoch_with_the_best_development_ua_is_kept(small) -> None:
    _, store = small
    kinds = kinds_of("plain-crnn")
    statistics = training_statistics(store, range(16), kinds)
    part, dev = (load(store, rows, kinds=kinds, statistics=statistics) for rows in (range(0, 32, 2), range(1, 32, 2)))
    how = TrainConfig(epochs=12, batch_size=4, learning_rate=3e-3)
    trained = train(SystemConfig(system="plain-crnn", n_labels=4), part, how=how, seed=0, dev=dev)
    predicted = probabilities(trained.system, dev).argmax(1)
    truth = dev.labels.numpy()
    recall = np.mean([(predicted[truth == label] == label).mean() for label in range(4)])
    assert recall == pytest.approx(max(entry["dev_ua"] for entry in trained.history))


def test_an_utterance_without_label_is_refused(small) -> None:
    _, store = small
    examples = examples_of(store, "plain-crnn", range(8))
    unlabelled = dataclasses.replace(examples, labels=torch.full((8,), -1))
    with pytest.raises(TrainError, match="without a label"):
        train(SystemConfig(system="plain-crnn", n_labels=4), unlabelled, how=TrainConfig(epochs=1), seed=0)


def test_a_diverging_loss_is_an_error_not_a_result(small) -> None:
    _, store = small
    examples = examples_of(store, "plain-crnn", range(8))
    for values in examples.segments.values():
        values.mul_(torch.inf)
    with pytest.raises(TrainError, match="not finite in epoch 1"):
        train(SystemConfig(system="plain-crnn", n_labels=4), examples, how=TrainConfig(epochs=1), seed=0)


def test_balanced_weights_are_inverse_to_counts() -> None:
    labels = torch.tensor([0, 0, 0, 1])
    assert class_weights(labels, 3, "balanced").tolist() == pytest.approx([4 / 9, 4 / 3, 0])
    assert class_weights(labels, 3, "none").tolist() == [1, 1, 1]


def test_a_device_that_is_not_there_is_an_error() -> None:
    with pytest.raises(TrainError, match="not on this machine"):
        device_named("cuda:99")
    with pytest.raises(TrainError, match="expected auto, cpu or cuda"):
        device_named("abacus")


def test_patience_ends_a_training_that_no_longer_gets_better(small) -> None:
    _, store = small
    part, dev = (examples_of(store, "plain-crnn", range(start, 32, 2)) for start in (0, 1))
    how = TrainConfig(epochs=500, batch_size=4, learning_rate=1e-12, patience=3)
    trained = train(SystemConfig(system="plain-crnn", n_labels=4), part, how=how, seed=0, dev=dev)
    assert len(trained.history) == 4  # the first is the best, and three more were waited for
    without = TrainConfig(epochs=6, batch_size=4, learning_rate=1e-12, patience=3)
    assert len(train(SystemConfig(system="plain-crnn", n_labels=4), part, how=without, seed=0).history) == 6


def test_clipped_gradients_have_the_asked_for_norm(small, monkeypatch) -> None:
    _, store = small
    examples = examples_of(store, "plain-crnn", range(8))
    norms = []
    step = torch.optim.Adam.step

    def spy(self, *args, **options):
        gradients = [p.grad.flatten() for group in self.param_groups for p in group["params"]]
        norms.append(float(torch.cat(gradients).norm()))
        return step(self, *args, **options)

    monkeypatch.setattr(torch.optim.Adam, "step", spy)
    for clip in (0.0, 1e-3):
        how = TrainConfig(epochs=2, batch_size=4, clip_norm=clip)
        train(SystemConfig(system="plain-crnn", n_labels=4), examples, how=how, seed=0)
    assert min(norms[:4]) > 1e-2
    assert norms[4:] == pytest.approx([1e-3] * 4, rel=1e-3)


def test_balanced_sampling_sees_rare_labels_as_often(small) -> None:
    _, store = small
    places = [store.labels.index(name) for name in store.emotions]
    rows = [row for row, place in enumerate(places) if place == 0] + [places.index(1)]
    examples = examples_of(store, "plain-crnn", rows)
    how = TrainConfig(epochs=30, batch_size=4, sampling="balanced", learning_rate=3e-3)
    trained = train(SystemConfig(system="plain-crnn", n_labels=4), examples, how=how, seed=0)
    predicted = probabilities(trained.system, examples).argmax(1)
    assert predicted.tolist() == examples.labels.tolist()


def test_scalars_of_every_epoch_go_to_tensorboard(small, tmp_path, monkeypatch) -> None:
    """Against a writer of our own: the package is optional."""
    written = []

    class Writer:
        def __init__(self, folder: str) -> None:
            assert folder == str(tmp_path / "tensorboard")

        def add_scalar(self, name: str, value: float, step: int) -> None:
            written.append((name, value, step))

        def close(self) -> None:
            written.append("closed")

    monkeypatch.setitem(sys.modules, "torch.utils.tensorboard", types.SimpleNamespace(SummaryWriter=Writer))
    _, store = small
    part, dev = (examples_of(store, "plain-crnn", range(start, 32, 2)) for start in (0, 1))
    how = TrainConfig(epochs=2, batch_size=8, tensorboard=True)
    config = SystemConfig(system="plain-crnn", n_labels=4)
    history = train(config, part, how=how, seed=0, dev=dev, folder=tmp_path).history
    names = ("train_loss", "train_ua", "dev_ua")
    assert written == [*((name, entry[name], entry["epoch"]) for entry in history for name in names), "closed"]
