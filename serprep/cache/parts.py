"""Intermediate features, keyed by content; safe to delete at any time.

A key is the SHA-256 of (audio digest, start, end, configuration, extractor identity):
not the path, the label, the speaker or the corpus.  Features lie in *parts*, one
immutable file per batch, written beside and made visible in one step.  No locks, any
number of writers, duplicates harmless.

Part file, little-endian::

    8 bytes   b"SERPART1"
    4 bytes   n, rows of the index (utterances)
    4 bytes   w, columns of the data
    32 bytes  SHA-256 of the 16 bytes above and the index below
    index     keys (n, 32) uint8; n_samples (n,) int64; offsets (n + 1,) int64;
              crc (n,) uint32, each of one utterance's rows
    data      (offsets[n], w) float32
"""

import hashlib
import math
import zlib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from serprep._json import canonical_json, load_object
from serprep._typing import AnyArray, ByteArray, FloatArray, IntArray
from serprep.errors import CacheError, PartError, one_line
from serprep.limits import refusal
from serprep.place.place import Place, at

MAGIC = b"SERPART1"
_HEAD = 48
_HOUR = 3600.0  # seconds
_WIDEST = 1 << 24  # columns
_LARGEST = 1 << 60  # values of a part


def key_of(digest: str, start: float | None, end: float | None, identity: Mapping[str, Any]) -> bytes:
    """The key of one feature of one utterance, 32 bytes.

    Parameters
    ----------
    digest : str
        SHA-256 of the file, hex.
    start, end : float or None
        Seconds.
    identity : mapping
        Of the extractor, with the configuration it depends on.
    """
    return hashlib.sha256(canonical_json([digest, start, end, identity])).digest()


def revised_identity(identity: Mapping[str, Any]) -> dict[str, Any]:
    """The identity of an extractor for recordings that this release decodes to other samples than the one before.

    They have keys of their own, so that features of before are never theirs; all others keep their keys.
    """
    return {**identity, "decoding": 2}


@dataclass(frozen=True)
class Span:
    """Where the rows of one utterance lie."""

    part: str  # name of the part
    start: int  # byte at which its rows begin
    shape: tuple[int, int]  # rows, columns
    crc: int
    n_samples: int


PLACE = np.dtype("i4, i8, i8, i4, u4, i8")
PLACE.names = ("part", "start", "n_rows", "width", "crc", "n_samples")


@dataclass(frozen=True, eq=False)
class Places(Sequence[Span | None]):
    """Many places in little memory; None for what is not cached."""

    parts: tuple[str, ...]
    table: AnyArray  # of PLACE, whose part is a number in `parts`, or -1

    @property
    def cached(self) -> AnyArray:
        """Which are cached, shape (n,), bool."""
        return np.asarray(self.table["part"] >= 0)

    def __len__(self) -> int:
        return len(self.table)

    def __getitem__(self, number: Any) -> Any:
        if isinstance(number, int):
            row = self.table[number]
            if row["part"] < 0:
                return None
            return Span(
                part=self.parts[row["part"]],
                start=int(row["start"]),
                shape=(int(row["n_rows"]), int(row["width"])),
                crc=int(row["crc"]),
                n_samples=int(row["n_samples"]),
            )
        table = self.table[number]  # a slice, a mask or numbers: with the names of those parts alone
        used, part = np.unique(table["part"], return_inverse=True)
        if used.size and used[0] < 0:
            used, part = used[1:], part - 1
        table = table.copy()
        table["part"] = part
        return Places(tuple(self.parts[i] for i in used), table)

    @classmethod
    def joined(cls, several: Sequence["Places"]) -> "Places":
        """Places of some rows, then those of others; all of them are cached."""
        firsts = np.cumsum([0, *(len(places.parts) for places in several)])
        tables = [places.table.copy() for places in several]
        for table, first in zip(tables, firsts.tolist(), strict=False):
            table["part"] += first
        return cls(tuple(part for places in several for part in places.parts), np.concatenate(tables))


def nowhere(n: int) -> Places:
    """Places of `n` rows that are not there."""
    table = np.zeros(n, PLACE)
    table["part"] = -1
    return Places((), table)


def as_keys(keys: Iterable[bytes]) -> ByteArray:
    """Keys as an array, shape (n, 32)."""
    buffer = bytearray()
    for key in keys:
        buffer += key
    return np.frombuffer(buffer, np.uint8).reshape(-1, 32)


def sortable(keys: ByteArray) -> AnyArray:
    """The same keys as one array of byte strings, shape (n,)."""
    return np.ascontiguousarray(keys).view(f"S{keys.shape[1]}")[:, 0]


def pack_part(keys: Sequence[bytes], rows: Sequence[FloatArray], n_samples: Sequence[int]) -> bytes:
    """The bytes of a part."""
    data = [np.ascontiguousarray(block, "<f4") for block in rows]
    offsets = np.concatenate([[0], np.cumsum([len(block) for block in data])]).astype("<i8")
    index = b"".join(
        [
            b"".join(keys),
            np.asarray(n_samples, "<i8").tobytes(),
            offsets.tobytes(),
            np.array([zlib.crc32(block.data) for block in data], "<u4").tobytes(),
        ]
    )
    head = MAGIC + np.array([len(keys), data[0].shape[1]], "<u4").tobytes()
    return b"".join([head, hashlib.sha256(head + index).digest(), index, *(block.data for block in data)])


def _index_size(n: int) -> int:
    return n * (32 + 8 + 8 + 4) + 8


def unpack_index(name: str, data: bytes) -> tuple[ByteArray, Places] | None:
    """Keys and places from the beginning of a part; None if it is not whole."""
    if len(data) < _HEAD or data[:8] != MAGIC:
        return None
    n, width = (int(value) for value in np.frombuffer(data, "<u4", 2, 8))
    index = data[_HEAD : _HEAD + _index_size(n)]
    if len(index) < _index_size(n) or hashlib.sha256(data[:16] + index).digest() != data[16:_HEAD]:
        return None
    offsets = np.frombuffer(index, "<i8", n + 1, 40 * n)
    if not 0 < width < _WIDEST or offsets[0] or (offsets[1:] < offsets[:-1]).any() or offsets[-1] > _LARGEST // width:
        return None  # nobody writes such a part by accident
    table = np.zeros(n, PLACE)
    table["start"] = _HEAD + len(index) + offsets[:-1] * width * 4
    table["n_rows"] = np.diff(offsets)
    table["width"] = width
    table["crc"] = np.frombuffer(index, "<u4", n, 48 * n + 8)
    table["n_samples"] = np.frombuffer(index, "<i8", n, 32 * n)
    return np.frombuffer(index, np.uint8, 32 * n).reshape(n, 32), Places((name,), table)


@dataclass
class Cache:
    """The cache under a folder or URL.

    Parameters
    ----------
    root : str
        Local folder or URL; made when first written to.
    also : str
        A local folder of parts that are read, too, and never written; "" for none.
    """

    root: str
    also: str = ""
    folder: Place = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        self.folder = at(self.root)

    @property
    def _place(self) -> str:
        """How messages name it."""
        return f"cache {one_line(self.root)}"

    def write(self, kind: str, keys: Sequence[bytes], rows: Sequence[FloatArray], n_samples: Sequence[int]) -> str:
        """Write one part; returns its name.

        Raises
        ------
        CacheError
            If the disk is full or the folder cannot be written.
        """
        data = pack_part(keys, rows, n_samples)
        name = f"{kind}/{hashlib.sha256(data[:_HEAD]).hexdigest()[:32]}.part"
        self._write(name, data)
        return name

    def _write(self, name: str, data: bytes | bytearray) -> None:
        try:
            self.folder.write(name, data)
        except OSError as error:
            raise CacheError(
                f"{self._place}: {error.strerror or error}; free space or make it writable, then build again: "
                "finished parts are kept"
            ) from None

    def find(self, kind: str, keys: Sequence[bytes] | ByteArray, *, written: Collection[str] = ()) -> Places:
        """Where the rows of each key lie; `written` are names of parts that a listing may not have yet.

        Parts that are damaged, vanish meanwhile, or are somebody's who lets nobody read them count as not there.
        """
        keys = keys if isinstance(keys, np.ndarray) else as_keys(keys)
        wanted, inverse = np.unique(sortable(keys), return_inverse=True)
        table = np.zeros(len(wanted), PLACE)
        table["part"] = -1
        parts: list[str] = []
        n_missing = len(wanted)
        for name, (own, places) in self._indices(kind, written, private=False) if n_missing else ():
            if not n_missing:
                break
            at = np.minimum(np.searchsorted(wanted, sortable(own)), len(wanted) - 1)
            new = (wanted[at] == sortable(own)) & (table["part"][at] < 0)
            if new.any():
                table[at[new]] = places.table[new]
                table["part"][at[new]] = len(parts)
                parts.append(name)
                self._touch(name)
                n_missing = int(np.count_nonzero(table["part"] < 0))
        return Places(tuple(parts), table[inverse])

    def parts(self, kind: str) -> dict[str, frozenset[bytes]]:
        """Name of every part → its keys; damaged parts have none."""
        return {name: frozenset(map(bytes, keys)) for name, (keys, _) in self._indices(kind)}

    def forget(self, kind: str, keys: ByteArray, *, keep: Collection[str] = ()) -> int:
        """Remove every part that has one of these keys, except those to `keep`; how many were removed."""
        own = frozenset(map(bytes, keys))
        stale = [name for name, held in self.parts(kind).items() if name not in keep and held & own]
        for name in stale:
            self.folder.remove(name)
        return len(stale)

    def _names(self, kind: str) -> list[str]:
        """Names of all files of a kind; what is read besides has an absolute one."""
        try:
            other = at(self.also).names(kind) if self.also else []
            return self.folder.names(kind) + [str(Path(self.also, name).absolute()) for name in other]
        except OSError as error:
            reason = refusal(error) or f"{error.strerror or error}; expected a readable folder"
            raise CacheError(f"{self._place}: {reason}") from None

    def _indices(
        self, kind: str, written: Collection[str] = (), *, private: bool = True
    ) -> Iterator[tuple[str, tuple[ByteArray, Places]]]:
        """Name and index of every part; at a URL many are fetched at a time.

        `private` asks also for what may not be read here, which is then an error.
        """
        listed = [name for name in self._names(kind) if name.endswith(".part")]
        names = [*listed, *sorted(set(written) - set(listed))]
        yield from zip(names, self.folder.each(partial(self._index, private=private), names), strict=True)

    def _at(self, name: str) -> tuple[Place, str]:
        """The folder that a part or list lies in, and its name there."""
        path = Path(name)
        return (at(path.parent), path.name) if path.is_absolute() else (self.folder, name)

    def _touch(self, name: str) -> None:
        """Note that a part is used, once an hour: what is not used goes first when space is wanted."""
        folder, name = self._at(name)
        folder.touch(name, _HOUR)

    def _index(self, name: str, *, private: bool) -> tuple[ByteArray, Places]:
        none = as_keys(()), Places((), np.zeros(0, PLACE))
        try:
            folder, inside = self._at(name)
            data = folder.read(inside, 0, 8192)
            if len(data) >= _HEAD:
                size = _HEAD + _index_size(int(np.frombuffer(data, "<u4", 1, 8)[0]))
                if size > len(data) == 8192:  # a damaged head may announce any size: read what is there
                    data = folder.read(inside)
        except FileNotFoundError:
            return none
        except OSError as error:
            if isinstance(error, PermissionError) and not private and folder.direct():
                return none
            raise CacheError(f"{self._place}: {one_line(name)}: {error.strerror or error}; make it readable") from None
        return unpack_index(name, data) or none

    def read(self, places: Iterable[Span | None]) -> list[FloatArray]:
        """The rows of each place, in order.

        Raises
        ------
        PartError
            If rows are gone or damaged; building again with that part removed
            computes them afresh.
        """
        wanted = [place for place in places if place is not None]
        by_part: dict[str, list[int]] = {}
        for number, place in enumerate(wanted):
            by_part.setdefault(place.part, []).append(number)
        blocks: list[FloatArray | None] = [None] * len(wanted)
        for part, numbers in by_part.items():
            first = min(wanted[number].start for number in numbers)
            last = max(wanted[number].start + 4 * math.prod(wanted[number].shape) for number in numbers)
            try:
                folder, inside = self._at(part)
                data = folder.read(inside, first, last)
            except FileNotFoundError:
                raise PartError(
                    f"{self._place}: part {one_line(part)} was removed during the build; build again"
                ) from None
            for number in numbers:
                place = wanted[number]
                start, count = place.start - first, math.prod(place.shape)
                block = data[start : start + 4 * count]
                if len(block) < 4 * count or zlib.crc32(block) != place.crc:
                    folder.remove(inside)
                    raise PartError(
                        f"{self._place}: part {one_line(part)} was damaged and is removed now; "
                        "build again to compute its utterances afresh"
                    )
                blocks[number] = np.frombuffer(block, "<f4").reshape(place.shape)
        return [block for block in blocks if block is not None]

    # -- utterances that gave no features -------------------------------------------

    def write_failures(self, failures: Mapping[bytes, str]) -> None:
        """Remember why utterances gave no features, under the keys they would have had."""
        data = canonical_json({key.hex(): reason for key, reason in failures.items()})
        self._write(f"failures/{hashlib.sha256(data).hexdigest()[:32]}.json", data)

    def failures(self) -> dict[bytes, str]:
        """Key → reason of every remembered failure."""
        reasons: dict[bytes, str] = {}
        for name in self._names("failures"):
            try:
                folder, inside = self._at(name)
                values = load_object(folder.read(inside))
                reasons.update({_key(key): _reason(reason) for key, reason in values.items()})
                self._touch(name)
            except (OSError, ValueError):
                continue  # damaged or removed: those utterances are tried again
        return reasons


def _key(text: str) -> bytes:
    key = bytes.fromhex(text)
    if len(key) != 32:
        raise ValueError("no key")
    return key


def _reason(value: object) -> str:
    if not isinstance(value, str) or not value:
        raise ValueError("no reason")
    return value


def offsets_of(lengths: Sequence[int]) -> IntArray:
    """Row offsets, shape (n + 1,), from lengths.

    Examples
    --------
    >>> offsets_of([2, 3]).tolist()
    [0, 2, 5]
    """
    return np.concatenate([[0], np.cumsum(np.asarray(lengths, np.int64))]).astype(np.int64)
