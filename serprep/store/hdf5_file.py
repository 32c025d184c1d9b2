"""Files as HDF5 writes and reads them, without failing it."""

import os
from pathlib import Path
from typing import Any

import h5py

from serprep.place.place import at


def open_file(path: str, **options: Any) -> h5py.File:
    """A file on a disk or at a URL, for reading."""
    place = at(path)
    return h5py.File(place.direct() or place.open(), "r", **options)


class NewFile:
    """A new file that HDF5 writes to, and that never fails it.

    After a failed write, such as on a full disk, HDF5 cannot close a file any more and
    crashes the process.  So the first error is kept for `check`, and nothing is written
    after it.
    """

    def __init__(self, path: Path) -> None:
        self._raw = path.open("x+b", buffering=0)
        self._error: BaseException | None = None
        self._place = 0

    def __enter__(self) -> "NewFile":
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
