"""Machine code of functions as object files: made by numba, loaded and called without it.

A file is a line of JSON (the symbol, what it returns, a digest) and the object.  Called is what numba's
own wrappers call: a pointer for the result, one for an exception, and arrays as pointers, shapes and strides.
Whatever of this a version of numba does otherwise is left to numba itself, in every process.
"""

import ctypes
import hashlib
import json
import os
import platform
import sys
import tempfile
from collections.abc import Callable
from contextlib import suppress
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

_OPTIONS = {"nogil": True, "error_model": "numpy"}
_BARE = {"no_cpython_wrapper": True, "no_cfunc_wrapper": True}
_SCALARS: dict[Any, tuple[str, Any]] = {
    int: ("int64", ctypes.c_int64),
    float: ("float64", ctypes.c_double),
    bool: ("boolean", ctypes.c_bool),
    np.float32: ("float32", ctypes.c_float),
    np.float64: ("float64", ctypes.c_double),
    np.int64: ("int64", ctypes.c_int64),
    np.bool_: ("boolean", ctypes.c_bool),
}
_RETURNED = {"int64": ctypes.c_int64, "float64": ctypes.c_double, "boolean": ctypes.c_bool, "float32": ctypes.c_float}
_GIVEN = ("NRT_MemInfo_alloc_aligned", "NRT_MemInfo_call_dtor")
# What an array's memory begins with, as numba's functions count its users; the rest of numba's own is not needed.
_MEMORY = """
declare ptr @malloc(i64)
declare void @free(ptr)
define ptr @NRT_MemInfo_alloc_aligned(i64 %size, i32 %align) {
  %wide = zext i32 %align to i64
  %more = add i64 %wide, 64
  %total = add i64 %size, %more
  %block = call ptr @malloc(i64 %total)
  %none = icmp eq ptr %block, null
  br i1 %none, label %end, label %fill
fill:
  %start = ptrtoint ptr %block to i64
  %past = add i64 %start, %more
  %over = urem i64 %past, %wide
  %at = sub i64 %past, %over
  store i64 1, ptr %block
  %p = getelementptr i8, ptr %block, i64 24
  store i64 %at, ptr %p
  %q = getelementptr i8, ptr %block, i64 32
  store i64 %size, ptr %q
  br label %end
end:
  ret ptr %block
}
define void @NRT_MemInfo_call_dtor(ptr %block) {
  call void @free(ptr %block)
  ret void
}
"""


@lru_cache(maxsize=1)
def machine() -> str:
    """Everything that machine code depends on, besides sources and types."""
    import llvmlite.binding as llvm  # type: ignore[import-untyped]

    libraries = [version(name) for name in ("numba", "llvmlite")]
    features = llvm.get_host_cpu_features().flatten()
    chosen = sorted(f"{k}={v}" for k, v in os.environ.items() if k.startswith("NUMBA_") and k != "NUMBA_CACHE_DIR")
    return repr((sys.version, platform.machine(), libraries, llvm.get_host_cpu_name(), features, chosen))


class _Engine:
    """The linker of this process, with what arrays need."""

    def __init__(self) -> None:
        import llvmlite.binding as llvm

        self.llvm = llvm
        with suppress(RuntimeError):  # newer ones do it by themselves
            llvm.initialize()
        llvm.initialize_native_target()
        llvm.initialize_native_asmprinter()
        target = llvm.Target.from_default_triple().create_target_machine(codemodel="jitdefault", jit=True)
        self.linker = llvm.create_mcjit_compiler(llvm.parse_assembly(_MEMORY), target)
        self.linker.finalize_object()
        self.free = ctypes.CFUNCTYPE(None, ctypes.c_void_p)(self.linker.get_function_address("NRT_MemInfo_call_dtor"))

    def address(self, symbol: str, code: bytes) -> int:
        """Where a function of an object lies once it is linked."""
        self.linker.add_object_file(self.llvm.ObjectFileRef.from_data(code))
        self.linker.finalize_object()
        return int(self.linker.get_function_address(symbol))


@lru_cache(maxsize=1)
def _engine() -> _Engine:
    return _Engine()


def load(path: Path, kinds: tuple[Any, ...], *, owner: Path) -> Callable[..., Any] | None:
    """The function of a file, callable with arguments of these types; None where there is none that can be trusted.

    The owner of the sources, root and this user are trusted.
    """
    try:
        with path.open("rb") as file:
            state = os.fstat(file.fileno())
            about, code = json.loads(file.readline()), file.read()
        if hasattr(os, "getuid") and (
            state.st_uid not in (0, os.getuid(), owner.stat().st_uid) or state.st_mode & 0o022
        ):
            return None
        if about["digest"] != hashlib.sha256(code).hexdigest():
            return None
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return caller(_engine().address(about["symbol"], code), kinds, about["returns"])


def make(dispatcher: Any, kinds: tuple[Any, ...], path: Path | None) -> Callable[..., Any]:
    """The function compiled for arguments of these types, and kept at `path`."""
    import numba

    plain = numba.njit(**_OPTIONS)(dispatcher.py_func)
    try:
        types = tuple(_numba_type(kind) for kind in kinds)
    except KeyError:  # of arguments that are seldom
        return plain  # type: ignore[no-any-return]
    dispatcher.compile(types)
    result = dispatcher.overloads[types]
    try:
        returns, symbol = _described(result.signature.return_type), result.fndesc.llvm_func_name
        result.library.get_pointer_to_function(symbol)
        if not _stands_alone(result.library):
            return plain  # type: ignore[no-any-return]
        code = result.library._get_compiled_object()
        call = caller(_engine().address(symbol, code), kinds, returns)
    except (AttributeError, KeyError, RuntimeError, ValueError):  # another numba has other ways
        return plain  # type: ignore[no-any-return]
    if path:
        about = {"symbol": symbol, "returns": returns, "digest": hashlib.sha256(code).hexdigest()}
        with suppress(OSError):
            descriptor, beside = tempfile.mkstemp(dir=path.parent)
            os.close(descriptor)
            Path(beside).write_bytes(json.dumps(about).encode() + b"\n" + code)
            Path(beside).chmod(0o644)
            Path(beside).replace(path)
    return call


def _stands_alone(library: Any) -> bool:
    """Whether the code of a library needs nothing but the C library, and memory: else it is nothing without numba."""
    names = {each.name for each in library._final_module.functions if each.is_declaration}
    unknown = {name for name in names if not name.startswith("llvm.")} - set(_GIVEN)
    here = ctypes.CDLL(None)
    return not any(name.startswith(("NRT_", "numba_", "Py", "_Py")) or not hasattr(here, name) for name in unknown)


def dispatcher_of(function: Callable[..., Any]) -> Any:
    """`function` as numba has it; Python cannot call it."""
    from numba import njit

    return njit(**_OPTIONS, **_BARE)(function)


@lru_cache
def teach(lazy: type) -> None:
    """Tell numba what objects of a class with a `dispatcher` are, which compiled functions call."""
    from numba import types
    from numba.extending import typeof_impl

    typeof_impl.register(lazy)(lambda value, context: types.Dispatcher(value.dispatcher))


def _numba_type(kind: Any) -> Any:
    import numba

    if isinstance(kind, tuple):
        char, n_dimensions, contiguous = kind
        if not contiguous:
            raise KeyError(kind)
        return numba.types.Array(numba.from_dtype(np.dtype(char)), n_dimensions, "C")
    return getattr(numba.types, _SCALARS[kind][0])


def _described(returned: Any) -> Any:
    """A type as JSON: its name, ``[dtype, n_dimensions]`` of an array, ``{"tuple": […]}``."""
    from numba import types

    if isinstance(returned, types.Array):
        return [str(returned.dtype), returned.ndim]
    if isinstance(returned, types.BaseTuple):
        return {"tuple": [_described(each) for each in returned]}
    return None if returned is types.none else {"bool": "boolean"}.get(str(returned), str(returned))


def caller(address: int, kinds: tuple[Any, ...], returns: Any) -> Callable[..., Any]:
    """A function of Python that calls one at an address."""
    arguments: list[Any] = []
    for kind in kinds:
        if isinstance(kind, tuple):
            n = kind[1]
            arguments += [ctypes.c_void_p] * 2 + [ctypes.c_int64] * 2 + [ctypes.c_void_p] + [ctypes.c_int64] * (2 * n)
        else:
            arguments.append(_SCALARS[kind][1])
    returned = _place(returns)
    call = ctypes.CFUNCTYPE(ctypes.c_int32, ctypes.c_void_p, ctypes.c_void_p, *arguments)(address)
    arrays = [isinstance(kind, tuple) for kind in kinds]
    value_of = _reader(returns)

    def called(*args: Any) -> Any:
        place, error = returned(), ctypes.c_void_p()
        flat: list[Any] = []
        for is_array, arg in zip(arrays, args, strict=True):
            if is_array:
                at = arg.__array_interface__["data"][0]
                flat += (None, None, arg.size, arg.itemsize, at, *arg.shape, *arg.strides)
            else:
                flat.append(arg)
        if call(ctypes.addressof(place), ctypes.addressof(error), *flat) != 0:
            raise MemoryError("compiled features found no memory")
        return value_of(place.value)

    return called


def _place(returns: Any) -> Any:
    """Structure that takes a result, as `value`."""

    def kind(of: Any) -> Any:
        if isinstance(of, list):
            return ctypes.c_int64 * (5 + 2 * of[1])
        if isinstance(of, dict):
            parts = [(f"v{i}", kind(each)) for i, each in enumerate(of["tuple"])]
            return type("Parts", (ctypes.Structure,), {"_fields_": parts})
        return ctypes.c_void_p if of is None else _RETURNED[of]

    return type("Place", (ctypes.Structure,), {"_fields_": [("value", kind(returns))]})


def _reader(returns: Any) -> Callable[[Any], Any]:
    """What turns a result into Python's and numpy's objects."""
    if isinstance(returns, list):
        name, n = returns
        code = np.dtype(name).str
        free = _engine().free
        return lambda place: np.asarray(_Memory(place[0], place[4], tuple(place[5 : 5 + n]), code, free))
    if isinstance(returns, dict):
        readers = [_reader(each) for each in returns["tuple"]]
        return lambda place: tuple([read(getattr(place, f"v{i}")) for i, read in enumerate(readers)])
    if returns == "float32":
        return np.float32
    return lambda value: value


class _Memory:
    """An array's memory, given back with the last array that looks at it."""

    __slots__ = ("__array_interface__", "__weakref__", "_block", "_free")

    def __init__(self, block: int, at: int, shape: tuple[int, ...], code: str, free: Callable[[int], None]) -> None:
        self._block, self._free = block, free
        self.__array_interface__ = {"data": (at, False), "shape": shape, "typestr": code, "version": 3}

    def __del__(self) -> None:
        self._free(self._block)
