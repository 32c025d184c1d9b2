"""What is known along an axis: serprep's own objects, and those that packages installed beside it bring.

A package declares, for example::

    [project.entry-points."serprep.features"]
    centroid = "serprep_centroid:CENTROID"

An entry point is loaded when its name is asked for, so that a broken package stops nothing else.
"""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from importlib import import_module
from importlib.metadata import EntryPoint, entry_points
from itertools import groupby
from typing import Any, Generic, TypeVar

from serprep.errors import SerprepError, one_line
from serprep.text import did_you_mean

Thing = TypeVar("Thing")


@dataclass(frozen=True)
class Registry(Generic[Thing]):
    """The objects of one axis by name.

    Attributes
    ----------
    group : str
        Of entry points, such as "serprep.features".
    what : str
        One of its objects in words, for messages.
    own : mapping
        Those that serprep brings; they go first, and nothing else sets them apart.
    base : type
        What each must be; it has a `name`.
    error : type
        Of a `SerprepError`.
    without : str
        What works where the package of one of them is not installed.
    """

    group: str
    what: str
    own: Mapping[str, Thing]
    base: type[Any]
    error: type[SerprepError]
    without: str

    @property
    def names(self) -> tuple[str, ...]:
        """All names, serprep's own first."""
        return (*self.own, *(name for name in plugged(self.group) if name not in self.own))

    def __getitem__(self, name: str) -> Thing:
        """The object of that name.

        Raises
        ------
        SerprepError
            Of the registry's type, if there is none; the line lists the known ones.
        """
        if name in self.own:
            return self.own[name]
        entry, *others = plugged(self.group).get(name, (None,))
        if others:
            packages = ", ".join(distribution(other) for other in plugged(self.group)[name])
            raise self.error(f"{self.what} {one_line(repr(name))} is brought by several packages: {packages}; keep one")
        if entry is None:
            meant = did_you_mean(name, self.names)  # and still it may be another package's
            remedy = f"{meant} I{self.install[3:]}" if meant else self.install
            raise self.error(
                f"unknown {self.what} {one_line(repr(name))}; expected one of {', '.join(self.names)}{remedy}"
            )
        thing: Thing = load(entry)
        if not isinstance(thing, self.base) or getattr(thing, "name", "") != name:
            raise self.error(
                f"{self.group} {name!r} of the package {distribution(entry)} is {type(thing).__name__} "
                f"{one_line(getattr(thing, 'name', ''))!r}; expected a "
                f"{self.base.__module__}.{self.base.__qualname__} of that name"
            )
        return thing

    @property
    def install(self) -> str:
        """That a package may be missing, for the end of a message."""
        return f"; if another package brings it, install that ({self.without} without)"

    def usable(self, tell: Callable[[str], object] = lambda _: None) -> dict[str, Thing]:
        """Name → object, of all that can be loaded; `tell` is called with a line on each that cannot."""
        things = {}
        for name in self.names:
            try:
                things[name] = self[name]
            except SerprepError as error:
                tell(str(error))
        return things

    def brought_by(self, name: str) -> str:
        """The distribution that brings it, with its version; "" for serprep's own."""
        entries = () if name in self.own else plugged(self.group).get(name, ())
        return ", ".join(map(distribution, entries))


class ByName(Mapping[str, Any]):
    """Objects that are imported when they are asked for, by their places ``module:attribute``."""

    def __init__(self, places: Mapping[str, str]) -> None:
        self.places = dict(places)

    def __getitem__(self, name: str) -> Any:
        module, _, attribute = self.places[name].partition(":")
        return getattr(import_module(module), attribute)

    def __contains__(self, name: object) -> bool:
        return name in self.places  # without importing it

    def __iter__(self) -> Iterator[str]:
        return iter(self.places)

    def __len__(self) -> int:
        return len(self.places)


@cache
def plugged(group: str) -> dict[str, tuple[EntryPoint, ...]]:
    """Name → entry points of everything installed under a group such as "serprep.features", sorted.

    More than one where several packages bring the same name.

    Examples
    --------
    >>> plugged("serprep.nothing")
    {}
    """
    entries = sorted(set(entry_points(group=group)), key=lambda entry: (entry.name, distribution(entry)))
    return {name: tuple(same) for name, same in groupby(entries, key=lambda entry: entry.name)}


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
