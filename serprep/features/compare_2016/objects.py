"""Machine code of functions as object files: made by numba, loaded and called without it.

A file is a line of JSON (the symbol, what it returns, sizes, a digest) and two objects: the function, which
takes a pointer for the result, one for an exception, and arrays as pointers, shapes and strides; and a few
instructions that read these from the arrays as numpy lays them out, since handing each over costs more than many
a function.  Whatever of this a version of numba does otherwise is left to numba itself, in every process.
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
_SCALARS: dict[Any, tuple[str, Any, str]] = {  # as numba, as ctypes and as LLVM name them
    int: ("int64", ctypes.c_int64, "i64"),
    float: ("float64", ctypes.c_double, "double"),
    bool: ("boolean", ctypes.c_bool, "i8"),
    np.float32: ("float32", ctypes.c_float, "float"),
    np.float64: ("float64", ctypes.c_double, "double"),
    np.int64: ("int64", ctypes.c_int64, "i64"),
    np.bool_: ("boolean", ctypes.c_bool, "i8"),
}
_RETURNED = {"int64": ctypes.c_int64, "float64": ctypes.c_double, "boolean": ctypes.c_bool, "float32": ctypes.c_float}
OTHER = -77  # what an entry returns, as numba's code never does, if an array is not of the type it was made for
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
        self.target = llvm.Target.from_default_triple().create_target_machine(codemodel="jitdefault", jit=True)
        self.linker = llvm.create_mcjit_compiler(llvm.parse_assembly(_MEMORY), self.target)
        self.linker.finalize_object()
        self.free = ctypes.CFUNCTYPE(None, ctypes.c_void_p)(self.linker.get_function_address("NRT_MemInfo_call_dtor"))

    def address(self, symbol: str, *objects: bytes) -> int:
        """Where a function of the last of these objects lies once they are linked."""
        for code in objects:
            self.linker.add_object_file(self.llvm.ObjectFileRef.from_data(code))
        self.linker.finalize_object()
        return int(self.linker.get_function_address(symbol))

    def entry(self, symbol: str, kinds: tuple[Any, ...]) -> bytes:
        """An object whose function takes a place for the result and numpy's own arrays, and calls `symbol`."""
        return bytes(self.target.emit_object(self.llvm.parse_assembly(_entry(symbol, kinds))))


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
    size = about["size"]
    return caller(_engine().address(_name(about["symbol"]), code[:size], code[size:]), kinds, about["returns"])


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
        code, entry = result.library._get_compiled_object(), _engine().entry(symbol, kinds)
        call = caller(_engine().address(_name(symbol), code, entry), kinds, returns)
    except (AttributeError, KeyError, RuntimeError, ValueError):  # another numba has other ways
        return plain  # type: ignore[no-any-return]
    if path:
        digest = hashlib.sha256(code + entry).hexdigest()
        about = {"symbol": symbol, "returns": returns, "size": len(code), "digest": digest}
        with suppress(OSError):
            descriptor, beside = tempfile.mkstemp(dir=path.parent)
            os.close(descriptor)
            Path(beside).write_bytes(json.dumps(about).encode() + b"\n" + code + entry)
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


def _name(symbol: str) -> str:
    return f"entry.{symbol}"


def _entry(symbol: str, kinds: tuple[Any, ...]) -> str:
    """LLVM's assembly of what reads the fields of arrays, which numpy never moves, and calls `symbol`.

    It asks each array for its class first, then for its layout: of other types, nothing is read and `OTHER` returned.
    """
    head = object.__basicsize__
    given = ["ptr %class", "ptr %result"]
    given += [f"ptr %a{i}" if isinstance(kind, tuple) else f"{_SCALARS[kind][2]} %a{i}" for i, kind in enumerate(kinds)]
    arrays = [(f"ptr %a{i}", *kind) for i, kind in enumerate(kinds) if isinstance(kind, tuple)]
    lines = ["%error = alloca ptr"]

    def value(kind: str, line: str) -> str:
        lines.append(f"%v{len(lines)} = {line}")
        return f"{kind} %v{len(lines) - 1}"

    def field(kind: str, of: str, offset: int) -> str:
        return value(kind, f"load {kind}, {value('ptr', f'getelementptr i8, {of}, i64 {offset}')}")

    def go_on_if(equal: list[tuple[str, object]], step: str) -> None:
        true = "i1 1"
        for left, right in equal:
            true = value("i1", f"and {true}, {value('i1', f'icmp eq {left}, {right}').split()[1]}")
        lines.extend([f"br {true}, label %{step}, label %other", f"{step}:"])

    go_on_if([(field("ptr", of, head - 8), "%class") for of, *_ in arrays], "arrays")
    layout: list[tuple[str, object]] = []
    for of, char, n_dimensions, contiguous in arrays:
        layout.append((field("i32", of, head + 8), n_dimensions))
        layout.append((value("i32", f"and {field('i32', of, head + 48)}, 1"), int(contiguous)))
        layout.append((field("i8", field("ptr", of, head + 40), head + 9), ord(char)))
    go_on_if(layout, "known")
    taken = ["ptr %result", "ptr %error"]
    for place, kind in zip(given[2:], kinds, strict=True):
        if not isinstance(kind, tuple):
            taken.append(place)
            continue
        data, shape, strides = (field("ptr", place, head + offset) for offset in (0, 16, 24))
        sizes, steps = ([field("i64", of, 8 * axis) for axis in range(kind[1])] for of in (shape, strides))
        total = "i64 1"
        for size in sizes:
            total = value("i64", f"mul {total}, {size.split()[1]}")
        taken += ["ptr null", "ptr null", total, f"i64 {np.dtype(kind[0]).itemsize}", data, *sizes, *steps]
    lines += [f'%code = call i32 @"{symbol}"({", ".join(taken)})', "ret i32 %code", "other:", f"ret i32 {OTHER}"]
    types = ", ".join(each.split()[0] for each in taken)
    body = "\n".join(lines)
    return f'declare i32 @"{symbol}"({types})\ndefine i32 @"{_name(symbol)}"({", ".join(given)}) {{\n{body}\n}}\n'


class OtherTypes(TypeError):
    """Arguments are not of the types that a function was made for."""


def caller(address: int, kinds: tuple[Any, ...], returns: Any) -> Callable[..., Any]:
    """A function of Python that calls an entry at an address; it raises `OtherTypes` where that is not for it."""
    taken = [ctypes.py_object if isinstance(kind, tuple) else _SCALARS[kind][1] for kind in kinds]
    call = ctypes.CFUNCTYPE(ctypes.c_int32, ctypes.py_object, ctypes.c_void_p, *taken)(address)
    returned, value_of, addressof = _place(returns), _reader(returns), ctypes.addressof
    numbers = [(i, kind) for i, kind in enumerate(kinds) if not isinstance(kind, tuple)]
    n, array = len(kinds), np.ndarray

    def called(*args: Any) -> Any:
        if len(args) != n:
            raise OtherTypes(f"{len(args)} arguments; expected {n}")
        for i, kind in numbers:
            if type(args[i]) is not kind:
                raise OtherTypes(f"argument {i} is of {type(args[i])}; expected {kind}")
        place = returned()
        if (code := call(array, addressof(place), *args)) != 0:
            raise OtherTypes if code == OTHER else MemoryError("compiled features found no memory")
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
