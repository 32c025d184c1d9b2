"""What a machine refuses a process, in one line: open files, memory, further processes."""

import errno
import re
from collections.abc import Iterator
from contextlib import suppress

NEEDED = 400_000_000  # bytes of address space; with less OpenBLAS waits for ever while it is loaded
MEMORY = re.compile(r"allocate memory|failed to map segment|out of memory|unable to allocate", re.IGNORECASE)
FILES = re.compile(r"too many open files", re.IGNORECASE)
PROCESSES = re.compile(
    r"can't start new thread|resource temporarily unavailable|could not start a .*thread", re.IGNORECASE
)


def refusal(error: BaseException | str) -> str:
    """Which limit an error comes from, and the remedy; "" where it is another error.

    Parameters
    ----------
    error : BaseException or str
        With whatever caused it; or what another process said at its end.

    Examples
    --------
    >>> refusal(ValueError("no limit"))
    ''
    >>> refusal(OSError(24, "Too many open files")).split(":")[0]
    'too many open files'
    """
    for cause in _causes(error):
        number = getattr(cause, "errno", None)
        text = str(cause)
        if number in (errno.EMFILE, errno.ENFILE) or FILES.search(text):
            return f"too many open files: {_limit('RLIMIT_NOFILE', '-n')}; allow more, such as `ulimit -n 1024`"
        if number in (errno.ENOSPC, errno.EDQUOT):
            return "the disk is full; make room: the same command goes on from there"
        if isinstance(cause, MemoryError) or number == errno.ENOMEM or MEMORY.search(text):
            return f"out of memory: {_limit('RLIMIT_AS', '-v')}; allow more, or use fewer --workers"
        if number == errno.EAGAIN or PROCESSES.search(text):
            memory = _limit("RLIMIT_AS", "-v")  # which threads need for their stacks
            limit = memory if "ulimit" in memory else _limit("RLIMIT_NPROC", "-u")
            return f"no further process or thread may be started: {limit}; allow more, or use fewer --workers"
    return ""


def check_memory() -> None:
    """Refuse to load libraries where they find no room: some of them then wait for ever.

    Raises
    ------
    MemoryError
    """
    with suppress(ImportError, AttributeError, ValueError, OSError):
        import resource

        soft, _ = resource.getrlimit(resource.RLIMIT_AS)
        if soft != resource.RLIM_INFINITY and soft < NEEDED:
            raise MemoryError


def _causes(error: BaseException | str) -> Iterator[BaseException | str]:
    """The error, and the ones it came from; each once."""
    seen: set[int] = set()
    cause: BaseException | str | None = error
    while cause is not None and id(cause) not in seen:
        seen.add(id(cause))
        yield cause
        cause = None if isinstance(cause, str) else cause.__cause__ or cause.__context__


def _limit(name: str, flag: str) -> str:
    """What `ulimit` says of a limit."""
    with suppress(ImportError, AttributeError, ValueError, OSError):
        import resource

        soft = resource.getrlimit(getattr(resource, name))[0]
        if soft != resource.RLIM_INFINITY:
            amount = f"{soft >> 10} kB" if flag == "-v" else str(soft)
            return f"the limit is {amount} (ulimit {flag})"
    return "the machine gives no more"
