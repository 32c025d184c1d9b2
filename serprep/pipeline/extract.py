"""The features of utterances, through the cache.

Tasks take batches and return receipts; a batch that is finished stays finished,
whatever happens next.
"""

import contextlib
import ctypes
import hashlib
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from serprep._typing import ByteArray
from serprep.audio.decode import decode, digest_of, read_bytes
from serprep.cache.parts import Cache, as_keys, key_of, sortable
from serprep.errors import (
    AudioError,
    FeatureError,
    KilledError,
    PartError,
)
from serprep.features.extract import Features, extract, identities, prepare
from serprep.files import as_root
from serprep.parallel import Died, Workers
from serprep.pipeline.gather import Quarantined
from serprep.progress import Progress
from serprep.recipe import Recipe
from serprep.store.writer import Origins
from serprep.utterance import Utterances


@dataclass(frozen=True)
class Item:
    """One utterance to compute."""

    path: str  # absolute
    start: float | None
    end: float | None
    digest: str
    duration: float
    keys: Mapping[str, bytes]  # of the kinds that are missing
    failure_key: bytes


@dataclass(frozen=True)
class Batch:
    """What one task computes."""

    items: tuple[Item, ...]
    features: Features
    cache: str


@dataclass(frozen=True)
class Receipt:
    """What one task did."""

    failures: Mapping[int, str]  # number in the batch → reason


@dataclass(frozen=True, eq=False)
class Batches(Sequence[Batch]):
    """Batches of some of the utterances, each made when it is asked for."""

    utterances: Utterances
    numbers: Sequence[int]  # of the utterances to compute
    origins: Origins
    cuts: Sequence[int]  # where in `numbers` each batch begins, and where the last one ends
    features: Features
    root: Path
    cache: str

    def __len__(self) -> int:
        return len(self.cuts) - 1

    def __getitem__(self, number: Any) -> Any:
        number = range(len(self))[number]
        some = self.numbers[self.cuts[number] : self.cuts[number + 1]]
        return Batch(tuple(self._item(i) for i in some), self.features, self.cache)

    def _item(self, i: int) -> Item:
        row = self.utterances[i]
        key = key_at(self.origins, i)
        return Item(
            str(self.root / row.path),
            row.start,
            row.end,
            row.audio_digest,
            row.duration or 0.0,
            {kind: value for kind, value in key.items() if self.origins.places[kind][i] is None},
            failure_key(key),
        )


def compute_features(
    utterances: Utterances,
    recipe: Recipe,
    *,
    cache: Cache,
    pool: Workers,
    batch_size: int | None,
    retry: bool,
    quiet: bool,
) -> tuple[Utterances, Origins, list[Quarantined], int, float]:
    """Rows, the origins of their features, failures, utterances and audio-seconds computed."""
    features = recipe.features
    keys = {kind: _keys(utterances, identity) for kind, identity in identities(features).items()}
    origins = _find(cache, keys)
    failures = {} if retry else cache.failures()
    numbers = [i for i in _missing(origins) if failure_key(key_at(origins, i)) not in failures]
    needed = tuple(kind for kind, places in origins.places.items() if not places.found[numbers].all())
    prepare(features, needed, (lambda line: None) if quiet else None)
    cuts = _cuts(len(numbers), pool.n_workers, batch_size)
    batches = Batches(utterances, numbers, origins, cuts, features, recipe.root, cache.root)
    n_failed, seconds = 0, 0.0
    _give_back()
    with Progress("features", len(numbers), quiet=quiet or not numbers) as progress:
        for item, reason in _compute(batches, pool):
            if reason:
                failures[item.failure_key] = reason
                n_failed += 1
            else:
                seconds += item.duration
            progress.add(1, seconds=item.duration, n_bad=bool(reason))
    if numbers:
        origins = _find(cache, keys)
    bad = []
    stored = origins.complete
    for i in np.flatnonzero(~stored).tolist():
        reason = failures.get(failure_key(key_at(origins, i)), "")
        if not reason:
            raise PartError(f"cache {cache.root}: finished parts vanished during the build; build again")
        bad.append(Quarantined(id=utterances[i].id, path=utterances[i].path, reason=reason))
    rows = utterances.take(np.flatnonzero(stored).tolist())
    return rows, origins.take(stored), bad, len(numbers) - n_failed, seconds


def _keys(utterances: Utterances, identity: Mapping[str, Any]) -> ByteArray:
    """The key of each utterance, shape (n, 32)."""
    cells = zip(*(utterances.column(name) for name in ("audio_digest", "start", "end")), strict=True)
    return as_keys(key_of(digest, start, end, identity) for digest, start, end in cells)


def key_at(origins: Origins, i: int) -> dict[str, bytes]:
    """Kind → key of one utterance."""
    return {kind: keys[i].tobytes() for kind, keys in origins.keys.items()}


def failure_key(keys: Mapping[str, bytes]) -> bytes:
    """Under what a failure is remembered: it changes with the file and with every extractor."""
    return hashlib.sha256(b"".join(keys[kind] for kind in sorted(keys))).digest()


def _find(cache: Cache, keys: Mapping[str, ByteArray]) -> Origins:
    return Origins(keys, {kind: cache.find(kind, own) for kind, own in keys.items()})


def _missing(origins: Origins) -> list[int]:
    """Utterances to compute; of byte-identical ones the first."""
    missing = np.flatnonzero(~origins.complete)
    keys = next(iter(origins.keys.values()))[missing]  # two utterances share the key of every kind, or of none
    _, first = np.unique(sortable(keys), return_index=True)
    return [int(i) for i in missing[np.sort(first)]]


def _give_back() -> None:
    """Let freed memory go: glibc keeps it, and what is imported next comes on top of it."""
    with contextlib.suppress(OSError, AttributeError, TypeError):  # another C library
        ctypes.CDLL(None).malloc_trim(0)


def _cuts(n: int, n_workers: int, size: int | None) -> list[int]:
    """Where batches begin and end: they become smaller, so that all workers finish at about the same time.

    Examples
    --------
    >>> _cuts(20, 2, None), _cuts(20, 2, 8)
    ([0, 4, 8, 12, 16, 20], [0, 8, 16, 20])
    """
    cuts = [0]
    while cuts[-1] < n:
        left = n - cuts[-1]
        cuts.append(cuts[-1] + min(left, size or max(4, min(64, left // (8 * n_workers)))))
    return cuts


def _compute(batches: Batches, pool: Workers) -> Iterator[tuple[Item, str]]:
    """Each item with "" or the reason it failed, as batches finish."""
    alone: list[Batch] = []
    for number, receipt in pool.run(extract_batch, batches):
        batch = batches[number]
        if isinstance(receipt, Died):  # find the culprit: each of its utterances alone
            alone += [replace(batch, items=(item,)) for item in batch.items]
            continue
        yield from ((item, receipt.failures.get(i, "")) for i, item in enumerate(batch.items))
    for number, receipt in pool.run(extract_batch, alone):
        item = alone[number].items[0]
        yield (
            item,
            f"crashed the extractor: {receipt.reason}" if isinstance(receipt, Died) else receipt.failures.get(0, ""),
        )


def extract_batch(batch: Batch) -> Receipt:
    """Compute a batch and write it into the cache; the task that workers run."""
    cache = Cache(batch.cache)
    found: dict[str, list[tuple[bytes, Any, int]]] = {}
    failures: dict[int, str] = {}
    lasting: dict[bytes, str] = {}  # failures of these very bytes, worth remembering
    path, data, digest = "", b"", ""
    for number, item in enumerate(batch.items):
        try:
            if item.path != path:
                path, data = item.path, read_bytes(as_root(item.path))
                digest = digest_of(data)
            if digest != item.digest:
                raise AudioError("the file changed during the build; build again")
        except AudioError as error:
            failures[number] = str(error)
            path = ""
            continue
        try:
            signal = decode(data, start=item.start, end=item.end, config=batch.features.signal)
            values = extract(signal, batch.features, tuple(item.keys))
        except (AudioError, FeatureError) as error:
            failures[number] = str(error)
            if not isinstance(error, KilledError):
                lasting[item.failure_key] = str(error)
            continue
        for kind, rows in values.items():
            found.setdefault(kind, []).append((item.keys[kind], rows, len(signal)))
    if lasting:
        cache.write_failures(lasting)
    for kind, entries in found.items():
        keys, blocks, n_samples = zip(*entries, strict=True)
        cache.write(kind, keys, blocks, n_samples)
    return Receipt(failures)
