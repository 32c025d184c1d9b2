"""A system: segments of log-mels → vectors, whose mean is weighted by what each deserves of attention."""

from dataclasses import dataclass

import torch
from torch import nn

from serprep.config import within
from serprep.systems import SystemSpec


@dataclass(frozen=True, kw_only=True)
class Options:
    """``[train.attention]``."""

    units: int = within(1, 10_000, default=64)


class Network(nn.Module):
    def __init__(self, n_in, n_labels, units):
        super().__init__()
        self.vectors = nn.Sequential(nn.Flatten(), nn.Linear(n_in, units), nn.Tanh())
        self.scores, self.out = nn.Linear(units, 1), nn.Linear(units, n_labels)

    def forward(self, batch):
        x = self.vectors(batch.inputs["short"])  # segments of all utterances (S, L, d) -> (S, units)
        each = zip(*(y.split(batch.counts["short"].tolist()) for y in (x, self.scores(x))), strict=True)
        return self.out(torch.stack([score.softmax(0).T[0] @ own for own, score in each]))  # (B, n_labels)


class _Attention(SystemSpec[Options]):
    name = "attention"
    options = Options

    def inputs(self, options, features):
        return ("short",)  # names of segments, or of kinds of feature

    def make(self, options, shapes, n_labels):
        length, n_columns = shapes["short"]
        return Network(length * n_columns, n_labels, options.units)


ATTENTION = _Attention()
