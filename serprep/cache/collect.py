"""A cache that has grown too large: parts that were not used for longest go first.

A build that runs loses nothing: whatever was written or used in the last day stays.
Whatever goes is computed again when it is asked for.
"""

import contextlib
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from serprep.cache.place import shared_place
from serprep.errors import CacheError, one_line
from serprep.place.place import at

YOUNG = 24 * 3600.0  # seconds; younger things never go
MAX_SIZE = 20_000_000_000  # bytes
_PART = re.compile(r"[0-9a-f]{32}\.(?:part|json|txt)")  # features and levels, lists of failures, memos


@dataclass(frozen=True, kw_only=True)
class Collected:
    """What may go from a cache, or went; names are relative to it."""

    cache: str
    removed: bool  # False: a dry run
    parts: tuple[str, ...]  # the longest unused first; memos and lists of failures among them
    temporary: tuple[str, ...]  # left by builds that were killed
    bytes: int  # of these
    kept: int  # parts that stay
    kept_bytes: int
    notes: tuple[str, ...]


@dataclass(frozen=True)
class _File:
    name: str
    used: float  # when it was last written or used
    size: int


def collect(folder: str = "", *, max_size: int = MAX_SIZE, yes: bool = False) -> Collected:
    """Find what a cache holds beyond `max_size` bytes, and remove it if told to.

    Parameters
    ----------
    folder : str
        By default the one that this user's data sets share.
    max_size : int
        Bytes of parts that may stay; younger ones than a day stay beyond that.
    yes : bool
        Remove; otherwise this is a dry run.

    Returns
    -------
    Collected

    Raises
    ------
    CacheError
        If there is no such folder, or something cannot be removed.
    """
    folder = folder or shared_place(os.environ)
    if not folder:
        raise CacheError("there is no cache that data sets share (SERPREP_CACHE is empty); name the folder of one")
    place = at(folder)
    if not place.tells_use:
        raise CacheError(f"{one_line(folder)}: a cache at a URL is not collected; let its bucket's rules do that")
    root = Path(place.direct())
    if not root.is_dir():
        raise CacheError(f"{one_line(folder)}: no cache there; `serprep build` makes one")
    try:
        now = place.now(write=yes)
        parts = sorted(_files(root, parts=True), key=lambda file: (file.used, file.name))
        old = [file for file in _files(root, parts=False) if now - file.used >= YOUNG]
        temporary = [file for file in old if place.removable(file.name)]
        n_foreign = len(old) - len(temporary)
        total = sum(file.size for file in parts)
        going: list[_File] = []
        for file in parts:
            if total <= max_size or now - file.used < YOUNG:
                break  # all that follow are younger
            if not place.removable(file.name):
                n_foreign += 1
                continue
            going.append(file)
            total -= file.size
        for file in [*going, *temporary] if yes else ():
            (root / file.name).unlink(missing_ok=True)
    except OSError as error:
        where = one_line(error.filename or folder)
        raise CacheError(f"{where}: {error.strerror or error}; make it readable and writable") from None
    notes = []
    if n_foreign:
        notes.append(f"{n_foreign} old parts and temporary stay: they are somebody else's to remove")
    if total > max_size:
        reason = "they were used less than a day ago" + (", or are somebody else's" if n_foreign else "")
        notes.append(f"{total - max_size} bytes more than asked for stay: {reason}")
    if any(file.used > now + 3600 for file in parts):
        notes.append("some parts are from the future: a clock is or was wrong; they count as just used")
    return Collected(
        cache=str(root),
        removed=yes,
        parts=tuple(file.name for file in going),
        temporary=tuple(file.name for file in temporary),
        bytes=sum(file.size for file in (*going, *temporary)),
        kept=len(parts) - len(going),
        kept_bytes=total,
        notes=tuple(notes),
    )


def _files(root: Path, *, parts: bool) -> Iterator[_File]:
    """Parts, lists of failures and memos, or what was on its way to become one; nothing else is looked at."""
    for kind in sorted(path for path in root.iterdir() if path.is_dir() and not path.is_symlink()):
        for path in kind.iterdir():
            mine = _PART.fullmatch(path.name) if parts else path.name.startswith(".") and path.name.endswith(".tmp")
            with contextlib.suppress(FileNotFoundError):
                if mine and path.is_file() and not path.is_symlink():
                    status = path.stat()
                    yield _File(f"{kind.name}/{path.name}", status.st_mtime, status.st_size)
