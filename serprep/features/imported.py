"""Arrays that were computed elsewhere, bound to utterances by their ids.

A source is one of

* a folder of ``ID.npy`` or ``ID.npz`` (of one array), subfolders being part of the id;
* one ``.npz``, whose arrays are named by the ids;
* one ``.h5`` or ``.hdf5``, whose data sets are named by the ids, groups being part of them;
* one ``.parquet`` with a column ``id`` and columns of numbers; rows of one id, in order, are its frames.

Numbers become float32 and must be finite; nothing is unpickled.  An utterance's key holds the
digest of its own array, so that one array that changes is one row computed again; the version holds
the digest over all ids and arrays, and not where they lie.
"""

import hashlib
import os
import re
import weakref
import zipfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import numpy as np

from serprep._typing import AnyArray, FloatArray
from serprep.audio.signal import Signal
from serprep.config import check, within
from serprep.errors import FeatureError, one_line
from serprep.features.kind import Extractor, Kind

PLACE = "[features.imported]"
SHOWN = 5  # ids that a line names
_DIGEST = re.compile("sha256:[0-9a-f]{64}")
_BROKEN = (OSError, ValueError, KeyError, EOFError, zipfile.BadZipFile, RuntimeError, TypeError, AttributeError)


@dataclass(frozen=True, kw_only=True)
class Imported:
    """Configuration of ``[features.imported]``."""

    path: str = ""  # folder or file; a store knows "sha256:…" of it
    rows: Literal["utterance", "frames"] = "utterance"  # one vector each, or any number of rows each
    columns: int = within(0, (1 << 20) - 1, default=0)  # of every array; 0: as many as the source has

    def __post_init__(self) -> None:
        if not self.path:
            raise FeatureError(f"{PLACE} needs path: a folder of .npy or .npz, or one .npz, .h5 or .parquet")
        check(self, FeatureError, "features.imported")


# -- what a source holds: id → a function that reads its array ---------------------------


class Arrays(dict[str, Callable[[], AnyArray]]):
    """Id → what reads its array."""


def _npy(path: Path) -> AnyArray:
    return np.asarray(np.load(path, allow_pickle=False))


def _only(path: Path) -> AnyArray:
    with np.load(path, allow_pickle=False) as arrays:
        if len(arrays.files) != 1:
            raise ValueError(f"{len(arrays.files)} arrays; expected one")
        return np.asarray(arrays[arrays.files[0]])


def _folder(root: Path) -> Arrays:
    readers = Arrays()
    for path in sorted(path for path in root.rglob("*") if path.suffix in (".npy", ".npz") and path.is_file()):
        name = path.relative_to(root).with_suffix("").as_posix()
        if name in readers:
            raise ValueError(f"{one_line(name)} is there as .npy and as .npz")
        read = _npy if path.suffix == ".npy" else _only
        readers[name] = lambda path=path, read=read: read(path)  # type: ignore[misc]
    return readers


def _npz(path: Path) -> Arrays:
    number = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0))  # open as long as the arrays are of use
    readers = Arrays()
    weakref.finalize(readers, os.close, number)
    arrays = np.load(open(number, "rb", closefd=False), allow_pickle=False)  # noqa: SIM115
    if not isinstance(arrays, np.lib.npyio.NpzFile):
        raise ValueError("no .npz")
    readers.update({name: lambda name=name: np.asarray(arrays[name]) for name in arrays.files})  # type: ignore[misc]
    return readers


def _hdf5(path: Path) -> Arrays:
    import h5py

    file = h5py.File(path, "r")
    readers = Arrays()

    def visit(name: str, item: Any) -> None:  # called for what lies in this file; links elsewhere are not followed
        if isinstance(item, h5py.Dataset):
            if item.external or item.is_virtual:
                raise ValueError(f"{one_line(name)} lies in another file")
            readers[name] = lambda: np.asarray(item[()])

    file.visititems(visit)
    return readers


def _parquet(path: Path) -> Arrays:
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        with pq.ParquetFile(path) as file:  # this file alone, whatever the names of its folders say
            table = file.read()
    except pa.ArrowException as error:
        raise ValueError(str(error)) from None
    if "id" not in table.column_names:
        raise ValueError("no column id")
    index = (table.schema.pandas_metadata or {}).get("index_columns", [])  # row numbers of pandas are no feature
    numbers = [name for name in table.column_names if name != "id" and name not in index]
    for name in numbers:
        kind = table.schema.field(name).type
        if not (pa.types.is_floating(kind) or pa.types.is_integer(kind)):
            raise ValueError(f"column {one_line(name)} is {kind}; expected numbers")
        if table.column(name).null_count:
            raise ValueError(f"column {one_line(name)} has {table.column(name).null_count} empty cells")
    columns = [table.column(name).to_numpy() for name in numbers]
    values = np.stack([np.zeros(len(table)), *columns], axis=1)[:, 1:]
    places: dict[str, list[int]] = {}
    for row, name in enumerate(table.column("id").to_pylist()):
        places.setdefault(str(name), []).append(row)
    return Arrays({name: lambda rows=rows: values[rows] for name, rows in places.items()})  # type: ignore[misc]


READERS = {".npz": _npz, ".h5": _hdf5, ".hdf5": _hdf5, ".parquet": _parquet}


def _arrays(place: str) -> Arrays:
    path = Path(place)
    if path.is_dir():
        return _folder(path)
    if not path.is_file():
        raise FeatureError(f"{PLACE} {one_line(place)}: no such file or folder; expected arrays named by utterance id")
    reader = READERS.get(path.suffix.lower())
    if reader is None:
        raise FeatureError(
            f"{PLACE} {one_line(place)} is {one_line(path.suffix) or 'of no type'}; "
            f"expected a folder of .npy or .npz, or one of {', '.join(READERS)} (never pickle)"
        )
    return reader(path)


def _checked(array: AnyArray, rows: str) -> FloatArray:
    """An array as float32 of shape (n_rows, n_columns); a ValueError if it is none."""
    if array.dtype.kind not in "fiu":
        raise ValueError(f"type {array.dtype}; expected numbers")
    if rows == "utterance" and array.ndim == 1:
        array = array[None]
    if array.ndim != 2 or 0 in array.shape or (rows == "utterance" and len(array) != 1):
        wanted = "(n_columns,)" if rows == "utterance" else "(n_frames, n_columns)"
        raise ValueError(f"shape {array.shape}; expected {wanted}, as rows = {rows!r} says")
    with np.errstate(over="ignore"):
        values = np.ascontiguousarray(array, "<f4")
    if not np.isfinite(values).all():
        raise ValueError(f"{values.size - np.count_nonzero(np.isfinite(values))} numbers are not finite as float32")
    return values


def _digest(values: FloatArray) -> str:
    return hashlib.sha256(np.array(values.shape, "<i8").tobytes() + values.tobytes()).hexdigest()


@dataclass(frozen=True)
class Source:
    """What a source holds; arrays are read when they are asked for."""

    digests: dict[str, str]  # id → of its array
    columns: int
    arrays: Arrays

    @property
    def digest(self) -> str:
        """SHA-256 over all ids and arrays."""
        lines = (f"{digest} {name}\n" for name, digest in sorted(self.digests.items()))
        return hashlib.sha256("".join(lines).encode()).hexdigest()


def _read(place: str, arrays: Arrays, name: str, rows: str) -> FloatArray:
    try:
        return _checked(arrays[name](), rows)
    except _BROKEN as error:
        raise FeatureError(f"{PLACE} {one_line(place)}: array {one_line(name)!r}: {one_line(error)[:200]}") from None


@lru_cache(maxsize=4)
def _source(place: str, rows: str) -> Source:
    """Everything of a source but its arrays, each of which is read once for its digest."""
    try:
        arrays = _arrays(place)
    except _BROKEN as error:
        if isinstance(error, FeatureError):
            raise
        raise FeatureError(f"{PLACE} {one_line(place)} cannot be read: {one_line(error)[:200]}") from None
    digests: dict[str, str] = {}
    columns = 0
    for name in arrays:
        values = _read(place, arrays, name, rows)
        if columns and values.shape[1] != columns:
            raise FeatureError(
                f"{PLACE} {one_line(place)}: array {one_line(name)!r} has {values.shape[1]} columns; "
                f"expected {columns}, as those before"
            )
        columns, digests[name] = values.shape[1], _digest(values)
    if not digests:
        raise FeatureError(f"{PLACE} {one_line(place)} holds no array; expected arrays named by utterance id")
    return Source(digests, columns, arrays)


@lru_cache(maxsize=4)
def _opened(place: str, stamp: tuple[int, int]) -> Arrays:
    """The arrays alone: what a worker needs; opened again when the file is another."""
    return _arrays(place)


def _stamp(place: str) -> tuple[int, int]:
    try:
        status = Path(place).stat()
    except OSError as error:
        raise FeatureError(
            f"{PLACE} {one_line(place)}: {error.strerror or one_line(error)}; make it readable"
        ) from None
    return status.st_mtime_ns, status.st_size


def _named(names: Sequence[str]) -> str:
    more = f" and {len(names) - SHOWN} more" if len(names) > SHOWN else ""
    return ", ".join(one_line(name) for name in names[:SHOWN]) + more


class _Imported(Kind[Imported]):
    name = "imported"
    config = Imported
    shape = "row"
    revision = 1
    wants = "utterance"

    def shape_of(self, config: Imported) -> Literal["row", "contour"]:
        return "row" if config.rows == "utterance" else "contour"

    def located(self, config: Imported, folder: Path) -> Imported:
        _source.cache_clear()  # it may have changed since the last recipe was read
        _opened.cache_clear()
        located = replace(config, path=str(folder / Path(config.path).expanduser()))
        source = _source(located.path, located.rows)
        if config.columns not in (0, source.columns):
            raise FeatureError(
                f"{PLACE} columns is {config.columns}; the arrays of {one_line(located.path)} have {source.columns}"
            )
        return replace(located, columns=source.columns)

    def plain(self, config: Imported) -> dict[str, Any]:
        if _DIGEST.fullmatch(config.path):
            return asdict(config)
        source = _source(config.path, config.rows)
        return asdict(replace(config, path=f"sha256:{source.digest}", columns=source.columns))

    def missing(self, config: Imported) -> str:
        if not _DIGEST.fullmatch(config.path):
            return ""
        return (
            f"{PLACE} holds arrays that were computed elsewhere ({config.path}): recordings do not tell them; "
            "`serprep verify --recipe FILE`, with the recipe that names them, compares them with their source"
        )

    def names(self, config: Imported) -> tuple[str, ...]:
        return tuple(f"imported_{i}" for i in range(config.columns or _source(config.path, config.rows).columns))

    def extractor(self, config: Imported, signal: Signal) -> Extractor:
        def row(samples: FloatArray, utterance: str) -> FloatArray:
            arrays = _opened(config.path, _stamp(config.path))
            if utterance not in arrays and Path(config.path).is_dir():  # one that was added in a folder below
                _opened.cache_clear()
                arrays = _opened(config.path, _stamp(config.path))
            if utterance not in arrays:
                raise FeatureError(f"{PLACE} {one_line(config.path)} has no array of this utterance")
            values = _read(config.path, arrays, utterance, config.rows)
            return values[0] if config.rows == "utterance" else values

        return row

    def own_identity(self, config: Imported, utterance: str) -> dict[str, Any]:
        return {"array": _source(config.path, config.rows).digests.get(utterance)}

    def remarks(self, config: Imported, utterances: Sequence[str]) -> list[str]:
        return list(_remarks(config, utterances))

    def settings(self, config: Imported) -> dict[str, Any]:
        return {self.name: {"rows": config.rows, "columns": config.columns}}  # and of each utterance its own array


def _remarks(config: Imported, utterances: Sequence[str]) -> Iterator[str]:
    """Utterances without an array, and arrays without an utterance."""
    held = _source(config.path, config.rows).digests
    without = sorted(set(utterances) - held.keys())
    if without:
        yield f"{PLACE} {len(without)} utterances have no array in {one_line(config.path)}: {_named(without)}"
    beyond = sorted(held.keys() - set(utterances))
    if beyond:
        yield f"{PLACE} {len(beyond)} arrays of {one_line(config.path)} are of no utterance: {_named(beyond)}"


IMPORTED = _Imported()
