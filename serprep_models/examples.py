"""Utterances of a store as standardised tensors: all of them in memory, or known by their rows."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from serprep._typing import AnyArray, FloatArray, IntArray
from serprep.cache.parts import as_keys, key_of, revised_identity
from serprep.errors import TrainError
from serprep.features.extract import identities
from serprep.store.layout import FUNCTIONALS
from serprep.store.store import Store
from serprep_models.crnn import SEGMENTS_OF, Batch
from serprep_models.standardise import CLIP, Statistics, row_bytes, standardise

READING = 8 << 20  # bytes read at once, so that a copy in the store's own type stays small
GAP = 2  # a run of rows is read whole if that is at most so many times what is wanted


@dataclass(frozen=True)
class Examples:
    """Standardised features of some utterances of a store.

    Segments of utterance *i* are rows ``offsets[name][i]:offsets[name][i + 1]``.
    """

    rows: IntArray  # (n,) rows of the store
    segments: Mapping[str, Tensor]  # name → (n_segments, L, n_mels)
    offsets: Mapping[str, Tensor]  # name → (n + 1,)
    functionals: Tensor | None  # (n, 6373)
    labels: Tensor  # (n,) int64; -1 where there is none

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def n_steps(self) -> IntArray:
        """Segments of each utterance, of the first kind, shape (n,)."""
        return np.diff(next(iter(self.offsets.values())).numpy())

    def batch(self, chosen: Tensor) -> Batch:
        """The batch of the chosen utterances, shape (B,) of places in this set."""
        segments, counts = {}, {}
        for name, values in self.segments.items():
            first = self.offsets[name][chosen]
            count = self.offsets[name][chosen + 1] - first
            # row of each segment: its place in the batch, moved to where its utterance begins
            begin = torch.repeat_interleave(first - count.cumsum(0) + count, count)
            segments[name] = values.index_select(0, begin + torch.arange(len(begin)))
            counts[name] = count
        functionals = None if self.functionals is None else self.functionals.index_select(0, chosen)
        return Batch(segments, counts, functionals, self.labels[chosen])

    def take(self, chosen: Tensor) -> "Examples":
        """The chosen utterances, copied."""
        batch = self.batch(chosen)
        offsets = {name: _offsets(counts) for name, counts in batch.counts.items()}
        return Examples(self.rows[chosen.numpy()], batch.segments, offsets, batch.functionals, batch.labels)

    def batches(self, size: int) -> Iterator[Batch]:
        """Every utterance exactly once, in order."""
        for first in range(0, len(self), size):
            yield self.batch(torch.arange(first, min(first + size, len(self))))


@dataclass(frozen=True)
class Stored:
    """Utterances that are read and standardised when they are needed.  Safe to pickle."""

    store: Store
    rows: IntArray  # (n,) rows of the store
    kinds: tuple[str, ...]  # names of segments, "functionals"
    statistics: Statistics

    def __len__(self) -> int:
        return len(self.rows)

    @cached_property
    def labels(self) -> Tensor:
        """Places among the declared labels, shape (n,); -1 where there is none."""
        place = {label: number for number, label in enumerate(self.store.labels)}
        emotions = self.store.emotions
        return torch.tensor([place.get(emotions[row], -1) for row in self.rows.tolist()], dtype=torch.int64)

    @cached_property
    def n_bytes(self) -> IntArray:
        """What each utterance takes as `Examples`, shape (n,)."""
        found = np.zeros(len(self.rows), np.int64)
        for kind in self.kinds:
            found += row_bytes(self.store, self.rows, kind)
        return found

    @property
    def n_steps(self) -> IntArray:
        """Segments of each utterance, of the first kind, shape (n,)."""
        return self._counts(self.store.features.segments[self.kinds[0]].length)

    def _counts(self, length: int) -> IntArray:
        offsets = self.store.offsets(length)
        return offsets[self.rows + 1] - offsets[self.rows]

    def reopened(self) -> "Stored":
        """The same utterances, of files that this process opens."""
        return Stored(Store(self.store.path, complete=False), self.rows, self.kinds, self.statistics)

    def load(self, chosen: IntArray | None = None) -> Examples:
        """Utterances, read and standardised.

        Parameters
        ----------
        chosen : ndarray, optional
            Places in this set, each once; default all.
        """
        places = np.arange(len(self.rows)) if chosen is None else np.asarray(chosen, np.int64)
        order = np.argsort(self.rows[places], kind="stable")
        rows = self.rows[places][order]
        per_row = self.n_bytes[places][order]
        cuts = np.flatnonzero(np.diff(np.cumsum(per_row) // READING)) + 1
        blocks = [block for block in np.split(np.arange(len(rows)), cuts) if len(block)]
        segments, offsets, functionals = {}, {}, None
        for kind in self.kinds:
            if kind == "functionals":
                values = np.empty((len(rows), self.store.array(FUNCTIONALS).shape[1]), np.float32)
                for block in blocks:
                    stored = _functionals(self.store, rows[block])
                    place = values[block[0] : block[-1] + 1]
                    one = np.ones(len(block), np.int64)
                    standardise(self.statistics[kind], stored, rows=rows[block], counts=one, clip=CLIP, out=place)
                functionals = torch.from_numpy(values)
            else:
                length = self.store.features.segments[kind].length
                starts = _offsets(torch.from_numpy(self._counts(length)[places][order]))
                values = np.empty((int(starts[-1]), length, self.store.features.logmel.n_mels), np.float32)
                for block in blocks:
                    stored = _segments(self.store, rows[block], length)
                    place = values[int(starts[block[0]]) : int(starts[block[-1] + 1])]
                    counts = np.diff(starts[block[0] : block[-1] + 2].numpy())
                    standardise(self.statistics[kind], stored, rows=rows[block], counts=counts, out=place)
                segments[kind], offsets[kind] = torch.from_numpy(values), starts
        found = Examples(rows, segments, offsets, functionals, self.labels[torch.from_numpy(places[order])])
        return found if (np.diff(order) == 1).all() else found.take(torch.from_numpy(np.argsort(order)))


def _offsets(counts: Tensor) -> Tensor:
    return torch.cat([counts.new_zeros(1), counts.cumsum(0)])


def join(parts: Sequence[Examples]) -> Examples:
    """Utterances of several sets, one after the other."""
    first = parts[0]
    if len(parts) == 1:
        return first
    return Examples(
        np.concatenate([part.rows for part in parts]),
        {name: torch.cat([part.segments[name] for part in parts]) for name in first.segments},
        {name: _offsets(torch.cat([part.offsets[name].diff() for part in parts])) for name in first.offsets},
        None if first.functionals is None else torch.cat([part.functionals for part in parts]),  # type: ignore[misc]
        torch.cat([part.labels for part in parts]),
    )


def _segments(store: Store, rows: IntArray, length: int) -> AnyArray:
    """Segments of ascending rows as stored; rows between them are read too where that is cheaper."""
    offsets = store.offsets(length)
    begin, counts = offsets[rows], offsets[rows + 1] - offsets[rows]
    if offsets[rows[-1] + 1] - begin[0] > GAP * counts.sum():
        return store.read_segments(rows, length)[0]
    stored, _ = store.read_segments(slice(rows[0], rows[-1] + 1), length)
    if (np.diff(rows) == 1).all():
        return stored
    wanted = np.repeat(begin - begin[0] - np.cumsum(counts) + counts, counts) + np.arange(counts.sum())
    return np.take(stored, wanted, axis=0)


def _functionals(store: Store, rows: IntArray) -> FloatArray:
    """Functionals of ascending rows as stored."""
    if rows[-1] + 1 - rows[0] > GAP * len(rows):
        return store.read_functionals(rows)
    stored = store.read_functionals(slice(rows[0], rows[-1] + 1))
    return stored if (np.diff(rows) == 1).all() else stored[rows - rows[0]]


def kinds_of(system: str) -> tuple[str, ...]:
    """Kinds of features a system reads: names of segments, "functionals"."""
    return (*SEGMENTS_OF[system], *(("functionals",) if system in ("hsf-crnn", "compare-svm") else ()))


def load(store: Store, rows: Sequence[int] | IntArray, *, kinds: Sequence[str], statistics: Statistics) -> Examples:
    """Read and standardise some utterances.

    Parameters
    ----------
    store : Store
    rows : sequence of int
        Utterances, in any order.
    kinds : sequence of str
        As `kinds_of` gives.
    statistics : mapping of str to Standardiser
        As `fold_statistics` gives for the fold.
    """
    return Stored(store, np.asarray(rows, np.int64), tuple(kinds), statistics).load()


def check_store(store: Store, kinds: Sequence[str]) -> None:
    """Raise unless the store has these kinds of features, and its rows belong together.

    Raises
    ------
    TrainError
    """
    lengths = {name: segment.length for name, segment in store.features.segments.items()}
    for kind in kinds:
        if kind == "functionals" and FUNCTIONALS not in store.array_names:
            raise TrainError("the store has no functionals: enable them in [features.functionals] and build again")
        if kind != "functionals" and kind not in lengths:
            raise TrainError(
                f"the store has no segments named {kind!r}: add them to [features.segments] and build again"
            )
    keys = {kind: store.keys(kind if kind == "functionals" else f"logmel/{lengths[kind]}") for kind in kinds}
    of_segments = [value for kind, value in keys.items() if kind != "functionals"]
    if any(not np.array_equal(of_segments[0], other) for other in of_segments[1:]):
        raise TrainError("rows of the segment tensors do not belong to the same utterances: verify the store")
    for kind, found in keys.items():
        same = _as_computed_here(store, "functionals" if kind == "functionals" else "logmel", found)
        if same.any() and not same.all():
            row = int(same.argmin())
            raise TrainError(f"row {row} of {kind} does not belong to utterance {store.ids[row]!r}: verify the store")


def _as_computed_here(store: Store, kind: str, keys: AnyArray) -> AnyArray:
    """Whether each row has the key that this installation would give its utterance, shape (n,).

    Nowhere so, if other libraries computed the features: then rows cannot be compared.
    """
    identity = identities(store.features)[kind]
    columns = [store.column(name) for name in ("audio_digest", "start", "end")]
    same: AnyArray = np.zeros(len(keys), bool)
    for each in (identity, revised_identity(identity)):  # a store does not say which recordings are revised
        expected = as_keys(
            key_of(digest, None if np.isnan(start) else start, None if np.isnan(end) else end, each)
            for digest, start, end in zip(*columns, strict=True)
        )
        same |= (expected == keys).all(axis=1)
    return same
