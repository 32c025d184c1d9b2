"""The three systems of the paper, sections 3.1 to 3.3; their networks are in `serprep_models.crnn`."""

from collections.abc import Mapping
from typing import Any, ClassVar

from serprep.errors import RecipeError
from serprep.features.extract import Features
from serprep.recipe import TrainConfig
from serprep.systems import Options, Shapes, SystemSpec, row_kinds
from serprep_models.systems.options import HSF, Branches, Layers
from serprep_models.systems.svm import machine_of


class _CRNN(SystemSpec[Options]):
    """What the three have in common."""

    numbers = both = True
    formerly: ClassVar[Mapping[str, str]] = {name: name for name in ("activation", "batch_norm", "dropout")}

    def check(self, options: Any, how: TrainConfig) -> None:
        """Refuse batch normalisation of single utterances, and means of probabilities where there are none."""
        for name in ("auxiliary_heads", "svm_share") if how.dimensions else ():
            if getattr(options, name, False):
                raise RecipeError(f"[train.{self.name}] {name} averages probabilities; leave it out to learn numbers")
        if options.batch_norm and how.batch_size == 1:
            raise RecipeError(
                f"[train.{self.name}] batch_norm needs batches of more than one utterance; raise [train] batch_size"
            )


class PlainCRNN(_CRNN[Layers]):
    """Plain CRNN (the paper's figure 1): convolutions, an LSTM and its statistics over segments of 30 frames."""

    name = "plain-crnn"
    options = Layers
    by_default = True
    cost = 2

    def inputs(self, options: Layers, features: Features) -> tuple[str, ...]:
        """The short segments."""
        return ("short",)

    def make(self, options: Layers, shapes: Shapes, n_labels: int) -> Any:
        """The network."""
        from serprep_models.crnn import PlainCRNN

        return PlainCRNN(options, shapes, n_labels)

    def graph(self, layers: Any, options: Layers, inputs: Mapping[str, str]) -> str:
        """The network as ONNX."""
        return layers.outputs(layers.full(("fc1", "fc2"), layers.encoder("encoder.", inputs["short"])))  # type: ignore[no-any-return]


class MultiCRNN(_CRNN[Branches]):
    """Multi-CRNN (the paper's figure 3): two CRNNs, on segments of 30 and of 50 frames, joined by a full layer."""

    name = "multi-crnn"
    options = Branches
    by_default = True
    cost = 3
    formerly: ClassVar[Mapping[str, str]] = {**_CRNN.formerly, "auxiliary_heads": "auxiliary_heads"}

    def inputs(self, options: Branches, features: Features) -> tuple[str, ...]:
        """The short segments, and the long ones."""
        return ("short", "long")

    def make(self, options: Branches, shapes: Shapes, n_labels: int) -> Any:
        """The network."""
        from serprep_models.crnn import MultiCRNN

        return MultiCRNN(options, shapes, n_labels)

    def graph(self, layers: Any, options: Branches, inputs: Mapping[str, str]) -> str:
        """The network as ONNX."""
        x = layers.full(("fc1", "fc2"), layers.encoder("short.", inputs["short"]))
        y = layers.encoder("long.", inputs["long"])
        return layers.outputs(layers.full(("joint",), layers.beside(x, y)), x, y)  # type: ignore[no-any-return]


class HSFCRNN(_CRNN[HSF]):
    """HSF-CRNN (the paper's figure 2): a CRNN beside full layers on rows such as functionals.

    A linear SVM on the same rows may join it once it is trained (``svm_share``).
    """

    name = "hsf-crnn"
    options = HSF
    by_default = True
    cost = 4
    formerly: ClassVar[Mapping[str, str]] = {
        **MultiCRNN.formerly,
        "hsf_layers": "layers",
        "svm_share": "svm_share",
        "svm": "svm_share",  # in checkpoints of the first format
    }

    def inputs(self, options: HSF, features: Features) -> tuple[str, ...]:
        """The short segments, and rows."""
        return ("short", *row_kinds(self.name, options.features, features))

    def make(self, options: HSF, shapes: Shapes, n_labels: int) -> Any:
        """The network."""
        from serprep_models.crnn import HSFCRNN

        return HSFCRNN(options, shapes, n_labels)

    def whole(self, options: HSF, shapes: Shapes, n_labels: int) -> Any:
        """The network, beside the SVM if it has a share."""
        from torch import nn

        from serprep_models.system import WithSVM

        network = self.make(options, shapes, n_labels)
        if not options.svm_share:
            return network
        svm = nn.Linear(sum(shapes[name][0] for name in options.features), n_labels)
        return WithSVM(network, svm, features=options.features, share=options.svm_share)

    def share(self, options: HSF) -> str:
        """A linear SVM, if it has a share."""
        return "linear SVMs" if options.svm_share else ""

    def shares(self, options: HSF, fold: Any) -> None:
        """Train the SVM."""
        machine_of(fold, options.features)

    def finish(self, module: Any, options: HSF, fold: Any) -> tuple[Any, dict[str, Any]]:
        """The network and the SVM: the mean of their probabilities."""
        if not options.svm_share:
            return module, {}
        import torch
        from torch import nn

        from serprep_models.system import WithSVM

        svm = machine_of(fold, options.features)
        layer = nn.Linear(svm.weights.shape[1], len(svm.weights), device=next(module.parameters()).device)
        with torch.no_grad():
            layer.weight.copy_(torch.from_numpy(svm.weights))
            layer.bias.copy_(torch.from_numpy(svm.bias))
        joined = WithSVM(module, layer, features=options.features, share=options.svm_share)
        return joined.eval(), {"svm": svm.choice}

    def graph(self, layers: Any, options: HSF, inputs: Mapping[str, str]) -> str:
        """The network as ONNX, and the SVM."""
        own = layers.below("system.") if options.svm_share else layers
        rows = layers.beside(*(inputs[name] for name in options.features))
        x = own.full(("fc",), own.encoder("encoder.", inputs["short"]))
        y = own.full([f"hsf{number + 1}" for number in range(len(options.layers))], rows)
        chances: str = own.outputs(own.full(("joint",), own.beside(x, y)), x, y)
        if options.svm_share:
            return layers.weighted(  # type: ignore[no-any-return]
                {chances: 1 - options.svm_share, layers.softmax(layers.linear("svm", rows)): options.svm_share}
            )
        return chances


PLAIN_CRNN, MULTI_CRNN, HSF_CRNN = PlainCRNN(), MultiCRNN(), HSFCRNN()
