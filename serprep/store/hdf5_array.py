"""One array of an HDF5 file, for reading; an open handle must not cross a fork."""

import math
import os
import weakref
from contextlib import suppress
from typing import Any

import h5py
import numpy as np

from serprep._typing import AnyArray
from serprep.errors import StoreError, one_line
from serprep.files import open_regular
from serprep.place.place import at
from serprep.store.claims import CHUNK_LIMIT, ITEM_BYTES
from serprep.store.container import DAMAGE
from serprep.store.hdf5_file import open_file

CHUNK_CACHE = 8 << 20  # bytes per array: a chunk stays while neighbours are read from it


class FileArray:
    """One array of a file, for reading; rows are given by an int or a slice.

    The file is opened by the process that reads, anew after a fork.
    """

    def __init__(self, path: str, name: str) -> None:
        self.path, self.name = path, name
        self._handles: tuple[h5py.File, h5py.Dataset] | None = None
        self._path = at(path).direct()
        self._checked: dict[int, int] = {}  # where chunks begin whose checksums were compared, while the file is open
        dataset = self._dataset()
        _check_array(dataset.file, name)
        self.shape: tuple[int, ...] = dataset.shape
        self._n_rows = (dataset.chunks or (0,))[0]  # of a chunk
        # what HDF5 counts places from differs by its version
        self._bases: tuple[int, ...] = (0, dataset.file.userblock_size)
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

    def read(self, first: int, last: int | None) -> AnyArray:
        """Rows ``[first, last)``: by HDF5, which checks chunks; alone where they lie in a chunk that it has checked."""
        dataset = self._dataset()
        last = self.shape[0] if last is None else min(last, self.shape[0])
        number, skipped = divmod(first, self._n_rows or 1)
        if not self._path or self.is_text or not first < last <= first - skipped + self._n_rows:
            return np.asarray(self[first:last])
        if number in self._checked:
            return self._read_alone(self._checked[number], skipped, last - first)
        values: AnyArray = np.asarray(dataset[first:last])
        corner = number * self._n_rows, *[0] * (len(self.shape) - 1)
        place = dataset.id.get_chunk_info_by_coord(corner).byte_offset
        for base in self._bases:
            with suppress(OSError, TypeError):
                if np.array_equal(_bits(self._read_alone(base + place, skipped, last - first)), _bits(values)):
                    self._checked[number], self._bases = base + place, (base,)
        return values

    def _read_alone(self, place: int, skipped: int, n: int) -> AnyArray:
        """Rows of a chunk that begins at `place`, past HDF5."""
        rows = np.empty((n, *self.shape[1:]), self.dtype)
        with open_regular(self._path) as file:
            file.seek(place + skipped * rows.strides[0])
            if file.readinto(_bits(rows).data) != rows.nbytes:
                raise OSError("it is cut short")
        return rows

    def _dataset(self) -> h5py.Dataset:
        _close_inherited()
        if self._handles is None:
            file = open_file(self.path, rdcc_nbytes=CHUNK_CACHE)
            self._handles = file, file[self.name]
            _opened.add(self)
        return self._handles[1]

    def close(self) -> None:
        """Close the file; the next reading opens it again."""
        handles, self._handles = self._handles, None
        self._checked.clear()
        if handles is not None:
            handles[0].close()


def _bits(rows: AnyArray) -> AnyArray:
    return rows.reshape(-1).view(np.uint8)


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
