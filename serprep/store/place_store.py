"""What zarr reads a store through, here and at a URL."""

import asyncio
from typing import Any

from zarr.abc.store import OffsetByteRequest, RangeByteRequest, SuffixByteRequest
from zarr.core.buffer import default_buffer_prototype
from zarr.storage import MemoryStore

from serprep.place.place import at


class PlaceStore(MemoryStore):
    """What zarr reads a store through: a missing chunk is an error, and never fill values.

    It holds nothing in memory and no connection, so an open array may cross a fork.
    """

    def __init__(self, path: str) -> None:
        super().__init__(read_only=True)
        self._path = path

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PlaceStore) and other._path == self._path

    async def get(self, key: str, prototype: Any = None, byte_range: Any = None) -> Any:
        """Bytes of a file, or None where metadata may be missing."""
        return await asyncio.to_thread(self._get, key, prototype or default_buffer_prototype(), byte_range)

    def _get(self, key: str, prototype: Any, byte_range: Any) -> Any:
        start, end = 0, None
        if isinstance(byte_range, RangeByteRequest):
            start, end = byte_range.start, byte_range.end
        elif isinstance(byte_range, OffsetByteRequest):
            start = byte_range.offset
        elif isinstance(byte_range, SuffixByteRequest):
            start = -byte_range.suffix
        try:
            data = at(self._path).read(key, start, end)
        except FileNotFoundError:
            _, chunk, cell = key.rpartition("/c/")
            if chunk:
                raise OSError(f"its file c/{cell} is missing") from None
            return None
        return prototype.buffer.from_bytes(data)

    async def get_partial_values(self, prototype: Any, key_ranges: Any) -> list[Any]:
        """Bytes of several files."""
        return [await self.get(key, prototype, byte_range) for key, byte_range in key_ranges]

    async def exists(self, key: str) -> bool:
        """Whether there is a file."""
        return await asyncio.to_thread(at(self._path).exists, key)
