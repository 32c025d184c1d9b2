"""The training loop: it learns, repeats itself, and refuses what it should."""

import dataclasses
import sys
import types

import numpy as np
import pytest
import torch

from serprep.errors import TrainError
from serprep.features.extract import Features
from serprep.recipe import TrainConfig
from serprep.systems import inputs_of
from serprep_models.adam import Adam
from serprep_models.loader import load
from serprep_models.objectives import class_weights
from serprep_models.standardise import training_statistics
from serprep_models.system import Mix, SystemConfig
from serprep_models.train import _Training, device_named, one_cycle, probabilities, train


def examples_of(store, system, rows):
    kinds = inputs_of(system, {}, Features())
    return load(store, rows, names=kinds, statistics=training_statistics(store, rows, kinds))


@pytest.mark.parametrize(
    ("system", "epochs", "size"), [("plain-crnn", 75, 8), ("hsf-crnn", 60, 32), ("multi-crnn", 30, 8)]
)
def test_every_system_can_memorise_32_utterances(small, system: str, epochs: int, size: int) -> None:
    _, store = small
    examples = examples_of(store, system, range(len(store)))
    assert len(examples) == 32
    how = TrainConfig(epochs=epochs, batch_size=size, learning_rate=5e-3)
    trained = train(SystemConfig.of(system, Features(), 4), examples, how=how, seed=0)
    predicted = probabilities(trained.system, examples).argmax(1)
    assert (predicted == examples.labels.numpy()).all()
    assert trained.history[-1]["train_loss"] < 0.2 * trained.history[0]["train_loss"]


def test_same_seed_same_weights_other_seed_others(small) -> None:
    _, store = small
    examples = examples_of(store, "plain-crnn", range(len(store)))
    config, how = SystemConfig.of("plain-crnn", Features(), 4), TrainConfig(epochs=2)
    first, again, other = (train(config, examples, how=how, seed=seed) for seed in (0, 0, 1))
    same = [torch.equal(a, b) for a, b in zip(first.system.parameters(), again.system.parameters(), strict=True)]
    assert all(same)
    assert first.history == again.history or all(
        a["train_loss"] == b["train_loss"] for a, b in zip(first.history, again.history, strict=True)
    )
    assert not all(torch.equal(a, b) for a, b in zip(first.system.parameters(), other.system.parameters(), strict=True))


def test_the_epoch_with_the_best_development_ua_is_kept(small) -> None:
    _, store = small
    kinds = inputs_of("plain-crnn", {}, Features())
    statistics = training_statistics(store, range(16), kinds)
    part, dev = (load(store, rows, names=kinds, statistics=statistics) for rows in (range(0, 32, 2), range(1, 32, 2)))
    how = TrainConfig(epochs=12, batch_size=4, learning_rate=3e-3)
    trained = train(SystemConfig.of("plain-crnn", Features(), 4), part, how=how, seed=0, dev=dev)
    predicted = probabilities(trained.system, dev).argmax(1)
    truth = dev.labels.numpy()
    recall = np.mean([(predicted[truth == label] == label).mean() for label in range(4)])
    assert recall == pytest.approx(max(entry["dev_ua"] for entry in trained.history))


def test_development_utterances_without_a_label_choose_nothing(small) -> None:
    from sklearn.metrics import recall_score

    _, store = small
    examples = examples_of(store, "plain-crnn", range(len(store)))
    labels = examples.labels.clone()
    labels[::2] = -1
    dev = dataclasses.replace(examples, labels=labels)
    how = TrainConfig(epochs=1)
    trained = train(SystemConfig.of("plain-crnn", Features(), 4), examples, how=how, seed=0, dev=dev)
    predicted = probabilities(trained.system, dev).argmax(1)
    expected = recall_score(labels[1::2], predicted[1::2], labels=np.unique(labels[1::2]), average="macro")
    assert trained.history[0]["dev_ua"] == pytest.approx(expected)


def test_an_utterance_without_label_is_refused(small) -> None:
    _, store = small
    examples = examples_of(store, "plain-crnn", range(8))
    unlabelled = dataclasses.replace(examples, labels=torch.full((8,), -1))
    with pytest.raises(TrainError, match="without a label"):
        train(SystemConfig.of("plain-crnn", Features(), 4), unlabelled, how=TrainConfig(epochs=1), seed=0)


def test_a_diverging_loss_is_an_error_not_a_result(small) -> None:
    _, store = small
    examples = examples_of(store, "plain-crnn", range(8))
    for values in examples.inputs.values():
        values.mul_(torch.inf)
    with pytest.raises(TrainError, match="not finite in epoch 1"):
        train(SystemConfig.of("plain-crnn", Features(), 4), examples, how=TrainConfig(epochs=1), seed=0)


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
    trained = train(SystemConfig.of("plain-crnn", Features(), 4), part, how=how, seed=0, dev=dev)
    assert len(trained.history) == 4  # the first is the best, and three more were waited for
    without = TrainConfig(epochs=6, batch_size=4, learning_rate=1e-12, patience=3)
    assert len(train(SystemConfig.of("plain-crnn", Features(), 4), part, how=without, seed=0).history) == 6


def test_clipped_gradients_have_the_asked_for_norm(small, monkeypatch) -> None:
    _, store = small
    examples = examples_of(store, "plain-crnn", range(8))
    norms = []
    step = Adam.step

    def spy(self):
        norms.append(float(torch.cat([p.grad.flatten() for p in self.parameters]).norm()))
        step(self)

    monkeypatch.setattr(Adam, "step", spy)
    for clip in (0.0, 1e-3):
        how = TrainConfig(epochs=2, batch_size=4, clip_norm=clip)
        train(SystemConfig.of("plain-crnn", Features(), 4), examples, how=how, seed=0)
    assert min(norms[:4]) > 1e-2
    assert norms[4:] == pytest.approx([1e-3] * 4, rel=1e-3)


def test_balanced_sampling_sees_rare_labels_as_often(small) -> None:
    _, store = small
    places = [store.labels.index(name) for name in store.emotions]
    rows = [row for row, place in enumerate(places) if place == 0] + [places.index(1)]
    examples = examples_of(store, "plain-crnn", rows)
    how = TrainConfig(epochs=30, batch_size=4, sampling="balanced", learning_rate=3e-3)
    trained = train(SystemConfig.of("plain-crnn", Features(), 4), examples, how=how, seed=0)
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
    config = SystemConfig.of("plain-crnn", Features(), 4)
    history = train(config, part, how=how, seed=0, dev=dev, folder=tmp_path).history
    names = ("train_loss", "train_ua", "dev_ua")
    assert written == [*((name, entry[name], entry["epoch"]) for entry in history for name in names), "closed"]


# -- options beyond the paper ----------------------------------------------------------


def test_one_cycle_is_pytorchs() -> None:
    optimiser = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1.0)
    n_steps = 101
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 3.0, total_steps=n_steps, cycle_momentum=False)
    for step in range(n_steps):
        # PyTorch counts steps and turns on a whole one, so it reaches its highest a little earlier
        place = (
            step * 0.3 / (0.3 * n_steps - 1)
            if step < 0.3 * n_steps - 1
            else 0.3 + 0.7 * ((step - (0.3 * n_steps - 1)) / (n_steps - 1 - (0.3 * n_steps - 1)))
        )
        assert 3 * one_cycle(place) == pytest.approx(optimiser.param_groups[0]["lr"], abs=1e-9)
        optimiser.step()
        if step < n_steps - 1:
            schedule.step()


def test_the_learning_rate_goes_up_and_down_once_in_a_training(small, monkeypatch) -> None:
    _, store = small
    rates = []
    step = Adam.step
    monkeypatch.setattr(Adam, "step", lambda self: rates.append(self.rate) or step(self))
    how = TrainConfig(epochs=5, batch_size=4, schedule="one-cycle", weight_decay=0.1, learning_rate=1e-2)
    train(SystemConfig.of("plain-crnn", Features(), 4), examples_of(store, "plain-crnn", range(32)), how=how, seed=0)
    assert rates == pytest.approx([1e-2 * one_cycle(i / 40) for i in range(40)])


def test_the_last_epoch_is_kept_where_that_is_asked_for(small) -> None:
    _, store = small
    part, dev = (examples_of(store, "plain-crnn", range(start, 32, 2)) for start in (0, 1))
    config, how = SystemConfig.of("plain-crnn", Features(), 4), TrainConfig(epochs=4, batch_size=4, keep="last")
    last = train(config, part, how=how, seed=0, dev=dev)
    without = train(config, part, how=how, seed=0)
    for ours, theirs in zip(last.system.parameters(), without.system.parameters(), strict=True):
        assert torch.equal(ours, theirs)
    assert all(0 <= entry["dev_ua"] <= 1 for entry in last.history)


@pytest.mark.parametrize("weighted", ["none", "balanced"])
def test_the_loss_of_mixed_utterances_is_that_of_mixed_targets(small, weighted) -> None:
    """Against cross-entropy with targets that are probabilities, in float64; weighted by the labels' weights."""
    _, store = small
    examples = examples_of(store, "plain-crnn", range(5, 20))
    how = TrainConfig(class_weights=weighted, label_smoothing=0.2, mixup=0.4)
    training = _Training(SystemConfig.of("plain-crnn", Features(), 4), examples, how=how, seed=0)
    generator = torch.Generator().manual_seed(0)
    logits = torch.randn(6, 4, dtype=torch.float64, generator=generator)
    labels, partner = torch.tensor([0, 1, 2, 3, 0, 1]), torch.tensor([3, 1, 0, 2, 5, 4])
    share = torch.rand(6, 1, dtype=torch.float64, generator=generator)
    training.objective.loss_of.weight = training.objective.loss_of.weight.double()
    weight = training.objective.loss_of.weight
    one_hot = torch.eye(4, dtype=torch.float64)
    target = share * one_hot[labels] + (1 - share) * one_hot[labels[partner]]
    smooth = 0.8 * target + 0.2 / 4
    expected = -(smooth * weight * logits.log_softmax(1)).sum() / (target * weight).sum()
    assert training.objective.loss(logits, labels, Mix(partner, share)).item() == pytest.approx(expected.item())
    # and without mixing it is PyTorch's own
    plain = torch.nn.functional.cross_entropy(logits, labels, weight, label_smoothing=0.2)
    assert training.objective.loss(logits, labels, None).item() == pytest.approx(plain.item())


EVERYTHING = {
    "weight_decay": 0.01,
    "schedule": "one-cycle",
    "label_smoothing": 0.1,
    "mixup": 0.2,
    "mask_bands": 4,
    "mask_frames": 4,
    "drop_segments": 0.2,
}


@pytest.mark.parametrize("system", ["plain-crnn", "hsf-crnn", "multi-crnn"])
def test_all_options_together_learn_and_repeat_themselves(small, system) -> None:
    _, store = small
    examples = examples_of(store, system, range(32))
    how = TrainConfig(epochs=60, batch_size=8, learning_rate=3e-3, **EVERYTHING)
    options = {"activation": "relu", "batch_norm": True, "dropout": 0.2}
    options |= {"auxiliary_heads": True} if system != "plain-crnn" else {}
    options |= {"layers": (32,)} if system == "hsf-crnn" else {}
    config = SystemConfig.of(system, Features(), 4, **options)
    trained = train(config, examples, how=how, seed=0)
    assert (probabilities(trained.system, examples).argmax(1) == examples.labels.numpy()).mean() > 0.9
    short = dataclasses.replace(how, epochs=2)
    first, again = (train(config, examples, how=short, seed=3).system.state_dict() for _ in range(2))
    assert all(torch.equal(first[name], again[name]) for name in first)
