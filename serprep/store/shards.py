"""Rows of a large array of a Zarr store, written and read directly: here file by file, at a URL many chunks at a time.

By the sharding codec of Zarr 3 a file holds chunks, each followed by its CRC-32C, and last of all
an index: where each chunk begins and how many bytes it has, uint64, and a CRC-32C of these.
A chunk is checked when it is first touched, and whenever it is read whole; what is read of it afterwards,
while the array is open, is read alone: a few rows need not wait for a megabyte and its checksum.
zarr reads the same files, with several copies and some turns of its event loop for every chunk.
"""

import json
import os
import sys
from collections.abc import Sequence
from io import FileIO
from typing import Any

import google_crc32c
import numpy as np

from serprep._typing import AnyArray
from serprep.files import open_regular
from serprep.place.place import at

_PLAIN = [{"name": "bytes", "configuration": {"endian": "little"}}, {"name": "crc32c"}]
_CHECK = 4  # bytes of a checksum
_NOWHERE = (1 << 64) - 1  # place and size of a chunk that a shard lacks


def encode_shard(rows: AnyArray, *, per_chunk: int, per_shard: int, fill: Any) -> bytearray:
    """The file of a shard: its chunks, the last one filled up, and their index.

    Parameters
    ----------
    rows : ndarray, shape (n, ...)
        At most `per_shard`: the last shard of an array may have fewer.
    per_chunk, per_shard : int
        Rows.
    fill : number
        What is behind the last row of its chunk.
    """
    rows = np.ascontiguousarray(rows, rows.dtype.newbyteorder("<")).reshape(len(rows), -1)
    n_chunks, n_bytes = -(-len(rows) // per_chunk), per_chunk * rows[:1].nbytes
    index = np.full((per_shard // per_chunk, 2), _NOWHERE, "<u8")
    index[:n_chunks] = [(k * (n_bytes + _CHECK), n_bytes + _CHECK) for k in range(n_chunks)]
    data = bytearray(n_chunks * (n_bytes + _CHECK) + index.nbytes + _CHECK)
    place = 0
    for first in range(0, len(rows), per_chunk):
        chunk = rows[first : first + per_chunk]
        if len(chunk) < per_chunk:
            chunk = np.concatenate([chunk, np.full((per_chunk - len(chunk), chunk.shape[1]), fill, chunk.dtype)])
        place = _put(data, place, chunk)
    _put(data, place, index)
    return data


def _put(data: bytearray, place: int, values: AnyArray) -> int:
    """Write values and their checksum into `data`; where they end."""
    end = place + values.nbytes
    data[place:end] = values.reshape(-1).view(np.uint8).data
    data[end : end + _CHECK] = google_crc32c.value(values.reshape(-1).view(np.uint8)).to_bytes(_CHECK, "little")
    return end + _CHECK


class Shards:
    """One array.

    Parameters
    ----------
    folder : str
        Path or URL.
    array : zarr.Array
        The same, as zarr opens it.
    """

    def __init__(self, folder: str, array: Any) -> None:
        self.place, self.shape, self.dtype = at(folder), array.shape, array.dtype
        self.folder = self.place.direct()
        self.per_chunk, self.per_shard = array.chunks[0], array.shards[0]
        self.row_bytes = int(np.prod(self.shape[1:])) * self.dtype.itemsize
        self._indices: dict[int, list[list[int]]] = {}  # of shards here: place and size of each chunk
        self._checked: set[tuple[int, int]] = set()  # shard and chunk
        self._spare: list[AnyArray] = []  # room for a chunk: fresh memory costs as much as what is read into it

    @classmethod
    def of(cls, folder: str, array: Any) -> "Shards | None":
        """The array, unless it is laid out in another way than `create_array` does."""
        if not array.shards or array.chunks[1:] != array.shape[1:] or sys.byteorder != "little":
            return None
        sharding, *others = json.loads(json.dumps(array.metadata.to_dict()["codecs"]))
        how = sharding["configuration"]
        plain = how["codecs"] == how["index_codecs"] == _PLAIN and how["index_location"] == "end"
        return cls(folder, array) if plain and not others else None

    def read(self, first: int, last: int | None) -> AnyArray:
        """Rows ``[first, last)``, every chunk that is touched checked.

        Raises
        ------
        OSError
            If a file or a chunk is missing, cut short, or not what its checksum says.
        """
        last = self.shape[0] if last is None else min(last, self.shape[0])
        out = np.empty((max(0, last - first), self.row_bytes), np.uint8)
        numbers = range(first // self.per_shard, -(-last // self.per_shard)) if len(out) else range(0)
        if numbers and not self.folder:
            self._fetch(numbers, first, last, out)
        for number in numbers if self.folder else ():
            begin = number * self.per_shard
            rows = max(first, begin), min(last, begin + self.per_shard)
            self._read_shard(number, rows[0] - begin, rows[1] - begin, out[rows[0] - first : rows[1] - first])
        values: AnyArray = out.view(self.dtype).reshape(-1, *self.shape[1:])
        return values

    def _file(self, number: int) -> str:
        return "/".join(["c", str(number), *["0"] * (len(self.shape) - 1)])

    def _fetch(self, numbers: Sequence[int], first: int, last: int, out: AnyArray) -> None:
        """Rows ``[first, last)``, from a URL: the indices of all files at a time, then all chunks."""
        shape = (self.per_shard // self.per_chunk, 2)
        n_bytes = 16 * shape[0]

        def index_of(number: int) -> AnyArray:
            data = self._ask(number, -n_bytes - _CHECK, None, n_bytes)
            return np.frombuffer(data, np.uint64).reshape(shape)

        def fetch(chunk: int) -> None:
            number, k = divmod(chunk, shape[0])
            place, size = indices[number][k].tolist()
            whole_bytes = self.per_chunk * self.row_bytes
            if size != whole_bytes + _CHECK or place >= 1 << 63:
                raise OSError(f"chunk {k} of its file {self._file(number)} is missing")
            data = self._ask(number, place, place + size, whole_bytes)
            start, stop = chunk * self.per_chunk, (chunk + 1) * self.per_chunk
            rows = max(first, start), min(last, stop)
            whole = np.frombuffer(data, np.uint8).reshape(self.per_chunk, self.row_bytes)
            out[rows[0] - first : rows[1] - first] = whole[rows[0] - start : rows[1] - start]

        indices = dict(zip(numbers, self.place.each(index_of, numbers), strict=True))
        for _ in self.place.each(fetch, range(first // self.per_chunk, -(-last // self.per_chunk))):
            pass

    def _ask(self, number: int, start: int, end: int | None, n_bytes: int) -> bytes:
        """So many bytes of a file at a URL, which a checksum follows."""
        try:
            data = self.place.read(self._file(number), start, end)
        except FileNotFoundError:
            raise OSError(f"its file {self._file(number)} is missing") from None
        if len(data) != n_bytes + _CHECK or google_crc32c.value(data[:-_CHECK]) != int.from_bytes(data[-4:], "little"):
            raise OSError("a checksum does not match")
        return data[:-_CHECK]

    def _read_shard(self, number: int, first: int, last: int, out: AnyArray) -> None:
        """Rows ``[first, last)`` of one file here."""
        name = f"{self.folder}/{self._file(number)}"
        try:
            file = open_regular(name)
        except FileNotFoundError:
            raise OSError(f"its file {self._file(number)} is missing") from None
        with file:
            if number not in self._indices:
                self._indices[number] = self._read_index(file)
            for chunk in range(first // self.per_chunk, -(-last // self.per_chunk)):
                start, stop = chunk * self.per_chunk, (chunk + 1) * self.per_chunk
                wanted = out[max(first, start) - first : min(last, stop) - first]
                place, size = self._indices[number][chunk]
                if size != self.per_chunk * self.row_bytes + _CHECK:
                    raise OSError(f"chunk {chunk} of its file {self._file(number)} is missing")
                skipped = max(first, start) - start
                if len(wanted) == self.per_chunk:
                    _read_checked(file, place, wanted.reshape(-1))
                elif (number, chunk) in self._checked:
                    _read_exactly(file, place + skipped * self.row_bytes, wanted.reshape(-1))
                else:
                    shape = self.per_chunk, self.row_bytes
                    whole = self._spare.pop() if self._spare else np.empty(shape, np.uint8)
                    _read_checked(file, place, whole.reshape(-1))
                    wanted[:] = whole[skipped : skipped + len(wanted)]
                    self._spare.append(whole)
                self._checked.add((number, chunk))

    def _read_index(self, file: FileIO) -> list[list[int]]:
        """Place and size of each chunk of a file here; those that cannot lie in it have size 0."""
        index = np.empty((self.per_shard // self.per_chunk, 2), np.uint64)
        end = max(0, file.seek(0, os.SEEK_END) - index.nbytes - _CHECK)
        _read_checked(file, end, index.view(np.uint8).reshape(-1))
        return [[place, size if place <= end - size else 0] for place, size in index.tolist()]


def _read_exactly(file: FileIO, place: int, out: AnyArray) -> None:
    """Bytes of a file from `place` on."""
    file.seek(place)
    if file.readinto(out.data) != out.nbytes:
        raise OSError("it is cut short")


def _read_checked(file: FileIO, place: int, out: AnyArray) -> None:
    """Bytes of a file from `place` on, and the checksum after them."""
    _read_exactly(file, place, out)
    if google_crc32c.value(out) != int.from_bytes(file.read(_CHECK), "little"):
        raise OSError("a checksum does not match")
