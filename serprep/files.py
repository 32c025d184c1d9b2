"""Files on a disk: written whole, under a temporary name that is then changed; read-only; removed."""

import contextlib
import errno
import os
import shutil
import stat
import uuid
from collections.abc import Iterator
from io import FileIO
from pathlib import Path
from typing import BinaryIO

from serprep.errors import StoreError, one_line
from serprep.forms import form_of


def open_regular(path: str | Path) -> FileIO:
    """A regular file to read, without a buffer.

    Raises
    ------
    OSError
        If it cannot be read, is a folder, or is a pipe or a device, which could block for ever.
    """
    file = open(path, "rb", buffering=0, opener=_unblocking)  # noqa: SIM115 - a Path costs more than the read
    if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
        file.close()
        raise OSError(errno.EINVAL, "not a regular file", str(path))
    return file


def _unblocking(path: str, flags: int) -> int:
    """A pipe is opened at once, not when somebody writes to it."""
    return os.open(path, flags | getattr(os, "O_NONBLOCK", 0))


def read_regular(path: str | Path) -> bytes:
    """The bytes of a regular file; raises as `open_regular`."""
    with open_regular(path) as file:
        return file.read()


def write_whole(path: Path, data: bytes | bytearray) -> None:
    """Write a local file so that readers see all of it or nothing.

    Raises
    ------
    StoreError
        If it would be written into a store, or over one.
    """
    with whole(path) as file:
        file.write(data)


def write_other(path: Path, data: bytes | bytearray) -> None:
    """As `write_whole`, unless the file holds the same: what is finished may be read-only, or somebody else's."""
    with contextlib.suppress(OSError):  # what cannot be read can still be replaced
        if path.is_file() and path.read_bytes() == data:
            return
    write_whole(path, data)


@contextlib.contextmanager
def whole(path: Path) -> Iterator[BinaryIO]:
    """A file to write that takes the place of `path` when the block ends well; otherwise as `write_whole`."""
    refuse_store(path)
    if path.exists() and not path.is_file() and not path.is_dir():  # /dev/null, a pipe: they stay
        with path.open("wb") as file:
            yield file
        return
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(f".{path.name[:48]}.{uuid.uuid4().hex[:12]}.tmp")
    try:
        with beside.open("xb") as file:
            yield file
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except OSError as error:
        if error.filename in (None, str(beside)):  # a full disk says none; what was read for it keeps its own
            error.filename, error.filename2 = str(path), None
        raise
    finally:
        with contextlib.suppress(FileNotFoundError):
            beside.unlink()


def refuse_store(path: str | Path) -> None:
    """Raise a StoreError if a path is a store or lies in one: a store never changes.

    Permissions alone do not stop the super-user.
    """
    real = Path(os.path.realpath(path))
    for above in (real, *real.parents):
        form = form_of(above.name)
        with contextlib.suppress(OSError):  # what cannot be looked at cannot be written either
            if form and (above / form.mark).is_file():
                raise in_store(path, "" if above == real else above)


def in_store(path: object, store: object) -> StoreError:
    """What to say of a place in a store, "" where it is one itself."""
    where = f"it lies in the store {one_line(store)}" if store else "it is a store"
    return StoreError(f"{one_line(path)}: {where}, and a store never changes; name another place")


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
    try:
        shutil.rmtree(path, ignore_errors=ignore_errors)
    except OSError as error:
        error.filename = str(path)  # a file in it is named without its folders
        raise


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
