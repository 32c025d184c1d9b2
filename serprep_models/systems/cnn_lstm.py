"""The end-to-end baseline of the paper's table 2: convolutions on the raw signal, then an LSTM."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from serprep.config import within
from serprep.features.extract import Features
from serprep.systems import Shapes, SystemSpec


@dataclass(frozen=True, kw_only=True)
class Options:
    """``[train.cnn-lstm]``."""

    leak: float = within(0, 1, default=0.01)  # slope of the LeakyReLU below 0


class CNNLSTM(SystemSpec[Options]):
    """Reads the signal itself."""

    name = "cnn-lstm"
    options = Options
    cost = 50
    numbers = both = True

    def inputs(self, options: Options, features: Features) -> tuple[str, ...]:
        """The samples."""
        return ("signal",)

    def make(self, options: Options, shapes: Shapes, n_labels: int) -> Any:
        """The network."""
        from serprep_models.cnn_lstm import Network

        return Network(n_labels, leak=options.leak)

    def graph(self, layers: Any, options: Options, inputs: Mapping[str, str]) -> str:
        """The network as ONNX."""
        from serprep_models.cnn_lstm import BLOCKS, STEP

        graph, nothing, step = layers.graph, *(layers.graph.constant(np.array([n])) for n in (0, STEP))
        missing = graph.node("Max", graph.node("Sub", step, graph.node("Shape", inputs["signal"], end=1)), nothing)
        pads = graph.node("Concat", nothing, nothing, missing, nothing, axis=0)  # silence behind what is short
        row = graph.node("Pad", inputs["signal"], pads)  # (n, 1)
        x = graph.node("Unsqueeze", graph.node("Transpose", row), nothing)  # (1, 1, n)
        for number, (_, kernel, pool) in enumerate(BLOCKS):
            x = layers.convolved(f"blocks.{number}.conv", x, pads=((kernel - 1) // 2, kernel // 2))
            names = (f"blocks.{number}.norm.{name}" for name in ("weight", "bias", "running_mean", "running_var"))
            norm = (graph.constant(layers.weights[name]) for name in names)
            x = graph.node("BatchNormalization", x, *norm, epsilon=1e-5)
            x = graph.node(
                "MaxPool", graph.node("LeakyRelu", x, alpha=options.leak), kernel_shape=[pool], strides=[pool]
            )
        return layers.outputs(layers.steps(graph.node("Transpose", x, perm=[2, 0, 1]), n_layers=2))  # type: ignore[no-any-return]


SPEC = CNNLSTM()
