"""A container: the file format of a store, as one object; which there are says `serprep.store.containers`.

A store is sealed as a whole: its container writes it so that a change of any bit is found,
and answers for its files.  What is in the arrays is others' concern.
"""

import hashlib
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from serprep._typing import AnyArray
from serprep.forms import Form
from serprep.place.place import at
from serprep.store.layout import Array

#: What libraries raise for a file that is damaged.
DAMAGE = (OSError, RuntimeError, LookupError, ValueError, TypeError, ArithmeticError, AttributeError, MemoryError)

NOT_CHECKED = "not checked"  # kind of a problem that this machine has, and not the store

READING = 1 << 20  # bytes; several files at once

Tell = Callable[[int], None]
Block = tuple[Array, int, AnyArray]  # an array, the first row, rows


@dataclass(frozen=True, kw_only=True)
class Problem:
    """Something wrong with a store."""

    kind: str  # "missing file", "extra file", "damaged file", "seal", "content", "audio" or NOT_CHECKED
    place: str  # file, array, kind of feature or utterance
    message: str
    utterances: tuple[str, ...] = ()  # ids that it touches, where they can be told
    shared_with: tuple[str, ...] = ()  # other stores that hold the same file by hard link
    recording: bool = False  # a recording is missing or another one: that says nothing about the store

    @property
    def damage(self) -> bool:
        """Whether it says something about the store, and not about what is missing on this machine."""
        return not self.recording and self.kind != NOT_CHECKED


@dataclass(frozen=True)
class Inspected:
    """How many files a store has, and what is wrong with them."""

    n_files: int
    problems: tuple[Problem, ...] = ()


@dataclass(frozen=True)
class Opened:
    """An array of a store, open for reading."""

    array: Any  # has a shape and a type, and is sliced by rows
    read: Callable[[int, int | None], AnyArray]  # rows [first, last)
    close: Callable[[], None] = lambda: None


@dataclass(frozen=True)
class Sharding:
    """How a store is written by many tasks, each a whole shard."""

    create: Callable[[Path, Sequence[Array], Callable[[Array], Any]], None]  # all arrays; values of the small ones
    file: Callable[[Array, int], str]  # the name of the file that holds the shard of rows from one on
    encode: Callable[[Array, AnyArray], bytearray]  # what is in it
    seal: Callable[[Path, Mapping[str, Any], Mapping[str, str]], dict[str, str]]  # attributes, digests known already


@dataclass(frozen=True, kw_only=True)
class Container:
    """One file format of a store; places are paths or URLs.

    A damaged file is a StoreError of one line, or an error of `DAMAGE` while rows are read.
    """

    form: Form  # its name, suffix, and the file that is written last
    unit: str  # of progress
    attributes: Callable[..., dict[str, Any]]  # (place, complete=True): the root attributes, with the seal
    array_names: Callable[[str, Mapping[str, Any]], list[str]]  # place, attributes: sorted
    open: Callable[[str, str, Mapping[str, Any]], Opened]  # place, name of an array, attributes
    inspect: Callable[[str, Tell | None], Inspected]  # the set of files, digests and seal; content is not looked at
    size: Callable[[str, Mapping[str, Any]], int]  # place, attributes: how many units an inspection takes
    suspects: Callable[[Problem, Sequence[str]], list[tuple[str, int | None]]]  # shards, None all, of feature arrays
    write: Callable[[Path, Sequence[Array], Mapping[str, Any], Callable[[Array], Any], Iterable[Block]], dict[str, str]]
    """A path, all arrays, attributes, the values of a small one, blocks of the large ones by name and row:
    the digests of its files, "" being the file itself."""
    sharding: Sharding | None = None  # None: one task writes it
    load: Callable[[], object] = lambda: None  # what it is written with, where that does not come with the container


def digest_of(path: str | Path) -> str:
    """SHA-256 of a file, hex."""
    digest = hashlib.sha256()
    with at(path).open() as file:
        while data := file.read(READING):
            digest.update(data)
    return digest.hexdigest()


def as_text(values: AnyArray) -> list[str]:
    """A text array as a list of str."""
    return [str(value) for value in np.asarray(values, object)]
