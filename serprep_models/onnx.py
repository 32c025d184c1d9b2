"""A checkpoint → an ONNX file that scores one utterance at a time.

Inputs are features as a store holds them, not standardised: segments ``short`` and ``long``
(n_segments, L, n_mels), ``functionals`` (1, 6373), ``signal`` (n_samples, 1), float32, those that the system reads.
The output ``probabilities`` is (1, n_labels); of a system that says numbers it is ``numbers``, each on
the scale of its recipe.  Standardisation is in the graph, in float64 as in training.  Labels, or names of
numbers and their scales, and features stand in the file's metadata, as JSON.

The graph is written node by node: exporters unroll an LSTM or turn it into a loop, while
ONNX has an operator for it.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from serprep._typing import AnyArray
from serprep.errors import TrainError, one_line
from serprep.files import write_whole
from serprep.systems import SYSTEMS, is_row
from serprep_models.predictor import Predictor
from serprep_models.standardise import CLIP, Moments, Ranks

OPSET = 18
IR_VERSION = 10  # what ONNX Runtime reads since 1.18


def onnx(predictor: Predictor, path: Path) -> Path:
    """Write a checkpoint as ONNX, and return the file's path.

    Parameters
    ----------
    predictor : Predictor
        Of one checkpoint; of a transductive one, with its speaker enrolled.
    path : Path
        ``….onnx``

    Raises
    ------
    TrainError
        If there are several checkpoints, the speaker is not enrolled, functionals are
        standardised by rank, or onnx is not installed.
    """
    if len(predictor.checkpoints) != 1:
        raise TrainError(f"{len(predictor.checkpoints)} checkpoints; one ONNX file holds one: name its folder")
    predictor.check_enrolment(predictor.speaker is not None)
    if path.suffix != ".onnx":
        raise TrainError(f"{one_line(path)}: expected a file name that ends in .onnx")
    write_whole(path, _model(predictor).SerializeToString())
    return path


def _model(predictor: Predictor) -> Any:
    try:
        from onnx import TensorProto, checker, helper
    except ImportError:
        raise TrainError("onnx is not installed: pip install 'serprep[onnx]'") from None
    (checkpoint,) = predictor.checkpoints
    config, graph = checkpoint.config, _Graph()
    rows = {name for name in config.shapes if is_row(name, checkpoint.features)}
    shapes: dict[str, list[Any]] = {
        name: [1 if name in rows else f"{name}_{'segments' if len(shape) > 1 else 'rows'}", *shape]
        for name, shape in config.shapes.items()
    }
    statistics = predictor.speaker or checkpoint.statistics
    inputs = {
        name: _standardised(
            graph, name, standardiser=statistics.get(name), clip=CLIP if name in rows else None, axes=range(len(shape))
        )
        for name, shape in config.shapes.items()
    }
    weights = {name: value.numpy() for name, value in checkpoint.system.state_dict().items()}
    layers, name = Layers(graph, weights, config.options, numbers=bool(predictor.scales)), "probabilities"
    given = SYSTEMS[config.system].graph(layers, config.options, inputs)
    if checkpoint.calibration is not None:
        heat = graph.constant(np.array(checkpoint.calibration.temperature, np.float32))
        given = layers.softmax(graph.node("Div", graph.node("Log", given), heat))
    if predictor.scales:
        low, high = np.array(list(predictor.scales.values()), np.float32).T
        given, name = graph.node("Mul", given, graph.constant(high - low)), "numbers"
        given = graph.node("Add", given, graph.constant(low))
    graph.node("Identity", given, output=name)
    whole = helper.make_graph(
        graph.nodes,
        config.system,
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in shapes.items()],
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1, config.n_labels])],
        graph.constants,
    )
    model = helper.make_model(whole, producer_name="serprep", opset_imports=[helper.make_opsetid("", OPSET)])
    model.ir_version = IR_VERSION
    about: dict[str, Any] = {
        "system": config.system,
        "labels": list(checkpoint.labels),
        "features": checkpoint.features.to_json(),
    }
    about |= {"standardisation": checkpoint.standardisation, "version": checkpoint.about.get("version")}
    about |= {"scales": predictor.scales} if predictor.scales else {}
    helper.set_model_props(model, {name: json.dumps(value, sort_keys=True) for name, value in about.items()})
    checker.check_model(model)
    return model


class _Graph:
    """Nodes and constants, added one by one under names of their own."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.constants: list[Any] = []

    def node(self, operator: str, *inputs: str, output: str = "", **attributes: Any) -> str:
        """Add a node; the name of its output."""
        from onnx import helper

        name = output or f"{operator.lower()}_{len(self.nodes)}"
        self.nodes.append(helper.make_node(operator, list(inputs), [name], **attributes))
        return name

    def constant(self, value: AnyArray) -> str:
        """Add a constant; its name."""
        from onnx import numpy_helper

        name = f"constant_{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def reduce(self, operator: str, x: str, axes: Sequence[int]) -> str:
        """Add a reduction that keeps the axes."""
        return self.node(operator, x, self.constant(np.array(axes, np.int64)), keepdims=1)


def _standardised(graph: _Graph, name: str, *, standardiser: Any, clip: float | None, axes: Sequence[int]) -> str:
    """An input, standardised in float64; without statistics by its own mean and deviation."""
    from onnx import TensorProto

    if isinstance(standardiser, Ranks):
        raise TrainError('ranks cannot be exported to ONNX; train with standardisation = "speaker" for that')
    x = graph.node("Cast", name, to=TensorProto.DOUBLE)
    if isinstance(standardiser, Moments):
        mean, deviations = graph.constant(standardiser.mean), standardiser.std
        scale = graph.constant(np.divide(1.0, deviations, out=np.zeros_like(deviations), where=deviations > 0))
        x = graph.node("Mul", graph.node("Sub", x, mean), scale)
    else:
        low, high, mean = (graph.reduce(f"Reduce{operator}", x, axes) for operator in ("Min", "Max", "Mean"))
        centred = graph.node("Sub", x, mean)
        std = graph.node("Sqrt", graph.reduce("ReduceMean", graph.node("Mul", centred, centred), axes))
        varies = graph.node("Greater", high, low)
        x = graph.node("Where", varies, graph.node("Div", centred, std), graph.constant(np.zeros(())))
    if clip is not None:
        x = graph.node("Clip", x, graph.constant(np.array(-clip)), graph.constant(np.array(clip)))
    return graph.node("Cast", x, to=TensorProto.FLOAT)


def _gates(values: AnyArray) -> AnyArray:
    """Rows of torch's gates (input, forget, cell, output) in ONNX's order (input, output, forget, cell)."""
    i, f, c, o = np.split(values, 4)
    return np.concatenate([i, o, f, c])


@dataclass(frozen=True)
class Layers:
    """What a system's graph is put together from: the graph, its weights and options."""

    graph: _Graph
    weights: Mapping[str, AnyArray]
    options: Any
    numbers: bool = False  # whether outputs are numbers, and no logits

    def below(self, prefix: str) -> "Layers":
        """The layers of a part of the system."""
        own = {name.removeprefix(prefix): value for name, value in self.weights.items() if name.startswith(prefix)}
        return Layers(self.graph, own, self.options, self.numbers)

    def beside(self, *values: str) -> str:
        """Vectors beside each other."""
        return values[0] if len(values) == 1 else self.graph.node("Concat", *values, axis=1)

    def linear(self, layer: str, x: str) -> str:
        """A linear layer."""
        matrix, bias = (self.graph.constant(self.weights[f"{layer}.{part}"]) for part in ("weight", "bias"))
        return self.graph.node("Gemm", x, matrix, bias, transB=1)

    def full(self, layers: Sequence[str], x: str) -> str:
        """Fully connected layers, one after the other, as `crnn.Full`."""
        for layer in layers:
            x = self.linear(layer, x)
            if self.options.batch_norm:
                names = ("gain", "shift", "mean", "variance")
                parts = (self.graph.constant(self.weights[f"{layer}.{name}"]) for name in names)
                x = self.graph.node("BatchNormalization", x, *parts, epsilon=1e-5)
            x = self.graph.node("Sigmoid" if self.options.activation == "sigmoid" else "Relu", x)
        return x

    def outputs(self, joint: str, *branches: str) -> str:
        """Probabilities of the joint layer or, where branches have outputs, the mean of all."""
        logits = [self.linear("out", joint)]
        if getattr(self.options, "auxiliary_heads", False):
            logits += [self.linear(f"auxiliary.{i}", x) for i, x in enumerate(branches)]
        chances = [self.softmax(each) for each in logits]
        return chances[0] if len(chances) == 1 else self.graph.node("Mean", *chances)

    def softmax(self, logits: str) -> str:
        """Probabilities of logits; numbers stay as they are."""
        return logits if self.numbers else self.graph.node("Softmax", logits, axis=1)

    def weighted(self, shares: Mapping[str, float]) -> str:
        """The sum of two probabilities in their shares."""
        scaled = (
            self.graph.node("Mul", chances, self.graph.constant(np.array(share, np.float32)))
            for chances, share in shares.items()
        )
        return self.graph.node("Add", *scaled)

    def encoder(self, prefix: str, segments: str) -> str:
        """`crnn.Encoder` of one utterance: segments (S, L, M) → (1, 384)."""
        graph, own = self.graph, self.below(prefix)
        x = graph.node("Transpose", segments, perm=[0, 2, 1])  # (S, M, L)
        for layer in ("conv1", "conv2"):
            x = graph.node("MaxPool", own.convolved(layer, x), kernel_shape=[3], strides=[2])
            x = graph.node("Relu", x)
        flat = graph.node("Flatten", x, axis=1)  # (S, 120)
        return own.steps(graph.node("Unsqueeze", flat, graph.constant(np.array([1]))))  # (S, 1, 120)

    def convolved(self, layer: str, x: str, *, pads: Sequence[int] = (0, 0)) -> str:
        """A convolution along time, (n, channels, time)."""
        kernel, bias = (self.graph.constant(self.weights[f"{layer}.{part}"]) for part in ("weight", "bias"))
        return self.graph.node("Conv", x, kernel, bias, pads=list(pads))

    def steps(self, x: str, *, n_layers: int = 1) -> str:
        """An LSTM over the steps of one utterance, (S, 1, d), then their max, mean and min, (1, 3 * units)."""
        graph, own = self.graph, self.weights
        for layer in range(n_layers):
            into, onto = (_gates(own[f"lstm.weight_{part}_l{layer}"])[None] for part in ("ih", "hh"))
            bias = np.concatenate([_gates(own[f"lstm.bias_{part}_l{layer}"]) for part in ("ih", "hh")])[None]
            weights = (graph.constant(values) for values in (into, onto, bias))
            out = graph.node("LSTM", x, *weights, hidden_size=onto.shape[2])
            x = graph.node("Squeeze", out, graph.constant(np.array([1])))  # (S, 1, 1, units) → (S, 1, units)
        x = graph.node("Squeeze", x, graph.constant(np.array([1])))
        return graph.node("Concat", *(graph.reduce(f"Reduce{how}", x, (0,)) for how in ("Max", "Mean", "Min")), axis=1)
