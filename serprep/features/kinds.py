"""The kinds of feature that are known: serprep's own, and those of packages installed beside it."""

from typing import Any

from serprep.errors import FeatureError
from serprep.features.egemaps.kind import EGEMAPS
from serprep.features.embedding import EMBEDDING
from serprep.features.functionals import FUNCTIONALS
from serprep.features.imported import IMPORTED
from serprep.features.kind import Kind
from serprep.features.lld import LLD
from serprep.features.logmel import LOGMEL
from serprep.features.opensmile_sets import OPENSMILE
from serprep.features.signal import SIGNAL
from serprep.plugins import Registry

KINDS: dict[str, Kind[Any]] = {
    "logmel": LOGMEL,
    "functionals": FUNCTIONALS,
    "lld": LLD,
    "signal": SIGNAL,
    "opensmile": OPENSMILE,
    "egemaps": EGEMAPS,
    "imported": IMPORTED,
    "embedding": EMBEDDING,
}


_REGISTRY = Registry(
    group="serprep.features",
    what="kind of feature",
    own=KINDS,
    base=Kind,
    error=FeatureError,
    without="stores that hold it are read, converted and trained from",
)


def kind_names() -> tuple[str, ...]:
    """Names of all kinds, serprep's own first."""
    return _REGISTRY.names


def kind_of(name: str) -> Kind[Any]:
    """The kind of that name.

    Raises
    ------
    FeatureError
        If there is none; the line lists the known ones.
    """
    return _REGISTRY[name]


def brought_by(name: str) -> str:
    """The distribution that brings a kind, with its version; "" for serprep's own."""
    return _REGISTRY.brought_by(name)
