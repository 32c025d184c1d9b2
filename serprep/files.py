"""Folders on a disk or in an object store, seen the same way.

What is written appears whole: locally under a temporary name and then renamed,
in an object store by one upload.
"""

import contextlib
import os
import shutil
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import fsspec

from serprep.errors import CorpusError, one_line


def is_url(path: str | os.PathLike[str]) -> bool:
    """Whether `path` names an object store rather than a local file.

    Examples
    --------
    >>> is_url("s3://bucket/data"), is_url("stores/ravdess")
    (True, False)
    """
    return "://" in str(path) and not str(path).startswith("file://")


def write_whole(path: Path, data: bytes) -> None:
    """Write a local file so that readers see all of it or nothing."""
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name[:48]}.{uuid.uuid4().hex[:12]}.tmp")
    try:
        with beside.open("xb") as file:
            file.write(data)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    finally:
        with contextlib.suppress(FileNotFoundError):
            beside.unlink()


def discard(path: Path) -> None:
    """Remove a file or a whole folder, if it is there and as far as that works."""
    shutil.rmtree(path, ignore_errors=True)
    with contextlib.suppress(OSError):
        path.unlink()


def without_suffix(path: str) -> str:
    """A relative ``/`` path without the suffix of its last name.

    Examples
    --------
    >>> without_suffix("a.b/c.wav"), without_suffix("a.b/c")
    ('a.b/c', 'a.b/c')
    """
    stem, dot, suffix = path.rpartition(".")
    return stem if dot and "/" not in suffix and stem and not stem.endswith("/") else path


class Folder:
    """Whole files under a local folder or a URL prefix, by relative name.

    Parameters
    ----------
    root : str or path
        A local folder, or a URL that fsspec understands.
    """

    def __init__(self, root: str | os.PathLike[str]) -> None:
        self.root = str(root).removeprefix("file://")  # fsspec would write these neither whole nor into new folders
        self.local = None if is_url(self.root) else Path(self.root)

    def __getstate__(self) -> dict[str, Any]:
        return {"root": self.root}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__init__(state["root"])  # type: ignore[misc]

    @property
    def _remote(self) -> tuple[Any, str]:
        filesystem, prefix = fsspec.core.url_to_fs(self.root)
        return filesystem, prefix.rstrip("/")

    def path(self, name: str) -> str:
        """The absolute path or URL of `name`."""
        return str((self.local / name).resolve()) if self.local else f"{self.root.rstrip('/')}/{name}"

    def names(self, folder: str) -> list[str]:
        """Sorted relative names of the files directly in `folder`; temporary ones are left out."""
        if self.local:
            try:
                with os.scandir(self.local / folder) as entries:
                    found = [entry.name for entry in entries if entry.is_file()]
            except FileNotFoundError:
                return []
        else:
            filesystem, prefix = self._remote
            try:
                found = [
                    str(entry["name"]).rsplit("/", 1)[-1]
                    for entry in filesystem.ls(f"{prefix}/{folder}", detail=True, refresh=True)
                    if entry["type"] == "file"
                ]
            except FileNotFoundError:
                return []
        return sorted(f"{folder}/{name}" for name in found if name and not name.startswith("."))

    def read(self, name: str, start: int = 0, end: int | None = None) -> bytes:
        """Bytes ``[start, end)`` of a file.

        Raises
        ------
        FileNotFoundError
        """
        if self.local:
            with (self.local / name).open("rb") as file:
                file.seek(start)
                return file.read() if end is None else file.read(end - start)
        filesystem, prefix = self._remote
        return bytes(filesystem.cat_file(f"{prefix}/{name}", start=start or None, end=end))

    def write(self, name: str, data: bytes) -> None:
        """Write a file; it appears whole."""
        if self.local:
            write_whole(self.local / name, data)
        else:
            filesystem, prefix = self._remote
            filesystem.pipe_file(f"{prefix}/{name}", data)

    def remove(self, name: str) -> None:
        """Remove a file; a missing one is no error."""
        with contextlib.suppress(FileNotFoundError):
            if self.local:
                (self.local / name).unlink()
            else:
                filesystem, prefix = self._remote
                filesystem.rm_file(f"{prefix}/{name}")

    def exists(self, name: str) -> bool:
        """Whether there is a file of this name."""
        if self.local:
            return (self.local / name).is_file()
        filesystem, prefix = self._remote
        return bool(filesystem.isfile(f"{prefix}/{name}"))


def walk(root: Path, suffixes: tuple[str, ...]) -> Iterator[str]:
    """Relative ``/`` paths of everything below `root` whose suffix is one of `suffixes`.

    In sorted order, upper-case suffixes too.  Hidden names (``._x``, ``.DS_Store``)
    are skipped.  Links to folders are followed, each real folder once.  A folder or
    a dangling link with such a suffix is listed as well, so that it can be reported.

    Raises
    ------
    CorpusError
        If a folder cannot be listed: what is in it would be left out silently.
    """
    yield from _walk(root, "", suffixes, {os.path.realpath(root)})


def _walk(folder: Path, prefix: str, suffixes: tuple[str, ...], seen: set[str]) -> Iterator[str]:
    try:
        with os.scandir(folder) as entries:
            ordered = sorted(entries, key=lambda entry: entry.name)
    except OSError as error:
        raise CorpusError(f"{one_line(folder)}: {error.strerror}; make the folder readable") from None
    for entry in ordered:
        if entry.name.startswith("."):
            continue
        if entry.name.lower().endswith(suffixes):
            yield prefix + entry.name
        elif entry.is_dir():
            real = os.path.realpath(entry.path)
            if real not in seen:
                yield from _walk(Path(entry.path), f"{prefix}{entry.name}/", suffixes, seen | {real})
