"""Standardisation with statistics of the training utterances of one fold only.

Log-mel per band over the frames of the stored training segments, per tensor;
functionals per feature, then clipped to ±10.  float64, ddof 0; constant features
become 0.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from serprep._typing import AnyArray, DoubleArray, FloatArray, IntArray
from serprep.store.store import Store

CLIP = 10.0  # functionals: their tails reach thousands of standard deviations
_BLOCK = 4096  # rows treated at once, so that float64 copies stay small


@dataclass(frozen=True)
class Moments:
    """Mean and standard deviation of each feature; a deviation of 0 marks a constant one."""

    mean: DoubleArray
    std: DoubleArray

    def apply(self, values: AnyArray, *, clip: float | None = None) -> FloatArray:
        """Standardised values, float32, the same shape; the last axis are features."""
        scale = np.divide(1.0, self.std, out=np.zeros_like(self.std), where=self.std > 0)
        out = np.empty(values.shape, np.float32)
        for first in range(0, len(values), _BLOCK):
            block = (values[first : first + _BLOCK] - self.mean) * scale
            out[first : first + _BLOCK] = block if clip is None else np.clip(block, -clip, clip)
        return out


#: "short", "long", "functionals" → moments
Statistics = Mapping[str, Moments]


def moments(blocks: Sequence[AnyArray]) -> Moments:
    """Mean and deviation over all but the last axis of all blocks, in two passes.

    Examples
    --------
    >>> moments([np.array([[1.0, 5.0], [3.0, 5.0]])]).std.tolist()
    [1.0, 0.0]
    """
    flat = [block.reshape(-1, block.shape[-1]) for block in blocks]
    n = sum(len(block) for block in flat)
    mean = sum(block.sum(axis=0, dtype=np.float64) for block in flat) / n
    square = sum(np.square(block - mean).sum(axis=0) for block in flat) / n
    low = np.min([block.min(axis=0) for block in flat], axis=0)
    high = np.max([block.max(axis=0) for block in flat], axis=0)
    return Moments(np.asarray(mean), np.where(high > low, np.sqrt(square), 0.0))


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
            found[kind] = moments([store.read_functionals(chosen)])
        else:
            length = store.features.segments[kind].length
            parts = np.array_split(chosen, max(1, len(chosen) // 256))
            found[kind] = moments([store.read_segments(part, length)[0] for part in parts])
    return found
