"""Whether compiled features lie on disk, told without importing the compiler, which takes a second.

A mark beside the compiled files says that everything was compiled once, for these sources, libraries and this
processor.  Where these are kept elsewhere, or anything is odd, there is no mark, and the compiler is asked.
"""

import hashlib
import os
import platform
import sys
from collections.abc import Callable
from contextlib import suppress
from importlib.metadata import version
from importlib.util import find_spec
from pathlib import Path

Say = Callable[[str], None] | None


def prepare_once(package: str, prepare: Callable[[Say], None], say: Say = None) -> None:
    """Compile what a package of features needs, unless that was done before.

    Parameters
    ----------
    package : str
        The package whose functions are compiled.
    prepare : callable
        What compiles them.
    say : callable
        As `prepare` takes it.
    """
    if (mark := _mark(package)) and mark.exists():
        return
    prepare(say)
    if mark := _mark(package):
        with suppress(OSError):
            mark.touch()


def _mark(package: str) -> Path | None:
    """The file that says so; None where there is none to say it."""
    spec = find_spec(package)
    if spec is None or spec.origin is None or any(name.startswith("NUMBA_") for name in os.environ):
        return None
    folder = Path(spec.origin).parent
    kept = folder / "__pycache__"
    if not os.access(kept, os.W_OK) or not any(kept.glob("*.native")):
        return None
    total = hashlib.sha256(repr((sys.version, version("numba"), platform.machine())).encode())
    with suppress(OSError):
        cpu = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").partition("\n\n")[0]
        total.update("".join(line for line in cpu.splitlines() if line.startswith(("model", "flags"))).encode())
    for path in sorted(folder.glob("*.py")):
        total.update(path.read_bytes())
    return kept / f"prepared-{total.hexdigest()[:16]}"
