"""Options of the three systems of the paper; the defaults are the paper's."""

from dataclasses import dataclass
from typing import Literal

from serprep.config import within


@dataclass(frozen=True, kw_only=True)
class Layers:
    """``[train.plain-crnn]``: fully connected layers; the defaults are the paper's."""

    activation: Literal["sigmoid", "relu"] = "sigmoid"
    batch_norm: bool = False  # before it
    dropout: float = within(0, 0.95, default=0.0)  # after it: probability


@dataclass(frozen=True, kw_only=True)
class Branches(Layers):
    """``[train.multi-crnn]``: two branches."""

    auxiliary_heads: bool = False  # an output of each branch, averaged with the joint one


@dataclass(frozen=True, kw_only=True)
class HSF(Branches):
    """``[train.hsf-crnn]``: segments beside rows of the whole utterance."""

    features: tuple[str, ...] = ("functionals",)  # kinds of the second branch
    layers: tuple[int, ...] = within(1, 65_536, default=(1024, 520, 128), unit="units")  # of the second branch
    svm_share: float = within(0, 0.95, default=0.0)  # of a linear SVM's probabilities in its own
