"""Batches → a trained system, its history and its predictions.

Adam, cross-entropy, a fixed number of epochs; where a development part is given that is
not the part being scored, the epoch with the best development UA.  Same seed, same
machine, same scores.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from serprep._typing import FloatArray
from serprep.errors import TrainError
from serprep.metrics import ua_of
from serprep.recipe import TrainConfig
from serprep_models.crnn import SystemConfig, make_system
from serprep_models.loader import Examples

EVALUATION_BATCH = 256  # utterances; no effect on logits


@dataclass(frozen=True)
class Trained:
    """A trained system."""

    system: nn.Module
    config: SystemConfig
    history: list[dict[str, Any]] = field(default_factory=list)  # per epoch: epoch, train_loss, train_ua, dev_ua


def device_named(name: str) -> torch.device:
    """The device of that name; "auto" is a GPU where there is one.

    Raises
    ------
    TrainError
        If there is no such device.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
    except RuntimeError:
        raise TrainError(f"device {name!r}: expected auto, cpu or cuda") from None
    if device.type not in ("cpu", "cuda") or (
        device.type == "cuda" and (device.index or 0) >= torch.cuda.device_count()
    ):
        raise TrainError(f'device {name!r} is not on this machine; use device = "cpu"')
    return device


@contextmanager
def one_thread() -> Iterator[None]:
    """Several systems train at once, one thread each: sums have one order, cores are not fought over."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def train(
    config: SystemConfig, examples: Examples, *, how: TrainConfig, seed: int, dev: Examples | None = None
) -> Trained:
    """Train one system on one fold.

    Parameters
    ----------
    config : SystemConfig
    examples : Examples
        The training part, every utterance labelled.
    how : TrainConfig
        Epochs, batch size, learning rate, class weights, device.
    seed : int
        Decides initial weights and the order of utterances.
    dev : Examples, optional
        Chooses the epoch by UA.

    Raises
    ------
    TrainError
        If an utterance has no label, or the loss is no longer finite.
    """
    if len(examples) == 0 or int(examples.labels.min()) < 0:
        raise TrainError("the training part is empty or holds utterances without a label; leave them out")
    device = device_named(how.device)
    torch.manual_seed(seed)
    system = make_system(config).to(device)
    shuffle = torch.Generator().manual_seed(seed)
    optimiser = torch.optim.Adam(system.parameters(), lr=how.learning_rate, fused=True)
    loss_of = nn.CrossEntropyLoss(weight=class_weights(examples.labels, config.n_labels, how.class_weights).to(device))
    history: list[dict[str, Any]] = []
    best: tuple[float, dict[str, Tensor]] | None = None
    for epoch in range(1, how.epochs + 1):
        system.train()
        counts = np.zeros((config.n_labels, config.n_labels), np.int64)
        total = 0.0
        for batch in examples.batches(how.batch_size, generator=shuffle):
            batch = batch.to(device)
            logits = system(batch)  # (B, n_labels)
            loss = loss_of(logits, batch.labels)
            optimiser.zero_grad(set_to_none=True)
            loss.backward()
            optimiser.step()
            total += loss.item() * len(batch.labels)
            np.add.at(counts, (batch.labels.cpu().numpy(), logits.detach().argmax(1).cpu().numpy()), 1)
        if not np.isfinite(total):
            raise TrainError(f"the loss is not finite in epoch {epoch}; lower learning_rate ({how.learning_rate})")
        entry = {"epoch": epoch, "train_loss": total / len(examples), "train_ua": ua_of(counts), "dev_ua": float("nan")}
        if dev is not None:
            entry["dev_ua"] = _ua(system, dev, config.n_labels)
            if best is None or entry["dev_ua"] > best[0]:
                best = entry["dev_ua"], {name: value.clone() for name, value in system.state_dict().items()}
        history.append(entry)
    if best is not None:
        system.load_state_dict(best[1])
    return Trained(system.eval(), config, history)


def class_weights(labels: Tensor, n_labels: int, kind: str) -> Tensor:
    """Weights of the loss: ones, or n / (n_labels * count), 0 for a label nobody has."""
    if kind == "none":
        return torch.ones(n_labels)
    counts = torch.bincount(labels, minlength=n_labels).double()
    return torch.where(counts > 0, len(labels) / (n_labels * counts.clamp(min=1)), 0.0).float()


def probabilities(system: nn.Module, examples: Examples) -> FloatArray:
    """Softmax outputs of every utterance, shape (n, n_labels)."""
    device = next(system.parameters()).device
    system.eval()
    with torch.inference_mode():
        found = [
            torch.softmax(system(batch.to(device)), 1).cpu().numpy() for batch in examples.batches(EVALUATION_BATCH)
        ]
    return np.concatenate(found)


def _ua(system: nn.Module, examples: Examples, n_labels: int) -> float:
    counts = np.zeros((n_labels, n_labels), np.int64)
    predicted = probabilities(system, examples).argmax(1)
    np.add.at(counts, (examples.labels.numpy(), predicted), 1)
    with np.errstate(invalid="ignore"):
        recall = np.diag(counts) / counts.sum(1)
    return float(np.nanmean(recall))  # a development part may lack a label; it only ranks epochs
