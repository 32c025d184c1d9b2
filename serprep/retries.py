"""Requests that failed for the moment and are made again: what counts as that, how often, and how many there were.

What is permanent, such as a forbidden object or a bucket that is not there, is never tried again.
"""

import random
import re
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar

from serprep.errors import one_line

Answer = TypeVar("Answer")

ATTEMPTS = 9
FIRST, LONGEST = 0.2, 15.0  # seconds before the second attempt, and at most before any
SAID_AFTER = 5.0  # seconds of waiting
STATUSES = (408, 429, 500, 502, 503, 504)
CODES = ("SlowDown", "RequestTimeout", "Throttling", "ThrottlingException", "InternalError", "ServiceUnavailable")
# by name, so that no library is imported for it: those of botocore, aiohttp, urllib3, requests, fsspec and Python
CUT_SHORT = re.compile(r"Incomplete|ContentLength|ClientPayload|ResponseStreaming|CutShort|XMLParse|ResponseParser")
TIMEOUT = re.compile(r"Timeout")
CONNECTION = re.compile(r"Connection|ServerDisconnected|ClientOSError|HTTPClientError|BrokenPipe")

_counts: Counter[str] = Counter()
_lock = threading.Lock()
pause = time.sleep


class CutShort(OSError):
    """Other bytes arrived than were announced."""


def taken() -> dict[str, int]:
    """Why requests of this process were made again, and how often, since this was last asked.

    Examples
    --------
    >>> taken()
    {}
    """
    with _lock:
        counts = dict(_counts)
        _counts.clear()
    return counts


def so_far() -> Counter[str]:
    """What `taken` would say, without taking it."""
    with _lock:
        return Counter(_counts)


def response_of(error: BaseException) -> tuple[int, str]:
    """HTTP status and code of the answer that an error comes from; (0, "") where there was none."""
    for cause in _causes(error):
        response: Any = getattr(cause, "response", None)
        if isinstance(response, Mapping):
            status = response.get("ResponseMetadata", {}).get("HTTPStatusCode", 0)
            return int(status or 0), str(response.get("Error", {}).get("Code", ""))
        status = getattr(cause, "status", None)
        if isinstance(status, int):
            return status, ""
    return 0, ""


def transient(error: BaseException) -> str:
    """What kind of passing trouble an error is; "" if it will not pass.

    Examples
    --------
    >>> transient(ConnectionResetError("peer")), transient(TimeoutError()), transient(PermissionError("403"))
    ('connection', 'timeout', '')
    """
    status, code = response_of(error)
    if status in STATUSES or code in CODES:
        return f"status {status}"
    if status >= 400 or isinstance(error, ImportError):
        return ""
    for cause in _causes(error):
        names = " ".join(kind.__name__ for kind in type(cause).__mro__)
        for word, pattern in (("cut short", CUT_SHORT), ("timeout", TIMEOUT), ("connection", CONNECTION)):
            if pattern.search(names):
                return word
    return ""


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__ or error.__context__


def retried(action: Callable[[], Answer], *, place: str) -> Answer:
    """What `action` gives; passing trouble is waited for, ever longer and never in step with others.

    Parameters
    ----------
    action : callable
    place : str
        What it asks for, to be named where it takes long.

    Raises
    ------
    Exception
        The first that will not pass, or the last of so many.
    """
    waited = 0.0
    for attempt in range(ATTEMPTS):
        try:
            return action()
        except Exception as error:
            reason = transient(error)
            if not reason or attempt == ATTEMPTS - 1:
                raise
            with _lock:
                _counts[reason] += 1
        seconds = random.uniform(0.5, 1.0) * min(LONGEST, FIRST * 2**attempt)
        if waited < SAID_AFTER <= waited + seconds and sys.stderr is not None:
            print(f"waiting for {one_line(place)}: {reason}, tried {attempt + 1} times", file=sys.stderr, flush=True)
        waited += seconds
        pause(seconds)
    raise AssertionError
