"""The kinds of feature that are known: serprep's own, and those of packages installed beside it."""

from typing import Any

from serprep.errors import FeatureError, one_line
from serprep.features.egemaps_v02.kind import EGEMAPS
from serprep.features.embedding import EMBEDDING
from serprep.features.functionals import FUNCTIONALS
from serprep.features.imported import IMPORTED
from serprep.features.kind import Kind
from serprep.features.lld import LLD
from serprep.features.logmel import LOGMEL
from serprep.features.opensmile_sets import OPENSMILE
from serprep.features.signal import SIGNAL
from serprep.plugins import Registry
from serprep.text import did_you_mean

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

#: These, and those of packages installed beside serprep.
REGISTRY = Registry(
    group="serprep.features",
    what="kind of feature",
    own=KINDS,
    base=Kind,
    error=FeatureError,
    without="stores that hold it are read, converted and trained from",
)


def kind_names() -> tuple[str, ...]:
    """Names of all kinds, serprep's own first."""
    return REGISTRY.names


def kind_of(name: str) -> Kind[Any]:
    """The kind of that name.

    Raises
    ------
    FeatureError
        If there is none; the line lists the known ones.
    """
    return REGISTRY[name]


def set_of(name: str, level: str = "") -> tuple[Kind[Any], Any]:
    """The kind and the default configuration that stand for a feature set at a level.

    Parameters
    ----------
    name : str
        A kind's, such as "egemaps", or that of a set that several belong to, such as "compare_2016".
    level : str
        "functionals", one row per recording, "lld", a contour, or "" for the set's own.

    Raises
    ------
    FeatureError
        If there is no such set, or none at that level.
    """
    kinds = [kind for kind in KINDS.values() if name in (kind.name, kind.set_name)]
    if not kinds and name not in kind_names():
        sets = dict.fromkeys(kind.set_name or kind.name for kind in KINDS.values() if kind.wants == "signal")
        known = (*sets, *(plugin for plugin in kind_names() if plugin not in KINDS))
        raise FeatureError(
            f"no feature set {one_line(name)!r}{did_you_mean(name, known) or ';'} expected one of {', '.join(known)}"
            f"{REGISTRY.install}"
        )
    for kind in kinds or [kind_of(name)]:
        if kind.wants != "signal":
            raise FeatureError(f"{name!r} is not computed from recordings; a recipe can have it")
        config = kind.at_level(level)
        if config is not None:
            return kind, config
    raise FeatureError(f"the feature set {name!r} has no level {one_line(level)!r}; expected another, or none")


def brought_by(name: str) -> str:
    """The distribution that brings a kind, with its version; "" for serprep's own."""
    return REGISTRY.brought_by(name)
