"""Which arrays a store has, the same for every container (``docs/store.md``)."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from serprep.errors import StoreError
from serprep.features.compare_2016 import lld_names
from serprep.features.extract import Features
from serprep.features.functionals import N_FEATURES

CHUNK_BYTES = 3 << 19  # 1.5 MiB: what one read of a chunk costs is then mostly copying
CHUNKS_PER_SHARD = 16
SMALL_CHUNK = 65_536  # rows of columns, offsets and keys
FUNCTIONALS = "functionals/compare_2016"
LLD = "lld/compare_2016"
NUMBERS = {"start": "float64", "end": "float64", "duration": "float64"}
COUNTS = {"sample_rate": "int64", "n_samples": "int64", "n_frames": "int64"}


@dataclass(frozen=True, kw_only=True)
class StoreConfig:
    """Configuration of ``[store]``."""

    format: str = "zarr"
    segment_dtype: str = "float32"

    def __post_init__(self) -> None:
        if self.format not in ("zarr", "hdf5"):
            raise StoreError(f"[store] format is {self.format!r}; expected 'zarr' or 'hdf5'")
        if self.segment_dtype not in ("float32", "float16"):
            raise StoreError(f"[store] segment_dtype is {self.segment_dtype!r}; expected 'float32' or 'float16'")


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
        return self.dtype.startswith("float") and len(self.shape) > 1


def segments_name(length: int) -> str:
    """Name of the segment tensor of that length."""
    return f"logmel/{length}/segments"


def arrays(
    *,
    columns: Sequence[str],
    numbers: Collection[str] = (),
    n: int,
    n_segments: Mapping[int, int],
    n_lld: int = 0,
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
    n_segments : mapping of int to int
        Segment length → segments in all.
    n_lld : int
        Rows of contours in all.
    """
    found = []
    for column in (*columns, "n_samples", "n_frames"):
        dtype = NUMBERS.get(column) or COUNTS.get(column) or ("float64" if column in numbers else "string")
        found.append(Array(name=f"utterances/{column}", shape=(n,), dtype=dtype, dimensions=("utterance",)))
    per_utterance = ("utterance", "byte")
    for length, count in n_segments.items():
        found += [
            Array(
                name=segments_name(length),
                shape=(count, length, features.logmel.n_mels),
                dtype=config.segment_dtype,
                dimensions=(f"segment_{length}", f"frame_{length}", "mel"),
            ),
            Array(name=f"logmel/{length}/offsets", shape=(n + 1,), dtype="int64", dimensions=("boundary",)),
            Array(name=f"logmel/{length}/keys", shape=(n, 32), dtype="uint8", dimensions=per_utterance),
        ]
    if features.functionals.enabled:
        found += [
            Array(name=FUNCTIONALS, shape=(n, N_FEATURES), dtype="float32", dimensions=("utterance", "functional")),
            Array(name=f"{FUNCTIONALS}_names", shape=(N_FEATURES,), dtype="string", dimensions=("functional",)),
            Array(name="functionals/keys", shape=(n, 32), dtype="uint8", dimensions=per_utterance),
        ]
    if features.lld.enabled:
        n_names = len(lld_names())
        found += [
            Array(name=LLD, shape=(n_lld, n_names), dtype="float32", dimensions=("lld_frame", "descriptor")),
            Array(name=f"{LLD}_names", shape=(n_names,), dtype="string", dimensions=("descriptor",)),
            Array(name="lld/offsets", shape=(n + 1,), dtype="int64", dimensions=("boundary",)),
            Array(name="lld/keys", shape=(n, 32), dtype="uint8", dimensions=per_utterance),
        ]
    return found
