"""Standardisation with statistics of the training utterances of one fold only.

Log-mel per band over the frames of the stored training segments, per tensor;
functionals per feature, then clipped to ±10.  float64, ddof 0; constant features
become 0.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from serprep._typing import AnyArray, DoubleArray, FloatArray, IntArray
from serprep.store.store import Store

CLIP = 10.0  # functionals: their tails reach thousands of standard deviations
_BLOCK = 1 << 17  # values treated at once: their float64 copies stay in the processor's cache

_PART = 128  # utterances read at once for statistics


@dataclass(frozen=True)
class Moments:
    """Mean and standard deviation of each feature; a deviation of 0 marks a constant one."""

    mean: DoubleArray
    std: DoubleArray

    def apply(self, values: AnyArray, *, clip: float | None = None, out: FloatArray | None = None) -> FloatArray:
        """Standardised values, float32, the same shape; the last axis are features."""
        scale = np.divide(1.0, self.std, out=np.zeros_like(self.std), where=self.std > 0)
        if out is None:
            out = np.empty(values.shape, np.float32)
        n_rows = max(1, _BLOCK * len(values) // max(1, values.size))
        for first in range(0, len(values), n_rows):
            block = (values[first : first + n_rows] - self.mean) * scale
            out[first : first + n_rows] = block if clip is None else np.clip(block, -clip, clip)
        return out


#: "short", "long", "functionals" → moments
Statistics = Mapping[str, Moments]


def moments(blocks: Iterable[AnyArray]) -> Moments:
    """Mean and deviation over all but the last axis of all blocks, which are gone through twice.

    Examples
    --------
    >>> moments([np.array([[1.0, 5.0], [3.0, 5.0]])]).std.tolist()
    [1.0, 0.0]
    """
    n, total, low, high = 0, np.zeros(1), np.array(np.inf), np.array(-np.inf)
    for block in map(_flat, blocks):
        n += len(block)
        total = total + block.sum(axis=0, dtype=np.float64)
        low, high = np.minimum(low, block.min(axis=0)), np.maximum(high, block.max(axis=0))
    mean = total / n
    square = sum(np.square(block - mean).sum(axis=0) for block in map(_flat, blocks)) / n
    return Moments(mean, np.where(high > low, np.sqrt(square), 0.0))


def _flat(block: AnyArray) -> AnyArray:
    return block.reshape(-1, block.shape[-1])


@dataclass(frozen=True)
class _Parts:
    """Blocks of utterances, read each time they are gone through: all of them may not fit in memory."""

    read: Callable[[IntArray], AnyArray]
    rows: IntArray

    def __iter__(self) -> Iterator[AnyArray]:
        for first in range(0, len(self.rows), _PART):
            yield self.read(self.rows[first : first + _PART])


def training_statistics(store: Store, rows: Sequence[int] | IntArray, kinds: Sequence[str]) -> dict[str, Moments]:
    """Moments of each kind over the training utterances `rows`.

    Parameters
    ----------
    store : Store
    rows : sequence of int
        Utterances of the training part, and no others.
    kinds : sequence of str
        Names of segments ("short", "long") and "functionals".
    """
    found = {}
    chosen = np.sort(np.asarray(rows, np.int64))
    for kind in kinds:
        if kind == "functionals":
            found[kind] = moments(_Parts(store.read_functionals, chosen))
        else:
            length = store.features.segments[kind].length
            found[kind] = moments(_Parts(lambda part, length=length: store.read_segments(part, length)[0], chosen))  # type: ignore[misc]
    return found
