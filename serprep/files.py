"""Folders on a disk or in an object store, seen the same way.

What is written appears whole: locally under a temporary name and then renamed,
in an object store by one upload.
"""

import contextlib
import errno
import os
import shutil
import stat
import uuid
from collections.abc import Iterator
from pathlib import Path, PurePosixPath
from typing import Any, BinaryIO, cast

from serprep import remote
from serprep.errors import CorpusError, StoreError, one_line
from serprep.remote import UrlPath, is_url


def as_root(place: str | os.PathLike[str]) -> Path:
    """The folder of a corpus: a local path, or a `remote.UrlPath`, which readers take for one.

    Examples
    --------
    >>> as_root("s3://bucket/ravdess") / "Actor_01"
    UrlPath('s3://bucket/ravdess/Actor_01')
    """
    return cast(Path, UrlPath(str(place))) if is_url(place) else Path(str(place).removeprefix("file://"))


def read_regular(path: Path) -> bytes:
    """The bytes of a regular file.

    Raises
    ------
    OSError
        If it cannot be read, or is a pipe or a device, which could block for ever.
    """
    if path.exists() and not path.is_file() and not path.is_dir():
        raise OSError(errno.EINVAL, "not a regular file", str(path))
    return path.read_bytes()


def write_whole(path: Path, data: bytes | bytearray) -> None:
    """Write a local file so that readers see all of it or nothing.

    Raises
    ------
    StoreError
        If it would be written into a store, or over one.
    """
    with whole(path) as file:
        file.write(data)


@contextlib.contextmanager
def whole(path: Path) -> Iterator[BinaryIO]:
    """A file to write that takes the place of `path` when the block ends well; otherwise as `write_whole`."""
    refuse_store(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name[:48]}.{uuid.uuid4().hex[:12]}.tmp")
    try:
        with beside.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except OSError as error:
        error.filename = error.filename or str(path)  # a full disk does not say what was written
        raise
    finally:
        with contextlib.suppress(FileNotFoundError):
            beside.unlink()


def refuse_store(path: str | Path) -> None:
    """Raise a StoreError if a path or URL is a store or lies in one: a store never changes.

    Permissions alone do not stop the super-user, and object stores have none.
    """
    if is_url(path):
        _refuse_remote_store(str(path))
        return
    real = Path(os.path.realpath(path))
    for place in (real, *real.parents):
        with contextlib.suppress(OSError):  # what cannot be looked at cannot be written either
            if (place.suffix == ".zarr" and (place / "zarr.json").is_file()) or (
                place.suffix == ".h5" and place.is_file()
            ):
                where = "it is a store" if place == real else f"it lies in the store {one_line(place)}"
                raise StoreError(f"{one_line(path)}: {where}, and a store never changes; name another place")


def _refuse_remote_store(url: str) -> None:
    scheme, _, rest = url.partition("://")
    parts = rest.rstrip("/").split("/")
    for n in range(len(parts), 1, -1):
        place = f"{scheme}://{'/'.join(parts[:n])}"
        name = {".zarr": f"{place}/zarr.json", ".h5": place}.get(PurePosixPath(parts[n - 1]).suffix)
        with contextlib.suppress(OSError):  # what does not answer says so when it is written
            if name and remote.info(name) is not None:
                where = "it is a store" if n == len(parts) else f"it lies in the store {one_line(place)}"
                raise StoreError(f"{one_line(url)}: {where}, and a store never changes; name another place")


def make_read_only(path: Path) -> None:
    """Take the permission to write from a file, or from a folder and everything in it."""
    for folder, _, names in os.walk(path, topdown=False):
        for name in names:
            _forbid_writing(Path(folder) / name)
        _forbid_writing(Path(folder))
    if path.is_file():
        _forbid_writing(path)


def _forbid_writing(path: Path) -> None:
    mode = stat.S_IMODE(path.lstat().st_mode)
    if mode & 0o222:
        with contextlib.suppress(OSError):  # some file systems know no permissions
            path.chmod(mode & ~0o222)  # and what the umask took away stays away


def remove_tree(path: Path, *, ignore_errors: bool = False) -> None:
    """Remove a folder with everything in it, also where it is read-only.

    Only folders are made writable: that is enough to remove files, and a file may be
    shared by hard link with a store that stays.
    """
    for folder, _, _ in os.walk(path):
        with contextlib.suppress(OSError):
            Path(folder).chmod(0o700)
    shutil.rmtree(path, ignore_errors=ignore_errors)


def discard(path: Path) -> None:
    """Remove a file or a whole folder, if it is there and as far as that works."""
    remove_tree(path, ignore_errors=True)
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
            found = [name for name, kind in remote.entries(self.path(folder)).items() if kind == "file"]
        return sorted(f"{folder}/{name}" for name in found if name and not name.startswith("."))

    def read(self, name: str, start: int = 0, end: int | None = None) -> bytes:
        """Bytes ``[start, end)`` of a file.

        Raises
        ------
        FileNotFoundError
        """
        if self.local:
            with (self.local / name).open("rb") as file:
                size = os.fstat(file.fileno()).st_size  # else Python makes room for whatever is asked for
                file.seek(start)
                return file.read() if end is None else file.read(max(0, min(end, size) - start))
        return remote.read(self.path(name), start, end)

    def write(self, name: str, data: bytes | bytearray) -> None:
        """Write a file; it appears whole."""
        if self.local:
            write_whole(self.local / name, data)
        else:
            remote.write(self.path(name), bytes(data))

    def remove(self, name: str) -> None:
        """Remove a file; a missing one is no error."""
        if self.local:
            with contextlib.suppress(FileNotFoundError):
                (self.local / name).unlink()
        else:
            remote.remove(self.path(name))

    def exists(self, name: str) -> bool:
        """Whether there is a file of this name."""
        return (self.local / name).is_file() if self.local else remote.info(self.path(name)) is not None


def open_bytes(place: str) -> BinaryIO:
    """A local file or an object, opened for reading; of an object only what is asked for is fetched."""
    return cast(BinaryIO, remote.ObjectFile(place)) if is_url(place) else Path(place).open("rb")


def file_size(place: str) -> int:
    """Bytes of a local file or an object.

    Raises
    ------
    FileNotFoundError
    """
    if not is_url(place):
        return Path(place).stat().st_size
    found = remote.info(place)
    if found is None:
        raise FileNotFoundError(errno.ENOENT, "no such object", place)
    return int(found["size"])


def walk(root: Path, suffixes: tuple[str, ...]) -> Iterator[str]:
    """Relative ``/`` paths of everything below `root` whose suffix is one of `suffixes`.

    In sorted order, upper-case suffixes too.  Hidden names (``._x``, ``.DS_Store``)
    are skipped.  Links to folders are followed, each real folder once: at its own place
    if that lies below `root`, else at the first link to it.  `unfollowed` tells of the
    others.  A folder or a dangling link with such a suffix is listed as well, so that it
    can be reported.

    Raises
    ------
    CorpusError
        If a folder cannot be listed: what is in it would be left out silently.
    """
    yield from _walk_url(root, suffixes) if isinstance(root, UrlPath) else _walk(root, suffixes)[0]


def unfollowed(root: Path, suffixes: tuple[str, ...]) -> list[tuple[str, str]]:
    """Links below `root` that `walk` does not follow: relative path, and why."""
    return [] if isinstance(root, UrlPath) else _walk(root, suffixes)[1]


def _walk_url(root: UrlPath, suffixes: tuple[str, ...]) -> Iterator[str]:
    found: list[str] = []
    folders = [("", root)] if root.is_dir() else []
    while folders:
        prefix, folder = folders.pop()
        for entry in folder.iterdir():
            if entry.name.startswith("."):
                continue
            if entry.name.lower().endswith(suffixes):
                found.append(prefix + entry.name)
            elif entry.is_dir():
                folders.append((f"{prefix}{entry.name}/", entry))
    yield from sorted(found, key=lambda path: path.split("/"))


def _walk(root: Path, suffixes: tuple[str, ...]) -> tuple[list[str], list[tuple[str, str]]]:
    """What is listed, and the links that are not followed."""
    found: list[str] = []
    passed: list[tuple[str, str]] = []
    folders, links = [""], list[str]()  # with a final "/"
    seen: set[tuple[int, int]] = set()
    while folders or links:
        is_link = not folders
        if is_link:  # all real folders are known: now those that only links lead to, in path order
            links.sort(key=lambda path: path.split("/"), reverse=True)
        prefix = links.pop() if is_link else folders.pop()
        folder = root / prefix
        try:
            state = folder.stat()
            if (state.st_dev, state.st_ino) in seen:
                passed.append((prefix[:-1], "a link to a folder that is listed elsewhere"))
                continue
            seen.add((state.st_dev, state.st_ino))
            with os.scandir(folder) as entries:
                listed = list(entries)
        except OSError as error:
            raise CorpusError(f"{one_line(folder)}: {error.strerror}; make the folder readable") from None
        for entry in listed:
            name = prefix + entry.name
            if entry.name.startswith("."):
                continue
            if entry.name.lower().endswith(suffixes):
                found.append(name)
                continue
            try:
                if entry.is_dir():
                    (links if entry.is_symlink() else folders).append(f"{name}/")
                elif entry.is_symlink() and not Path(entry.path).exists():
                    passed.append((name, "a link that leads nowhere"))
            except OSError:  # such as a link to itself
                passed.append((name, "a link that leads nowhere"))
    return sorted(found, key=lambda path: path.split("/")), sorted(passed)
