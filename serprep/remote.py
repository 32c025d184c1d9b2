"""Object stores and other addresses with a URL, through fsspec; only `serprep.place` uses it.

Connections belong to a process: a forked or spawned one makes its own.  Listings are
never kept by fsspec, so what is seen is what is there.  Whatever goes wrong becomes an
`Unreachable` whose message is one line; only an object that is not there is a FileNotFoundError,
and one that may not be read a PermissionError.
"""

import contextlib
import errno
import io
import os
from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any

from serprep.errors import one_line

_TAGS = ("ETag", "etag", "md5Hash")  # what object stores call the name of an object's content
_BLOCK = 1 << 18  # bytes
_KEPT = 16  # blocks
_TIMES = ("LastModified", "last_modified", "mtime", "updated", "created")


class Unreachable(OSError):
    """A place at a URL does not answer, or not as asked: no fault of what was to be read there."""


def is_url(path: str | os.PathLike[str]) -> bool:
    """Whether `path` names an object store rather than a local file.

    Examples
    --------
    >>> is_url("s3://bucket/data"), is_url("stores/ravdess")
    (True, False)
    """
    return "://" in str(path) and not str(path).startswith("file://")


@lru_cache(maxsize=64)
def _filesystem(origin: str, process: int) -> Any:
    import fsspec

    options: dict[str, Any] = {"use_listings_cache": False}
    if origin.startswith(("s3://", "s3a://")):
        options["max_concurrency"] = 1  # else it asks for the size of every object before reading it
    return fsspec.core.url_to_fs(origin, **options)[0]


def connect(url: str) -> tuple[Any, str]:
    """This process's file system of a URL, and the path in it."""
    scheme, _, rest = url.partition("://")
    filesystem = _filesystem(f"{scheme}://{rest.partition('/')[0]}", os.getpid())
    return filesystem, str(filesystem._strip_protocol(url)).rstrip("/")


@contextlib.contextmanager
def errors(url: str) -> Iterator[None]:
    """Turn whatever fsspec and its back ends raise into an OSError of one line."""
    try:
        yield
    except FileNotFoundError as error:
        if "bucket" in str(error) and "not exist" in str(error):
            reason = "no such bucket; make it, or correct its name"
            raise Unreachable(errno.EIO, reason, one_line(url)) from None
        raise FileNotFoundError(errno.ENOENT, "no such object", one_line(url)) from None
    except PermissionError:
        reason = "access denied; check the credentials and what they may do"
        raise PermissionError(errno.EACCES, reason, one_line(url)) from None
    except Exception as error:  # of any library
        raise Unreachable(errno.EIO, _reason(url, error), one_line(url)) from None


def _reason(url: str, error: Exception) -> str:
    """What is wrong and what to do about it."""
    text = one_line(" ".join(str(error).split())[:120] or type(error).__name__)
    kind, scheme = type(error).__name__, url.partition("://")[0]
    if isinstance(error, ImportError):
        extra = "pip install serprep[s3]" if scheme in ("s3", "s3a") else "install what it names"
        return f"{scheme}:// needs a library that is not installed ({text}); `{extra}`"
    if isinstance(error, ValueError) and "rotocol not known" in text:
        return f"no such kind of address as {scheme}://; expected one that fsspec knows, such as s3://bucket/folder"
    if "Credential" in kind:
        return (
            f"no credentials ({text}); set AWS_PROFILE, or AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY"
            if scheme in ("s3", "s3a")
            else f"no credentials ({text}); set those of {scheme}://"
        )
    if "Endpoint" in kind or "Connect" in kind or isinstance(error, (ConnectionError, TimeoutError)):
        return f"no answer ({text}); check the network and, for a store of your own, AWS_ENDPOINT_URL"
    return text


def read(url: str, start: int = 0, end: int | None = None) -> bytes:
    """Bytes ``[start, end)`` of an object."""
    with errors(url):
        filesystem, path = connect(url)
        return bytes(filesystem.cat_file(path, start=start or None, end=end))


def write(url: str, data: bytes) -> None:
    """Write an object; it appears whole."""
    with errors(url):
        filesystem, path = connect(url)
        filesystem.pipe_file(path, data)


def upload(url: str, file: str | os.PathLike[str]) -> None:
    """Write an object from a local file; it appears whole."""
    with errors(url):
        filesystem, path = connect(url)
        filesystem.put_file(os.fspath(file), path)


def remove(url: str) -> None:
    """Remove an object; a missing one is no error."""
    with contextlib.suppress(FileNotFoundError), errors(url):
        filesystem, path = connect(url)
        filesystem.rm_file(path)


def info(url: str) -> dict[str, Any] | None:
    """What is known of an object; None if there is none."""
    with contextlib.suppress(FileNotFoundError), errors(url):
        filesystem, path = connect(url)
        found = dict(filesystem.info(path))
        return found if found["type"] == "file" else None
    return None


def entries(url: str) -> dict[str, str]:
    """Name → "file" or "directory" of what is directly below a URL; {} if there is nothing."""
    with contextlib.suppress(FileNotFoundError), errors(url):
        filesystem, path = connect(url)
        listing = filesystem.ls(path, detail=True)
        found = {str(entry["name"]).rstrip("/"): str(entry["type"]) for entry in listing}
        return {name.rsplit("/", 1)[-1]: kind for name, kind in found.items() if name != path}
    return {}


def listing(url: str) -> dict[str, dict[str, Any]]:
    """Relative name → what is known of every object below a URL, at any depth; {} if there is none."""
    with contextlib.suppress(FileNotFoundError), errors(url):
        filesystem, path = connect(url)
        found = filesystem.find(path, detail=True).items()
        return {
            name[len(path) + 1 :]: dict(entry)
            for name, entry in found
            if name.startswith(f"{path}/") and not name.endswith("/")  # consoles mark folders by empty objects
        }
    return {}


class ObjectFile(io.RawIOBase):
    """An object as a file: fetches what is read, small pieces by blocks of which a few are kept.

    It holds no connection, so it may cross a fork.

    Raises
    ------
    FileNotFoundError
    """

    def __init__(self, url: str) -> None:
        found = info(url)
        if found is None:
            raise FileNotFoundError(errno.ENOENT, "no such object", one_line(url))
        self.url, self.size, self._place = url, int(found["size"]), 0
        self._blocks: dict[int, bytes] = {}  # the newest last

    def readable(self) -> bool:
        """Yes."""
        return True

    def seekable(self) -> bool:
        """Yes."""
        return True

    def tell(self) -> int:
        """As of any file."""
        return self._place

    def seek(self, place: int, whence: int = os.SEEK_SET) -> int:
        """As of any file."""
        self._place = place + {os.SEEK_SET: 0, os.SEEK_CUR: self._place, os.SEEK_END: self.size}[whence]
        return self._place

    def readinto(self, buffer: Any) -> int:
        """Fill the buffer as far as there are bytes."""
        view = memoryview(buffer).cast("B")
        end = min(self._place + len(view), self.size)
        if len(view) >= _BLOCK and end > self._place:
            data = read(self.url, self._place, end)
        else:
            data = b""
            while self._place + len(data) < end:
                number, skip = divmod(self._place + len(data), _BLOCK)
                piece = self._block(number)[skip : skip + end - self._place - len(data)]
                if not piece:
                    break
                data += piece
        view[: len(data)] = data
        self._place += len(data)
        return len(data)

    def _block(self, number: int) -> bytes:
        data = self._blocks.pop(number, None)
        if data is None:
            data = read(self.url, number * _BLOCK, min((number + 1) * _BLOCK, self.size))
        self._blocks[number] = data
        while len(self._blocks) > _KEPT:
            del self._blocks[next(iter(self._blocks))]
        return data


def modified(entry: Mapping[str, Any]) -> float | None:
    """When an object was last written, seconds since 1970; None if its store does not tell."""
    for name in _TIMES:
        value = entry.get(name)
        with contextlib.suppress(ValueError, TypeError):
            if isinstance(value, str):
                value = datetime.fromisoformat(value.replace("Z", "+00:00"))
            return value.timestamp() if isinstance(value, datetime) else float(value)  # type: ignore[arg-type]
    return None


def stamp(entry: Mapping[str, Any] | None) -> list[Any] | None:
    """What tells one content of an object from the next: [size, ETag]; None if its store does not tell.

    Where there is no ETag, the time of the last change stands for it.
    """
    if entry is None:
        return None
    tag = next((str(entry[name]) for name in _TAGS if entry.get(name)), "") or modified(entry)
    return None if tag is None else [int(entry["size"]), tag]


def has_tag(stamp: Sequence[Any]) -> bool:
    """Whether a stamp names the content itself, and not a time."""
    return isinstance(stamp[1], str)
