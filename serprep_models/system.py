"""What every system is made of and given: batches of named inputs, outputs that can be several, a configuration.

Shapes: B utterances, S segments of all of them, L frames of a segment, d columns.
"""

import math
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import linear, log_softmax

from serprep.features.extract import Features
from serprep.systems import SYSTEMS, Shapes, options_of, shapes_of
from serprep_models import threads as threads  # whoever uses torch here may be forked afterwards


@dataclass(frozen=True, kw_only=True)
class SystemConfig:
    """What a system is made for."""

    system: str
    n_labels: int
    shapes: Shapes  # input → (d,) of rows and contours, (L, d) of segments
    options: Any  # of the system

    @classmethod
    def of(cls, system: str, features: Features, n_labels: int, /, **options: Any) -> "SystemConfig":
        """For a store of these features; `options` are keys of the system's table, default its defaults.

        Raises
        ------
        TrainError, RecipeError
            If the features lack what the system reads, or an option is none.
        """
        own = options_of(system, {system: options})
        shapes = shapes_of(SYSTEMS[system].inputs(own, features), features)
        return cls(system=system, n_labels=n_labels, shapes=shapes, options=own)


def make_system(config: SystemConfig) -> nn.Module:
    """A freshly initialised system, as training begins with it.

    Raises
    ------
    TrainError
        If there is none of that name.
    """
    module: nn.Module = SYSTEMS[config.system].make(config.options, config.shapes, config.n_labels)
    return module


@dataclass(frozen=True)
class Mix:
    """Which utterances of a batch are mixed, and how."""

    partner: Tensor  # (B,) places in the batch
    share: Tensor  # (B, 1) of the utterance itself; the rest is its partner's

    def __call__(self, x: Tensor) -> Tensor:
        """Vectors of utterances (B, …), mixed."""
        return torch.lerp(x[self.partner], x, self.share)

    def to(self, device: torch.device) -> "Mix":
        """The same on a device."""
        return Mix(self.partner.to(device), self.share.to(device))


@dataclass(frozen=True)
class Batch:
    """Standardised features of B utterances, by the names of what a system reads."""

    inputs: Mapping[str, Tensor]  # rows (B, d); contours (N, d) and segments (S, L, d), one utterance after the other
    counts: Mapping[str, Tensor]  # of contours and segments: (B,) how many are of each utterance
    labels: Tensor  # (B,) int64; -1 where there is none
    store_rows: Tensor | None = None  # (B,), in training

    def rows(self, names: Sequence[str]) -> Tensor:
        """Rows of several names beside each other, (B, d of all)."""
        first, *others = (self.inputs[name] for name in names)
        return torch.cat([first, *others], 1) if others else first

    def to(self, device: torch.device) -> "Batch":
        """The same batch on a device; counts stay here, where they are asked for."""
        moved = {name: value.to(device, non_blocking=True) for name, value in self.inputs.items()}
        rows = None if self.store_rows is None else self.store_rows.to(device, non_blocking=True)
        return Batch(moved, self.counts, self.labels.to(device, non_blocking=True), rows)

    def pin_memory(self) -> "Batch":
        """The same batch in pinned memory, from where a GPU takes it without waiting."""
        pinned = {name: value.pin_memory() for name, value in self.inputs.items()}
        return Batch(pinned, self.counts, self.labels.pin_memory(), self.store_rows)


class System(nn.Module, ABC):
    """A system with an output, or one of each branch beside it; what mixup and auxiliary heads need."""

    def __init__(self) -> None:
        super().__init__()
        self.out: nn.Linear
        self.auxiliary = nn.ModuleList()

    @abstractmethod
    def branches(self, batch: Batch, mix: Mix | None) -> Sequence[Tensor]:
        """What goes into the outputs: the joint layer's values first, then those of each branch, (B, n) each."""

    def heads(self, batch: Batch, mix: Mix | None = None) -> list[Tensor]:
        """Logits (B, n_labels) of each output, the joint one first; `mix` is for training."""
        return self.outputs(self.branches(batch, mix))

    def outputs(self, branches: Sequence[Tensor]) -> list[Tensor]:
        """The same of what `branches` gave."""
        joint, *others = branches
        outputs = [head(x) for head, x in zip(self.auxiliary, others, strict=False)]
        return [self.out(joint), *outputs]

    def forward(self, batch: Batch) -> Tensor:
        """A batch → logits (B, n_labels), those of the mean of all outputs' probabilities."""
        return averaged(self.heads(batch))


def mixed(x: Tensor, mix: Mix | None) -> Tensor:
    """Vectors of utterances, mixed or as they are."""
    return x if mix is None else mix(x)


def averaged(logits: Sequence[Tensor], shares: Sequence[float] | None = None) -> Tensor:
    """Logits of the mean probabilities, (B, n_labels); a single output's are left as they are.

    Parameters
    ----------
    logits : sequence of Tensor, shape (B, n_labels)
    shares : sequence of float, optional
        Above 0, 1 in all; default equal ones.

    Examples
    --------
    >>> averaged([torch.tensor([[0.0, 0.0]]), torch.tensor([[0.0, 200.0]])]).softmax(1)
    tensor([[0.2500, 0.7500]])
    """
    if len(logits) == 1:
        return logits[0]
    shares = shares or [1 / len(logits)] * len(logits)
    each = [log_softmax(x.float(), 1) + math.log(share) for x, share in zip(logits, shares, strict=True)]
    return torch.stack(each).logsumexp(0)  # (n_outputs, B, n_labels) -> (B, n_labels)


class LinearMachine(nn.Module):
    """A linear machine on rows, in double precision as where it was scored."""

    def __init__(self, features: Sequence[str], n_in: int, n_labels: int) -> None:
        super().__init__()
        self.features = tuple(features)
        self.svm = nn.Linear(n_in, n_labels)

    def forward(self, batch: Batch) -> Tensor:
        """A batch → logits (B, n_labels), float64."""
        return linear(batch.rows(self.features).double(), self.svm.weight.double(), self.svm.bias.double())


class WithSVM(nn.Module):
    """A trained system and a linear SVM on rows: the mean of their probabilities in their shares."""

    def __init__(self, system: nn.Module, svm: nn.Linear, *, features: Sequence[str], share: float) -> None:
        super().__init__()
        self.system, self.svm, self.features, self.share = system, svm, tuple(features), share

    def forward(self, batch: Batch) -> Tensor:
        """A batch → logits (B, n_labels)."""
        return averaged([self.system(batch), self.svm(batch.rows(self.features))], [1 - self.share, self.share])
