"""What openSMILE computes, through a helper process that forks for each utterance.

The package instantiates openSMILE's configuration for every signal, which costs more
than a second of audio; the helper pays once.  The fork also contains a crash, a hang or
a memory leak: that utterance fails alone, and the helper goes on.

Same library, same configuration, same int16 samples, hence the same bytes as the
package.  Without fork (Windows) or another C library's calls (macOS) there is no helper,
and the package is used; also where no helper or none of its children can be started.
"""

import atexit
import contextlib
import json
import mmap
import os
import platform
import signal
import subprocess
import sys
import tempfile
import threading
import warnings
from collections.abc import Callable
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from serprep._typing import FloatArray
from serprep.errors import FeatureError, KilledError, LimitError
from serprep.features import _opensmile_helper as protocol

SECONDS, SECONDS_PER_SECOND = 30.0, 0.1  # of the processor, allowed: fixed, and per second of audio
KNOWN = "2.6."  # versions of the package whose settings need not be asked for
MEMORY, MEMORY_PER_SECOND = 512 << 20, 1 << 20  # bytes allowed beyond the helper's own


def available() -> bool:
    """Whether this system can run the helper."""
    return sys.platform == "linux" and hasattr(os, "fork") and not _refused and not os.environ.get("SERPREP_NO_FORK")


def known_settings() -> dict[str, Any] | None:
    """What `asked_settings` says for a version of the package known to the tests; None for others.

    Asking means importing the package, and pandas with it: half a second and 100 MB in every worker.
    """
    spec = find_spec("opensmile")
    if spec is None or spec.origin is None or not version("opensmile").startswith(KNOWN):
        return None
    core = Path(spec.origin).resolve().parent / "core"
    library = core / "bin" / f"manylinux_2_17_{platform.machine().lower()}" / "libSMILEapi.so"
    shared = core / "config" / "shared"
    options = {
        "sink": shared / "standard_external_data_output_single.conf.inc",
        "sinkLevel": "func",
        "bufferModeRbConf": shared / "BufferModeRb.conf.inc",
        "frameModeFunctionalsConf": shared / "FrameModeFunctionals.conf.inc",
        "source": shared / "standard_external_wave_input.conf.inc",
    }
    config = core / "config" / "compare" / "ComParE_2016.conf"
    if not (library.is_file() and config.is_file()):
        return None
    options_ = {name: str(value) for name, value in options.items()}
    return {"library": str(library), "config": str(config), "options": options_, "loglevel": 2}


def asked_settings(smile: Any) -> dict[str, Any]:
    """How the package sets up the openSMILE object of each signal."""
    from opensmile.core.config import config
    from opensmile.core.lib import smileapi_path

    source = Path(smile.default_config_root) / config.EXTERNAL_INPUT_CONFIG
    options = {key: str(value) for key, value in {**smile._options(), "source": source}.items()}
    return {
        "library": str(smileapi_path),
        "config": str(smile.config_path),
        "options": options,
        "loglevel": smile.loglevel,
    }


class Helper:
    """A running helper; not for several threads at once.

    Parameters
    ----------
    smile : callable
        Gives the opensmile.Smile that the helper imitates, where its settings are not known.
    sample_rate : int
        Hz.
    known : bool
        Whether it computes the functionals whose settings are known, so that `smile` need not be asked.
    """

    def __init__(self, smile: Callable[[], Any], sample_rate: int, *, known: bool = True) -> None:
        settings = (known_settings() if known else None) or asked_settings(smile())
        settings["options"] |= {"sampleRate": str(sample_rate), "nBits": "16"}
        self.sample_rate = sample_rate
        self._memory = _memory_file()
        os.ftruncate(self._memory, protocol.SIZE.size)
        self._shared = mmap.mmap(self._memory, protocol.SIZE.size)
        settings["memory"] = self._memory
        self._process = subprocess.Popen(
            [sys.executable, "-I", "-S", protocol.__file__, json.dumps(settings)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            pass_fds=(self._memory,),
            bufsize=0,
        )
        if self._answer() != "ready":
            killed = self._process.wait() == -signal.SIGKILL
            self.close()
            if killed:
                raise KilledError("openSMILE's helper process was killed")
            raise _Refused  # not a property of any recording

    def rows(self, signal_: FloatArray) -> FloatArray:
        """What openSMILE gives for a guarded signal, shape (n_rows, n_columns).

        Raises
        ------
        FeatureError
            If openSMILE crashes, hangs, needs too much memory, or gives nothing.
        """
        # multiplied and truncated as the package does it
        samples = (np.asarray(signal_, np.float32) * 32768).astype("<i2").tobytes()
        duration = len(signal_) / self.sample_rate
        seconds = SECONDS + SECONDS_PER_SECOND * duration
        needed = protocol.SIZE.size + len(samples)
        if needed > len(self._shared):
            self._shared.close()
            os.ftruncate(self._memory, max(needed, os.fstat(self._memory).st_size))
            self._shared = mmap.mmap(self._memory, needed)
        self._shared[protocol.SIZE.size : needed] = samples
        memory = MEMORY + int(MEMORY_PER_SECOND * duration)
        stdin = self._process.stdin
        assert stdin is not None
        try:
            stdin.write(protocol.REQUEST.pack(len(samples), seconds, memory))
            answer = self._answer()
        except BrokenPipeError:
            answer = ""
        if not answer:  # it is gone, or will be in a moment
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(timeout=5)
            self._process.kill()
            if self._process.wait() > 0:  # it gave up by itself: something it needs is refused here
                raise _Refused
        if answer == "exit 0":
            shape = protocol.SIZE.unpack(self._shared[: protocol.SIZE.size])
            values = np.empty(shape, "<f4")
            if os.preadv(self._memory, [values.data], needed) != values.nbytes:
                raise KilledError("openSMILE's values were cut short")
            return values
        if answer.startswith("refused"):
            raise _Refused
        raise _kind(answer)(_reason(answer, seconds, memory))

    def _answer(self) -> str:
        stdout = self._process.stdout
        assert stdout is not None
        return stdout.readline().decode("ascii", "replace").strip()

    @property
    def alive(self) -> bool:
        """Whether the helper still runs."""
        return self._process.poll() is None

    def close(self) -> None:
        """Stop the helper."""
        for pipe in (self._process.stdin, self._process.stdout):
            if pipe is not None:
                pipe.close()
        try:
            self._process.wait(timeout=5)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        self._shared.close()
        os.close(self._memory)


class _Refused(Exception):
    """No helper, or no child of it, can be started on this system."""


def _memory_file() -> int:
    """Descriptor of a file in memory; on a disk where the system knows no such files."""
    with contextlib.suppress(OSError, AttributeError):
        return os.memfd_create("serprep-signal", 0)
    with tempfile.TemporaryFile() as file:
        return os.dup(file.fileno())


def _kind(answer: str) -> type[FeatureError]:
    """What an answer says of the signal.

    That it gives no functionals is a property of it.  A signal from outside is not, and
    worth another try; a limit, or a crash that may come of one, is worth one in a later build.
    """
    outside = (signal.SIGKILL, signal.SIGTERM, signal.SIGHUP, signal.SIGINT)
    if answer in ("", *(f"signal {int(number)}" for number in outside)):
        return KilledError
    if answer.startswith(("signal", "hung")) or answer in ("exit 3", "exit 4"):
        return LimitError
    return FeatureError


def _reason(answer: str, seconds: float, memory: int) -> str:
    """Why an utterance failed, in words."""
    kind, _, value = answer.partition(" ")
    if answer == f"signal {int(signal.SIGPROF)}":
        return f"openSMILE computed longer than {seconds:.0f} s"
    if kind == "hung":
        return "openSMILE did not come to an end"
    if answer == "exit 3":
        return f"openSMILE needs more memory than it may use ({memory >> 20} MB)"
    if answer == "exit 4":
        return "openSMILE's helper could not start computing"
    if kind == "signal":
        name = signal.Signals(int(value)).name if value.isdigit() else value
        return f"openSMILE crashed ({name}; it may use {memory >> 20} MB)"
    if kind == "exit":
        return f"openSMILE gave no values (status {value})"
    return "openSMILE's helper process died"


_lock = threading.Lock()
_refused: list[bool] = []  # whether this process had to do without
_helpers: dict[tuple[int, int, Callable[[], Any]], Helper] = {}


def rows(smile: Callable[[], Any], signal_: FloatArray, sample_rate: int, *, known: bool = False) -> FloatArray:
    """Rows of values through this process's helper, which is started when first needed.

    A helper that was killed from outside is started again, and the signal tried twice more.

    Raises
    ------
    FeatureError
        As `Helper.rows`.
    LimitError
        If it computed too long or needed too much memory.
    """
    for _ in range(2):
        with contextlib.suppress(KilledError):
            return _rows(smile, signal_, sample_rate, known=known)
    return _rows(smile, signal_, sample_rate, known=known)


def functionals(smile: Callable[[], Any], signal_: FloatArray, sample_rate: int) -> FloatArray:
    """The functionals whose settings are known, as `rows`."""
    return rows(smile, signal_, sample_rate, known=True)


def _rows(smile: Callable[[], Any], signal_: FloatArray, sample_rate: int, *, known: bool) -> FloatArray:
    with _lock:
        key = (os.getpid(), sample_rate, smile)  # a forked copy must not talk to its parent's helper
        helper = _helpers.get(key)
        if helper is not None and not helper.alive:
            helper.close()
            helper = None
        try:
            if helper is None:
                helper = _helpers[key] = Helper(smile, sample_rate, known=known)
            return helper.rows(signal_)
        except (_Refused, OSError):
            _refused.append(True)
    return by_package(smile, signal_, sample_rate)


def by_package(smile: Callable[[], Any], signal_: FloatArray, sample_rate: int) -> FloatArray:
    """What the ``opensmile`` package returns: slower, not contained, the same bytes."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # "segment too short", which the caller turns into an error
        return np.asarray(smile().process_signal(signal_, sample_rate).to_numpy())


def check(smile: Callable[[], Any], say: Callable[[str], None]) -> None:
    """Find out once whether the helper runs here, and say so if it does not."""
    if available():
        with contextlib.suppress(FeatureError):
            functionals(smile, np.zeros(16_000, np.float32), 16_000)
        if not available():
            say(
                "openSMILE's helper process cannot run on this system: the package is used, which is slower and "
                "does not contain crashes; the values are the same"
            )


@atexit.register
def _close_all() -> None:
    """Stop this process's helpers; those of a parent that this process was forked from are not ours."""
    for (pid, *_), helper in _helpers.items():
        if pid == os.getpid():
            helper.close()
