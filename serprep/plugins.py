"""What packages installed beside serprep bring, by entry point: kinds of feature, systems, corpora, exports.

A package declares, for example::

    [project.entry-points."serprep.features"]
    centroid = "serprep_centroid:CENTROID"

An entry point is loaded when its name is asked for, so that a broken package stops nothing else.
"""

from functools import cache
from importlib.metadata import EntryPoint, entry_points
from typing import Any

from serprep.errors import SerprepError, one_line


@cache
def plugged(group: str) -> dict[str, EntryPoint]:
    """Name → entry point of everything installed under a group such as "serprep.features", sorted.

    Examples
    --------
    >>> plugged("serprep.nothing")
    {}
    """
    return {entry.name: entry for entry in sorted(entry_points(group=group), key=lambda entry: entry.name)}


def load(entry: EntryPoint) -> Any:
    """The object of an entry point.

    Raises
    ------
    SerprepError
        If its package cannot be imported; the line names the package.
    """
    try:
        return entry.load()
    except Exception as error:  # whatever somebody else's package does when it is imported
        raise SerprepError(
            f"{entry.group} {entry.name!r} of the package {distribution(entry)} cannot be loaded: "
            f"{type(error).__name__}: {one_line(error)}; update or uninstall that package"
        ) from None


def distribution(entry: EntryPoint) -> str:
    """Name and version of the distribution that brings an entry point."""
    return f"{entry.dist.name} {entry.dist.version}" if entry.dist else "unknown"
