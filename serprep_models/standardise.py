"""Standardisation: with statistics of the training part, of the utterance itself, or of its speaker.

Segments and contours per column over all their frames; rows per column, then clipped to ±10.
float64, ddof 0; constant features become 0.

Statistics of the training part (the default) know nothing of test speakers.  Those of a
speaker come from recordings of that speaker without their labels: test speakers' too,
which makes a system *transductive*.
"""

import math
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property, partial

import numpy as np

from serprep._typing import AnyArray, DoubleArray, FloatArray, IntArray
from serprep.store.layout import Table
from serprep.store.store import Store

CLIP = 10.0  # rows: the tails of functionals reach thousands of standard deviations
_BLOCK = 1 << 17  # values treated at once: their float64 copies stay in the processor's cache

_PART, _PART_BYTES = 128, 64 << 20  # utterances read at once, and their float32 values: copies are float64


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
        if not values.size:
            return out
        # whole rows at once, in float64, in one piece of memory: ten times as fast as the plain formula
        flat, target = values.reshape(len(values), -1), out.reshape(len(values), -1)
        n_frames = flat.shape[1] // len(self.mean)
        mean, scale = np.tile(self.mean, n_frames), np.tile(scale, n_frames)
        n_rows = max(1, _BLOCK // flat.shape[1])
        scratch = np.empty((n_rows, flat.shape[1]))
        for first in range(0, len(flat), n_rows):
            block = scratch[: len(flat) - first]
            np.copyto(block, flat[first : first + n_rows])
            block -= mean
            block *= scale
            if clip is not None:
                np.clip(block, -clip, clip, out=block)
            target[first : first + n_rows] = block
        return out


@dataclass(frozen=True)
class Ranks:
    """Rank to normal: the place of a value among those of some utterances, as a normal deviate.

    A value that *r* is the rank of among *n*, ties averaged, becomes ``norm.ppf((r - 0.5) / n)``;
    between two values the probability is interpolated, and beyond all of them it is that of the last.
    """

    values: FloatArray  # (n, n_features), each feature ascending

    @classmethod
    def of(cls, values: FloatArray) -> "Ranks":
        """Among the rows of `values`, shape (n, n_features)."""
        return cls(np.sort(values, axis=0))

    @cached_property
    def probabilities(self) -> DoubleArray:
        """Of each of the values, shape (n, n_features)."""
        from scipy.stats import rankdata

        ranks: DoubleArray = (rankdata(self.values, axis=0) - 0.5) / len(self.values)
        return ranks

    def apply(self, values: AnyArray, *, clip: float | None = None, out: FloatArray | None = None) -> FloatArray:
        """Normal deviates, float32, shape (n, n_features); `clip` is never reached."""
        from scipy.special import ndtri

        probabilities = np.empty(values.shape)
        for k in range(values.shape[1]):
            probabilities[:, k] = np.interp(values[:, k], self.values[:, k], self.probabilities[:, k])
        deviates: FloatArray = ndtri(probabilities).astype(np.float32)
        if out is None:
            return deviates
        out[:] = deviates
        return out


@dataclass(frozen=True)
class OwnMoments:
    """Each utterance by its own mean and deviation."""

    def groups(self, rows: IntArray) -> IntArray:
        """Which utterances are treated together: none."""
        return np.arange(len(rows))

    def of(self, group: int, values: AnyArray) -> Moments:
        """What the utterance's own values give."""
        return moments([values])


@dataclass(frozen=True)
class SpeakerMoments:
    """Each utterance by mean and deviation of its speaker."""

    speakers: IntArray  # (n_utterances of the store,) numbers of speakers
    mean: DoubleArray  # (n_speakers, n_features)
    std: DoubleArray

    def groups(self, rows: IntArray) -> IntArray:
        """The speaker of each row of the store."""
        return self.speakers[rows]

    def of(self, group: int, values: AnyArray) -> Moments:
        """What the speaker's enrolled utterances gave."""
        return Moments(self.mean[group], self.std[group])


@dataclass(frozen=True)
class Ready:
    """Values of every utterance of the store, standardised before."""

    values: FloatArray  # (n_utterances of the store, n_features)


Standardiser = Moments | Ranks | OwnMoments | SpeakerMoments | Ready
#: What a system reads, such as "short" or "functionals" → how it is standardised
Statistics = Mapping[str, Standardiser]


def standardise(
    standardiser: Standardiser,
    values: AnyArray,
    *,
    rows: IntArray,
    counts: IntArray,
    clip: float | None = None,
    out: FloatArray | None = None,
) -> FloatArray:
    """Standardised values of some utterances, float32, the same shape.

    Parameters
    ----------
    standardiser : Standardiser
    values : ndarray, shape (n_segments, L, d) or (n_rows, d)
        What the store holds of these utterances, one after the other.
    rows : ndarray, shape (n,)
        The utterances' rows of the store.
    counts : ndarray, shape (n,)
        How much of `values` is of each utterance: segments, or 1.
    clip : float, optional
    out : ndarray, optional
        Where the result goes.
    """
    if isinstance(standardiser, Moments | Ranks):
        return standardiser.apply(values, clip=clip, out=out)
    if out is None:
        out = np.empty(values.shape, np.float32)
    if isinstance(standardiser, Ready):
        out[:] = standardiser.values[rows]
        return out
    groups = standardiser.groups(rows)
    for group in np.unique(groups).tolist():
        chosen = np.repeat(groups == group, counts)
        own = values[chosen]
        out[chosen] = standardiser.of(group, own).apply(own, clip=clip)
    return out


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


def moments_of_groups(blocks: Iterable[tuple[AnyArray, IntArray]], n_groups: int) -> DoubleArray:
    """Mean and deviation of each group of segments.

    Parameters
    ----------
    blocks : iterable of (ndarray, ndarray)
        Segments (S, L, n_features) and the group of each (S,); gone through twice.
    n_groups : int
        Every group has a segment.

    Returns
    -------
    ndarray, shape (2, n_groups, n_features)
        Means, then deviations; 0 marks a constant feature.
    """
    n: AnyArray = np.zeros((n_groups, 1))
    total: AnyArray = np.zeros(())
    for values, groups in blocks:
        if not total.ndim:
            total = np.zeros((n_groups, values.shape[-1]))
            square, low, high = total.copy(), total + np.inf, total - np.inf
        np.add.at(n, groups, values.shape[1])
        np.add.at(total, groups, values.sum(axis=1, dtype=np.float64))
        np.minimum.at(low, groups, values.min(axis=1))
        np.maximum.at(high, groups, values.max(axis=1))
    mean = total / n
    for values, groups in blocks:
        np.add.at(square, groups, np.square(values - mean[groups][:, None]).sum(axis=1))
    return np.stack([mean, np.where(high > low, np.sqrt(square / n), 0.0)])


def table_of(store: Store, name: str) -> Table:
    """The table of what a system reads: the segments of that name, or a kind's rows or contour."""
    segment = store.features.segments.get(name)
    return store.table(segment.of, segment.length) if segment else store.table(name)


def clip_of(table: Table) -> float | None:
    """Where standardised values are clipped: those of rows are."""
    return CLIP if table.per_utterance else None


def row_bytes(store: Store, rows: IntArray, name: str) -> IntArray:
    """What one input takes as float32, of each utterance, shape (n,)."""
    table = table_of(store, name)
    offsets = store.table_offsets(table)
    n_bytes: IntArray = 4 * math.prod(table.row) * (offsets[rows + 1] - offsets[rows])
    return n_bytes


def parts(rows: IntArray, n_bytes: IntArray, *, at_most: int = _PART) -> Iterator[IntArray]:
    """Rows in their order, a few utterances at a time: so many, or fewer where they are long.

    Examples
    --------
    >>> [part.tolist() for part in parts(np.arange(5), np.array([1, 1, 1, 100 << 20, 1]), at_most=2)]
    [[0, 1], [2], [3], [4]]
    """
    first = 0
    while first < len(rows):
        fitting = int(np.searchsorted(n_bytes[first : first + at_most].cumsum(), _PART_BYTES, side="right"))
        last = first + max(1, fitting)
        yield rows[first:last]
        first = last


@dataclass(frozen=True)
class _Parts:
    """Blocks of utterances, read each time they are gone through: all of them may not fit in memory."""

    read: Callable[[IntArray], AnyArray]
    rows: IntArray
    n_bytes: IntArray

    def __iter__(self) -> Iterator[AnyArray]:
        return map(self.read, parts(self.rows, self.n_bytes))


def training_statistics(store: Store, rows: Sequence[int] | IntArray, names: Sequence[str]) -> dict[str, Moments]:
    """Moments of each input over the training utterances `rows`.

    Parameters
    ----------
    store : Store
    rows : sequence of int
        Utterances of the training part, and no others.
    names : sequence of str
        Of segments, and of kinds of feature.
    """
    chosen = np.sort(np.asarray(rows, np.int64))
    return {
        name: moments(_Parts(partial(_values, store, table_of(store, name)), chosen, row_bytes(store, chosen, name)))
        for name in names
    }


def _values(store: Store, table: Table, rows: IntArray) -> AnyArray:
    return store.read_table(table, rows)[0]
