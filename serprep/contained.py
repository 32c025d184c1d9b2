"""What one signal may cost its process, and computing it in a process of its own where it has cost one.

Time is the processor's, so that being suspended or waiting for a turn does not count.  A worker
arms a timer of the system, which ends it, whatever it does, when that time is used up; memory
beyond the limit is refused.  Which signal did it is found out afterwards, in a process that may
die: its end is the only proof there is.
"""

import json
import os
import pickle
import select
import signal
import struct
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import IO, Any

from serprep.errors import LimitError

SHARE = 0.8  # of the machine's memory, where no other limit is given
TICK = 1.0  # seconds
PATIENCE, LEAST = 10, 300  # ticks for each second of the processor that is allowed, and at least
KILLS = 3  # times that a process is started for a signal while somebody kills it from outside
LENGTH = struct.Struct("<Q")
PROGRAM = (
    "import sys, json; sys.path[:] = json.loads(sys.argv[1]); "
    "from serprep.contained import compute_each; compute_each()"
)

#: Whether this process computes one signal at a time, and nothing else: then its time is that signal's.
alone = False


@contextmanager
def limited(seconds: float, memory: int | None, *, n_threads: int = 1) -> Iterator[None]:
    """While the block runs, this process may use so much of the processor, and allocate so many bytes more.

    A process that does other things as well, in so many threads, is given the time for all of them; its memory is
    limited only where a limit is given, and nobody is blamed there: a MemoryError stays one.

    Raises
    ------
    LimitError
        If more memory was asked for.
    """
    if not hasattr(signal, "setitimer"):
        yield
        return
    signal.setitimer(signal.ITIMER_PROF, seconds * n_threads)
    allowed = memory or _machine()
    before = _limit_memory(allowed) if alone or memory else None
    try:
        yield
    except MemoryError:
        if before is None or not alone or _bounded():  # not, or perhaps not, by this limit
            raise
        raise LimitError(f"it needs more memory than it may use ({allowed >> 20} MB)") from None
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0.0)
        if before is not None:
            import resource

            resource.setrlimit(resource.RLIMIT_DATA, before)


def _limit_memory(more: int) -> tuple[int, int] | None:
    """Refuse what exceeds this process's memory by more; the limits there were, None where none can be set."""
    with suppress(ImportError, OSError, ValueError, AttributeError, IndexError):
        import resource

        status = Path("/proc/self/status").read_text(encoding="ascii", errors="replace")
        used = int(status.partition("VmData:")[2].split()[0]) << 10
        soft, hard = resource.getrlimit(resource.RLIMIT_DATA)
        most = min((used + more, *(limit for limit in (soft, hard) if limit != resource.RLIM_INFINITY)))
        resource.setrlimit(resource.RLIMIT_DATA, (most, hard))
        return soft, hard
    return None


def _bounded() -> bool:
    """Whether somebody has limited this process's memory otherwise."""
    import resource

    return resource.getrlimit(resource.RLIMIT_AS)[0] != resource.RLIM_INFINITY


def _machine() -> int:
    """Most of this machine's memory, in bytes."""
    with suppress(OSError, ValueError, AttributeError):
        return int(SHARE * os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    return 1 << 62


def contained(
    function: Callable[[Any], Any], items: Sequence[Any], *, seconds: Callable[[Any], float]
) -> Iterator[tuple[Any, str]]:
    """``function(item)`` and "", or None and how its process ended, of each item in order, in other processes.

    Parameters
    ----------
    function : callable
        It limits itself (`limited`).
    items : sequence
    seconds : callable
        Of the processor, that an item is allowed.
    """
    left, kills = list(items), 0
    while left:
        status = 0
        for answer in _answers(function, tuple(left), seconds=seconds):
            if isinstance(answer, int):
                status = answer
                break
            yield answer[0], ""
            del left[0]
            kills = 0
        if left:
            kills += 1
            if status in (-signal.SIGKILL, -signal.SIGTERM) and kills < KILLS:
                continue  # by somebody else, perhaps
            yield None, _reason(status, seconds(left[0]))
            del left[0]
            kills = 0


def _answers(
    function: Callable[[Any], Any], items: Sequence[Any], *, seconds: Callable[[Any], float]
) -> Iterator[tuple[Any] | int]:
    """What one process gives of the items, each in a tuple; then its exit status if it gave too few."""
    with tempfile.TemporaryFile() as said:
        process = subprocess.Popen(
            [sys.executable, "-P", "-c", PROGRAM, json.dumps([str(place) for place in sys.path])],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=said,
            bufsize=0,
        )
        assert process.stdin is not None and process.stdout is not None
        try:
            with suppress(BrokenPipeError):
                _put(process.stdin, (function, list(items)))
            for item in items:
                if not _arrives(process.stdout, max(LEAST, int(PATIENCE * seconds(item)))):
                    yield HUNG
                    return
                data = _get(process.stdout)
                if data is None:
                    yield process.wait()
                    return
                yield (pickle.loads(data),)  # noqa: S301 - of our own process
        finally:
            process.stdin.close()
            process.kill()
            process.wait()
            process.stdout.close()


HUNG = 1 << 16  # no exit status


def _arrives(stream: IO[bytes], ticks: int) -> bool:
    """Whether something is to be read before so many ticks of this process, however long it was stopped in one."""
    return any(select.select([stream], [], [], TICK)[0] for _ in range(ticks))


def _reason(status: int, seconds: float) -> str:
    """Why a process ended, in words."""
    if status == HUNG:
        return "its extractor hangs: it waits and does not come to an end"
    if status == -signal.SIGPROF:
        return f"its extractor hangs: it computed longer than {seconds:.0f} s"
    if status < 0:
        with suppress(ValueError):
            return f"its extractor crashes ({signal.Signals(-status).name})"
    return f"its extractor crashes (it ended its process with status {status})"


def _put(stream: IO[bytes], value: Any) -> None:
    data = pickle.dumps(value)
    left = memoryview(LENGTH.pack(len(data)) + data)
    while left:
        left = left[stream.write(left) :]


def _get(stream: IO[bytes]) -> bytes | None:
    """What `_put` wrote; None at the end."""
    data = b""
    for size in (LENGTH.size, None):
        wanted = size or LENGTH.unpack(data)[0]
        data = b""
        while len(data) < wanted:
            more = stream.read(wanted - len(data))
            if not more:
                return None
            data += more
    return data


def compute_each() -> None:
    """The process: compute what is asked for on standard input, item by item, until whoever asked is gone."""
    global alone
    alone = True
    answers = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)  # whatever prints
    stdin = os.fdopen(0, "rb", buffering=0)
    asked = _get(stdin)
    if asked is None:
        return
    threading.Thread(target=lambda: (stdin.read(1), os._exit(1)), daemon=True).start()
    with suppress(ImportError, OSError, ValueError):
        import resource

        resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    function, items = pickle.loads(asked)  # noqa: S301 - of whoever started it
    for item in items:
        _put(answers, function(item))
    os._exit(0)
