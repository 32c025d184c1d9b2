"""A folder here or at a URL, seen the same way: what a place is asked for, and which object answers.

What is written appears whole: here under a temporary name and then renamed, at a URL by one
upload.  Nothing outside this package asks which of the two a place is.
"""

import os
from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO, ClassVar, TypeVar

from serprep.remote import is_url

Item = TypeVar("Item")
Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Entry:
    """What is known of a file, or here of a folder."""

    size: int  # bytes that it takes
    modified: float | None  # seconds since 1970; None: the place does not tell
    content: object  # equal for hard links to one content
    n_names: int = 1  # hard links, anywhere


@dataclass(frozen=True)
class Stage:
    """Where a store is made that nobody takes for finished."""

    here: Path  # a path at which nothing lies: for what this process writes
    target: str  # path or URL for what workers write


@dataclass(frozen=True)
class Place(ABC):
    """A folder, or a file, here or at a URL.  It holds no connection: it may be pickled, and cross a fork.

    Parameters
    ----------
    root : str
        The path or URL.  Names are relative to it; "" is itself.
    """

    root: str

    tells_use: ClassVar[bool]  # whether it is known when a file was last used
    links: ClassVar[bool]  # whether a file can have several names

    def __truediv__(self, name: str) -> "Place":
        return type(self)(f"{self.root}/{name}")

    # -- what is there ---------------------------------------------------------------

    @abstractmethod
    def path(self, name: str = "") -> str:
        """The absolute path or URL of `name`."""

    @abstractmethod
    def direct(self, name: str = "") -> str:
        """The path at which the operating system reads it; "" where it cannot."""

    @abstractmethod
    def exists(self, name: str = "") -> bool:
        """Whether there is a file of this name."""

    @abstractmethod
    def holds(self, name: str = "") -> bool:
        """Whether there is anything of this name."""

    @abstractmethod
    def is_whole(self, name: str, mark: str) -> bool:
        """Whether what was published as `name` is finished; `mark` is the file in it that is written last."""

    @abstractmethod
    def entries(self, folder: str = "") -> dict[str, bool]:
        """Name → whether it is a file, of what lies directly in a folder; {} if there is none."""

    @abstractmethod
    def below(self, name: str = "") -> dict[str, Entry]:
        """Relative name → what is known of all that lies at `name`, which is "", and below; folders end in ``/``."""

    def files(self) -> set[str]:
        """Relative names of all files below."""
        return {name for name in self.below() if name and not name.endswith("/")}

    def names(self, folder: str) -> list[str]:
        """Sorted relative names of the files directly in a folder; temporary ones are left out."""
        files = (name for name, is_file in self.entries(folder).items() if is_file and name[:1] not in ("", "."))
        return sorted(f"{folder}/{name}" for name in files)

    @abstractmethod
    def now(self, *, write: bool) -> float:
        """The time by the clock that dates its files; that is looked up by writing one, if that is allowed."""

    # -- reading ---------------------------------------------------------------------

    @abstractmethod
    def read(self, name: str = "", start: int = 0, end: int | None = None) -> bytes:
        """Bytes ``[start, end)`` of a file; FileNotFoundError if there is none."""

    @abstractmethod
    def open(self, name: str = "") -> BinaryIO:
        """A file, opened for reading; at a URL only what is asked for is fetched."""

    @abstractmethod
    def each(self, function: Callable[[Item], Answer], items: Iterable[Item]) -> Iterator[Answer]:
        """What a function gives for each item, in order; several at a time where answers take long to come."""

    # -- writing ---------------------------------------------------------------------

    @abstractmethod
    def refuse_store(self) -> None:
        """Raise a StoreError if it is a store or lies in one: a store never changes."""

    @abstractmethod
    def above(self) -> Iterator["Place"]:
        """The places that it lies in, the nearest first."""

    @abstractmethod
    def unwritable(self) -> str:
        """Why nothing can be written into this folder, or ""; it is made where there is none."""

    @abstractmethod
    def write(self, name: str, data: bytes | bytearray) -> None:
        """Write a file; it appears whole."""

    @abstractmethod
    def create(self, name: str, data: bytes) -> bool:
        """Write a file unless another process was faster: then whether it wrote the same."""

    @abstractmethod
    def exchange(self, name: str, data: bytes, before: bytes) -> bool:
        """Write a file that holds `before`; whether that was still so, or it holds `data` already."""

    @abstractmethod
    def cautions(self) -> list[str]:
        """What must be said to whoever is not the only one who writes there."""

    @abstractmethod
    def touch(self, name: str, every: float) -> None:
        """Note that a file is used, where that is noted, once in `every` seconds."""

    @abstractmethod
    def copy(self, name: str, target: str) -> None:
        """Give a file that never changes a second name, without sending its bytes."""

    @abstractmethod
    def remove(self, name: str) -> None:
        """Remove a file; a missing one is no error."""

    @abstractmethod
    def removable(self, name: str) -> bool:
        """Whether this user may remove a file or folder with everything in it, as far as that can be told before."""

    @abstractmethod
    def remove_all(self, names: Iterable[str]) -> None:
        """Remove files, and folders with everything in them; a missing one is no error."""

    # -- publishing ------------------------------------------------------------------

    @abstractmethod
    def stage(self, name: str, mark: str, *, replace: bool) -> AbstractContextManager[Stage]:
        """Where the new `name` is made, to take the place of one that is there or not; in the end it is discarded."""

    @abstractmethod
    def publish(self, stage: Stage, name: str, mark: str, *, changed: bool, quiet: bool) -> None:
        """Make what is staged appear as `name`, unless that is there and has not changed."""

    @abstractmethod
    def withdraw(self, name: str, mark: str, *, unless: Callable[[], bool] = lambda: False) -> None:
        """Remove what was published as `name`, or has gone: readers see all of it or nothing.

        `unless` is asked once nobody sees it; then it appears again.
        """

    @abstractmethod
    def growing(self, name: str) -> str:
        """The name at which `name` may grow, file by file and over several runs, unseen until it is whole."""

    @abstractmethod
    def settle(self, name: str) -> None:
        """Make what has grown appear as `name`."""

    @abstractmethod
    def new_file(self) -> AbstractContextManager[Path]:
        """A path here at which this file is written; when the block has ended well, it is in its place."""


def claim_on(name: str) -> str:
    """The file that says, of a store at a URL, that somebody removes it."""
    folder, _, last = name.rpartition("/")
    return f"{folder}/.{last[:16]}.going.tmp".lstrip("/")


def is_claim(name: str) -> bool:
    """Whether `claim_on` gives such names."""
    return name.endswith(".going.tmp")


def at(path: object, *, base: Path | None = None) -> Place:
    """The place of a path or URL; relative paths begin at `base`, if one is given.

    Examples
    --------
    >>> at("s3://bucket/data/").path("a/b")
    's3://bucket/data/a/b'
    """
    from serprep.place.here import Here
    from serprep.place.url import Url

    text = str(path).removeprefix("file://")  # fsspec would write these neither whole nor into new folders
    if is_url(text):
        return Url(text.rstrip("/"))
    if base is not None:
        with suppress(RuntimeError):  # "~name" of nobody is a name like any other
            text = str(Path(text).expanduser())
        text = os.path.realpath(
            base / text
        )  # unlike Path.resolve, links in a circle raise nothing before they are used
    return Here(text)
