"""A store and row numbers → batches of standardised tensors, held in memory."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from serprep._typing import IntArray
from serprep.errors import TrainError
from serprep.store.layout import FUNCTIONALS
from serprep.store.store import Store
from serprep_models.crnn import SEGMENTS_OF, Batch
from serprep_models.standardise import CLIP, Statistics


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

    def batch(self, chosen: Tensor) -> Batch:
        """The batch of the chosen utterances, shape (B,) of places in this set."""
        segments, counts = {}, {}
        for name, values in self.segments.items():
            first = self.offsets[name][chosen]
            count = self.offsets[name][chosen + 1] - first
            # row of each segment: its place in the batch, moved to where its utterance begins
            begin = torch.repeat_interleave(first - count.cumsum(0) + count, count)
            segments[name] = values[begin + torch.arange(len(begin))]
            counts[name] = count
        functionals = None if self.functionals is None else self.functionals[chosen]
        return Batch(segments, counts, functionals, self.labels[chosen])

    def batches(self, size: int, *, generator: torch.Generator | None = None) -> Iterator[Batch]:
        """Every utterance exactly once, shuffled if there is a generator."""
        order = torch.arange(len(self)) if generator is None else torch.randperm(len(self), generator=generator)
        for chosen in order.split(size):
            yield self.batch(chosen)


def kinds_of(system: str) -> tuple[str, ...]:
    """Kinds of features a system reads: names of segments, "functionals"."""
    return (*SEGMENTS_OF[system], *(("functionals",) if system == "hsf-crnn" else ()))


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
    keys = [store.keys(f"logmel/{lengths[kind]}") for kind in kinds if kind != "functionals"]
    if any(not np.array_equal(keys[0], other) for other in keys[1:]):
        raise TrainError("rows of the segment tensors do not belong to the same utterances: verify the store")


def load(store: Store, rows: Sequence[int] | IntArray, *, kinds: Sequence[str], statistics: Statistics) -> Examples:
    """Read and standardise some utterances.

    Parameters
    ----------
    store : Store
    rows : sequence of int
        Utterances, in any order.
    kinds : sequence of str
        As `kinds_of` gives.
    statistics : mapping of str to Moments
        Of the training part of the fold.
    """
    chosen = np.asarray(rows, np.int64)
    segments, offsets, functionals = {}, {}, None
    for kind in kinds:
        if kind == "functionals":
            values = statistics[kind].apply(store.read_functionals(chosen), clip=CLIP)
            functionals = torch.from_numpy(values)
        else:
            stored, starts = store.read_segments(chosen, store.features.segments[kind].length)
            segments[kind] = torch.from_numpy(statistics[kind].apply(stored))
            offsets[kind] = torch.from_numpy(starts)
    place = {label: number for number, label in enumerate(store.labels)}
    emotions = store.emotions
    labels = torch.tensor([place.get(emotions[row], -1) for row in chosen.tolist()], dtype=torch.int64)
    return Examples(chosen, segments, offsets, functionals, labels)
