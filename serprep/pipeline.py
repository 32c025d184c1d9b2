"""A recipe's corpus and configuration → a store, through the cache.

Bad input never stops the rest: it is quarantined with a reason and listed.  Tasks take
batches and return receipts; a batch that is finished stays finished, whatever happens
next.
"""

import contextlib
import ctypes
import hashlib
import json
import os
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np

from serprep import audio
from serprep._typing import ByteArray
from serprep.cache import Cache, Memo, as_keys, key_of, sortable
from serprep.corpora import read_corpus
from serprep.errors import (
    AudioError,
    CorpusError,
    FeatureError,
    KilledError,
    ManifestError,
    PartError,
    SerprepError,
    StoreError,
    first_ten,
    one_line,
)
from serprep.features.extract import Features, extract, identities, library_versions, prepare
from serprep.files import Folder, as_root, refuse_store
from serprep.manifest import Manifest, Selection, look, make_manifest, read_manifest, select, spellings
from serprep.parallel import Died, Workers
from serprep.progress import Progress
from serprep.recipe import Recipe
from serprep.remote import is_url
from serprep.store.pack import pack
from serprep.store.writer import Origins
from serprep.utterance import Utterances
from serprep.version import build_number, versions


@dataclass(frozen=True, kw_only=True)
class Quarantined:
    """An utterance that is not in the store, and why."""

    id: str
    path: str
    reason: str


@dataclass(frozen=True, kw_only=True)
class BuildResult:
    """What a build did; computed, reused and quarantined add up to the rows asked for."""

    version: str
    store: str  # absolute path
    n_utterances: int  # rows stored
    computed: int
    reused: int
    quarantined: int
    reasons: tuple[Quarantined, ...]
    dropped: Mapping[str, int]  # reason → utterances the recipe left out
    warnings: tuple[str, ...]
    n_files_read: int
    audio_seconds: float  # of the utterances computed
    seconds: float  # the build took
    repaired: tuple[str, ...] = ()  # what was wrong with the store that was there
    n_before: int | None = None  # rows of the version that was built before this one


def build(
    recipe: Recipe,
    *,
    pool: Workers | None = None,
    workers: int | None = None,
    scheduler: str | None = None,
    batch_size: int | None = None,
    on_bad_audio: str = "quarantine",
    rehash: bool = False,
    retry: bool = False,
    repair: bool = False,
    quiet: bool = True,
) -> BuildResult:
    """Build the store a recipe asks for, computing only what the cache does not have.

    Parameters
    ----------
    recipe : Recipe
    pool : Workers, optional
        Workers to use; by default the build starts and stops its own.
    workers, scheduler : optional
        As for `Workers`, where `pool` is not given.
    batch_size : int, optional
        Utterances per task; no effect on any byte of the store.
    on_bad_audio : {"quarantine", "fail"}
    rehash : bool
        Read every file again, whatever the memo says.
    retry : bool
        Try utterances again that failed in an earlier build.
    repair : bool
        Look through the store if it is there already, and write it again if it is damaged.
    quiet : bool
        Show no progress.

    Returns
    -------
    BuildResult

    Raises
    ------
    SerprepError
        If the corpus cannot be read, nothing can be stored, or the disk is full; with
        ``on_bad_audio="fail"`` also for the first bad utterances.
    """
    began = time.monotonic()
    if on_bad_audio not in ("quarantine", "fail"):
        raise SerprepError(f"on_bad_audio is {on_bad_audio!r}; expected 'quarantine' or 'fail'")
    if batch_size is not None and batch_size < 1:
        raise SerprepError(f"batch_size is {batch_size}; expected 1 or more")
    if not is_url(recipe.dataset_path):
        refuse_store(Path(recipe.dataset_path))
    own = pool is None
    pool = pool or Workers(workers, scheduler)
    cache = Cache(f"{recipe.dataset_path}/cache")
    try:
        asked = gather(recipe)
        memo = Memo(cache, recipe.root, ignore=rehash)
        with Progress(
            "reading recordings", len(set(asked.manifest.utterances.column("path"))), unit="files", quiet=quiet
        ) as progress:
            looked = look(asked.manifest, recipe.root, look_at=memo.look_at, progress=progress.to)
        memo.save()
        good, bad = _usable(asked.manifest, looked.manifest, looked.reasons)
        n_computed, seconds = 0, 0.0
        for attempts_left in reversed(range(100)):
            try:
                rows, origins, failed, n_more, more = _features(
                    good, recipe, cache=cache, pool=pool, batch_size=batch_size, retry=retry, quiet=quiet
                )
                n_computed, seconds = n_computed + n_more, seconds + more
                _refuse_nothing(rows, [*bad, *failed], on_bad_audio)
                packed = pack(
                    Manifest(rows, asked.manifest.info),
                    origins,
                    dataset=recipe.dataset_path,
                    labels=asked.labels,
                    features=recipe.features,
                    config=recipe.store,
                    pool=pool,
                    repair=repair,
                    quiet=quiet,
                )
                break
            except PartError:  # damaged, or removed by somebody who wanted space: compute it again; it is gone now
                if not attempts_left:
                    raise
        bad += failed
    finally:
        if own:
            pool.close()
    result = BuildResult(
        version=packed.version,
        store=packed.path,
        n_utterances=len(rows),
        computed=min(n_computed, len(rows)),
        reused=max(0, len(rows) - n_computed),
        quarantined=len(bad),
        reasons=tuple(sorted(bad, key=lambda entry: (entry.id, entry.path))),
        dropped=asked.dropped,
        warnings=asked.warnings,
        n_files_read=memo.n_read,
        audio_seconds=seconds,
        seconds=time.monotonic() - began,
        repaired=tuple(f"{problem.place}: {problem.message}" for problem in packed.repaired),
    )
    return _write_report(result, recipe)


def _refuse_nothing(rows: Sequence[object], bad: Sequence[Quarantined], on_bad_audio: str) -> None:
    """Raise if there is nothing to store, or bad audio that must not be."""
    reasons = [f"utterance {one_line(entry.id)!r} ({one_line(entry.path)}): {entry.reason}" for entry in bad]
    if bad and on_bad_audio == "fail":
        raise SerprepError(first_ten(reasons))
    if not rows:
        raise StoreError("nothing to store: " + first_ten(reasons or ["the recipe drops everything"]))


# -- which utterances ----------------------------------------------------------------


@dataclass(frozen=True)
class Asked(Selection):
    """The rows a recipe asks for, what it left out, and the reader's warnings."""

    warnings: tuple[str, ...] = field(default=())


def gather(recipe: Recipe) -> Asked:
    """Read the recipe's corpus or manifest, and select its rows; no audio is touched."""
    corpus = recipe.corpus
    warnings: tuple[str, ...] = ()
    if corpus.manifest:
        manifest = read_manifest(recipe.path(corpus.manifest))
        if not recipe.root.is_dir():
            raise CorpusError(
                f"{one_line(recipe.root)}: no such folder; expected the root of the manifest's recordings"
            )
    else:
        reading = read_corpus(corpus.reader, recipe.root, corpus.options)
        warnings = reading.warnings
        manifest = make_manifest(reading.utterances, describe_corpus(reading.corpus))
    exclude: list[str] = []
    if corpus.exclude:
        try:
            text = recipe.path(corpus.exclude).read_text(encoding="utf-8-sig")
        except (OSError, UnicodeDecodeError) as error:
            raise ManifestError(
                f"exclude = {corpus.exclude!r}: {one_line(error)}; expected utterance ids, one a line"
            ) from None
        exclude = [line.strip() for line in text.splitlines() if line.strip()]
    chosen = select(manifest, emotions=corpus.emotions, exclude=exclude)
    return Asked(chosen.manifest, chosen.dropped, chosen.labels, (*warnings, *spellings(chosen.manifest)))


def describe_corpus(corpus: Any) -> dict[str, object]:
    """What a manifest says about its corpus."""
    return {
        "corpus": corpus.title,
        "release": corpus.release,
        "licence": corpus.licence,
        "source": corpus.source,
        "reader": corpus.name,
        "reader_version": corpus.reader_version,
    }


def _usable(asked: Manifest, looked: Manifest, reasons: Mapping[str, str]) -> tuple[Utterances, list[Quarantined]]:
    """Rows whose audio can be read, and the others with their reasons."""
    good: list[int] = []
    bad: list[Quarantined] = []
    pairs = zip(
        groupby(asked.utterances, key=lambda row: row.id),
        groupby(enumerate(looked.utterances), key=lambda row: row[1].id),
        strict=True,  # looking drops no id, and both are sorted
    )
    for (_, before), (_, after) in pairs:
        expected, rows = {row.path: row.audio_digest for row in before}, list(after)
        for number, row in rows:
            wanted = expected.get(row.path)
            if row.path in reasons:
                reason = reasons[row.path]
            elif len(rows) > 1:
                reason = f"duplicate id: {len(rows)} different rows share it; make ids unique"
            elif wanted and wanted != row.audio_digest:
                reason = (
                    "the recording is not the manifest's (other SHA-256); make the manifest again or restore the file"
                )
            else:
                good.append(number)
                continue
            bad.append(Quarantined(id=row.id, path=row.path, reason=reason))
    return looked.utterances.take(good), bad


# -- features ------------------------------------------------------------------------


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


def _features(
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
    if any(not places.found[numbers].all() for kind, places in origins.places.items() if kind != "logmel"):
        prepare(features, (lambda line: None) if quiet else None)
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
    keys = origins.keys["logmel"][missing]  # two utterances share the key of every kind, or of none
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
                path, data = item.path, audio.read_bytes(as_root(item.path))
                digest = audio.digest_of(data)
            if digest != item.digest:
                raise AudioError("the file changed during the build; build again")
        except AudioError as error:
            failures[number] = str(error)
            path = ""
            continue
        try:
            signal = audio.decode(data, start=item.start, end=item.end, config=batch.features.signal)
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


# -- the build report -----------------------------------------------------------------


def _write_report(result: BuildResult, recipe: Recipe) -> BuildResult:
    """``build.json`` beside the store: who, when, with what, and what was left out; the result, compared."""
    stem = f"versions/{result.version}"
    folder, name = Folder(recipe.dataset_path), f"{stem}.build.json"
    stems = {name.rsplit(".", 1)[0] for name in versions(recipe.dataset_path)}
    numbers = {one: build_number(recipe.dataset_path, one) for one in stems}
    number = numbers.get(stem) or 1 + max(numbers.values(), default=0)
    earlier = {one: at for one, at in numbers.items() if 0 < at < number}
    if earlier:
        with contextlib.suppress(OSError, ValueError, TypeError, KeyError):
            before = json.loads(folder.read(f"{max(earlier, key=earlier.__getitem__)}.build.json"))["n_utterances"]
            result = replace(result, n_before=int(before))
    platform = os.uname().sysname + " " + os.uname().machine if hasattr(os, "uname") else sys.platform
    made: dict[str, Any] = {
        "built": datetime.now(UTC).isoformat(timespec="seconds"),
        "libraries": library_versions(),
        "python": sys.version.split()[0],
        "platform": platform,
    }
    with contextlib.suppress(OSError, ValueError, TypeError, KeyError):  # of the build that made it
        before = json.loads(folder.read(name))
        made |= {key: before[key] for key in (("built",) if result.repaired else tuple(made))}
    report = {
        "version": result.version,
        "number": number,
        "dataset": recipe.dataset.name,
        **made,
        "n_utterances": result.n_utterances,
        "quarantined": [vars(entry) for entry in result.reasons],
        "dropped": dict(result.dropped),
        "warnings": list(result.warnings),
    }
    try:
        folder.write(name, (json.dumps(report, indent=2, ensure_ascii=False) + "\n").encode())
    except OSError:
        if not folder.exists(name):  # a finished data set may be read-only
            raise
    return result
