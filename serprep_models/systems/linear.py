"""Logistic regression on rows of any kinds of feature: one linear layer, trained like the networks."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from serprep.features.extract import Features
from serprep.systems import Shapes, SystemSpec, row_kinds
from serprep_models.systems.options import Layers


@dataclass(frozen=True, kw_only=True)
class Options:
    """``[train.linear]``."""

    features: tuple[str, ...] = ("functionals",)  # kinds with a row per utterance


class Linear(SystemSpec[Options]):
    """Logistic regression."""

    name = "linear"
    options = Options
    numbers = True

    def inputs(self, options: Options, features: Features) -> tuple[str, ...]:
        """Rows."""
        return row_kinds(self.name, options.features, features)

    def make(self, options: Options, shapes: Shapes, n_labels: int) -> Any:
        """The layer."""
        from serprep_models.mlp import Network

        return Network(options.features, (), Layers(), shapes, n_labels)

    def graph(self, layers: Any, options: Options, inputs: Mapping[str, str]) -> str:
        """The layer as ONNX."""
        return layers.outputs(layers.beside(*(inputs[name] for name in options.features)))  # type: ignore[no-any-return]


SPEC = Linear()
