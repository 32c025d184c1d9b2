"""Systems: what can be trained on a store, one object each, known by name and not yet loaded.

Those of `serprep_models` are named here by their places, others join by an entry point of the
group ``serprep.systems``; nothing here imports torch.  ``docs/systems.md`` shows how to add one.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import fields
from typing import Any, ClassVar, Generic, Literal, TypeVar

from serprep.config import configured
from serprep.errors import TrainError
from serprep.features.extract import Features
from serprep.features.kinds import kind_names
from serprep.plugins import ByName, Registry

Options = TypeVar("Options")
Learns = Literal["labels", "numbers", "both"]
Shapes = Mapping[str, tuple[int, ...]]


class SystemSpec(ABC, Generic[Options]):
    """One system.  Subclass it, and bring either `make` or, for what no gradient trains, `fit`.

    Attributes
    ----------
    name : str
        Of the system, of its table ``[train.NAME]`` and of its folder of experiments.
    options : type
        A frozen dataclass (see `serprep.config`): the keys of that table.
    by_default : bool
        Whether a recipe without `systems` trains it.
    seeded : bool
        Whether seeds make a difference; one that they do not is run once.
    cost : float
        Relative to others: what takes longest goes first.
    by_gradient : bool
        Whether it is trained epoch by epoch, of what `make` gives; else by `fit`.
    labels, numbers : bool
        Whether it can learn labels, and whether numbers such as arousal, as many as `n_labels` says.
    both : bool
        Whether it can learn labels and numbers at once, in layers that both share.
    revision : int
        Raised whenever its code gives other numbers than before, also by what it shares with others: experiments of
        recipes that train it are run again.
    floor : bool
        Whether it says the same of every utterance: no checkpoint is kept of it, and nobody is tested against it.
    formerly : mapping of str to str
        Keys that once stood in ``[train]`` → their names among the options.
    """

    name: str
    options: type[Options]
    by_default: bool = False
    seeded: bool = True
    cost: float = 1.0
    by_gradient: bool = True
    labels: bool = True
    numbers: bool = False
    both: bool = False
    revision: int = 0
    floor: bool = False
    formerly: ClassVar[Mapping[str, str]] = {}

    @abstractmethod
    def inputs(self, options: Options, features: Features) -> tuple[str, ...]:
        """What it reads: names of segments, or of kinds of feature, which are rows or contours."""

    def make(self, options: Options, shapes: Shapes, n_labels: int) -> Any:
        """A fresh `torch.nn.Module` whose ``forward(Batch)`` gives logits (B, n_labels).

        Parameters
        ----------
        options
        shapes : mapping of str to tuple of int
            Input → (d,) of rows and contours, (length, d) of segments.
        n_labels : int
        """
        raise TrainError(f"the system {self.name} brings no `make`, which a system trained by gradient needs")

    def whole(self, options: Options, shapes: Shapes, n_labels: int) -> Any:
        """The module that a checkpoint holds, before its weights; by default what `make` gives."""
        return self.make(options, shapes, n_labels)

    def fit(self, options: Options, fold: Any) -> Any:
        """What a system that no gradient trains makes of a `serprep_models.fold.Fold`: a `Fitted`."""
        raise TrainError(f"the system {self.name} brings no `fit`, which a system without gradient needs")

    def finish(self, module: Any, options: Options, fold: Any) -> tuple[Any, dict[str, Any]]:
        """What becomes of a module once it is trained, and notes for its result; by default the module itself."""
        return module, {}

    def check(self, options: Options, how: Any) -> None:
        """Raise a RecipeError where the options and the rest of ``[train]`` do not go together."""

    def share(self, options: Options) -> str:
        """What its experiments of a fold share besides statistics, in words; "" for nothing."""
        return ""

    def shares(self, options: Options, fold: Any) -> None:
        """Compute and keep that, so that experiments that run at once need not all do it."""

    def graph(self, layers: Any, options: Options, inputs: Mapping[str, str]) -> str:
        """Its probabilities as an ONNX node (see `serprep_models.onnx`)."""
        raise TrainError(f"{self.name} has no ONNX form; use serprep_models.load(…).predict")


SYSTEMS: Registry[SystemSpec[Any]] = Registry(
    group="serprep.systems",
    what="system",
    own=ByName(
        {
            "plain-crnn": "serprep_models.systems.crnn:PLAIN_CRNN",
            "multi-crnn": "serprep_models.systems.crnn:MULTI_CRNN",
            "hsf-crnn": "serprep_models.systems.crnn:HSF_CRNN",
            "compare-svm": "serprep_models.systems.svm:COMPARE_SVM",
            "svm": "serprep_models.systems.svm:LINEAR_SVM",
            "cnn-lstm": "serprep_models.systems.cnn_lstm:SPEC",
            "mlp": "serprep_models.systems.mlp:SPEC",
            "linear": "serprep_models.systems.linear:SPEC",
            "svr": "serprep_models.systems.svr:SPEC",
            "majority": "serprep_models.systems.majority:MAJORITY",
        }
    ),
    base=SystemSpec,
    error=TrainError,
    without="other systems, stores and splits work",
)


def default_systems(learns: Learns = "labels") -> tuple[str, ...]:
    """Names of what a recipe without `systems` trains, to learn labels, numbers or both."""
    return tuple(name for name, spec in SYSTEMS.usable().items() if spec.by_default and getattr(spec, learns))


def options_of(name: str, tables: Mapping[str, Mapping[str, Any]]) -> Any:
    """The options of a system, from the tables ``[train.NAME]`` of a recipe.

    Raises
    ------
    TrainError
        If there is no such system.
    RecipeError
        If a key is unknown, or a value impossible.
    """
    return configured(SYSTEMS[name].options, tables.get(name, {}), f"train.{name}")


def beyond_defaults(tables: Mapping[str, Mapping[str, Any]]) -> dict[str, dict[str, Any]]:
    """What a recipe's tables of systems change: system → option → value, without what is as by default."""
    changed: dict[str, dict[str, Any]] = {}
    for name in tables:
        own, plain = options_of(name, tables), SYSTEMS[name].options()
        values = {entry.name: getattr(own, entry.name) for entry in fields(own)}
        if different := {key: value for key, value in values.items() if value != getattr(plain, key)}:
            changed[name] = different
    return changed


def moved(key: str) -> str:
    """Where a key of ``[train]`` stands today, for a message; "" if it never stood there."""
    places = [f"[train.{name}] {spec.formerly[key]}" for name, spec in SYSTEMS.usable().items() if key in spec.formerly]
    return f"; it stands in {' and '.join(places)} now" if places else ""


def row_kinds(system: str, names: Sequence[str], features: Features) -> tuple[str, ...]:
    """Kinds of feature that a system reads a row of.

    Raises
    ------
    TrainError
        If there are none, one stands twice, or one is a contour.
    """
    for name in names:
        if name in features.kinds and not is_row(name, features):
            rows = [kind for kind in features.kinds if is_row(kind, features)]
            raise TrainError(
                f"{system} reads rows, one per utterance, and {name!r} is a contour; "
                f"expected some of {', '.join(rows) or 'functionals, egemaps …'}"
            )
    if not names or len(set(names)) < len(names):
        raise TrainError(f"[train.{system}] features is {list(names)}; expected one or more different kinds of feature")
    return tuple(names)


def shapes_of(inputs: Sequence[str], features: Features) -> dict[str, tuple[int, ...]]:
    """Input → (d,) of rows and contours, (length, d) of segments.

    Raises
    ------
    TrainError
        If the features have none of it; the line says what to add.
    """
    shapes: dict[str, tuple[int, ...]] = {}
    for name in inputs:
        segment = features.segments.get(name)
        kind = segment.of if segment else name
        if kind not in features.kinds:
            what = (
                f"{name}: enable them in [features.{name}]"
                if name in kind_names()
                else (f"segments named {name!r}: add them to [features.segments]")
            )
            raise TrainError(what)
        width = features.kind(kind).n_columns(features.configs[kind])
        shapes[name] = (segment.length, width) if segment else (width,)
    return shapes


def is_row(name: str, features: Features) -> bool:
    """Whether an input is one row per utterance."""
    known = name not in features.segments and name in features.kinds
    return known and features.kind(name).shape_of(features.configs[name]) == "row"


def is_floor(system: str) -> bool:
    """Whether a system says the same of everybody; its name may have the recipe's before it, or a remark behind."""
    name = system.rpartition(": ")[2].partition(" (")[0]
    return name in SYSTEMS.names and SYSTEMS[name].floor


def inputs_of(name: str, tables: Mapping[str, Mapping[str, Any]], features: Features) -> tuple[str, ...]:
    """What a system reads, with its options from a recipe's tables."""
    return SYSTEMS[name].inputs(options_of(name, tables), features)
