"""Object stores and other addresses with a URL, through fsspec; only `serprep.place` uses it.

Connections belong to a process: a forked or spawned one makes its own.  Listings are
never kept by fsspec, so what is seen is what is there.  Whatever goes wrong becomes an
`Unreachable` whose message is one line; only an object that is not there is a FileNotFoundError,
and one that may not be read a PermissionError.  Passing trouble is tried again (`serprep.retries`),
here alone: the back end's own attempts, which nobody could count, are switched off.
"""

import contextlib
import errno
import io
import os
import re
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any, TypeVar

from serprep.errors import one_line
from serprep.isolation import uncollected
from serprep.retries import CutShort, response_of, retried

Answer = TypeVar("Answer")

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
        options["config_kwargs"] = {"retries": {"total_max_attempts": 1}}
    filesystem = fsspec.core.url_to_fs(origin, **options)[0]
    if hasattr(filesystem, "retries"):
        filesystem.retries = 1
    return filesystem


def connect(url: str) -> tuple[Any, str]:
    """This process's file system of a URL, and the path in it."""
    scheme, _, rest = url.partition("://")
    filesystem = _filesystem(f"{scheme}://{rest.partition('/')[0]}", os.getpid())
    return filesystem, str(filesystem._strip_protocol(url)).rstrip("/")


@contextlib.contextmanager
def errors(url: str) -> Iterator[None]:
    """Turn whatever fsspec and its back ends raise into an OSError of one line."""
    shown = one_line(public(url))
    try:
        yield
    except FileNotFoundError as error:
        if "bucket" in str(error) and "not exist" in str(error):
            reason = "no such bucket; make it, or correct its name"
            raise Unreachable(errno.EIO, reason, shown) from None
        raise FileNotFoundError(errno.ENOENT, "no such object", shown) from None
    except PermissionError as error:
        reason = _FORBIDDEN.get(response_of(error)[1], "access denied; check the credentials and what they may do")
        raise PermissionError(errno.EACCES, reason, shown) from None
    except Exception as error:  # of any library
        raise Unreachable(errno.EIO, _reason(url, error), shown) from None


_FORBIDDEN = {
    "RequestTimeTooSkewed": "access denied: this machine's clock is off; set it, such as by NTP",
    "ExpiredToken": "access denied: the credentials have expired; get new ones",
    "InvalidAccessKeyId": "access denied: the store does not know this key; check AWS_PROFILE or AWS_ACCESS_KEY_ID",
    "SignatureDoesNotMatch": "access denied: the secret key is another one; check AWS_SECRET_ACCESS_KEY",
}
_ELSEWHERE = ("PermanentRedirect", "AuthorizationHeaderMalformed", "IllegalLocationConstraintException")
_SECRETS = ("AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AWS_ACCESS_KEY_ID")
_SIGNED = re.compile(r"(?i)\b(x-amz-[a-z-]+|signature|sig|token|password|awsaccesskeyid)=[^&\s]+")


def public(text: str) -> str:
    """A URL, or what is said about it, without the credentials that may be in it.

    Examples
    --------
    >>> public("https://me:secret@host/a.wav?X-Amz-Signature=12ab&part=1")
    'https://…@host/a.wav?X-Amz-Signature=…&part=1'
    """
    for name in _SECRETS:
        if len(secret := os.environ.get(name, "")) > 8:  # a short one may be any word
            text = text.replace(secret, "…")
    return _SIGNED.sub(r"\1=…", re.sub(r"://[^/@\s]*:[^/@\s]*@", "://…@", text))


def _reason(url: str, error: Exception) -> str:
    """What is wrong and what to do about it."""
    text = one_line(public(" ".join(str(error).split()))[:120] or type(error).__name__)
    status, code = response_of(error)
    if code in _ELSEWHERE or status == 301:
        return f"the bucket is in another region ({text}); set AWS_DEFAULT_REGION, or AWS_ENDPOINT_URL, to it"
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


def _asked(url: str, action: Callable[[Any, str], Answer]) -> Answer:
    """What `action` gives of the file system of a URL and the path in it."""
    with errors(url):
        return retried(lambda: action(*connect(url)), place=public(url))


def read(url: str, start: int = 0, end: int | None = None, *, exact: bool = False) -> bytes:
    """Bytes ``[start, end)`` of an object; `exact`: there are so many."""

    def body(filesystem: Any, path: str) -> bytes:
        data = bytes(filesystem.cat_file(path, start=start or None, end=end))
        if end is not None and start >= 0 and (len(data) > end - start or (exact and len(data) < end - start)):
            raise CutShort(f"{len(data)} bytes came, {end - start} were asked for")
        return data

    return _asked(url, body)


def write(url: str, data: bytes) -> None:
    """Write an object; it appears whole."""
    _asked(url, lambda filesystem, path: filesystem.pipe_file(path, data))


def create(url: str, data: bytes) -> bool:
    """Write an object where there is none; whether it holds these bytes now.

    A store may have no such writes: then whoever writes last has it (`unconditional`).
    """
    if unconditional(url):
        write(url, data)
        return True
    return _conditional(url, data, mode="create")


def replace(url: str, data: bytes, *, before: bytes) -> bool:
    """Write an object that holds `before`, and no longer if somebody else was faster; whether it holds `data` now."""
    about = info(url)
    if about is None or read(url) != before:
        return False
    tag = about.get("ETag")
    if not tag or unconditional(url):
        write(url, data)
        return True
    # Ceph's radosgw knows the tag only without the quotes that belong to it
    return any(_conditional(url, data, IfMatch=form) for form in dict.fromkeys((tag, tag.strip('"'))))


def _conditional(url: str, data: bytes, **condition: str) -> bool:
    """Write under a condition; whether the object holds `data` then, also where only the answer was lost."""

    def put(filesystem: Any, path: str) -> bool:
        try:
            filesystem.pipe_file(path, data, **condition)
        except Exception as error:
            status, code = response_of(error)
            if code == "ConditionalRequestConflict":  # two at the same time
                raise ConnectionError(code) from None
            if not isinstance(error, FileExistsError) and status != 412:
                raise
            return bytes(filesystem.cat_file(path)) == data
        return True

    return _asked(url, put)


_lacking: dict[tuple[str, int], str] = {}  # bucket and process → what it lacks, "" for nothing


def unconditional(url: str) -> str:
    """What must be said of a store that has no conditional writes; "" of one that has.

    Some ignore the condition without a word, so each bucket is tried, once in a process.
    """
    scheme, _, rest = url.partition("://")
    bucket, folder = f"{scheme}://{rest.partition('/')[0]}", url.rpartition("/")[0]
    if scheme not in ("s3", "s3a"):  # fsspec looks first
        return ""
    if (bucket, os.getpid()) not in _lacking:
        lacks = f"{bucket} has no conditional writes: of two writers of one tag or build the last has it, untold"
        _lacking[bucket, os.getpid()] = "" if _refuses(f"{folder}/.probe-{uuid.uuid4().hex}.tmp") else lacks
    return _lacking[bucket, os.getpid()]


def _refuses(probe: str) -> bool:
    """Whether an object that is there is not written again where that is the condition."""
    write(probe, b"1")
    try:
        return not _conditional(probe, b"2", mode="create")
    except Unreachable:  # it does not know the header
        return False
    finally:
        remove(probe)


def upload(url: str, file: str | os.PathLike[str]) -> None:
    """Write an object from a local file; it appears whole."""
    _asked(url, lambda filesystem, path: filesystem.put_file(os.fspath(file), path))


def copy(url: str, target: str) -> None:
    """Give an object a second name; its bytes stay where they are."""
    _asked(target, lambda filesystem, path: filesystem.cp_file(connect(url)[1], path))


def remove(url: str) -> None:
    """Remove an object; a missing one is no error."""
    with contextlib.suppress(FileNotFoundError):
        _asked(url, lambda filesystem, path: filesystem.rm_file(path))


def info(url: str) -> dict[str, Any] | None:
    """What is known of an object; None if there is none."""
    with contextlib.suppress(FileNotFoundError):
        about = _asked(url, lambda filesystem, path: dict(filesystem.info(path)))
        return about if about["type"] == "file" else None
    return None


def entries(url: str) -> dict[str, str]:
    """Name → "file" or "directory" of what is directly below a URL; {} if there is nothing."""

    def listed(filesystem: Any, path: str) -> dict[str, str]:
        listing = filesystem.ls(path, detail=True)
        kinds = {str(entry["name"]).rstrip("/"): str(entry["type"]) for entry in listing}
        return {name.rsplit("/", 1)[-1]: kind for name, kind in kinds.items() if name != path}

    with contextlib.suppress(FileNotFoundError):
        return _asked(url, listed)
    return {}


def listing(url: str) -> dict[str, dict[str, Any]]:
    """Relative name → what is known of every object below a URL, at any depth; {} if there is none."""

    def listed(filesystem: Any, path: str) -> dict[str, dict[str, Any]]:
        files = filesystem.find(path, detail=True).items()
        return {
            name[len(path) + 1 :]: dict(entry)
            for name, entry in files
            if name.startswith(f"{path}/") and not name.endswith("/")  # consoles mark folders by empty objects
        }

    with contextlib.suppress(FileNotFoundError):
        return _asked(url, listed)
    return {}


class ObjectFile(io.RawIOBase):
    """An object as a file: fetches what is read, small pieces by blocks of which a few are kept.

    It holds no connection, so it may cross a fork.

    Raises
    ------
    FileNotFoundError
    """

    def __init__(self, url: str) -> None:
        about = info(url)
        if about is None:
            raise FileNotFoundError(errno.ENOENT, "no such object", one_line(url))
        self.url, self.size, self._place = url, int(about["size"]), 0
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
        with uncollected():  # h5py waits here and holds its lock
            return self._readinto(memoryview(buffer).cast("B"))

    def _readinto(self, view: memoryview) -> int:
        end = min(self._place + len(view), self.size)
        if len(view) >= _BLOCK and end > self._place:
            data = read(self.url, self._place, end, exact=True)
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
            data = read(self.url, number * _BLOCK, min((number + 1) * _BLOCK, self.size), exact=True)
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
