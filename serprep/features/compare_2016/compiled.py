"""How the set's inner loops become machine code: once, kept on disk, without the interpreter lock.

numba compiles a function when it is first called; its machine code is kept as an object file (`objects`) and
loaded by later processes without numba, whose import takes as long as the features of a minute of speech.
The files lie in ``__pycache__`` beside the sources or, where that cannot be written, in the user's cache
folder or in ``NUMBA_CACHE_DIR``.  A file is named by the digest of what its function is compiled from (its own
code, the constants that it names, the functions that it calls), of the libraries, of the processor and of the types,
and read only if nobody else can have written it.
"""

import hashlib
import os
import threading
from collections.abc import Callable
from functools import cached_property, lru_cache
from pathlib import Path
from typing import Any

import numpy as np

from serprep.features.compare_2016 import lanes, objects

SUFFIX = ".native"
LISTENERS: list[Callable[[bool], None]] = []  # told before a function is compiled, and whether it will be kept
_lock = threading.RLock()


class Compiled:
    """A function as machine code: IEEE arithmetic in the order that is written."""

    def __init__(self, function: Callable[..., Any]) -> None:
        self.function = function
        self.known: dict[tuple[Any, ...], Callable[..., Any]] = {}  # by the types of arguments
        self._usual: Callable[..., Any] = _unknown  # that of the types of the first call

    def __call__(self, *args: Any) -> Any:
        try:  # machine code looks at types sooner than Python
            return self._usual(*args)
        except objects.OtherTypes:
            return self._of_types(args)(*args)

    def _of_types(self, args: tuple[Any, ...]) -> Callable[..., Any]:
        """What can be called with arguments of such types."""
        kinds = tuple(
            [(a.dtype.char, a.ndim, a.flags.c_contiguous) if type(a) is np.ndarray else type(a) for a in args]
        )
        try:
            return self.known[kinds]
        except KeyError:
            with _lock:
                return self.known.get(kinds) or self._ready(kinds)

    def _ready(self, kinds: tuple[Any, ...]) -> Callable[..., Any]:
        """What calls it with arguments of such types: what is kept, or what is compiled now."""
        source = Path(self.function.__code__.co_filename)
        folder = folder_for(source)
        digest = _digest(_compiler(), self.digest, repr(kinds))[:24]
        path = folder and folder / f"{source.stem}.{self.function.__name__}-{digest}{SUFFIX}"
        call = objects.load(path, kinds, owner=source) if path else None
        if call is None:
            for listener in LISTENERS:
                listener(path is not None)
            call = objects.make(self.dispatcher, kinds, path)
        self.known[kinds] = call
        if self._usual is _unknown and not hasattr(call, "py_func"):  # numba's own would take all types
            self._usual = call
        return call

    @cached_property
    def digest(self) -> str:
        """Of what it is compiled from; comments, text for readers and other functions of its module take no part."""
        code, known = self.function.__code__, self.function.__globals__
        constants = tuple(value for value in code.co_consts if value != self.function.__doc__)
        named = tuple((name, known[name]) for name in code.co_names if name in known)
        cells = tuple(cell.cell_contents for cell in self.function.__closure__ or ())
        given = code.co_names, constants, named, cells, self.function.__defaults__
        return _digest(code.co_code.hex(), *map(_stated, given))

    @property
    def dispatcher(self) -> Any:
        """The function as numba has it, which other functions call."""
        dispatcher = self.__dict__.get("_dispatcher")
        if dispatcher is None:
            objects.teach(Compiled)
            lanes.teach()
            dispatcher = self._dispatcher = objects.dispatcher_of(self.function)
        return dispatcher


def _unknown(*args: Any) -> Any:
    raise objects.OtherTypes


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


def _stated(value: Any) -> str:
    """What machine code holds or calls, as text that tells it from everything else."""
    if isinstance(value, tuple):
        return f"({','.join(map(_stated, value))})"
    if isinstance(value, Compiled):
        return value.digest
    if isinstance(value, lanes.Instruction):
        return f"instruction {value.name}"
    if value is np:  # constants of another module would be values that its name does not tell
        return "numpy"
    if value is None or isinstance(value, bool | int | float | str | np.generic):
        return f"{type(value).__name__} {value!r}"
    raise TypeError(
        f"compiled code names {value!r}; expected numbers, tuples of them, numpy, instructions, compiled functions"
    )


@lru_cache
def _compiler() -> str:
    """Digest of what compiles, and for what."""
    sources = (Path(module).read_text(encoding="utf-8") for module in (__file__, lanes.__file__, objects.__file__))
    return _digest(objects.machine(), *sources)


def _digest(*texts: str) -> str:
    return hashlib.sha256("\0".join(texts).encode()).hexdigest()
