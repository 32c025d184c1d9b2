"""The features of utterances, through the cache.

Tasks take batches and return receipts; a batch that is finished stays finished,
whatever happens next.
"""

import contextlib
import hashlib
import itertools
import threading
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path
from types import MappingProxyType
from typing import Any

import numpy as np

from serprep import contained as containing
from serprep._typing import ByteArray, FloatArray
from serprep.audio.decode import Decoder, decode, digest_of, read_bytes
from serprep.audio.levels import Levels
from serprep.cache.levels import keep_levels, level_key
from serprep.cache.parts import Cache, as_keys, key_of, nowhere, revised_identity, sortable
from serprep.conditions import Applied, Other
from serprep.contained import contained, limited
from serprep.errors import (
    AudioError,
    FeatureError,
    KilledError,
    LimitError,
    PartError,
    SerprepError,
    one_line,
)
from serprep.features.extract import Features, extract, give_back, identities, prepare
from serprep.parallel import Died, Workers, here, n_threads
from serprep.pipeline.gather import Quarantined
from serprep.place.corpus import as_root
from serprep.progress import Progress
from serprep.store.writer import Origins
from serprep.utterance import Utterances

SECONDS = 30.0  # of the processor, that any signal may take
ATTEMPTS = 3  # at a recording that this process can read and a worker cannot
FEW = 4  # utterances of a batch that workers of a cluster live long enough for


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
    id: str = ""
    others: tuple[Other, ...] = ()  # mixed in by the batch's condition, their paths absolute


@dataclass(frozen=True)
class Batch:
    """What one task computes."""

    items: tuple[Item, ...]
    features: Features
    cache: str
    memory: int | None = None  # bytes that a signal may cost; None: most of the machine's
    condition: Applied | None = None  # what becomes of signals before their features


@dataclass(frozen=True)
class Receipt:
    """What one task did."""

    failures: Mapping[int, str]  # number in the batch → reason
    unread: Mapping[int, str] = field(default_factory=dict)  # what could not be read, which may be the worker's fault
    parts: Mapping[str, str] = field(default_factory=dict)  # kind → the part of the cache that it wrote
    worker: str = ""
    suspects: tuple[int, ...] = ()  # what found no memory in a process that does other things as well


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
    memory: int | None = None
    condition: Applied | None = None
    others: Sequence[tuple[Other, ...]] = ()  # of each of the utterances

    def __len__(self) -> int:
        return len(self.cuts) - 1

    def __getitem__(self, number: Any) -> Any:
        number = range(len(self))[number]
        some = self.numbers[self.cuts[number] : self.cuts[number + 1]]
        return Batch(tuple(self._item(i) for i in some), self.features, self.cache, self.memory, self.condition)

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
            row.id,
            tuple(replace(other, path=str(self.root / other.path)) for other in self.others[i]) if self.others else (),
        )


@dataclass(frozen=True)
class Computed:
    """What `compute_features` gives."""

    utterances: Utterances  # those that have all their features
    origins: Origins  # of these, where each feature lies
    failed: list[Quarantined]  # the others
    n: int  # utterances computed, and not found in the cache
    seconds: float  # of sound, of those


def compute_features(
    utterances: Utterances,
    features: Features,
    *,
    root: Path,
    cache: Cache,
    pool: Workers,
    batch_size: int | None,
    retry: bool,
    quiet: bool,
    revised: Collection[str] = (),
    recompute: bool = False,
    condition: Applied | None = None,
    failed: dict[bytes, str] | None = None,
) -> Computed:
    """Features of utterances: found in the cache, or computed by the pool's workers into it.

    Parameters
    ----------
    utterances : Utterances
        With the digest of each one's audio.
    features : Features
    root : Path
        What the utterances' paths are relative to.
    cache : Cache
    pool : Workers
    batch_size : int or None
        Utterances per task; None: what lets all workers end at about the same time.
    retry : bool
        Try those again whose failure is remembered.
    quiet : bool
        Show no progress.
    revised : collection of str
        Audio digests of what is decoded otherwise than before (`Looked.revised`).
    recompute : bool
        Compute all, whatever the cache has.
    condition : Applied, optional
        What becomes of signals before their features.
    failed : dict, optional
        Failures that this build has met, by their keys: they are not tried again, and new ones are added.

    Raises
    ------
    PartError
        If parts of the cache vanish meanwhile; calling again computes them.
    SerprepError
        If workers cannot read what this process reads, or a kind lacks what it needs.
    """
    others = condition.others(utterances) if condition else ()
    transformed = [condition.identity(mixed) for mixed in others] if condition else [{}] * len(utterances)
    keys = {
        kind: _keys(utterances, identity, revised, _own_identities(utterances, features, kind, transformed))
        for kind, identity in identities(features).items()
    }
    origins = _nowhere(keys) if recompute else _find(cache, keys)
    failed = {} if failed is None else failed
    failures = failed | ({} if retry or recompute else cache.failures())
    numbers = [i for i in _missing(origins) if failure_key(key_at(origins, i)) not in failures]
    paths, starts = utterances.column("path"), utterances.column("start")
    numbers.sort(key=lambda i: (paths[i], starts[i] or 0.0))  # as a recording is decoded
    needed = tuple(kind for kind, places in origins.places.items() if not places.cached[numbers].all())
    prepare(features, needed, (lambda line: None) if quiet else None)
    cuts = _cuts([paths[i] for i in numbers], pool.n_workers, batch_size)
    memory = getattr(pool, "memory", None)
    batches = Batches(utterances, numbers, origins, cuts, features, root, cache.root, memory, condition, others)
    n_failed, seconds = 0, 0.0
    written: dict[str, set[str]] = {kind: set() for kind in keys}
    give_back()
    with Progress("features", len(numbers), quiet=quiet or not numbers) as progress:
        for item, reason in _compute(batches, pool, written):
            if reason:
                failures[item.failure_key] = failed[item.failure_key] = reason
                n_failed += 1
            else:
                seconds += item.duration
            progress.add(1, seconds=item.duration, n_bad=bool(reason))
    if recompute:
        for kind, own in keys.items():
            cache.forget(kind, own, keep=written[kind])
    if numbers:
        origins = _find(cache, keys, written)
    bad = []
    stored = origins.complete
    for i in np.flatnonzero(~stored).tolist():
        reason = failures.get(failure_key(key_at(origins, i)), "")
        if not reason:
            raise PartError(f"cache {one_line(cache.root)}: finished parts vanished during the build; build again")
        bad.append(Quarantined(id=utterances[i].id, path=utterances[i].path, reason=reason))
    rows = utterances.take(np.flatnonzero(stored).tolist())
    return Computed(rows, origins.take(stored), bad, len(numbers) - n_failed, seconds)


def _own_identities(
    utterances: Utterances, features: Features, name: str, transformed: Sequence[Mapping[str, Any]]
) -> Iterator[Mapping[str, Any]]:
    """What enters the key of each utterance besides: its condition, and which it is where the kind wants to know."""
    kind, config = features.kind(name), features.configs[name]
    if kind.wants == "utterance":
        ids = utterances.column("id")
        return ({**kind.own_identity(config, row), **more} for row, more in zip(ids, transformed, strict=True))
    return iter(transformed)


def _keys(
    utterances: Utterances,
    identity: Mapping[str, Any],
    revised: Collection[str],
    own: Iterable[Mapping[str, Any]],
) -> ByteArray:
    """The key of each utterance, shape (n, 32); `revised` are digests of what is decoded otherwise than before."""
    cells = zip(*(utterances.column(name) for name in ("audio_digest", "start", "end")), own, strict=True)
    anew = revised_identity(identity)
    return as_keys(
        key_of(digest, start, end, {**(anew if digest in revised else identity), **more})
        for digest, start, end, more in cells
    )


def key_at(origins: Origins, i: int) -> dict[str, bytes]:
    """Kind → key of one utterance."""
    return {kind: keys[i].tobytes() for kind, keys in origins.keys.items()}


def failure_key(keys: Mapping[str, bytes]) -> bytes:
    """Under what a failure is remembered: it changes with the file, every extractor, and how files are decoded."""
    return hashlib.sha256(b"decoding 2" + b"".join(keys[kind] for kind in sorted(keys))).digest()


def _find(
    cache: Cache, keys: Mapping[str, ByteArray], written: Mapping[str, Collection[str]] = MappingProxyType({})
) -> Origins:
    return Origins(keys, {kind: cache.find(kind, own, written=written.get(kind, ())) for kind, own in keys.items()})


def _nowhere(keys: Mapping[str, ByteArray]) -> Origins:
    """As if the cache had none of them."""
    return Origins(keys, {kind: nowhere(len(own)) for kind, own in keys.items()})


def _missing(origins: Origins) -> list[int]:
    """Utterances to compute; of byte-identical ones the first."""
    missing = np.flatnonzero(~origins.complete)
    keys = np.concatenate([own[missing] for own in origins.keys.values()], axis=1)
    _, first = np.unique(sortable(keys), return_index=True)
    return [int(i) for i in missing[np.sort(first)]]


def _cuts(paths: Sequence[str], n_workers: int, size: int | None) -> list[int]:
    """Where batches begin and end: they become smaller, so that all workers finish at about the same time.

    Excerpts of one recording stay together, unless there are too many for one worker.

    Examples
    --------
    >>> names = [f"{n}.wav" for n in range(20)]
    >>> _cuts(names, 2, None), _cuts(names, 2, 8)
    ([0, 4, 8, 12, 16, 20], [0, 8, 16, 20])
    >>> _cuts(["a.wav"] * 6 + ["b.wav"] * 14, 1, None)
    [0, 6, 20]
    """
    cuts, n = [0], len(paths)
    ends = itertools.accumulate(len(list(same)) for _, same in itertools.groupby(paths))
    end = 0
    while cuts[-1] < n:
        left = n - cuts[-1]
        cut = cuts[-1] + min(left, size or max(FEW, min(64, left // (8 * n_workers))))
        while end < cut:
            end = next(ends)
        if not size and (end - cut) * n_workers <= n:
            cut = end
        cuts.append(cut)
    return cuts


def _compute(batches: Batches, pool: Workers, written: Mapping[str, set[str]]) -> Iterator[tuple[Item, str]]:
    """Each item with "" or the reason it failed, as batches finish; `written` gets the names of parts."""
    suspects: list[Batch] = []
    work: Sequence[Batch] = batches
    for attempt in range(ATTEMPTS):
        if not work:
            break
        again: list[Batch] = []
        for number, receipt in pool.run(extract_batch, work, once=True):
            batch = work[number]
            if isinstance(receipt, Died):
                if getattr(pool, "scheduler", None) and len(batch.items) > FEW:
                    again += [replace(batch, items=batch.items[i : i + FEW]) for i in range(0, len(batch.items), FEW)]
                else:
                    suspects.append(batch)
                continue
            for kind, name in receipt.parts.items():
                written[kind].add(name)
            suspects += [replace(batch, items=(batch.items[i],)) for i in receipt.suspects]
            for i, item in enumerate(batch.items):
                if i in receipt.suspects:
                    continue
                if i in receipt.unread and _is_there(item):
                    again.append(_elsewhere(replace(batch, items=(item,)), receipt, i, pool, attempt))
                else:
                    yield item, receipt.unread.get(i, "") or receipt.failures.get(i, "")
        work = again
    again = []
    for number, receipts in pool.run(extract_contained, suspects, once=True):
        if isinstance(receipts, Died):  # what computed them was not in that process: somebody else killed it
            again.append(suspects[number])
        else:
            yield from _told(suspects[number], receipts, written)
    for batch in again:  # no worker lives as long as they need: this process does
        yield from _told(batch, extract_contained(batch), written)


def _told(batch: Batch, receipts: Sequence[Receipt], written: Mapping[str, set[str]]) -> Iterator[tuple[Item, str]]:
    """What the receipt of each item says."""
    for item, receipt in zip(batch.items, receipts, strict=True):
        for kind, name in receipt.parts.items():
            written[kind].add(name)
        yield item, receipt.unread.get(0, "") or receipt.failures.get(0, "")


def _is_there(item: Item) -> bool:
    """Whether this process reads what it has read before: then who does not is to blame, and not the recording."""
    try:
        _read(item.path, item.digest)
        _read_others(item)
    except AudioError:
        return False
    return True


def _read(path: str, digest: str) -> bytes:
    """The bytes of a recording, as they were when it was looked at."""
    data = read_bytes(as_root(path))
    if digest_of(data) != digest:
        raise AudioError("the file changed during the build; build again")
    return data


def _read_others(item: Item) -> list[bytes]:
    """The recordings that are mixed into an utterance; an error names which of them."""
    path = ""
    try:
        return [_read(path := other.path, other.digest) for other in item.others]
    except AudioError as error:
        raise AudioError(f"mixed in: {one_line(path)}: {error}") from None


def _elsewhere(batch: Batch, receipt: Receipt, i: int, pool: Workers, attempt: int) -> Batch:
    """A batch to be tried by another worker.

    Raises
    ------
    SerprepError
        If no worker can read what this process reads.
    """
    path = one_line(batch.items[0].path)
    if receipt.worker:
        pool.members.distrust(receipt.worker, f"it cannot read {path}, which is there: {receipt.unread[i]}")
    if attempt == ATTEMPTS - 1:
        who = f"worker {receipt.worker}" if receipt.worker else "a worker"
        raise SerprepError(
            f"{path}: {who} cannot read it ({receipt.unread[i]}), this process can; "
            "let all workers read the corpus, and build again"
        )
    return batch


@dataclass
class _Opened:
    """A recording that a thread reads, from batch to batch: it is read and decoded once for all its excerpts."""

    path: str
    digest: str
    data: bytes

    @cached_property
    def decoder(self) -> Decoder:
        return Decoder(self.data)


_thread = threading.local()


def _open(item: Item) -> _Opened:
    """The recording of an utterance, as it was when it was looked at."""
    opened: _Opened | None = getattr(_thread, "opened", None)
    if opened is None or (opened.path, opened.digest) != (item.path, item.digest):
        opened = _thread.opened = None  # before the next is there
        opened = _thread.opened = _Opened(item.path, item.digest, _read(item.path, item.digest))
    return opened


def _transformed(signal: FloatArray, item: Item, batch: Batch, condition: Applied, mixed: list[bytes]) -> FloatArray:
    """A signal in a condition, with the bytes of the recordings that are mixed in."""
    config = batch.features.signal
    others = [
        decode(data, start=other.start, end=other.end, config=config)
        for other, data in zip(item.others, mixed, strict=True)
    ]
    return condition(signal, rate=config.sample_rate, digest=item.digest, start=item.start, others=others)


def seconds_of(batch: Batch) -> float:
    """Of the processor, that the longest signal of a batch may take."""
    longest = max((item.duration for item in batch.items), default=0.0)
    return SECONDS + longest * sum(batch.features.kind(name).patience for name in batch.features.kinds)


def extract_contained(batch: Batch) -> list[Receipt]:
    """Compute each utterance of a batch in a process that may die; the task for batches whose worker died."""
    batches = [replace(batch, items=(item,)) for item in batch.items]
    return [
        receipt or Receipt({0: reason}) for receipt, reason in contained(extract_batch, batches, seconds=seconds_of)
    ]


def _within(batch: Batch, signal: FloatArray, kinds: Collection[str]) -> None:
    """Raise a LimitError if a kind is known to need more memory for a signal than it may use."""
    for name in kinds:
        need = batch.features.kind(name).memory(batch.features.configs[name], len(signal))
        if batch.memory and need > batch.memory:
            seconds = len(signal) / batch.features.signal.sample_rate
            raise LimitError(
                f"{name} of {seconds:.0f} s need {need >> 20} MB, and a worker may use {batch.memory >> 20} "
                "(--memory-per-worker); allow more, or cut the recording"
            )


def extract_batch(batch: Batch) -> Receipt:
    """Compute a batch and write it into the cache; the task that workers run."""
    cache = Cache(batch.cache)
    n_worker = n_threads() or int(containing.alone)
    extracted: dict[str, list[tuple[bytes, Any, int]]] = {}
    failures: dict[int, str] = {}
    levels: list[tuple[bytes, Any]] = []
    unread: dict[int, str] = {}
    suspects: list[int] = []
    lasting: dict[bytes, str] = {}  # failures of these very bytes, worth remembering
    for number, item in enumerate(batch.items):
        try:
            opened, mixed = _open(item), _read_others(item)
        except AudioError as error:
            unread[number] = str(error)
            continue
        try:
            heard = Levels()
            own = replace(batch, items=(item,))
            with limited(seconds_of(own), batch.memory, n_threads=n_worker) if n_worker else contextlib.nullcontext():
                signal = opened.decoder.guarded(item.start, item.end, batch.features.signal, levels=heard)
                if item.start is item.end is None:  # nothing else will be read of it
                    _thread.opened = None
                    del opened
                _within(batch, signal, item.keys)
                if batch.condition:
                    signal = _transformed(signal, item, batch, batch.condition, mixed)
                values = extract(signal, batch.features, tuple(item.keys), utterance=item.id)
                n_samples = len(signal)
                del signal  # of an hour it is 230 MB, and packing takes memory, too
        except (AudioError, FeatureError) as error:
            failures[number] = str(error)
            if not isinstance(error, KilledError | LimitError):
                lasting[item.failure_key] = str(error)
            continue
        except MemoryError:
            if containing.alone or not n_worker:
                raise
            suspects.append(number)
            continue
        for kind, rows in values.items():
            extracted.setdefault(kind, []).append((item.keys[kind], rows, n_samples))
        levels.append((level_key(item.digest, item.start, item.end), heard.values()))
    keep_levels(cache, levels)
    if lasting:
        cache.write_failures(lasting)
    parts: dict[str, str] = {}
    for kind, entries in extracted.items():
        keys, blocks, lengths = zip(*entries, strict=True)
        parts[kind] = cache.write(kind, keys, blocks, lengths)
    return Receipt(failures, unread, parts, here(), tuple(suspects))
