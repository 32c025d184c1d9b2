"""Processes of this machine that serve a pool: started, watched, started again, cleaned up after.

They are programs of their own, not `multiprocessing`'s: a script needs no main guard, a
daemonic process may have them, and no working directory is needed.  A process ends when
its standard input ends, so none outlives a parent that is killed.
"""

import json
import os
import re
import shutil
import signal
import stat
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

PREFIX, LOCK = "serprep-", "in-use"
# glibc's default gives freed memory back at once: half of a training step is then page faults
ENVIRONMENT = {
    "MALLOC_TRIM_THRESHOLD_": str(256 << 20),
    "MALLOC_MMAP_THRESHOLD_": str(256 << 20),
    "THP_MEM_ALLOC_ENABLE": "1",  # torch asks for huge pages: what is above these bounds has fewer faults
    "OMP_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
}
PROGRAM = (
    "import sys, json; settings = json.loads(sys.argv[1]); sys.path[:] = settings.pop('path'); "
    "from serprep.serving import serve; serve(**settings)"
)


@dataclass
class Processes:
    """Processes that run `serprep.serving.serve`.

    Parameters
    ----------
    n : int
    scratch : Path
        A folder for what they write on the side, and for what they say at their end.
    """

    n: int
    scratch: Path
    _address: str = ""  # of the scheduler that they serve
    _running: dict[str, "subprocess.Popen[bytes]"] = field(default_factory=dict)  # name → process
    _started: int = 0

    def serve(self, address: str) -> None:
        """Have a scheduler that they serve; what they import meanwhile, they import beside whoever starts it."""
        self._address = address
        for process in self._running.values():
            self._tell(process)

    def _tell(self, process: "subprocess.Popen[bytes]") -> None:
        if self._address and process.stdin is not None:
            with suppress(OSError):  # it is gone: `revive` sees that
                process.stdin.write(f"{self._address}\n".encode())
                process.stdin.flush()

    def revive(self) -> list[str]:
        """Start as many as are missing; returns how those that are gone ended."""
        ends = []
        for name, process in list(self._running.items()):
            status = process.poll()
            if status is not None:
                del self._running[name]
                _close(process)
                ends.append(self._end(name, status))
        while len(self._running) < self.n:
            self._start()
        return ends

    def _start(self) -> None:
        self._started += 1
        name = f"{os.getpid()}-{self._started}"
        settings = {
            "path": [str(place) for place in sys.path],
            "scratch": str(self.scratch),
            "name": name,
        }
        # Dask reads these when it is imported
        environment = {key: value for key, value in os.environ.items() if not key.startswith("DASK_")}
        # Ctrl-C is for the parent alone, which then closes its workers: they inherit a blocked signal
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT}) if hasattr(signal, "pthread_sigmask") else None
        try:
            with (self.scratch / f"{name}.log").open("wb") as log:
                self._running[name] = subprocess.Popen(
                    # -P: where the working directory is gone, Python 3.13.0 can import nothing with it in the path
                    [sys.executable, "-P", "-c", PROGRAM, json.dumps(settings)],
                    stdin=subprocess.PIPE,
                    stdout=subprocess.DEVNULL,
                    stderr=log,
                    env=ENVIRONMENT | environment,
                )
                self._tell(self._running[name])
        finally:
            if mask is not None:
                signal.pthread_sigmask(signal.SIG_SETMASK, mask)

    def _end(self, name: str, status: int) -> str:
        """Why a process ended, in words."""
        with suppress(OSError, ValueError):
            if status < 0:
                return f"killed by {signal.Signals(-status).name}"
        with suppress(OSError):
            said = last_words((self.scratch / f"{name}.log").read_text(encoding="utf-8", errors="replace"))
            if said:
                return said[:300]
        return f"exit status {status}"

    @property
    def names(self) -> frozenset[str]:
        """Names of the processes that run."""
        return frozenset(name for name, process in self._running.items() if process.poll() is None)

    def ticks(self, name: str) -> int | None:
        """Processor time of a process and of the children it waited for, in ticks; None if it cannot be known."""
        with suppress(OSError, KeyError, ValueError, IndexError):
            status = Path(f"/proc/{self._running[name].pid}/stat").read_text(encoding="utf-8")
            return sum(map(int, status.rpartition(")")[2].split()[11:15]))
        return None

    def kill(self, name: str) -> None:
        """End a process that does not answer; `revive` starts another."""
        process = self._running.get(name)
        if process is not None:
            process.kill()

    def close(self) -> None:
        """End all."""
        for process in self._running.values():
            _close(process)
        until = time.monotonic() + 5.0
        for process in self._running.values():
            try:
                process.wait(max(0.0, until - time.monotonic()))
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
        self._running.clear()


def _close(process: "subprocess.Popen[bytes]") -> None:
    if process.stdin is not None:
        with suppress(OSError):
            process.stdin.close()


@contextmanager
def scratch() -> Iterator[Path]:
    """A folder in the temporary one that is gone afterwards; what killed processes left there goes as well."""
    sweep(Path(tempfile.gettempdir()))
    with tempfile.TemporaryDirectory(prefix=PREFIX, ignore_cleanup_errors=True) as name:
        folder = Path(name)
        with (folder / f"{LOCK}.new").open("wb") as lock:
            _locked(lock)
            (folder / f"{LOCK}.new").replace(folder / LOCK)  # a lock that can be seen is held
            yield folder


def sweep(root: Path) -> None:
    """Remove scratch folders of this user's processes that are gone.

    Parameters
    ----------
    root : Path
        The temporary folder.
    """
    if not hasattr(os, "getuid"):
        return
    with suppress(OSError):
        for folder in root.glob(f"{PREFIX}*"):
            with suppress(OSError):
                status = folder.lstat()
                own = stat.S_ISDIR(status.st_mode) and status.st_uid == os.getuid()
                if own and _abandoned(folder):
                    shutil.rmtree(folder, ignore_errors=True)


def _abandoned(folder: Path) -> bool:
    """Whether nobody holds the lock of a scratch folder; one without a lock is not ours to judge."""
    try:
        with (folder / LOCK).open("r+b") as lock:
            return _locked(lock)
    except FileNotFoundError:
        return False


def _locked(file: Any) -> bool:
    """Lock an open file until it is closed or its process ends; whether that worked."""
    try:
        import fcntl

        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except (ImportError, OSError):
        return False
    return True


def last_words(output: str) -> str:
    """The last line that tells something: of an exception where there is one, else any with a letter or digit.

    Examples
    --------
    >>> last_words("Traceback …\\nOSError: no space\\n  x = 1 +\\n      ^^^")
    'OSError: no space'
    """
    lines = [line for line in output.splitlines() if any(map(str.isalnum, line))]
    exceptions = [line for line in lines if re.match(r"[A-Za-z_][\w.]*(?:Error|Exception|Exit|Interrupt)\b", line)]
    return (exceptions or lines or [""])[-1].strip()
