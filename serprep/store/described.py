"""An array of a Zarr store by its ``zarr.json``: shape, type and small columns, without the library's import.

Small arrays are chunks of the codecs ``bytes`` or ``vlen-utf8``, then ``crc32c``.  Whatever else is asked for,
zarr itself answers.
"""

from collections.abc import Callable, Mapping
from functools import cached_property
from typing import Any

import google_crc32c
import numpy as np

from serprep._typing import AnyArray
from serprep.place.place import at

_CHECK = 4  # bytes of a checksum


class DescribedArray:
    """One array, which zarr opens where more than its shape and type is asked for."""

    def __init__(self, about: Mapping[str, Any], load: Callable[[], Any]) -> None:
        self._load = load
        self.shape = tuple(about["shape"])
        kind = about["data_type"]
        self.dtype: Any = np.dtypes.StringDType() if kind == "string" else np.dtype(kind)

    @cached_property
    def opened(self) -> Any:
        """The same as zarr opens it."""
        return self._load()

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self.opened, name)

    def __getitem__(self, rows: Any) -> Any:
        return self.opened[rows]

    def __len__(self) -> int:
        return int(self.shape[0])

    def __array__(self, dtype: Any = None, copy: bool | None = None) -> AnyArray:
        return np.asarray(self.opened[:], dtype)


def is_plain(about: Mapping[str, Any]) -> bool:
    """Whether a column's chunks can be read here: one dimension, of the codecs above."""
    names = [codec["name"] for codec in about["codecs"]]
    order = (about["codecs"][0].get("configuration") or {}).get("endian", "little")
    return (
        len(about["shape"]) == 1
        and names == ["vlen-utf8" if about["data_type"] == "string" else "bytes", "crc32c"]
        and order == "little"
        and about.get("chunk_key_encoding") == {"name": "default", "configuration": {"separator": "/"}}
    )


def read_plain(folder: str, about: Mapping[str, Any], first: int, last: int | None) -> AnyArray:
    """Rows ``[first, last)`` of a plain column, text as str.

    Raises
    ------
    OSError
        If a chunk is missing or not what its checksum says.
    """
    n, per_chunk = about["shape"][0], about["chunk_grid"]["configuration"]["chunk_shape"][0]
    first, last, _ = slice(first, last).indices(n)
    numbers = range(first // per_chunk, -(-last // per_chunk)) if last > first else range(0)
    chunks = [_chunk(folder, f"c/{number}", about["data_type"], per_chunk) for number in numbers]
    if not chunks:
        return np.empty(0, object if about["data_type"] == "string" else about["data_type"])
    start = numbers[0] * per_chunk
    return np.concatenate(chunks)[first - start : last - start]


def _chunk(folder: str, name: str, kind: str, n: int) -> AnyArray:
    try:
        data = at(folder).read(name)
    except FileNotFoundError:
        raise OSError(f"its file {name} is missing") from None
    body = data[:-_CHECK]
    if google_crc32c.value(body) != int.from_bytes(data[-_CHECK:], "little"):
        raise OSError("a checksum does not match")
    if kind != "string":
        values = np.frombuffer(body, np.dtype(kind).newbyteorder("<"))
        if len(values) != n:
            raise OSError(f"its file {name} holds {len(values)} rows, expected {n}")
        return values
    if int.from_bytes(body[:4], "little") != n:
        raise OSError(f"its file {name} holds not the {n} texts of a chunk")
    texts, place = np.empty(n, object), 4
    for i in range(n):
        size = int.from_bytes(body[place : place + 4], "little")
        place += 4 + size
        if place > len(body):
            raise OSError(f"its file {name} is cut short")
        texts[i] = body[place - size : place].decode()
    return texts
