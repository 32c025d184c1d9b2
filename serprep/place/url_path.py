"""A folder or file at a URL that readers of corpora take for a `pathlib.Path`."""

import errno
import fnmatch
import io
import threading
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import Any, BinaryIO

from serprep import remote
from serprep.errors import CorpusError, one_line


@dataclass
class _Tree:
    """Everything below a URL, listed once, when first asked for."""

    url: str
    _files: dict[str, dict[str, Any]] | None = None
    _children: dict[str, list[str]] = field(default_factory=dict)
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def files(self) -> dict[str, dict[str, Any]]:
        """Relative name → what is known of it."""
        with self._lock:
            if self._files is None:
                try:
                    listed = remote.listing(self.url)
                except OSError as error:
                    raise CorpusError(f"{one_line(self.url)}: {error.strerror or one_line(error)}") from None
                for name in sorted(listed):
                    parts = name.split("/")
                    for depth in range(len(parts)):
                        children = self._children.setdefault("/".join(parts[:depth]), [])
                        if not children or children[-1] != parts[depth]:
                            children.append(parts[depth])
                self._children = {name: sorted(set(children)) for name, children in self._children.items()}
                self._files = listed
            return self._files

    def children(self, name: str) -> list[str] | None:
        """Sorted names in a folder; None if it is none."""
        self.files()
        return self._children.get(name)


class UrlPath:
    """A folder or file at a URL, with what a corpus reader uses of a `pathlib.Path`.

    All paths made from one with ``/`` share one listing of everything below it, made
    when first asked for: a corpus of 10 000 recordings costs ten requests to list.

    Parameters
    ----------
    url : str
    """

    def __init__(self, url: str, *, tree: _Tree | None = None, name: str = "") -> None:
        self.url = url.rstrip("/") if tree is None else url
        self._tree = tree or _Tree(self.url)
        self._name = name  # below the tree's root

    def __truediv__(self, name: "str | PurePosixPath") -> "UrlPath":
        below = str(PurePosixPath(name))
        if below == ".":
            return self
        return UrlPath(f"{self.url}/{below}", tree=self._tree, name=f"{self._name}/{below}" if self._name else below)

    def __str__(self) -> str:
        return self.url

    def __repr__(self) -> str:
        return f"UrlPath({self.url!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, UrlPath) and other.url == self.url

    def __hash__(self) -> int:
        return hash(self.url)

    def __lt__(self, other: "UrlPath") -> bool:
        return self.url.split("/") < other.url.split("/")

    def __reduce__(self) -> tuple[type["UrlPath"], tuple[str]]:
        return UrlPath, (self.url,)

    @property
    def name(self) -> str:
        """The last part."""
        return PurePosixPath(self.url).name

    @property
    def stem(self) -> str:
        """The last part without its suffix."""
        return PurePosixPath(self.url).stem

    @property
    def suffix(self) -> str:
        """The suffix of the last part, with its dot."""
        return PurePosixPath(self.url).suffix

    @property
    def parent(self) -> "UrlPath":
        """The folder it lies in; a root's is the root itself."""
        if not self._name:
            return self
        name = self._name.rpartition("/")[0]
        return UrlPath(f"{self._tree.url}/{name}" if name else self._tree.url, tree=self._tree, name=name)

    def relative_to(self, other: object) -> PurePosixPath:
        """The part below `other`, another of these."""
        return PurePosixPath(self.url).relative_to(PurePosixPath(str(other)))

    def absolute(self) -> "UrlPath":
        """Itself."""
        return self

    resolve = absolute

    def exists(self) -> bool:
        """Whether it is a file or a folder."""
        return self.is_file() or self.is_dir()

    def is_dir(self) -> bool:
        """Whether anything lies below it."""
        return self._tree.children(self._name) is not None

    def is_file(self) -> bool:
        """Whether it is an object."""
        return self._name in self._tree.files()

    def is_symlink(self) -> bool:
        """No: nothing is a link."""
        return False

    def iterdir(self) -> Iterator["UrlPath"]:
        """What lies directly in it, by name."""
        children = self._tree.children(self._name)
        if children is None:
            raise FileNotFoundError(errno.ENOENT, "no such folder", self.url)
        yield from (self / name for name in children)

    def glob(self, pattern: str) -> Iterator["UrlPath"]:
        """What below it fits a pattern; one that ends in ``/`` means folders."""
        yield from self._fitting(pattern.rstrip("/").split("/"), folders=pattern.endswith("/"))

    def _fitting(self, parts: Sequence[str], *, folders: bool) -> Iterator["UrlPath"]:
        head, *rest = parts
        if head == "**":
            if rest:
                yield from self._fitting(rest, folders=folders)
            elif self.is_dir():
                yield self
        for name in self._tree.children(self._name) or ():
            child = self / name
            if head == "**":
                yield from child._fitting(parts, folders=folders) if child.is_dir() else ()
            elif fnmatch.fnmatchcase(name, head):
                if rest:
                    yield from child._fitting(rest, folders=folders)
                elif child.is_dir() or not folders:
                    yield child

    def rglob(self, pattern: str) -> Iterator["UrlPath"]:
        """What at any depth below it fits a pattern."""
        yield from self.glob(f"**/{pattern}")

    def read_bytes(self) -> bytes:
        """The whole object; the listing is not looked at."""
        return remote.read(self.url)

    def read_text(self, encoding: str = "utf-8", errors: str = "strict") -> str:
        """The whole object as text."""
        return self.read_bytes().decode(encoding, errors)

    def open(self, mode: str = "rb") -> BinaryIO:
        """The whole object as a file in memory."""
        if mode != "rb":
            raise ValueError(f"mode is {mode!r}; expected 'rb'")
        return io.BytesIO(self.read_bytes())

    def stamp(self) -> list[Any] | None:
        """What tells this content of the object from another, as listed."""
        return remote.stamp(self._tree.files().get(self._name))

    def stamp_now(self) -> list[Any] | None:
        """The same, asked for anew."""
        return remote.stamp(remote.info(self.url))
