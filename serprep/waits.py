"""Waits that end, and that are said when they take long."""

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

from serprep.errors import one_line

TICK = 0.5  # seconds between looks at processes of this machine, and for a worker
LOOK = 5.0  # seconds after which a wait is said; also between questions to workers
ANSWER = 10.0  # seconds that whoever is asked may take


def say(line: str) -> None:
    """One line on standard error, if there is one."""
    with suppress(OSError, ValueError, AttributeError):
        print(one_line(line), file=sys.stderr, flush=True)


@contextmanager
def saying(what: str) -> Iterator[None]:
    """If the block takes more than five seconds, say what it waits for."""
    timer = threading.Timer(LOOK, say, [f"waiting for {what}"])
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def in_time(close: Callable[[], object], what: str) -> None:
    """Close something that may hang or complain, for a few seconds at most."""

    def quietly() -> None:
        with suppress(BaseException):
            close()

    thread = threading.Thread(target=quietly, daemon=True)
    with saying(what):
        thread.start()
        thread.join(2 * ANSWER)
