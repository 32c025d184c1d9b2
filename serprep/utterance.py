"""One labelled unit of a corpus: a whole file, or some seconds of one; and many of them.

A large corpus is held by column, some 200 bytes an utterance; an `Utterance` object, with
its dictionary and strings, takes five times that, and is made when somebody looks at it.
"""

import math
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, overload

from serprep.columns import COLUMNS, FIRST, LAST


@dataclass(frozen=True, kw_only=True, slots=True)
class Utterance:
    """What a corpus says about one utterance; nothing here needs its audio.

    Parameters
    ----------
    id : str
        Unique in the corpus.
    path : str
        Relative to the corpus root, with ``/``.
    start, end : float or None
        Seconds in the file; None for a whole file.
    speaker : str
        Who really speaks; "" where the corpus does not tell.
    emotion : str
        The corpus's own word or code; "" where there is no label.
    partition : str
        The corpus's own ("train", "devel", "test"); "" where it has none.
    extra : mapping of str to str
        Group columns in the corpus's order: session, dialogue, text, gender …
    duration : float or None
        Seconds of this utterance; None until its audio was looked at, or unreadable.
    sample_rate : int or None
        Hz, of the file.
    audio_digest : str
        SHA-256 of the whole file's bytes, hex; "" until it was hashed.
    """

    id: str
    path: str
    start: float | None = None
    end: float | None = None
    speaker: str = ""
    emotion: str = ""
    partition: str = ""
    extra: Mapping[str, str] = field(default_factory=dict)
    duration: float | None = None
    sample_rate: int | None = None
    audio_digest: str = ""


class Texts(Sequence[str]):
    """Many strings, one after the other in one buffer.

    Examples
    --------
    >>> texts = Texts(["a", "", "bc"])
    >>> texts[2], len(texts), list(texts)
    ('bc', 3, ['a', '', 'bc'])
    """

    __slots__ = ("_data", "_ends")

    def __init__(self, values: Iterable[str] = ()) -> None:
        self._data = bytearray()
        self._ends = array("Q", [0])
        for value in values:
            self.append(value)

    def append(self, value: str) -> None:
        """One more; also such as cannot be UTF-8, which the manifest refuses later."""
        self._data += value.encode("utf-8", "surrogatepass")
        self._ends.append(len(self._data))

    def __len__(self) -> int:
        return len(self._ends) - 1

    @overload
    def __getitem__(self, number: int) -> str: ...

    @overload
    def __getitem__(self, number: slice) -> "Texts": ...

    def __getitem__(self, number: int | slice) -> "str | Texts":
        if isinstance(number, slice):
            return Texts(self[i] for i in range(*number.indices(len(self))))
        i = range(len(self))[number]  # IndexError, and counting from the end, as for any sequence
        return self._data[self._ends[i] : self._ends[i + 1]].decode("utf-8", "surrogatepass")

    def __iter__(self) -> Iterator[str]:
        start = 0
        for end in self._ends[1:]:
            yield self._data[start:end].decode("utf-8", "surrogatepass")
            start = end


class Numbers(Sequence[Any]):
    """Many numbers of one kind ("d" float, "q" int), or None, 8 bytes each."""

    __slots__ = ("_values",)

    def __init__(self, kind: str, values: Iterable[float | None] = ()) -> None:
        self._values: array[Any] = array(kind)
        for value in values:
            self.append(value)

    def append(self, value: float | None) -> None:
        """One more."""
        if self._values.typecode == "d":
            self._values.append(math.nan if value is None else value)
        else:
            self._values.append(-1 if value is None else int(value))

    def __len__(self) -> int:
        return len(self._values)

    def __getitem__(self, number: Any) -> Any:
        if isinstance(number, slice):
            return [self[i] for i in range(*number.indices(len(self)))]
        value = self._values[number]
        return None if value != value or (value == -1 and self._values.typecode == "q") else value


Column = Texts | Numbers
FIELDS = (*FIRST, *LAST)  # of every utterance
_CODES = {"number": "d", "count": "q"}  # of arrays


def column_of(name: str, values: Iterable[Any] = ()) -> Column:
    """A column of an utterance's own field of that name."""
    code = _CODES.get(COLUMNS[name].type)
    return Numbers(code, values) if code else Texts(values)


class Utterances(Sequence[Utterance]):
    """Many utterances, by column, all with the same extra columns; never changed once made.

    Examples
    --------
    >>> rows = Utterances([Utterance(id="a", path="a.wav"), Utterance(id="b", path="b.wav", extra={"text": "t"})])
    >>> rows[1].path, rows[0].extra, [row.id for row in rows]
    ('b.wav', {'text': ''}, ['a', 'b'])
    """

    __slots__ = ("_extra", "_own")

    def __init__(self, rows: Iterable[Utterance] = ()) -> None:
        own: dict[str, Column] = {name: column_of(name) for name in FIELDS}
        extra: dict[str, Texts] = {}
        for number, row in enumerate(rows):
            for name in row.extra:
                if name not in extra:
                    extra[name] = Texts([""] * number)
            for name, texts in extra.items():
                texts.append(row.extra.get(name, ""))
            for name, column in own.items():
                column.append(getattr(row, name))
        self._own: Mapping[str, Column] = own
        self._extra: Mapping[str, Column] = extra

    @property
    def extra(self) -> tuple[str, ...]:
        """Names of the extra columns."""
        return tuple(self._extra)

    def column(self, name: str) -> Column:
        """One column, an own or an extra one."""
        return self._own[name] if name in self._own else self._extra[name]

    def replace(self, **columns: Column) -> "Utterances":
        """The same utterances with other values in these columns; the rest is shared."""
        own = {name: columns.get(name, column) for name, column in self._own.items()}
        return self._with(own, {name: columns.get(name, texts) for name, texts in self._extra.items()})

    def take(self, numbers: Sequence[int]) -> "Utterances":
        """Those utterances, in that order."""
        if len(numbers) == len(self) and all(i == number for i, number in enumerate(numbers)):
            return self
        return self._with(
            {name: column_of(name, (column[i] for i in numbers)) for name, column in self._own.items()},
            {name: Texts(texts[i] for i in numbers) for name, texts in self._extra.items()},
        )

    @classmethod
    def _with(cls, own: Mapping[str, Column], extra: Mapping[str, Column]) -> "Utterances":
        made = cls()
        made._own, made._extra = own, extra
        return made

    def __len__(self) -> int:
        return len(self._own["id"])

    @overload
    def __getitem__(self, number: int) -> Utterance: ...

    @overload
    def __getitem__(self, number: slice) -> "Utterances": ...

    def __getitem__(self, number: int | slice) -> "Utterance | Utterances":
        if isinstance(number, slice):
            return self.take(range(*number.indices(len(self))))
        values: dict[str, Any] = {name: column[number] for name, column in self._own.items()}
        return Utterance(**values, extra={name: texts[number] for name, texts in self._extra.items()})

    def __iter__(self) -> Iterator[Utterance]:
        for row in zip(*self._own.values(), *self._extra.values(), strict=True):
            values: dict[str, Any] = dict(zip(FIELDS, row, strict=False))
            yield Utterance(**values, extra=dict(zip(self._extra, row[len(FIELDS) :], strict=True)))

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, Sequence) or len(self) != len(other):
            return NotImplemented if not isinstance(other, Sequence) else False
        return all(a == b for a, b in zip(self, other, strict=True))

    __hash__ = None  # type: ignore[assignment]
