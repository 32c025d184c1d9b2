"""Configurations: frozen dataclasses whose fields say what they may be, and one checker for all of them.

The words that a field may be stand in its type, the numbers in its metadata::

    @dataclass(frozen=True, kw_only=True)
    class Mask:
        what: Literal["bands", "frames"] = "bands"
        width: int = within(0, 1000, default=8, unit="frames")

        def __post_init__(self) -> None:
            check(self, FeatureError, "features.mask")

`configured` makes one from the values of a recipe's table, or of a store's JSON, and
`check` guards those that are made in code.
"""

import dataclasses
import math
import types
import typing
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from numbers import Real
from typing import Any, TypeVar

from serprep.errors import RecipeError, SerprepError
from serprep.text import did_you_mean

Config = TypeVar("Config")
Elsewhere = Mapping[str, Sequence[str]] | None  # the keys of other tables
_LIMITS = "limits"
_WORDS = {int: "a whole number", float: "a number", str: "text", bool: "true or false"}


@dataclasses.dataclass(frozen=True)
class Limits:
    """The numbers that a field may be, or that each entry of its list may be."""

    low: float
    high: float
    unit: str = ""
    above: bool = False  # `low` itself is too low
    below: bool = False  # `high` itself is too high
    different: bool = False  # no entry stands twice

    def hold(self, number: object) -> bool:
        """Whether a number lies within them; NaN never does."""
        if not isinstance(number, Real) or (self.above and number == self.low) or (self.below and number == self.high):
            return False
        return self.low <= float(number) <= self.high

    def __str__(self) -> str:
        if not self.above and not self.below:
            return f"{self.low} to {self.high} {self.unit}".rstrip()
        low = f"{'more than' if self.above else 'at least'} {self.low}"
        high = "" if self.high == math.inf else f" and {'less than' if self.below else 'at most'} {self.high}"
        return f"{low}{high} {self.unit}".rstrip()


def within(
    low: float,
    high: float,
    *,
    default: Any = dataclasses.MISSING,
    unit: str = "",
    above: bool = False,
    below: bool = False,
    different: bool = False,
) -> Any:
    """A field of a configuration that is a number between two bounds, or a list of one or more such numbers.

    Parameters
    ----------
    low, high : float
    default : optional
        Without one, the field must be given.
    unit : str
        For messages.
    above, below : bool
        Whether `low` itself is too low, and `high` too high.
    different : bool
        Whether no number may stand twice in the list.
    """
    return dataclasses.field(default=default, metadata={_LIMITS: Limits(low, high, unit, above, below, different)})


def check(config: Any, error: type[SerprepError], place: str = "") -> None:
    """Raise `error` if a field is none of its words, or beyond its bounds.

    Examples
    --------
    >>> @dataclasses.dataclass(frozen=True)
    ... class Mask:
    ...     width: int = within(0, 1000, default=8, unit="frames")
    >>> check(Mask(width=1001), RecipeError, "features.mask")
    Traceback (most recent call last):
    serprep.errors.RecipeError: [features.mask] width is 1001; expected 0 to 1000 frames
    """
    kind: Any = type(config)
    for name, (hint, limits) in _declared(kind).items():
        value = getattr(config, name)
        if why := _refusal(value, hint, limits):
            raise error(f"{_place(place)}{name} is {shown(value)}; {why}")


def configured(
    kind: Callable[..., Config],
    values: Mapping[str, Any],
    place: str,
    elsewhere: Elsewhere = None,
) -> Config:
    """A configuration from plain values, such as a TOML table, every one of the type and in the bounds it declares.

    Parameters
    ----------
    kind : type
        A dataclass.
    values : mapping
    place : str
        Name of the table, for messages.
    elsewhere : mapping of str to sequence of str, optional
        The keys of other tables, to say where a strange one belongs.

    Raises
    ------
    RecipeError
        If a key is unknown or missing, or a value is impossible; the message names both.
    """
    declared = _declared(kind)
    refuse_unknown(values, tuple(declared), place, elsewhere)
    typed: dict[str, Any] = {}
    for entry in dataclasses.fields(kind):  # type: ignore[arg-type]
        if entry.name in values:
            where = f"{_place(place)}{entry.name}"
            hint, limits = declared[entry.name]
            value = typed[entry.name] = _typed(values[entry.name], hint, where)
            if why := _refusal(value, hint, limits):
                raise RecipeError(f"{where} is {shown(value)}; {why}")
        elif entry.default is dataclasses.MISSING and entry.default_factory is dataclasses.MISSING:
            raise RecipeError(f"{_place(place)}needs {entry.name}")
    return kind(**typed)


def refuse_unknown(
    values: Mapping[str, Any], known: Sequence[str], place: str, elsewhere: Elsewhere = None, remedy: str = ""
) -> None:
    """Raise a RecipeError if a table has a key that it cannot have; the message lists those it can.

    It ends with `remedy` where no other key or place can have been meant.
    """
    for key in values:
        if key not in known:
            meant = did_you_mean(key, known)
            others = [table for table, keys in (elsewhere or {}).items() if key in keys and table != place]
            if others and not meant:
                meant = f"; it belongs into [{others[0]}]"
            raise RecipeError(
                f"{_place(place)}unknown key {shown(key)}; expected one of {', '.join(known)}{meant or remedy}"
            )


def hints_of(kind: Any) -> dict[str, Any]:
    """Field of a configuration → its type."""
    return {name: hint for name, (hint, _) in _declared(kind).items()}


@cache
def _declared(kind: Any) -> dict[str, tuple[Any, Limits | None]]:
    """Field of a configuration → its type, and its bounds where it has some."""
    hints = typing.get_type_hints(kind)
    return {entry.name: (hints[entry.name], entry.metadata.get(_LIMITS)) for entry in dataclasses.fields(kind)}


def words_of(hint: Any) -> tuple[str, ...]:
    """The words that a type allows, by `Literal`; () where it allows any.

    Examples
    --------
    >>> words_of(typing.Literal["a", "b"] | tuple[int, ...]), words_of(str)
    (('a', 'b'), ())
    """
    if typing.get_origin(hint) is typing.Literal:
        return typing.get_args(hint)
    return tuple(word for part in _parts(hint) for word in words_of(part))


def shown(value: Any) -> str:
    """A value for a message, cut where it is long."""
    text = repr(list(value) if isinstance(value, tuple) else value)
    return text if len(text) <= 80 else f"{text[:77]}…"


def _place(place: str) -> str:
    return f"[{place}] " if place else ""


def _parts(hint: Any) -> Iterator[Any]:
    """The types of a union, but for None."""
    if typing.get_origin(hint) in (typing.Union, types.UnionType):
        yield from (part for part in typing.get_args(hint) if part is not types.NoneType)


def _typed(value: Any, hint: Any, place: str) -> Any:
    """`value` if it has the declared type; whole numbers may stand for floats, lists for tuples."""
    if parts := list(_parts(hint)):
        if value is None and types.NoneType in typing.get_args(hint):
            return None
        lists = [part for part in parts if typing.get_origin(part) is tuple and isinstance(value, list)]
        return _typed(value, (lists or parts)[0], place)
    if typing.get_origin(hint) is tuple:
        if not isinstance(value, list | tuple):
            raise RecipeError(f"{place} is {shown(value)}; expected a list")
        return tuple(_typed(entry, typing.get_args(hint)[0], place) for entry in value)
    if typing.get_origin(hint) is typing.Literal:
        return value  # which word is `_refusal`'s to say
    if typing.get_origin(hint) is not None:  # Mapping[str, str]
        if not isinstance(value, dict):
            raise RecipeError(f"{place} is {shown(value)}; expected a table")
        return value
    if hint is float and type(value) is int:
        return float(value)
    if type(value) is not hint:
        raise RecipeError(f"{place} is {shown(value)}; expected {_WORDS.get(hint, hint)}")
    return value


def _refusal(value: Any, hint: Any, limits: Limits | None) -> str:
    """What is expected in place of a value; "" where it will do."""
    listed = [part for part in (hint, *_parts(hint)) if typing.get_origin(part) is tuple]
    if listed and isinstance(value, tuple):
        words = words_of(typing.get_args(listed[0])[0])
        strange = [entry for entry in value if words and entry not in words]
        if strange:
            return f"expected some of {', '.join(words)}{_meant(strange[0], words)}"
        doubled = limits and limits.different and len(set(value)) < len(value)
        if limits and (not value or doubled or not all(map(limits.hold, value))):
            return f"expected one or more {'different ' if limits.different else ''}numbers, {limits}"
        return ""
    words = words_of(hint)
    if words and value is not None and value not in words:
        return f"expected {'one of ' * (len(words) > 1)}{', '.join(words)}{_meant(value, words)}"
    return f"expected {limits}" if limits and not listed and not limits.hold(value) else ""


def _meant(value: Any, words: Sequence[str]) -> str:
    return did_you_mean(value, words) if isinstance(value, str) else ""
