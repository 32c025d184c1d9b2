"""What a training minimises, and by what it tells one epoch from another, for each kind of target.

Labels: cross-entropy, and UA.  What raters said: cross-entropy against the distribution, and
1 minus the Jensen–Shannon divergence from it.  Numbers: 1 minus the concordance correlation
coefficient (Lin, 1989), mean over the dimensions, and that coefficient itself; what is not
known has no part in either.  Labels beside numbers: the sum of both losses, that of labels in its weight.

Shapes: B utterances, K labels or dimensions.
"""

from abc import ABC, abstractmethod
from typing import Any, ClassVar

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, log_softmax

from serprep._typing import DoubleArray, FloatArray
from serprep.metrics import ranking_ua, ua_of
from serprep.recipe import TrainConfig
from serprep_models.scores.concordance import Moments, concordance
from serprep_models.scores.distributions import divergences
from serprep_models.system import Mix

LEAST = 1e-8  # of a denominator: a batch of equal values has no concordance


class Objective(ABC):
    """The loss of a batch, and sums over batches from which an epoch's score follows."""

    measure: ClassVar[str]  # of an epoch; higher is better
    probabilities: ClassVar[bool] = True  # whether outputs go through a softmax

    @property
    @abstractmethod
    def nothing(self) -> Tensor:
        """Sums of no batch."""

    @abstractmethod
    def loss(self, outputs: Tensor, truth: Tensor, mix: Mix | None) -> Tensor:
        """Of a batch: outputs (B, K), and what is true of it."""

    @abstractmethod
    def sums(self, outputs: Tensor, truth: Tensor) -> Tensor:
        """What a batch adds."""

    @abstractmethod
    def of_sums(self, sums: Any) -> float:
        """The score of an epoch's batches."""

    @abstractmethod
    def of_part(self, predicted: FloatArray, truth: Any) -> float:
        """The score of a whole part: probabilities or numbers (n, K)."""


class Labels(Objective):
    """Truth: places of labels (B,), -1 where there is none."""

    measure = "ua"

    def __init__(self, labels: Tensor, n_labels: int, how: TrainConfig, device: torch.device) -> None:
        self.n_labels, self.smoothing = n_labels, how.label_smoothing
        weights = class_weights(labels, n_labels, how.class_weights)
        self.loss_of = nn.CrossEntropyLoss(weight=weights.to(device), label_smoothing=how.label_smoothing)

    @property
    def nothing(self) -> Tensor:
        """A confusion matrix, flat."""
        return torch.zeros(self.n_labels**2, dtype=torch.int64)

    def loss(self, outputs: Tensor, truth: Tensor, mix: Mix | None) -> Tensor:
        """Cross-entropy; of mixed utterances, with the labels of both in their shares."""
        if mix is None:
            return self.loss_of(outputs, truth)  # type: ignore[no-any-return]
        # weights of labels make a weighted mean, so each utterance has a loss of its own first
        weight = self.loss_of.weight
        each = [
            cross_entropy(outputs, target, weight, reduction="none", label_smoothing=self.smoothing)
            for target in (truth, truth[mix.partner])
        ]
        share = mix.share[:, 0]
        assert weight is not None
        total = share * weight[truth] + (1 - share) * weight[truth[mix.partner]]
        return (share * each[0] + (1 - share) * each[1]).sum() / total.sum()

    def sums(self, outputs: Tensor, truth: Tensor) -> Tensor:
        """A confusion matrix, flat."""
        return torch.bincount(truth * self.n_labels + outputs.argmax(1), minlength=self.n_labels**2)

    def of_sums(self, sums: Any) -> float:
        """UA."""
        return ua_of(sums.reshape(self.n_labels, -1))

    def of_part(self, predicted: FloatArray, truth: Any) -> float:
        """UA over the labels that occur."""
        known = truth >= 0
        return ranking_ua(truth[known], predicted.argmax(1)[known], self.n_labels)


class Distributions(Objective):
    """Truth: probabilities (B, K) of labels, by raters; NaN where nobody said anything."""

    measure = "agreement"

    @property
    def nothing(self) -> Tensor:
        """The sum of agreements, and how many."""
        return torch.zeros(2, dtype=torch.float64)

    def loss(self, outputs: Tensor, truth: Tensor, mix: Mix | None) -> Tensor:
        """Cross-entropy against the distribution."""
        return cross_entropy(outputs, truth if mix is None else mix(truth))

    def sums(self, outputs: Tensor, truth: Tensor) -> Tensor:
        """Agreement of each utterance, 1 minus the divergence in bits."""
        p, log_p = truth.double(), log_softmax(outputs.double(), 1)
        middle = (p + log_p.exp()) / 2
        pairs = (torch.xlogy(p, p) - torch.xlogy(p, middle)), log_p.exp() * (log_p - middle.log())
        divergence = torch.stack(pairs).sum((0, 2)) / 2 / np.log(2)
        return torch.stack([(1 - divergence).sum(), torch.ones_like(divergence).sum()])

    def of_sums(self, sums: Any) -> float:
        """Mean agreement."""
        return float(sums[0] / sums[1]) if sums[1] else float("nan")

    def of_part(self, predicted: FloatArray, truth: Any) -> float:
        """Mean agreement."""
        known = ~np.isnan(truth).any(axis=1)
        return float(1 - divergences(truth[known], predicted[known]).js.mean()) if known.any() else float("nan")


class Numbers(Objective):
    """Truth: numbers (B, K) between 0 and 1, NaN where they are not known."""

    measure = "ccc"
    probabilities = False

    def __init__(self, n_dimensions: int) -> None:
        self.n_dimensions = n_dimensions

    @property
    def nothing(self) -> Tensor:
        """As `Moments` has them."""
        return torch.zeros(Moments.N * self.n_dimensions, dtype=torch.float64)

    def loss(self, outputs: Tensor, truth: Tensor, mix: Mix | None) -> Tensor:
        """1 minus the concordance of each dimension that two or more utterances tell, mean over those."""
        truth = truth if mix is None else mix(truth)
        known = ~truth.isnan()
        n = known.sum(0).clamp(min=1)
        x, y = outputs.float() * known, truth.nan_to_num().float()
        x_mean, y_mean = x.sum(0) / n, y.sum(0) / n
        x_off, y_off = (x - x_mean) * known, (y - y_mean) * known
        spread = (x_off**2 + y_off**2).sum(0) / n + (x_mean - y_mean) ** 2
        losses = 1 - 2 * (x_off * y_off).sum(0) / n / (spread + LEAST)
        told = known.sum(0) > 1
        return (losses * told).sum() / told.sum().clamp(min=1)

    def sums(self, outputs: Tensor, truth: Tensor) -> Tensor:
        """As `Moments` has them."""
        known = ~truth.isnan()
        x, y = outputs.double() * known, truth.nan_to_num().double()
        return torch.stack([known.sum(0), y.sum(0), x.sum(0), (y * y).sum(0), (x * x).sum(0), (y * x).sum(0)]).flatten()

    def of_sums(self, sums: Any) -> float:
        """Mean concordance over the dimensions that have one."""
        return mean_of(Moments(sums.reshape(Moments.N, -1)).ccc)

    def of_part(self, predicted: FloatArray, truth: Any) -> float:
        """Mean concordance over the dimensions that have one."""
        return mean_of(np.array([concordance(*pair) for pair in zip(truth.T, predicted.T, strict=True)]))


class NumbersAndLabels(Numbers):
    """Truth: numbers (B, K), and behind them the place of the label, NaN where there is none; epochs are told by CCC.

    Outputs are K numbers, then the logits of labels.
    """

    def __init__(self, n_dimensions: int, weight: float) -> None:
        super().__init__(n_dimensions)
        self.weight = weight

    def loss(self, outputs: Tensor, truth: Tensor, mix: Mix | None) -> Tensor:
        """That of numbers, and in its weight the mean cross-entropy of the utterances that have a label."""
        k = self.n_dimensions
        places = truth[:, k].nan_to_num(nan=-1).long()
        each = cross_entropy(outputs[:, k:], places, ignore_index=-1, reduction="none")
        if mix is not None:
            other = cross_entropy(outputs[:, k:], places[mix.partner], ignore_index=-1, reduction="none")
            each = torch.lerp(other, each, mix.share[:, 0])
        of_labels = each.sum() / (places >= 0).sum().clamp(min=1)
        return super().loss(outputs[:, :k], truth[:, :k], mix) + self.weight * of_labels

    def sums(self, outputs: Tensor, truth: Tensor) -> Tensor:
        """Of the numbers."""
        return super().sums(outputs[:, : self.n_dimensions], truth[:, : self.n_dimensions])

    def of_part(self, predicted: FloatArray, truth: Any) -> float:
        """Of the numbers."""
        return super().of_part(predicted[:, : self.n_dimensions], truth[:, : self.n_dimensions])


def mean_of(values: DoubleArray) -> float:
    """The mean of those that are defined; NaN where none is."""
    values = values[~np.isnan(values)]
    return float(values.mean()) if len(values) else float("nan")


def class_weights(labels: Tensor, n_labels: int, kind: str) -> Tensor:
    """Weights of the loss: ones, or n / (n_labels * count), 0 for a label nobody has."""
    if kind == "none":
        return torch.ones(n_labels)
    counts = torch.bincount(labels, minlength=n_labels).double()
    return torch.where(counts > 0, len(labels) / (n_labels * counts.clamp(min=1)), 0.0).float()
