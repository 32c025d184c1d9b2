"""One labelled unit of a corpus: a whole file, or some seconds of one; and many of them.

A large corpus is held by column, some 200 bytes an utterance; an `Utterance` object, with
its dictionary and strings, takes five times that, and is made when somebody looks at it.
"""

import math
from array import array
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from itertools import accumulate, islice, pairwise
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


_AT_ONCE = 4096  # values


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
        self.extend(values)

    def append(self, value: str) -> None:
        """One more."""
        self.extend((value,))

    def extend(self, values: Iterable[str]) -> None:
        """More of them; also such as cannot be UTF-8, which the manifest refuses later."""
        values = iter(values)
        while some := list(islice(values, _AT_ONCE)):
            text = "".join(some)
            sizes: Iterable[int] = map(len, some)
            if not text.isascii():
                sizes = (len(value.encode("utf-8", "surrogatepass")) for value in some)
            self._ends.extend(islice(accumulate(sizes, initial=len(self._data)), 1, None))
            self._data += text.encode("utf-8", "surrogatepass")

    @property
    def is_utf8(self) -> bool:
        """Whether all of them can be written as UTF-8."""
        try:
            self._data.decode()
        except UnicodeDecodeError:
            return False
        return True

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
        for first in range(0, len(self), _AT_ONCE):
            ends = self._ends[first : first + _AT_ONCE + 1]
            data = self._data[ends[0] : ends[-1]]
            if data.isascii():
                text = data.decode("ascii")
                yield from [text[start - ends[0] : end - ends[0]] for start, end in pairwise(ends)]
            else:
                pieces = (data[start - ends[0] : end - ends[0]] for start, end in pairwise(ends))
                yield from [piece.decode("utf-8", "surrogatepass") for piece in pieces]


class Numbers(Sequence[Any]):
    """Many numbers of one kind ("d" float, "q" int), or None, 8 bytes each."""

    __slots__ = ("_values",)

    def __init__(self, kind: str, values: Iterable[float | None] = ()) -> None:
        self._values: array[Any] = array(kind)
        self.extend(values)

    def append(self, value: float | None) -> None:
        """One more."""
        self.extend((value,))

    def extend(self, values: Iterable[float | None]) -> None:
        """More of them."""
        if self._values.typecode == "d":
            self._values.extend(math.nan if value is None else value for value in values)
        else:
            self._values.extend(-1 if value is None else int(value) for value in values)

    def __len__(self) -> int:
        return len(self._values)

    def __getitem__(self, number: Any) -> Any:
        if isinstance(number, slice):
            return [self[i] for i in range(*number.indices(len(self)))]
        return self._shown(self._values[number])

    def __iter__(self) -> Iterator[Any]:
        return map(self._shown, self._values)

    def _shown(self, value: float) -> float | None:
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
        rows, n = iter(rows), 0
        while some := list(islice(rows, _AT_ONCE)):
            for name in dict.fromkeys(name for row in some for name in row.extra):
                extra.setdefault(name, Texts([""] * n))
            for name, texts in extra.items():
                texts.extend(row.extra.get(name, "") for row in some)
            for name, column in own.items():
                column.extend(getattr(row, name) for row in some)
            n += len(some)
        self._own: Mapping[str, Column] = own
        self._extra: Mapping[str, Column] = extra

    @classmethod
    def of_columns(cls, columns: Mapping[str, Column]) -> "Utterances":
        """Utterances of these columns, the own ones among them, all of one length."""
        own = {name: columns[name] for name in FIELDS}
        return cls._with(own, {name: column for name, column in columns.items() if name not in own})

    @property
    def extra(self) -> tuple[str, ...]:
        """Names of the extra columns."""
        return tuple(self._extra)

    @property
    def is_utf8(self) -> bool:
        """Whether all texts can be written as UTF-8."""
        columns = (*self._own.values(), *self._extra.values())
        return all(column.is_utf8 for column in columns if isinstance(column, Texts))

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
