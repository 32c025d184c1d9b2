"""Logistic regression on rows of any kinds of feature: one linear layer, trained like the networks."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from torch import Tensor, nn

from serprep.features.extract import Features
from serprep.systems import Shapes, SystemSpec, row_kinds
from serprep_models.system import Batch, Mix, System, mixed


@dataclass(frozen=True, kw_only=True)
class Options:
    """``[train.linear]``."""

    features: tuple[str, ...] = ("functionals",)  # kinds with a row per utterance


class Network(System):
    """Rows beside each other → softmax."""

    def __init__(self, options: Options, shapes: Shapes, n_labels: int) -> None:
        super().__init__()
        self.features = options.features
        self.out = nn.Linear(sum(shapes[name][0] for name in options.features), n_labels)

    def branches(self, batch: Batch, mix: Mix | None) -> Sequence[Tensor]:
        """The rows (B, d)."""
        return [mixed(batch.rows(self.features), mix)]


class Linear(SystemSpec[Options]):
    """Logistic regression."""

    name = "linear"
    options = Options

    def inputs(self, options: Options, features: Features) -> tuple[str, ...]:
        """Rows."""
        return row_kinds(self.name, options.features, features)

    def make(self, options: Options, shapes: Shapes, n_labels: int) -> Network:
        """The layer."""
        return Network(options, shapes, n_labels)

    def graph(self, layers: Any, options: Options, inputs: Mapping[str, str]) -> str:
        """The layer as ONNX."""
        return layers.outputs(layers.beside(*(inputs[name] for name in options.features)))  # type: ignore[no-any-return]


SPEC = Linear()
