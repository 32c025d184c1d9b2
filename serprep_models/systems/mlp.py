"""Fully connected layers on rows of any kinds of feature."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from serprep.config import within
from serprep.features.extract import Features
from serprep.systems import Shapes, SystemSpec, row_kinds
from serprep_models.systems.options import Layers


@dataclass(frozen=True, kw_only=True)
class Options(Layers):
    """``[train.mlp]``."""

    activation: Literal["sigmoid", "relu"] = "relu"
    dropout: float = within(0, 0.95, default=0.5)
    features: tuple[str, ...] = ("functionals",)  # kinds with a row per utterance
    layers: tuple[int, ...] = within(1, 65_536, default=(256, 64), unit="units")


class MLP(SystemSpec[Options]):
    """A multi-layer perceptron."""

    name = "mlp"
    options = Options
    numbers = both = True

    def inputs(self, options: Options, features: Features) -> tuple[str, ...]:
        """Rows."""
        return row_kinds(self.name, options.features, features)

    def make(self, options: Options, shapes: Shapes, n_labels: int) -> Any:
        """The network."""
        from serprep_models.mlp import Network

        return Network(options.features, options.layers, options, shapes, n_labels)

    def graph(self, layers: Any, options: Options, inputs: Mapping[str, str]) -> str:
        """The network as ONNX."""
        names = [f"full{number + 1}" for number in range(len(options.layers))]
        return layers.outputs(layers.full(names, layers.beside(*(inputs[name] for name in options.features))))  # type: ignore[no-any-return]


SPEC = MLP()
