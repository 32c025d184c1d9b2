"""How far a command is, in a file that is rewritten whole every few seconds, for whoever watches from outside."""

import json
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from serprep import parallel, progress, retries
from serprep.files import write_whole
from serprep.meanwhile import meanwhile

EVERY = 2.0  # seconds


def status(*, over: bool = False) -> dict[str, Any]:
    """What goes on now: stage, things done, rates, what is left, workers, retries.

    Examples
    --------
    >>> status()["stage"], status(over=True)["stage"]
    ('', 'over')
    """
    running = progress.RUNNING[-1] if progress.RUNNING and not over else None
    counts = retries.so_far() + parallel.RETRIES
    about: dict[str, Any] = {
        "updated": datetime.now(UTC).isoformat(timespec="seconds"),
        "stage": "over" if over else "",
        "workers": parallel.n_working(),
        "retries": dict(counts),
    }
    if running is None:
        return about
    return about | {
        "stage": running.label,
        "unit": running.unit,
        "done": running.done,
        "total": running.total or None,
        "quarantined": running.n_bad,
        "per_second": round(running.done / running.elapsed, 3),
        "audio_seconds_per_second": round(running.seconds / running.elapsed, 1),
        "seconds_left": None if running.left is None else round(running.left),
    }


@contextmanager
def writing_status(path: Path | None) -> Iterator[None]:
    """While the block runs, keep a file up to date; None writes nothing."""
    if path is None:
        yield
        return

    def write(**how: bool) -> None:
        with suppress(OSError):  # a full disk stops nobody
            write_whole(path, (json.dumps(status(**how), indent=1) + "\n").encode())

    write_whole(path, (json.dumps(status(), indent=1) + "\n").encode())  # a wrong path is said at once
    try:
        with meanwhile(write, every=EVERY):
            yield
    finally:
        write(over=True)
