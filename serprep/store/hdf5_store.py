"""The HDF5 container: one file, written once by one task, with digests in its user block.

The user block is the first 512 bytes, which HDF5 leaves to us: ASCII lines, then zeros::

    serprep hdf5 1
    size <bytes of the whole file>
    sha256 <of everything after the block>     the seal
    attributes <sha256 of the root attributes, as JSON>
    check <sha256 of the four lines above>

Every chunk has a Fletcher-32, HDF5's own metadata has checksums, attributes have none:
hence their digest.  An open HDF5 handle must not cross a fork, so files are opened in
the process that reads.
"""

import hashlib
import json
import math
import os
import weakref
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from serprep._json import load_json
from serprep._typing import AnyArray
from serprep.errors import StoreError, one_line
from serprep.forms import FORMS
from serprep.place.place import at
from serprep.store import layout
from serprep.store.claims import CHUNK_LIMIT, ITEM_BYTES
from serprep.store.container import DAMAGE, Block, Container, Inspected, Opened, Problem, Tell
from serprep.store.layout import Array

BLOCK = 512
TITLE = "serprep hdf5 1"
FIELDS = ("size", "sha256", "attributes", "check")
LIBVER = ("v110", "v110")  # the oldest whose metadata all has checksums; "latest" depends on the library
CHUNK_CACHE = 8 << 20  # bytes per array: a chunk stays while neighbours are read from it
READING = 1 << 22

# -- writing -------------------------------------------------------------------------


def write_file(
    path: Path,
    specs: Sequence[Array],
    attributes: Mapping[str, Any],
    *,
    small: Mapping[str, AnyArray],
    large: Iterable[tuple[Array, int, AnyArray]],
) -> str:
    """Write a whole store in one open; returns the seal.

    Parameters
    ----------
    path : Path
        A new file, beside the final name.
    specs : sequence of Array
        Every array of the store, in any order.
    attributes : mapping
        JSON values by name.
    small : mapping of str to ndarray
        The arrays that are not large, by name.
    large : iterable of (Array, int, ndarray)
        Blocks of the large ones with their first row: whole shards, by name and then by row.
    """
    with _File(path) as disk:
        with h5py.File(disk, "w", driver="fileobj", libver=LIBVER, userblock_size=BLOCK, track_order=True) as file:
            for spec in sorted(specs, key=lambda spec: spec.name):
                _create(file, spec, small.get(spec.name))
            for spec, first, values in large:
                file[spec.name][first : first + len(values)] = values
                disk.check()
            for name, value in attributes.items():
                _set_attribute(file, name, value)
        disk.check()
    return _seal(path, attributes)


class _File:
    """A new file that HDF5 writes to, and that never fails it.

    After a failed write, such as on a full disk, HDF5 cannot close a file any more and
    crashes the process.  So the first error is kept for `check`, and nothing is written
    after it.
    """

    def __init__(self, path: Path) -> None:
        self._raw = path.open("x+b", buffering=0)
        self._error: BaseException | None = None
        self._place = 0

    def __enter__(self) -> "_File":
        return self

    def __exit__(self, *_: object) -> None:
        self._raw.close()

    def check(self) -> None:
        """Raise the first error, if there was one."""
        if self._error is not None:
            raise self._error

    def seek(self, place: int, whence: int = os.SEEK_SET) -> int:
        """As of any file."""
        self._place = self._raw.seek(place, whence)
        return self._place

    def tell(self) -> int:
        """As of any file."""
        return self._place

    def read(self, size: int = -1) -> bytes:
        """As of any file."""
        data = self._raw.read(size) or b""
        self._place += len(data)
        return data

    def readinto(self, buffer: Any) -> int:
        """Fill the buffer; bytes that are not there are 0."""
        view = memoryview(buffer).cast("B")
        view[:] = bytes(len(view))
        done = self._raw.readinto(view) or 0
        self._place += done
        return len(view)

    def write(self, data: Any) -> int:
        """Write all, or keep the error."""
        view = memoryview(data).cast("B")
        try:
            rest = view
            while rest and self._error is None:
                rest = rest[self._raw.write(rest) :]
        except BaseException as error:  # Ctrl-C must not reach HDF5 either
            self._error = error
        self._place += len(view)
        return len(view)

    def truncate(self, size: int | None = None) -> int:
        """Set the length, or keep the error."""
        try:
            if self._error is None:
                self._raw.truncate(size)
        except BaseException as error:
            self._error = error
        return size or 0

    def flush(self) -> None:
        """Nothing is buffered."""


def _create(file: h5py.File, spec: Array, values: AnyArray | None) -> None:
    """Make an array, with its groups, and write it if it is small."""
    dtype: Any = np.dtype("S1" if spec.dtype == "string" else spec.dtype)
    if spec.dtype == "string":
        encoded = [str(value).encode() for value in ([] if values is None else values)]
        if any(cell.endswith(b"\0") for cell in encoded):
            row = next(row for row, cell in enumerate(encoded) if cell.endswith(b"\0"))
            raise StoreError(
                f"{spec.name}: the text of row {row} ends in a NUL character, which HDF5 would lose; "
                "remove it or use the format 'zarr'"
            )
        dtype = h5py.string_dtype("utf-8", max(1, max(map(len, encoded), default=1)))
        values = np.array(encoded, dtype) if encoded else None
    array = file.create_dataset(
        spec.name,
        shape=spec.shape,
        dtype=dtype,
        chunks=(_chunk(spec, dtype.itemsize), *spec.shape[1:]) if all(spec.shape) else None,
        fletcher32=all(spec.shape),
        fillvalue=float("nan") if spec.dtype.startswith("float") else b"" if spec.dtype == "string" else 0,
        track_times=False,
    )
    for number, name in enumerate(spec.dimensions):
        array.dims[number].label = name
    if values is not None:
        array[...] = values


def _chunk(spec: Array, itemsize: int) -> int:
    """Rows of a chunk: the layout's, but no more than there are, and no more text than fits its bytes."""
    rows = min(spec.chunk, spec.shape[0])
    return rows if spec.is_large else max(1, min(rows, layout.CHUNK_BYTES // itemsize))


def _set_attribute(file: h5py.File, name: str, value: Any) -> None:
    """Whole numbers as numbers, plain text as text, everything else as JSON text."""
    if isinstance(value, int) and not isinstance(value, bool) and -(2**63) <= value < 2**63:
        file.attrs.create(name, value, dtype="int64")
        return
    text = value if isinstance(value, str) and _is_plain(value) else _to_json(value)
    data = text.encode()
    file.attrs.create(name, data, dtype=h5py.string_dtype("utf-8", len(data)))


def _is_plain(text: str) -> bool:
    """Whether `text` cannot be taken for JSON, and HDF5 can hold it."""
    if not text or "\0" in text:
        return False
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return True
    return False


def _get_attribute(value: Any) -> Any:
    """The JSON value that `_set_attribute` wrote."""
    if isinstance(value, np.integer):
        return int(value)
    text = value.decode() if isinstance(value, bytes) else str(value)
    try:
        return load_json(text)
    except ValueError:
        return text


def _to_json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, allow_nan=False)


def _digest(attributes: Mapping[str, Any]) -> str:
    """SHA-256 of the root attributes as JSON, in their order, hex."""
    return hashlib.sha256(_to_json(dict(attributes)).encode()).hexdigest()


def _seal(path: Path, attributes: Mapping[str, Any]) -> str:
    """Write the user block; returns the seal."""
    seal = _digest_of_rest(path)
    lines = f"{TITLE}\nsize {path.stat().st_size}\nsha256 {seal}\nattributes {_digest(attributes)}\n"
    lines += f"check {hashlib.sha256(lines.encode()).hexdigest()}\n"
    with path.open("r+b") as file:
        file.write(lines.encode().ljust(BLOCK, b"\0"))
        file.flush()
        os.fsync(file.fileno())
    return seal


def _digest_of_rest(path: str | Path, progress: Callable[[int], None] | None = None) -> str:
    """SHA-256 of everything after the user block, hex; `progress` is given bytes done."""
    digest, done = hashlib.sha256(), 0
    with at(path).open() as file:
        file.seek(BLOCK)
        while data := file.read(READING):
            digest.update(data)
            done += len(data)
            if progress:
                progress(done)
    return digest.hexdigest()


# -- reading -------------------------------------------------------------------------


def read_block(path: str) -> dict[str, str]:
    """The fields of the user block: size, sha256, attributes, check.

    Raises
    ------
    StoreError
        If there is no such file, it is none of ours, or it is not as long as it says.
    """
    place = one_line(path)
    try:
        with at(path).open() as file:
            block, size = file.read(BLOCK), file.seek(0, os.SEEK_END)
    except FileNotFoundError:
        raise StoreError(f"{place}: no store there; expected a file that `serprep build` made") from None
    except (OSError, ValueError) as error:
        raise StoreError(f"{place}: {getattr(error, 'strerror', None) or one_line(error)}; make it readable") from None
    text = block.rstrip(b"\0").decode("ascii", "replace")
    head, _, check = text.rpartition("check ")
    lines = text.splitlines()
    fields = dict(line.split(" ", 1) for line in lines[1:] if " " in line)
    if lines[:1] != [TITLE]:
        raise StoreError(
            f"{place}: not an HDF5 store of this serprep, unfinished or damaged: its user block does not begin with "
            f"{TITLE!r}; build it again"
        )
    if len(block) != BLOCK or tuple(fields) != FIELDS or hashlib.sha256(head.encode()).hexdigest() != check.strip("\n"):
        raise StoreError(f"{place}: its user block is damaged; build it again")
    if fields["size"] != str(size):
        raise StoreError(f"{place}: has {size} bytes of {fields['size']}, it is cut short or damaged; build it again")
    return fields


def _open(path: str, **options: Any) -> h5py.File:
    """A file on a disk or at a URL, for reading."""
    place = at(path)
    return h5py.File(place.direct() or place.open(), "r", **options)


def read_attributes(path: str, *, complete: bool = True) -> dict[str, Any]:
    """Root attributes of a store, and its seal; one file is always complete.

    The digest of the whole file is not compared, that takes as long as reading it:
    `check_file` does.

    Raises
    ------
    StoreError
        If the file is missing, cut short, or its attributes are not what was written.
    """
    block = read_block(path)
    try:
        with _open(path) as file:
            attributes = {str(name): _get_attribute(value) for name, value in file.attrs.items()}
        digest = _digest(attributes)
    except DAMAGE as error:
        raise StoreError(
            f"{one_line(path)}: its root is unfinished or damaged ({one_line(error)}); build it again"
        ) from None
    if digest != block["attributes"]:
        raise StoreError(f"{one_line(path)}: its root attributes do not match their digest; build it again")
    return {**attributes, "seal": block["sha256"]}


def check_file(path: str, progress: Callable[[int], None] | None = None) -> list[str]:
    """What is wrong with a file as a whole: its length, its user block, its SHA-256; empty if nothing.

    Parameters
    ----------
    path : str
    progress : callable, optional
        Called with the number of bytes read so far.
    """
    try:
        expected = read_block(path)["sha256"]
        found = _digest_of_rest(path, progress)
    except StoreError as error:
        return [str(error)]
    except OSError as error:
        return [f"{one_line(path)}: {error.strerror or one_line(error)}"]
    if found != expected:
        return [f"{one_line(path)}: its SHA-256 is {found[:16]}…, its seal says {expected[:16]}…; build it again"]
    return []


def array_names(path: str, attributes: Mapping[str, Any]) -> list[str]:
    """Names of all arrays, sorted."""
    found: list[str] = []

    def visit(name: str, node: Any) -> None:
        if isinstance(node, h5py.Dataset):
            found.append(name)

    try:
        with _open(path) as file:
            file.visititems(visit)
    except DAMAGE as error:
        raise StoreError(f"{one_line(path)}: its tree is damaged ({one_line(error)}); build it again") from None
    return sorted(found)


class FileArray:
    """One array of a file, for reading; rows are given by an int or a slice.

    The file is opened by the process that reads, anew after a fork.
    """

    def __init__(self, path: str, name: str) -> None:
        self.path, self.name = path, name
        self._handles: tuple[h5py.File, h5py.Dataset] | None = None
        dataset = self._dataset()
        _check_array(dataset.file, name)
        self.shape: tuple[int, ...] = dataset.shape
        self.is_text = h5py.check_string_dtype(dataset.dtype) is not None
        self.dtype: np.dtype[Any] = np.dtype(object) if self.is_text else dataset.dtype

    def __reduce__(self) -> tuple[type["FileArray"], tuple[str, str]]:
        return FileArray, (self.path, self.name)

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, rows: Any) -> Any:
        values = self._dataset()[rows]
        if self.is_text and isinstance(values, np.ndarray):
            return np.array([cell.decode() for cell in values.ravel()], object).reshape(values.shape)
        return values.decode() if self.is_text else values

    def _dataset(self) -> h5py.Dataset:
        _close_inherited()
        if self._handles is None:
            file = _open(self.path, rdcc_nbytes=CHUNK_CACHE)
            self._handles = file, file[self.name]
            _opened.add(self)
        return self._handles[1]

    def close(self) -> None:
        """Close the file; the next reading opens it again."""
        handles, self._handles = self._handles, None
        if handles is not None:
            handles[0].close()


def _check_array(file: h5py.File, name: str) -> None:
    """Raise an OSError unless an array lies in its own file, as written: no links, filters, or rows out of nothing."""
    parts = name.split("/")
    for depth in range(1, len(parts) + 1):
        if not isinstance(file.get("/".join(parts[:depth]), getlink=True), h5py.HardLink):
            raise OSError("it is a link")
    array = file[name]
    text = h5py.check_string_dtype(array.dtype)
    if not isinstance(array, h5py.Dataset) or array.external or array.is_virtual or (text and text.length is None):
        raise OSError("it does not lie in this file")
    if array.compression or array.shuffle or array.scaleoffset is not None:
        raise OSError("its filters are none that a store has")
    if not text and array.dtype.name not in ITEM_BYTES:
        raise OSError("its type is none that a store has")
    n_bytes = math.prod(array.shape) * array.dtype.itemsize
    if n_bytes > array.id.get_storage_size() or math.prod(array.chunks or ()) * array.dtype.itemsize > CHUNK_LIMIT:
        raise OSError(f"it announces {n_bytes} bytes, {array.id.get_storage_size()} are there")


_opened: "weakref.WeakSet[FileArray]" = weakref.WeakSet()
_owner = os.getpid()  # of what is in _opened


def _close_inherited() -> None:
    """In a forked process, close the parent's handles here, all of them, before anything is opened.

    HDF5 would otherwise hand out the parent's file again: it knows an open file by its inode.
    """
    global _owner
    if _owner != os.getpid():
        for array in list(_opened):
            array.close()
        _opened.clear()
        _owner = os.getpid()


def open_array(path: str, name: str) -> FileArray:
    """One array, for reading.

    Raises
    ------
    StoreError
        If its metadata is damaged.
    """
    try:
        return FileArray(path, name)
    except DAMAGE as error:
        raise StoreError(
            f"{one_line(path)}: array {name!r} is damaged ({one_line(error)}); remove it and build again"
        ) from None


def opened(path: str, name: str, attributes: Mapping[str, Any]) -> Opened:
    """One array, whose metadata can be true."""
    array = open_array(path, name)
    return Opened(array, lambda first, last: np.asarray(array[first:last]), array.close)


def inspect(path: str, progress: Tell | None = None) -> Inspected:
    """Compare the whole file with its user block; `progress` is given MiB done."""
    lines = check_file(path, (lambda done: progress(done >> 20)) if progress else None)
    place = path.rstrip("/").rpartition("/")[2]
    return Inspected(1, tuple(Problem(kind="damaged file", place=place, message=line) for line in lines))


def write(
    path: Path,
    specs: Sequence[Array],
    attributes: Mapping[str, Any],
    small: Callable[[Array], Any],
    large: Iterable[Block],
) -> dict[str, str]:
    """Write and seal a whole store."""
    values = {
        spec.name: np.array(list(small(spec)), object) if spec.dtype == "string" else np.asarray(small(spec))
        for spec in specs
        if not spec.is_large
    }
    return {"": write_file(path, specs, attributes, small=values, large=large)}


HDF5 = Container(
    form=FORMS[1],
    unit="MiB",
    attributes=read_attributes,
    array_names=array_names,
    open=opened,
    inspect=inspect,
    size=lambda path, attributes: int(read_block(path)["size"]) >> 20,
    suspects=lambda problem, tables: [(name, None) for name in tables],  # its checksums tell which chunks
    write=write,
)
