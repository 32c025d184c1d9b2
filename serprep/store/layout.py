"""Which arrays a store has, the same for every container (``docs/store.md``)."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from serprep.columns import dtype_of
from serprep.config import check, shown
from serprep.errors import StoreError
from serprep.features.extract import Features
from serprep.features.framing import Segment, n_segments
from serprep.forms import FORMS
from serprep.text import did_you_mean

CHUNK_BYTES = 3 << 19  # 1.5 MiB: what one read of a chunk costs is then mostly copying
CHUNKS_PER_SHARD = 16
SMALL_CHUNK = 65_536  # rows of columns, offsets and keys
FUNCTIONALS = "functionals/compare_2016"
FEATURE_TYPES = ("float16", "float32", "int16")


@dataclass(frozen=True, kw_only=True)
class StoreConfig:
    """Configuration of ``[store]``."""

    format: str = FORMS[0].name
    segment_dtype: Literal["float32", "float16"] = "float32"

    def __post_init__(self) -> None:
        check(self, StoreError, "store")
        known = [form.name for form in FORMS]
        if self.format not in known:
            meant = did_you_mean(self.format, known)
            raise StoreError(f"[store] format is {shown(self.format)}; expected one of {', '.join(known)}{meant}")


@dataclass(frozen=True, kw_only=True)
class Array:
    """One array of a store."""

    name: str
    shape: tuple[int, ...]
    dtype: str  # a numpy name, or "string"
    dimensions: tuple[str, ...]

    @property
    def chunk(self) -> int:
        """Rows of a chunk."""
        if not self.is_large:
            return max(1, min(self.shape[0], SMALL_CHUNK))
        row = int(np.prod(self.shape[1:])) * np.dtype(self.dtype).itemsize
        # a store smaller than a chunk is not padded to one
        return max(1, min(self.shape[0], 1 << max(0, (CHUNK_BYTES // row).bit_length() - 1)))

    @property
    def n_bytes(self) -> int:
        """Bytes of its numbers; strings are not counted."""
        return 0 if self.dtype == "string" else int(np.prod(self.shape)) * np.dtype(self.dtype).itemsize

    @property
    def shard(self) -> int:
        """Rows of a shard: what one task writes."""
        return self.chunk * CHUNKS_PER_SHARD if self.is_large else self.chunk

    @property
    def is_large(self) -> bool:
        """Whether it holds features, written shard by shard."""
        return self.dtype in FEATURE_TYPES and len(self.shape) > 1


@dataclass(frozen=True, kw_only=True)
class Table:
    """One array of features, and the small arrays that say which rows are whose."""

    kind: str
    name: str  # of the array, such as "logmel/30/segments"
    group: str  # where its keys and offsets lie, such as "logmel/30"
    row: tuple[int, ...]  # shape of one row
    dtype: str
    dimensions: tuple[str, ...]
    per_utterance: bool  # one row each, so it needs no offsets
    segment: Segment | None = None  # how rows are cut from the contour; None: they are stored as they are
    names: tuple[str, ...] = ()  # of the columns; () where they are not stored

    @property
    def offsets(self) -> str:
        """Name of the array of offsets; "" where there is one row per utterance."""
        return "" if self.per_utterance else f"{self.group}/offsets"

    @property
    def keys(self) -> str:
        """Name of the array of cache keys."""
        return f"{self.group}/keys"

    def n_rows(self, n_contour_rows: int) -> int:
        """Rows of an utterance whose contour has so many."""
        return n_segments(n_contour_rows, self.segment) if self.segment else n_contour_rows


def segments_name(length: int, of: str = "logmel") -> str:
    """Name of the segment tensor of that length."""
    return f"{of}/{length}/segments"


def tables(features: Features, segment_dtype: str = "float32") -> list[Table]:
    """The feature arrays of a store: segments first, then whole kinds."""
    layout = []
    for segment in features.segments.values():
        kind, config = features.kind(segment.of), features.configs[segment.of]
        row = kind.dimensions[1] or f"{segment.of}_column"
        suffix = f"_{segment.length}" if segment.of == Segment.of else f"_{segment.of}_{segment.length}"
        layout.append(
            Table(
                kind=segment.of,
                name=segments_name(segment.length, segment.of),
                group=f"{segment.of}/{segment.length}",
                row=(segment.length, kind.n_columns(config)),
                dtype=segment_dtype if kind.dtype(config) == "float32" else kind.dtype(config),
                dimensions=(f"segment{suffix}", f"frame{suffix}", row),
                per_utterance=False,
                segment=segment,
            )
        )
    for name in features.kinds:
        kind, config = features.kind(name), features.configs[name]
        if not kind.whole:
            continue
        shape = kind.shape_of(config)
        rows = "utterance" if shape == "row" else kind.dimensions[0] or f"{name}_row"
        layout.append(
            Table(
                kind=name,
                name=f"{name}/{kind.array}",
                group=name,
                row=(kind.n_columns(config),),
                dtype=kind.dtype(config),
                dimensions=(rows, kind.dimensions[1] or f"{name}_column"),
                per_utterance=shape == "row",
                names=kind.names(config),
            )
        )
    return layout


def counted_columns(features: Features) -> tuple[str, ...]:
    """Columns of the utterance table that say how much of each utterance there is."""
    return ("n_samples", "n_frames") if features.framed else ("n_samples",)


def arrays(
    *,
    columns: Sequence[str],
    numbers: Collection[str] = (),
    n: int,
    n_rows: Mapping[str, int],
    features: Features,
    config: StoreConfig,
) -> list[Array]:
    """Every array of a store.

    Parameters
    ----------
    columns : sequence of str
        Columns of the manifest.
    numbers : collection of str
        Those of them that hold numbers besides the ones that always do.
    n : int
        Utterances.
    n_rows : mapping of str to int
        Name of a table with offsets → its rows in all.
    features : Features
        Whose kinds have tables.
    config : StoreConfig
        The type of segments.
    """
    layout = []
    for column in (*columns, *counted_columns(features)):
        dtype = "float64" if column in numbers else dtype_of(column)
        layout.append(Array(name=f"utterances/{column}", shape=(n,), dtype=dtype, dimensions=("utterance",)))
    for table in tables(features, config.segment_dtype):
        rows = n if table.per_utterance else n_rows[table.name]
        layout.append(Array(name=table.name, shape=(rows, *table.row), dtype=table.dtype, dimensions=table.dimensions))
        if table.names:
            names = (len(table.names),)
            layout.append(
                Array(name=f"{table.name}_names", shape=names, dtype="string", dimensions=table.dimensions[1:])
            )
        if table.offsets:
            layout.append(Array(name=table.offsets, shape=(n + 1,), dtype="int64", dimensions=("boundary",)))
        layout.append(Array(name=table.keys, shape=(n, 32), dtype="uint8", dimensions=("utterance", "byte")))
    return layout
