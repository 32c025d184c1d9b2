"""How the set's inner loops become machine code: once, kept on disk, without the interpreter lock.

numba compiles a function when it is first called; its machine code is kept as an object file (`objects`) and
loaded by later processes without numba, whose import takes as long as the features of a minute of speech.
The files lie in ``__pycache__`` beside the sources or, where that cannot be written, in the user's cache
folder or in ``NUMBA_CACHE_DIR``.  A file is named by the digest of the sources, of the libraries, of the processor
and of the types, and read only if nobody else can have written it.
"""

import hashlib
import os
import threading
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from serprep.features.compare_2016 import objects

SUFFIX = ".native"
LISTENERS: list[Callable[[bool], None]] = []  # told before a function is compiled, and whether it will be kept
_lock = threading.RLock()


class Compiled:
    """A function as machine code: IEEE arithmetic in the order that is written."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function
        self.known: dict[tuple[Any, ...], Callable[..., Any]] = {}  # by the types of arguments

    def __call__(self, *args: Any) -> Any:
        kinds = tuple(
            [(a.dtype.char, a.ndim, a.flags.c_contiguous) if type(a) is np.ndarray else type(a) for a in args]
        )
        try:
            call = self.known[kinds]
        except KeyError:
            with _lock:
                call = self.known.get(kinds) or self._ready(kinds)
        return call(*args)

    def _ready(self, kinds: tuple[Any, ...]) -> Callable[..., Any]:
        """What calls it with arguments of such types: what is kept, or what is compiled now."""
        source = Path(self.function.__code__.co_filename)
        folder = folder_for(source)
        path = folder and folder / f"{source.stem}.{self.function.__name__}-{_digest(source.parent, kinds)}{SUFFIX}"
        call = objects.load(path, kinds, owner=source) if path else None
        if call is None:
            for listener in LISTENERS:
                listener(path is not None)
            call = objects.make(self.dispatcher, kinds, path)
        self.known[kinds] = call
        return call

    @property
    def dispatcher(self) -> Any:
        """The function as numba has it, which other functions call."""
        found = self.__dict__.get("_dispatcher")
        if found is None:
            objects.teach(Compiled)
            found = self._dispatcher = objects.dispatcher_of(self.function)
        return found


def compiled(function: Callable[..., Any]) -> Any:
    """`function` as machine code, kept on disk where that can be."""
    return Compiled(function)


@lru_cache
def folder_for(source: Path) -> Path | None:
    """Where machine code is kept: the first folder that can be written."""
    named = os.environ.get("NUMBA_CACHE_DIR")
    home = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    for folder in (Path(named),) if named else (source.parent / "__pycache__", Path(home, "serprep", "native")):
        try:
            folder = folder.expanduser()
            folder.mkdir(mode=0o755, parents=True, exist_ok=True)
        except (OSError, RuntimeError):  # nobody's home
            continue
        if os.access(folder, os.W_OK):
            return folder
    return None


@lru_cache
def _sources(folder: Path) -> bytes:
    """Digest of the modules of a folder, of these, whose functions all use, and of what compiles them, and for what."""
    total = hashlib.sha256(objects.machine().encode())
    for each in sorted({folder, Path(__file__).parent}):
        for path in sorted(each.glob("*.py")):
            total.update(path.read_bytes())
    return total.digest()


def _digest(folder: Path, kinds: tuple[Any, ...]) -> str:
    return hashlib.sha256(_sources(folder) + repr(kinds).encode()).hexdigest()[:24]
