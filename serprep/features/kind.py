"""One kind of feature: its configuration, extractor, shape and identity.

A new kind is a subclass of `Kind` in one file, and one instance of it: inside serprep a
line in `serprep.features.KINDS`, outside an entry point of the group ``serprep.features``.
The cache, stores, checks, conversion and training know shapes, not kinds:

* ``"row"``: one vector per utterance;
* ``"contour"``: any number of rows per utterance, from which segments can be cut.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Generic, Literal, NamedTuple, TypeVar

from serprep._typing import FloatArray
from serprep.audio.signal import Signal
from serprep.errors import FeatureError

Config = TypeVar("Config")
Extractor = Callable[..., FloatArray]  # of a signal; of a signal and an utterance's id where the kind wants that
Say = Callable[[str], None]


class Meaning(NamedTuple):
    """What a column is."""

    name: str
    unit: str  # "" for a ratio, or what has none
    text: str


class Kind(ABC, Generic[Config]):
    """What a kind of feature is; subclasses override what differs.

    Attributes
    ----------
    name : str
        The recipe's table ``[features.NAME]``, the cache's folder, and the group in a store.
    config : type
        A frozen dataclass whose defaults are the documented ones.
    shape : {"row", "contour"}
    revision : int
        Raised whenever a value changes.
    whole : bool
        Whether a store holds its rows as they are, and not only segments cut from them.
    array : str
        Name of the array inside the group.
    dimensions : (str, str)
        Names of the array's axes.
    on_by_default : bool
        Whether a recipe that does not name it has it.
    wants : {"signal", "utterance"}
        What its extractor is called with: the signal, or the signal and the utterance's id.
    patience : float
        Seconds of a processor for each second of sound, beyond half a minute, after which it counts as hung.
    slow_to_load : bool
        Whether workers load its extractor before they have anything to extract, on silence.
    set_name : str
        A feature set that several kinds belong to, each at a level of its own, such as "compare_2016".
    shares : bool
        Whether its extractor uses what others may have computed of the same signal (`serprep.features.sharing`).
    named_at_top : bool
        Whether configurations name it beside "segments", as stores did before there were other kinds,
        and not under "kinds".
    """

    name: str
    config: type[Config]
    shape: Literal["row", "contour"]
    revision: int
    whole = True
    array = "values"
    dimensions = ("", "")
    on_by_default = False
    slow_to_load = False
    named_at_top = False
    set_name = ""
    shares = False
    wants: Literal["signal", "utterance"] = "signal"
    patience: float = 10.0

    def enabled(self, config: Config) -> bool:
        """Whether this configuration asks for it at all."""
        return bool(getattr(config, "enabled", True))

    def at_level(self, level: str) -> Config | None:
        """The default configuration at a level: "functionals", one row, "lld", a contour, or "" for its own.

        None where it has no such level.
        """
        config = self.config()
        own = "functionals" if self.shape_of(config) == "row" else "lld"
        return config if level in ("", own) else None

    def located(self, config: Config, folder: Path) -> Config:
        """The same configuration with paths that hold from anywhere; a recipe's are relative to its `folder`."""
        return config

    def settled(self, config: Config) -> Config:
        """The same configuration with what must be the same in every process that computes it, such as digests.

        Asked once, when a build begins: the place to refuse what is not there.
        """
        return config

    def plain(self, config: Config) -> dict[str, Any]:
        """The configuration as a store records it, and its version knows it: no place where something lies."""
        return asdict(config)  # type: ignore[call-overload, no-any-return]

    def what(self, config: Config) -> dict[str, Any]:
        """`plain` without an ``engine``, which several kinds have: it decides last digits, not what a number means."""
        return {key: value for key, value in self.plain(config).items() if key != "engine"}

    def shape_of(self, config: Config) -> Literal["row", "contour"]:
        """The shape, where it follows from the configuration."""
        return self.shape

    def dtype(self, config: Config) -> str:
        """Type of its numbers in a store: "float32", or "int16" where the extractor gives such whole numbers."""
        return "float32"

    def missing(self, config: Config) -> str:
        """What keeps it from being computed here, such as a package that is not there; "" for nothing.

        A store that holds it is then read by what it says of the kind itself.
        """
        return ""

    @abstractmethod
    def names(self, config: Config) -> tuple[str, ...]:
        """Names of the columns, in order."""

    def meanings(self, config: Config) -> tuple[Meaning, ...]:
        """Name, unit and one line on each column, in order; () for a kind that does not say."""
        return ()

    def n_columns(self, config: Config) -> int:
        """Columns of its rows."""
        return len(self.names(config))

    def n_rows(self, n_samples: int, config: Config) -> int | None:
        """Rows of a contour of so many samples, where that is known beforehand."""
        return None

    def hop(self, config: Config, signal: Signal) -> float | None:
        """Seconds from one row of a contour to the next, where that is known."""
        return None

    @abstractmethod
    def extractor(self, config: Config, signal: Signal) -> Extractor:
        """A function of one guarded signal → float32 of shape (n_columns,) or (n_rows, n_columns).

        Made once per process: it may hold a model.
        """

    def prepare(self, config: Config, say: Say | None) -> None:
        """Whatever must happen once before many processes extract."""

    def memory(self, config: Config, n_samples: int) -> int:
        """Bytes that computing a signal of so many samples needs at most, where that is known; 0 where it is not."""
        return 0

    def shortest(self, config: Config, signal: Signal) -> int:
        """The fewest samples of an utterance."""
        return 1

    def sample_rate(self, config: Config) -> int | None:
        """The rate (Hz) that the configuration demands; None: any."""
        return None

    def check(self, config: Config, signal: Signal) -> None:
        """Raise a FeatureError if the configuration cannot be computed from such signals."""

    def reference(self, config: Config) -> Config | None:
        """The configuration by which openSMILE computes the same values; None: there is none."""
        return None

    def licence(self, config: Config) -> str:
        """What must be said of a store that holds it; "" for nothing."""
        return ""

    def own_identity(self, config: Config, utterance: str) -> dict[str, Any]:
        """What decides the values of one utterance alone, where the kind wants it, such as a digest; for its key."""
        return {}

    def remarks(self, config: Config, utterances: Sequence[str]) -> list[str]:
        """What a build of these utterances, by id, should warn of."""
        return []

    def identity(self, config: Config) -> dict[str, Any]:
        """What decides values besides the configuration: libraries with major.minor, digests of weights."""
        return {}

    def version_identity(self, config: Config) -> dict[str, Any]:
        """What of `identity` enters a store's version: digests of weights, but no libraries."""
        return {}

    def extractor_name(self, config: Config) -> str:
        """Name of the extractor in keys and versions."""
        return f"serprep.{self.name}"

    def extractor_revision(self, config: Config) -> int:
        """Revision of the extractor in keys and versions."""
        return self.revision

    def settings(self, config: Config) -> dict[str, Any]:
        """What of the configuration enters cache keys."""
        return {self.name: self.plain(config)}


@dataclass(frozen=True)
class MissingKind(Kind[Any]):
    """A kind that a store holds and that cannot be computed here: it can be read."""

    name: str
    shape: Literal["row", "contour"]
    column_names: tuple[str, ...]
    distribution: str  # the package that brought it
    type_name: str = "float32"  # of its numbers
    why: str = ""  # it cannot be computed; "": that package is not installed
    config = dict
    revision = 0

    def plain(self, config: dict[str, Any]) -> dict[str, Any]:
        """What the store recorded."""
        return dict(config)

    def dtype(self, config: dict[str, Any]) -> str:
        """Type of its numbers, as the store says."""
        return self.type_name

    def names(self, config: dict[str, Any]) -> tuple[str, ...]:
        """Names of the columns, as the store says."""
        return self.column_names

    def extractor(self, config: dict[str, Any], signal: Signal) -> Extractor:
        """Raise: nothing can compute it."""
        raise FeatureError(
            self.why
            or f"the kind of feature {self.name!r} came from the package {self.distribution}, which is not installed: "
            "install it to compute, verify or predict; reading, training and converting work without"
        )
