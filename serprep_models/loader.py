"""Examples in memory or in a store → shuffled batches, every utterance exactly once per epoch (``docs/training.md``).

What fits the memory budget is read once and shuffled freely.  Otherwise blocks of
neighbouring utterances are shuffled, a window of blocks is read at a time, and its
utterances are shuffled: single reads in random order would be hundreds of times slower.
The next window is read while one is used; both together keep to the budget.

An epoch's order follows from seed, epoch and number of workers alone, so `Loader`
resumes in mid-epoch without a record of what was drawn.
"""

import hashlib
import os
import tempfile
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from multiprocessing.process import current_process
from typing import Any

import numpy as np
import torch
from torch import Tensor
from torch.utils.data import DataLoader, IterableDataset, get_worker_info

from serprep._typing import IntArray
from serprep.errors import TrainError, one_line
from serprep_models.examples import Examples, Stored, check_store, join, load
from serprep_models.system import Batch

__all__ = ["Batches", "Examples", "Loader", "Stored", "check_store", "fitting_batch", "hold", "load"]

MEMORY_BUDGET = 2 << 30  # bytes
BLOCKS = 16  # in a window: fewer would hardly shuffle, more would read smaller pieces
IN_MEMORY = 3.5  # windows: two, holes that those before them left, and the copies that reading makes
FEWEST_BLOCKS = 4  # in a small window, so that blocks do not become
SMALL_BLOCK = 4 << 20  # smaller than this many bytes: a part of a chunk costs as much as the chunk
LONGEST = 71  # characters of TMPDIR: a socket's path has at most 103 (macOS), and 32 of them are multiprocessing's
LARGE_BLOCK = 8 << 20  # bytes: reading more at once is not faster


@dataclass(frozen=True)
class Window:
    """Utterances that are in memory at the same time, and the batches made of them and of the rest before."""

    places: IntArray  # ascending
    batches: tuple[IntArray, ...]
    rest: IntArray  # places that are left for the next window's batches


def hold(stored: Stored, *, memory_budget: int = MEMORY_BUDGET) -> Examples | Stored:
    """The utterances themselves if they fit the budget (bytes), else where they are stored."""
    return stored.load() if int(stored.n_bytes.sum()) <= memory_budget else stored


def fitting_batch(stored: Stored, *, memory_budget: int, at_most: int) -> int:
    """How many utterances any batch may have, so that it takes little of the budget (bytes); at least 1."""
    longest = np.sort(stored.n_bytes)[::-1].cumsum()
    fitting = int(np.searchsorted(longest, memory_budget / IN_MEMORY / 4, side="right"))
    return min(max(1, fitting), at_most)


class Batches(IterableDataset[Batch]):
    """The batches of one epoch; with a `DataLoader`, each worker's share of them.

    Parameters
    ----------
    source : Examples or Stored
        As `hold` gives; `Stored` is streamed.
    batch_size : int
        Utterances; the last batch of an epoch (of a worker, when streaming) may be smaller.
    shuffle : bool
        Another order each epoch, or that of the source.
    seed : int
        With `epoch` and the number of workers it decides the order.
    balanced : bool
        Draw every label equally often, as many utterances in all as there are.
        Utterances of frequent labels are then left out in turn, and others repeated.
    bucket : int
        Sort the utterances of so many batches by length before they are cut, and shuffle
        the batches: less padding on a GPU.  1 is none.
    memory_budget : int
        Bytes for everything that is read, of all workers together.

    Attributes
    ----------
    epoch : int
        From 0; set it before iterating.
    skip : list of int
        Batches to leave out at the beginning, per worker; they are not read.
    """

    def __init__(
        self,
        source: Examples | Stored,
        *,
        batch_size: int = 32,
        shuffle: bool = True,
        seed: int = 0,
        balanced: bool = False,
        bucket: int = 1,
        memory_budget: int = MEMORY_BUDGET,
    ) -> None:
        if batch_size < 1 or bucket < 1:
            raise TrainError(f"batch_size is {batch_size} and bucket {bucket}; expected 1 or more")
        if balanced and (len(source) == 0 or int(source.labels.min()) < 0):
            raise TrainError("balanced sampling needs a label for every utterance; leave the others out")
        self.source, self.batch_size, self.shuffle, self.seed = source, batch_size, shuffle, seed
        self.balanced, self.bucket, self.memory_budget = balanced, bucket, memory_budget
        self.epoch = 0
        self.skip: list[int] = []
        self.first_share = 0

    def __iter__(self) -> Iterator[Batch]:
        for _, batch in self.shared():
            yield batch

    def __len__(self) -> int:
        return sum(self.n_batches(1))

    def n_batches(self, n_workers: int) -> list[int]:
        """Batches of each worker in this epoch."""
        n_shares = max(1, n_workers)
        return [sum(len(window.batches) for window in self.plan(share, n_shares)) for share in range(n_shares)]

    def shared(self) -> Iterator[tuple[int, Batch]]:
        """Number of this worker's share, and its batches."""
        worker = get_worker_info()
        n_shares = worker.num_workers if worker else 1
        share = ((worker.id if worker else 0) + self.first_share) % n_shares
        skip = self.skip[share] if self.skip else 0
        plan = self.plan(share, n_shares)
        if isinstance(self.source, Examples):
            for chosen in plan[0].batches[skip:]:
                yield share, self.source.batch(torch.from_numpy(chosen))
            return
        source = self.source.reopened() if worker else self.source
        for batch in _stream(source, plan, skip=skip):
            yield share, batch

    # -- the order -------------------------------------------------------------------

    def plan(self, share: int, n_shares: int) -> list[Window]:
        """What one of several workers reads and gives in this epoch."""
        rng = np.random.default_rng([self.seed, self.epoch])
        drawn = self._draw(rng)
        if isinstance(self.source, Examples):
            order = rng.permutation(drawn) if self.shuffle else drawn
            batches = self._cut(order, rng)
            return [Window(np.unique(drawn), tuple(batches[share::n_shares]), order[:0])]
        windows = self._windows(drawn, rng, n_shares)[share::n_shares]
        planned, rest = [], drawn[:0]
        for number, places in enumerate(windows):
            order = np.concatenate([rest, rng.permutation(places) if self.shuffle else places])
            whole = len(order) if number == len(windows) - 1 else len(order) - len(order) % self.batch_size
            rest = order[whole:]
            planned.append(Window(np.unique(places), tuple(self._cut(order[:whole], rng)), rest))
        return planned

    def _draw(self, rng: np.random.Generator) -> IntArray:
        """Places of this epoch: each once, or every label equally often; ascending."""
        n = len(self.source)
        if not self.balanced:
            return np.arange(n)
        labels = self.source.labels.numpy()
        present = np.unique(labels)
        shares = np.full(len(present), n // len(present))
        shares[rng.permutation(len(present))[: n % len(present)]] += 1
        drawn = []
        for label, count in zip(present, shares, strict=True):
            own = np.flatnonzero(labels == label)
            drawn += [np.tile(own, count // len(own)), rng.choice(own, count % len(own), replace=False)]
        return np.sort(np.concatenate(drawn))

    def _cut(self, order: IntArray, rng: np.random.Generator) -> list[IntArray]:
        """Batches of an order; with buckets, of equal lengths and in random order."""
        if not len(order):
            return []
        if self.bucket > 1 and self.shuffle:
            pools = np.split(order, np.arange(self.bucket * self.batch_size, len(order), self.bucket * self.batch_size))
            cut = [batch for pool in pools for batch in self._bucketed(pool, rng)]
            return [cut[i] for i in rng.permutation(len(cut))]
        return np.split(order, np.arange(self.batch_size, len(order), self.batch_size))

    def _bucketed(self, pool: IntArray, rng: np.random.Generator) -> list[IntArray]:
        """Batches of a pool, sorted by length; which of them is smaller than the others is left to chance."""
        n_batches = -(-len(pool) // self.batch_size)
        sizes = np.full(n_batches, self.batch_size)
        sizes[rng.integers(n_batches)] -= n_batches * self.batch_size - len(pool)
        by_length = pool[np.argsort(self.source.n_steps[pool], kind="stable")]
        return np.split(by_length, np.cumsum(sizes)[:-1])

    def _windows(self, drawn: IntArray, rng: np.random.Generator, n_shares: int) -> list[IntArray]:
        """Drawn places, cut into blocks that are shuffled and put together to windows."""
        assert isinstance(self.source, Stored)
        by_row = drawn[np.argsort(self.source.rows[drawn], kind="stable")] if self.shuffle else drawn
        sizes = np.where(np.diff(by_row, prepend=-1) != 0, self.source.n_bytes[by_row], 0)  # repeated: read once
        largest = int(self.memory_budget / n_shares / IN_MEMORY)
        spare = int(np.sort(self.source.n_bytes)[-self.batch_size :].sum())  # the longest batch there could be
        if largest <= spare and self.batch_size > 1:
            raise TrainError(
                f"a memory budget of {self.memory_budget} bytes is too small for batches of {self.batch_size} and "
                f"{n_shares} workers; expected at least {int(IN_MEMORY * n_shares * (spare + 2))}"
            )
        room = max(1, largest - spare)
        block_bytes = max(1, min(LARGE_BLOCK, max(room // BLOCKS, min(SMALL_BLOCK, room // FEWEST_BLOCKS))))
        number = np.cumsum(sizes) // block_bytes
        blocks = np.split(by_row, np.flatnonzero(np.diff(number)) + 1) if len(by_row) else []
        order = rng.permutation(len(blocks)) if self.shuffle else np.arange(len(blocks))
        weights = np.array([int(self.source.n_bytes[np.unique(block)].sum()) for block in blocks])
        windows: list[list[IntArray]] = []
        left = 0
        for i in order:
            if weights[i] > left:
                windows.append([])
                left = room
            windows[-1].append(blocks[i])
            left -= int(weights[i])
        # windows are filled one after the other, so the last has fewer utterances: it may come anywhere
        order = rng.permutation(len(windows)) if self.shuffle else np.arange(len(windows))
        return [np.concatenate(windows[i]) for i in order]


def _stream(source: Stored, plan: list[Window], *, skip: int) -> Iterator[Batch]:
    """Batches of windows, each read while the one before is used."""
    first = 0
    while first < len(plan) - 1 and skip >= len(plan[first].batches):
        skip -= len(plan[first].batches)
        first += 1
    rest = source.load(plan[first - 1].rest) if first and len(plan[first - 1].rest) else None
    with ThreadPoolExecutor(1) as reader:
        ahead = reader.submit(source.load, plan[first].places) if plan else None
        for number, window in enumerate(plan[first:], first):
            assert ahead is not None
            held = ahead.result()
            ahead = reader.submit(source.load, plan[number + 1].places) if number + 1 < len(plan) else None
            before = plan[number - 1].rest if number else window.rest[:0]
            for chosen in window.batches[skip if number == first else 0 :]:
                yield _gather(chosen, window.places, held, before, rest)
            rest = _pick(window.rest, window.places, held, before, rest) if len(window.rest) else None
            del held


def _gather(chosen: IntArray, places: IntArray, held: Examples, before: IntArray, rest: Examples | None) -> Batch:
    """The batch of some places, most of them in the window, some left over from the one before."""
    if rest is None or np.isin(chosen, places).all():
        return held.batch(_where(chosen, places))
    picked = _pick(chosen, places, held, before, rest)
    return picked.batch(torch.arange(len(picked)))


def _pick(chosen: IntArray, places: IntArray, held: Examples, before: IntArray, rest: Examples | None) -> Examples:
    inside = np.isin(chosen, places)
    parts = [held.take(_where(chosen[inside], places))] if inside.any() else []
    if not inside.all():
        assert rest is not None
        order = np.argsort(before, kind="stable")
        parts.insert(0, rest.take(torch.from_numpy(order)[_where(chosen[~inside], before[order])]))
    return join(parts)


def _where(chosen: IntArray, ascending: IntArray) -> Tensor:
    return torch.from_numpy(np.searchsorted(ascending, chosen))


class _Shares(IterableDataset[tuple[int, Batch]]):
    """Batches with the number of the share they are from."""

    def __init__(self, data: Batches) -> None:
        self.data = data

    def __iter__(self) -> Iterator[tuple[int, Batch]]:
        return self.data.shared()


def _is_long(folder: str) -> bool:
    return len(os.fsencode(folder)) > LONGEST


def _short_folder() -> str | None:
    """A folder for sockets that have no place below TMPDIR."""
    return next((place for place in ("/tmp", "/var/tmp") if os.access(place, os.W_OK | os.X_OK)), None)


def _short_paths(_worker: int) -> None:
    """In a worker: hand tensors over by sockets whose paths are short enough."""
    if _is_long(tempfile.gettempdir()):
        tempfile.tempdir = _short_folder()
        vars(current_process()).get("_config", {}).pop("tempdir", None)  # the parent's, if it had one


class Loader:
    """Epoch after epoch of batches, which can stop anywhere and go on later.

    Parameters
    ----------
    data : Batches
    n_workers : int
        Processes that read; 0 is this one, with a thread that reads ahead when streaming.
    start_method : str, optional
        "fork" or "spawn"; default the platform's.  Use "spawn" for a store at a URL.
    pin_memory : bool
        For a GPU.

    Examples
    --------
    ``for batch in loader`` is one epoch.  After ``state = loader.state_dict()`` in mid-epoch,
    ``again.load_state_dict(state)`` makes another loader of the same data give the rest.
    """

    def __init__(
        self, data: Batches, *, n_workers: int = 0, start_method: str | None = None, pin_memory: bool = False
    ) -> None:
        self.data, self.n_workers, self.start_method, self.pin_memory = data, n_workers, start_method, pin_memory
        self.epoch = 0
        self._reset()

    def _reset(self) -> None:
        self.done, self.next_share = [0] * max(1, self.n_workers), 0

    def __len__(self) -> int:
        self.data.epoch = self.epoch
        return sum(self.data.n_batches(self.n_workers))

    def __iter__(self) -> Iterator[Batch]:
        self.data.epoch, self.data.skip, self.data.first_share = self.epoch, list(self.done), self.next_share
        source: Any = self.data.shared()
        if self.n_workers:
            if _is_long(tempfile.gettempdir()) and _short_folder() is None:
                raise TrainError(
                    f"TMPDIR is {one_line(tempfile.gettempdir())}, too long for the sockets of workers; set one of at "
                    f"most {LONGEST} characters, or n_workers to 0"
                )
            source = DataLoader(
                _Shares(self.data),
                batch_size=None,
                num_workers=self.n_workers,
                multiprocessing_context=self.start_method,
                worker_init_fn=_short_paths,
                pin_memory=self.pin_memory,
                generator=torch.Generator().manual_seed(0),  # the global one is the system's
            )
        try:
            for share, batch in source:
                self.done[share] += 1
                self.next_share = (share + 1) % len(self.done)
                yield batch.pin_memory() if self.pin_memory and not self.n_workers else batch
        finally:
            self.data.skip, self.data.first_share = [], 0  # others may take the same batches
        self.epoch += 1
        self._reset()

    def state_dict(self) -> dict[str, Any]:
        """Where the loader is, as JSON can hold it."""
        return {"plan": self._digest(), "epoch": self.epoch, "done": list(self.done), "next_share": self.next_share}

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on where another loader of the same data was.

        Raises
        ------
        TrainError
            If the state is of other data, another order or another number of workers.
        """
        if state["plan"] != self._digest():
            raise TrainError("the loader's state is of other utterances or settings; expected the same, or begin anew")
        epoch, done, next_share = state["epoch"], list(state["done"]), state["next_share"]
        whole = all(type(value) is int and value >= 0 for value in (epoch, next_share, *done))
        if not whole or len(done) != len(self.done) or next_share >= len(done):
            raise TrainError("the loader's state is not one that `state_dict` gave; begin anew")
        self.epoch, self.done, self.next_share = epoch, done, next_share

    def _digest(self) -> str:
        data = self.data
        budget = data.memory_budget if isinstance(data.source, Stored) else None
        settings = [data.batch_size, data.shuffle, data.seed, data.balanced, data.bucket, budget, self.n_workers]
        digest = hashlib.sha256(repr(settings).encode())
        digest.update(np.ascontiguousarray(data.source.rows).tobytes())
        digest.update(data.source.labels.numpy().tobytes())
        return digest.hexdigest()
