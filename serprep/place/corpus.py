"""The folder of a corpus, as its readers see it: a `pathlib.Path`, or at a URL what can be taken for one."""

import errno
import os
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, cast

from serprep import remote
from serprep.errors import CorpusError, one_line
from serprep.files import read_regular
from serprep.place.place import at
from serprep.place.url_path import UrlPath
from serprep.remote import Unreachable as Unreachable  # what `read_file` raises

_UNSETTLED = 2.0  # seconds; files modified this shortly before being hashed may change within one tick


def as_root(place: str | os.PathLike[str], *, base: Path | None = None) -> Path:
    """The folder of a corpus; a relative path begins at `base`, if one is given.

    Examples
    --------
    >>> as_root("s3://bucket/ravdess") / "Actor_01"
    UrlPath('s3://bucket/ravdess/Actor_01')
    """
    folder = at(place, base=base)
    return Path(folder.root) if folder.direct() else cast(Path, UrlPath(folder.root))


def read_file(path: Path) -> bytes:
    """The bytes of a recording; here, pipes and devices, which could block for ever, are not opened.

    Raises
    ------
    OSError
        `Unreachable` where a place at a URL does not answer.
    """
    if isinstance(path, UrlPath):
        return path.read_bytes()
    try:
        return read_regular(path)
    except IsADirectoryError:
        raise IsADirectoryError(errno.EISDIR, "a folder", str(path)) from None


def one_name(root: Path) -> str:
    """The name of a folder that may be reached by several."""
    return str(root) if isinstance(root, UrlPath) else os.path.realpath(root)


def stamp_of(path: Path) -> list[Any] | None:
    """What tells one content of a file from the next; None where nothing does.

    Here it is [size, mtime_ns, ctime_ns, inode]; at a URL [size, ETag], as it was listed.
    """
    if isinstance(path, UrlPath):
        return path.stamp()
    try:
        status = path.stat()
    except OSError:
        return None
    return [status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino]


def is_settled(path: Path, stamp: list[Any]) -> bool:
    """Whether what was read after `stamp` was taken is its content, and cannot change without another stamp.

    A file that was modified within 2 s of being read could change again without its times changing.
    """
    if isinstance(path, UrlPath):
        return (remote.has_tag(stamp) or time.time() - stamp[1] > _UNSETTLED) and stamp == path.stamp_now()
    return bool(time.time() - max(stamp[1:3]) / 1e9 > _UNSETTLED)


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
    files: list[str] = []
    folders = [("", root)] if root.is_dir() else []
    while folders:
        prefix, folder = folders.pop()
        for entry in folder.iterdir():
            if entry.name.startswith("."):
                continue
            if entry.name.lower().endswith(suffixes):
                files.append(prefix + entry.name)
            elif entry.is_dir():
                folders.append((f"{prefix}{entry.name}/", entry))
    yield from sorted(files, key=lambda path: path.split("/"))


def _walk(root: Path, suffixes: tuple[str, ...]) -> tuple[list[str], list[tuple[str, str]]]:
    """What is listed, and the links that are not followed."""
    files: list[str] = []
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
                files.append(name)
                continue
            try:
                if entry.is_dir():
                    (links if entry.is_symlink() else folders).append(f"{name}/")
                elif entry.is_symlink() and not Path(entry.path).exists():
                    passed.append((name, "a link that leads nowhere"))
            except OSError:  # such as a link to itself
                passed.append((name, "a link that leads nowhere"))
    return sorted(files, key=lambda path: path.split("/")), sorted(passed)
