"""What a training may minimise besides its loss, of the values that go into the joint output.

The adversary tells speakers from those values; its gradient is reversed on the way back, so the layers below unlearn
what tells speakers (Ganin et al., 2016; of speakers in speech emotion, Li et al., 2020).  The supervised contrastive
loss pulls utterances of one label together, and others apart (Khosla et al., 2020).  Both are thrown away after the
training: a checkpoint does not hold them.

Shapes: B utterances, n values of each.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, normalize

from serprep.errors import TrainError
from serprep.recipe import TrainConfig
from serprep_models.system import Batch, Mix

TEMPERATURE = 0.1  # of the contrastive loss
NEVER = -1e9  # as good as minus infinity, which has no gradient in a batch of one


class Besides(nn.Module):
    """The adversary's layer, and both losses in their weights."""

    places: Tensor

    def __init__(self, n_values: int, speakers: Sequence[str], rows: Sequence[int], how: TrainConfig) -> None:
        super().__init__()
        self.how = how
        if how.adversary:
            trained = sorted({speakers[row] for row in rows})
            if "" in trained or len(trained) < 2:
                raise TrainError("[train] adversary needs two or more training speakers, all known; leave it out")
            place = {name: number for number, name in enumerate(trained)}
            own = torch.tensor([place.get(name, -1) for name in speakers])  # of every row of the store
            self.register_buffer("places", own, persistent=False)
            self.speaker = nn.Linear(n_values, len(trained))

    def forward(self, values: Tensor, batch: Batch, mix: Mix | None) -> Tensor:
        """Both losses of a batch whose joint values are given, (B, n) → ()."""
        total = values.new_zeros(())
        if self.how.adversary:
            assert batch.store_rows is not None
            truth = self.places[batch.store_rows]
            outputs = self.speaker(reverse(values, self.how.adversary))
            each = cross_entropy(outputs, truth, reduction="none")
            if mix is not None:
                each = torch.lerp(cross_entropy(outputs, truth[mix.partner], reduction="none"), each, mix.share[:, 0])
            total = total + each.mean()
        if self.how.contrast:
            total = total + self.how.contrast * contrast(values, batch.labels)
        return total


class _Reverse(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, values: Tensor, weight: float) -> Tensor:
        ctx.weight = weight
        return values.view_as(values)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None]:
        return -ctx.weight * gradients[0], None


def reverse(values: Tensor, weight: float) -> Tensor:
    """The same values, whose gradient is turned round and weighed.

    Examples
    --------
    >>> x = torch.ones(2, requires_grad=True)
    >>> reverse(x, 0.5).sum().backward()
    >>> x.grad
    tensor([-0.5000, -0.5000])
    """
    return _Reverse.apply(values, weight)  # type: ignore[no-any-return, no-untyped-call]


def contrast(values: Tensor, labels: Tensor) -> Tensor:
    """The supervised contrastive loss of (B, n) values, mean over those that have another of their label; else 0."""
    x = normalize(values.float(), dim=1)
    itself = torch.eye(len(x), dtype=torch.bool, device=x.device)
    likeness = (x @ x.T / TEMPERATURE).masked_fill(itself, NEVER)  # (B, B)
    chances = likeness.log_softmax(1).masked_fill(itself, 0.0)
    alike = (labels[:, None] == labels) & ~itself
    n_alike = alike.sum(1)
    each = -(chances * alike).sum(1) / n_alike.clamp(min=1)  # (B,)
    return each.sum() / (n_alike > 0).sum().clamp(min=1)
