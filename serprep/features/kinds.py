"""The kinds of feature that are known: serprep's own, and those of packages installed beside it."""

from difflib import get_close_matches
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
from serprep.plugins import distribution, load, plugged
from serprep.text import did_you_mean

GROUP = "serprep.features"

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


def kind_names() -> tuple[str, ...]:
    """Names of all kinds, serprep's own first."""
    return (*KINDS, *(name for name in plugged(GROUP) if name not in KINDS))


def kind_of(name: str) -> Kind[Any]:
    """The kind of that name.

    Raises
    ------
    FeatureError
        If there is none; the line lists the known ones.
    """
    if name in KINDS:
        return KINDS[name]
    entry = plugged(GROUP).get(name)
    if entry is None:
        close = get_close_matches(name, kind_names(), 1)
        guess = f"did you mean {close[0]!r}? " if close else ""
        raise FeatureError(f"no kind of feature {one_line(name)!r}: {guess}expected one of {', '.join(kind_names())}")
    kind = load(entry)
    if not isinstance(kind, Kind) or kind.name != name:
        raise FeatureError(
            f"{GROUP} {name!r} of the package {distribution(entry)} is {type(kind).__name__} "
            f"{one_line(getattr(kind, 'name', ''))!r}; expected a serprep.features.kind.Kind of that name"
        )
    return kind


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
    entry = None if name in KINDS else plugged(GROUP).get(name)
    return distribution(entry) if entry else ""
