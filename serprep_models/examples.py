"""Utterances of a store as standardised tensors: all of them in memory, or known by their rows."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
import torch
from torch import Tensor

from serprep._typing import AnyArray, IntArray
from serprep.cache.parts import as_keys, key_of, revised_identity
from serprep.errors import TrainError
from serprep.features.extract import identities
from serprep.store.layout import Table
from serprep.store.store import Store
from serprep.systems import shapes_of
from serprep_models.standardise import Statistics, clip_of, row_bytes, standardise, table_of
from serprep_models.system import Batch
from serprep_models.targets import EMOTION, Target

READING = 8 << 20  # bytes read at once, so that a copy in the store's own type stays small
GAP = 2  # a run of rows is read whole if that is at most so many times what is wanted


@dataclass(frozen=True)
class Examples:
    """Standardised features of some utterances of a store.

    What is of utterance *i* are rows ``offsets[name][i]:offsets[name][i + 1]``, or row *i* where there are no offsets.
    """

    rows: IntArray  # (n,) rows of the store
    inputs: Mapping[str, Tensor]  # name → segments (S, L, d), a contour (N, d) or rows (n, d)
    offsets: Mapping[str, Tensor]  # name → (n + 1,) of segments and contours
    labels: Tensor  # (n,) int64; -1 where there is none; of other targets (n, k), as `targets` has them

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def n_steps(self) -> IntArray:
        """Segments or frames of each utterance, of the first input that has several, shape (n,)."""
        first = next(iter(self.offsets.values()), None)
        return np.ones(len(self), np.int64) if first is None else np.diff(first.numpy())

    def batch(self, chosen: Tensor) -> Batch:
        """The batch of the chosen utterances, shape (B,) of places in this set."""
        inputs, counts = {}, {}
        for name, values in self.inputs.items():
            if name not in self.offsets:
                inputs[name] = values.index_select(0, chosen)
                continue
            first = self.offsets[name][chosen]
            count = self.offsets[name][chosen + 1] - first
            # row of each segment: its place in the batch, moved to where its utterance begins
            begin = torch.repeat_interleave(first - count.cumsum(0) + count, count)
            inputs[name] = values.index_select(0, begin + torch.arange(len(begin)))
            counts[name] = count
        return Batch(inputs, counts, self.labels[chosen], torch.from_numpy(self.rows[chosen.numpy()]))

    def take(self, chosen: Tensor) -> "Examples":
        """The chosen utterances, copied."""
        batch = self.batch(chosen)
        offsets = {name: _offsets(counts) for name, counts in batch.counts.items()}
        return Examples(self.rows[chosen.numpy()], batch.inputs, offsets, batch.labels)

    def batches(self, size: int) -> Iterator[Batch]:
        """Every utterance exactly once, in order."""
        for first in range(0, len(self), size):
            yield self.batch(torch.arange(first, min(first + size, len(self))))


@dataclass(frozen=True)
class Stored:
    """Utterances that are read and standardised when they are needed.  Safe to pickle."""

    store: Store
    rows: IntArray  # (n,) rows of the store
    names: tuple[str, ...]  # what is read: names of segments, and kinds of feature
    statistics: Statistics
    target: Target = EMOTION

    def __len__(self) -> int:
        return len(self.rows)

    @cached_property
    def labels(self) -> Tensor:
        """What is true: places among the declared labels, shape (n,), -1 where there is none; or as the target says."""
        return torch.from_numpy(self.target.truth(self.store, self.rows))

    @cached_property
    def n_bytes(self) -> IntArray:
        """What each utterance takes as `Examples`, shape (n,)."""
        sizes = np.zeros(len(self.rows), np.int64)
        for name in self.names:
            sizes += row_bytes(self.store, self.rows, name)
        return sizes

    @property
    def n_steps(self) -> IntArray:
        """Segments or frames of each utterance, of the first input that has several, shape (n,)."""
        several = [table for table in map(self._table, self.names) if not table.per_utterance]
        return self._counts(several[0]) if several else np.ones(len(self), np.int64)

    def _table(self, name: str) -> Table:
        return table_of(self.store, name)

    def _counts(self, table: Table) -> IntArray:
        offsets = self.store.table_offsets(table)
        return offsets[self.rows + 1] - offsets[self.rows]

    def reopened(self) -> "Stored":
        """The same utterances, of files that this process opens."""
        return Stored(Store(self.store.path, complete=False), self.rows, self.names, self.statistics, self.target)

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
        inputs, offsets = {}, {}
        for name in self.names:
            table = self._table(name)
            starts = _offsets(torch.from_numpy(self._counts(table)[places][order]))
            values = np.empty((int(starts[-1]), *table.row), np.float32)
            for block in blocks:
                stored = _ascending(self.store, table, rows[block])
                place = values[int(starts[block[0]]) : int(starts[block[-1] + 1])]
                counts = np.diff(starts[block[0] : block[-1] + 2].numpy())
                standardiser = self.statistics[name]
                standardise(standardiser, stored, rows=rows[block], counts=counts, clip=clip_of(table), out=place)
            inputs[name] = torch.from_numpy(values)
            if not table.per_utterance:
                offsets[name] = starts
        read = Examples(rows, inputs, offsets, self.labels[torch.from_numpy(places[order])])
        return read if (np.diff(order) == 1).all() else read.take(torch.from_numpy(np.argsort(order)))


def _offsets(counts: Tensor) -> Tensor:
    return torch.cat([counts.new_zeros(1), counts.cumsum(0)])


def join(parts: Sequence[Examples]) -> Examples:
    """Utterances of several sets, one after the other."""
    first = parts[0]
    if len(parts) == 1:
        return first
    return Examples(
        np.concatenate([part.rows for part in parts]),
        {name: torch.cat([part.inputs[name] for part in parts]) for name in first.inputs},
        {name: _offsets(torch.cat([part.offsets[name].diff() for part in parts])) for name in first.offsets},
        torch.cat([part.labels for part in parts]),
    )


def _ascending(store: Store, table: Table, rows: IntArray) -> AnyArray:
    """What is stored of ascending utterances; those between them are read too where that is cheaper."""
    offsets = store.table_offsets(table)
    begin, counts = offsets[rows], offsets[rows + 1] - offsets[rows]
    if offsets[rows[-1] + 1] - begin[0] > GAP * counts.sum():
        return store.read_table(table, rows)[0]
    stored, _ = store.read_table(table, slice(rows[0], rows[-1] + 1))
    if (np.diff(rows) == 1).all():
        return stored
    wanted = np.repeat(begin - begin[0] - np.cumsum(counts) + counts, counts) + np.arange(counts.sum())
    return np.take(stored, wanted, axis=0)


def load(store: Store, rows: Sequence[int] | IntArray, *, names: Sequence[str], statistics: Statistics) -> Examples:
    """Read and standardise some utterances.

    Parameters
    ----------
    store : Store
    rows : sequence of int
        Utterances, in any order.
    names : sequence of str
        What is read: names of segments, and kinds of feature.
    statistics : mapping of str to Standardiser
        As `fold_statistics` gives for the fold.
    """
    return Stored(store, np.asarray(rows, np.int64), tuple(names), statistics).load()


def check_store(store: Store, names: Sequence[str]) -> None:
    """Raise unless the store has what is read, and its rows belong together.

    Raises
    ------
    TrainError
    """
    try:
        shapes_of(names, store.features)
    except TrainError as error:
        raise TrainError(f"the store has no {error} and build again") from None
    tables = {name: table_of(store, name) for name in names}
    cut: dict[str, AnyArray] = {}
    for name, table in tables.items():
        keys = store.keys(table.group)
        if table.segment and not np.array_equal(cut.setdefault(table.kind, keys), keys):
            raise TrainError("rows of the segment tensors do not belong to the same utterances: verify the store")
        same = _as_computed_here(store, table.kind, keys)
        if same.any() and not same.all():
            row = int(same.argmin())
            raise TrainError(f"row {row} of {name} does not belong to utterance {store.ids[row]!r}: verify the store")


def _as_computed_here(store: Store, kind: str, keys: AnyArray) -> AnyArray:
    """Whether each row has the key that this installation would give its utterance, shape (n,).

    Nowhere so, if other libraries computed the features: then rows cannot be compared.
    """
    identity = identities(store.features).get(kind)
    if identity is None:  # the package that computes it is not installed
        return np.zeros(len(keys), bool)
    columns = [store.column(name) for name in ("audio_digest", "start", "end")]
    same: AnyArray = np.zeros(len(keys), bool)
    for each in (identity, revised_identity(identity)):  # a store does not say which recordings are revised
        expected = as_keys(
            key_of(digest, None if np.isnan(start) else start, None if np.isnan(end) else end, each)
            for digest, start, end in zip(*columns, strict=True)
        )
        same |= (expected == keys).all(axis=1)
    return same
