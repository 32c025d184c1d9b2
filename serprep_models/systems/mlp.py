"""Fully connected layers on rows of any kinds of feature."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from torch import Tensor, nn

from serprep.config import within
from serprep.features.extract import Features
from serprep.systems import Shapes, SystemSpec, row_kinds
from serprep_models.crnn import Full
from serprep_models.system import Batch, Mix, System, mixed
from serprep_models.systems.options import Layers


@dataclass(frozen=True, kw_only=True)
class Options(Layers):
    """``[train.mlp]``."""

    activation: Literal["sigmoid", "relu"] = "relu"
    dropout: float = within(0, 0.95, default=0.5)
    features: tuple[str, ...] = ("functionals",)  # kinds with a row per utterance
    layers: tuple[int, ...] = within(1, 65_536, default=(256, 64), unit="units")


class Network(System):
    """Rows beside each other → layers → softmax."""

    def __init__(self, options: Options, shapes: Shapes, n_labels: int) -> None:
        super().__init__()
        self.features = options.features
        sizes = (sum(shapes[name][0] for name in options.features), *options.layers)
        self.full = [f"full{number}" for number in range(1, len(sizes))]
        for name, n_in, n_out in zip(self.full, sizes, sizes[1:], strict=False):
            self.add_module(name, Full(n_in, n_out, options))
        self.out = nn.Linear(sizes[-1], n_labels)

    def branches(self, batch: Batch, mix: Mix | None) -> Sequence[Tensor]:
        """The last layer (B, 64)."""
        x = mixed(batch.rows(self.features), mix)
        for name in self.full:
            x = self.get_submodule(name)(x)
        return [x]


class MLP(SystemSpec[Options]):
    """A multi-layer perceptron."""

    name = "mlp"
    options = Options

    def inputs(self, options: Options, features: Features) -> tuple[str, ...]:
        """Rows."""
        return row_kinds(self.name, options.features, features)

    def make(self, options: Options, shapes: Shapes, n_labels: int) -> Network:
        """The network."""
        return Network(options, shapes, n_labels)

    def graph(self, layers: Any, options: Options, inputs: Mapping[str, str]) -> str:
        """The network as ONNX."""
        names = [f"full{number + 1}" for number in range(len(options.layers))]
        return layers.outputs(layers.full(names, layers.beside(*(inputs[name] for name in options.features))))  # type: ignore[no-any-return]


SPEC = MLP()
