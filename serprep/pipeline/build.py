"""A recipe's corpus and configuration → a store, through the cache.

Bad input never stops the rest: it is quarantined with a reason and listed.
"""

import contextlib
import json
import os
import sys
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from serprep import retries
from serprep.cache.memo import Memo
from serprep.cache.parts import Cache
from serprep.cache.place import cache_of
from serprep.card.write import write_card
from serprep.errors import (
    PartError,
    SerprepError,
    StoreError,
    first_ten,
    one_line,
)
from serprep.features.extract import Features, kind_libraries
from serprep.features.libraries import library_versions
from serprep.manifest.look import Looked
from serprep.manifest.table import Manifest
from serprep.parallel import WAIT, Workers, n_cores
from serprep.pipeline.computing import Computing, Options
from serprep.pipeline.early import Early
from serprep.pipeline.gather import Asked, Quarantined, gather, usable
from serprep.pipeline.looking import Looking
from serprep.pipeline.loudness import Loudness, check_loudness
from serprep.pipeline.places import shared
from serprep.place.place import Place, at
from serprep.recipe import Recipe, read_recipe
from serprep.store.containers import CONTAINERS
from serprep.store.pack import Packed, pack
from serprep.store.store import Store
from serprep.version import build_digest, build_number, read_build, versions

_FEW, _LARGE = 20, 1 << 22  # recordings, bytes of one: what a worker computes while another starts
_PART = 128  # utterances for each worker, at first: with fewer they wait for each other too often
ATTEMPTS = 10  # at features that vanish from the cache meanwhile


@dataclass(frozen=True, kw_only=True)
class BuildResult:
    """What a build did; computed, reused and quarantined add up to the rows asked for."""

    version: str
    store: str  # absolute path, or URL
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
    levels: Mapping[str, int] = field(default_factory=dict)  # problem → utterances that have it (`audio.levels`)
    n_before: int | None = None  # rows of the version that was built before this one
    card: str = ""  # the data card's path; "" where it could not be written
    stages: Mapping[str, float] = field(default_factory=dict)  # what was done → seconds it took
    retries: Mapping[str, int] = field(default_factory=dict)  # trouble of an object store → requests made again


def build(
    recipe: Recipe | str | Path,
    *,
    asked: Asked | None = None,
    pool: Workers | None = None,
    workers: int | None = None,
    scheduler: str | None = None,
    batch_size: int | None = None,
    on_bad_audio: str = "quarantine",
    rehash: bool = False,
    retry: bool = False,
    repair: bool = False,
    recompute: bool = False,
    wait_for_workers: float = WAIT,
    memory_per_worker: int | None = None,
    quiet: bool = True,
) -> BuildResult:
    """Build the store a recipe asks for, computing only what the cache does not have.

    Parameters
    ----------
    recipe : Recipe, or a path
        What `read_recipe` gives, or takes.
    asked : Asked, optional
        What `gather` read of the recipe's corpus, where the caller has it already.
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
    recompute : bool
        Compute all features again, whatever the cache has, and replace the store if it differs.
    wait_for_workers : float
        Seconds to wait for workers of a scheduler that has none.
    memory_per_worker : int, optional
        MiB that one recording may cost a worker; by default most of the machine's memory.
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
    if isinstance(recipe, str | Path):
        recipe = read_recipe(recipe)
    at(recipe.dataset_path).refuse_store()
    recipe = replace(recipe, features=recipe.features.settled())
    own, laps = pool is None, _Laps()
    retries.taken()  # of what this process did before
    pool = pool or Workers(workers, scheduler, wait=wait_for_workers, memory=memory_per_worker)
    place = cache_of(recipe.dataset_path, named=recipe.cache_path, scheduler=getattr(pool, "scheduler", None))
    early = Early(pool, recipe.features, then=CONTAINERS[recipe.store.format].load, quiet=quiet)
    try:
        asked = asked or gather(recipe)
        laps.end("corpus")
        if asked.located:
            asked.located.refuse_nothing(asked.root)
        memo = Memo(place.cache, asked.root, ignore=rehash)
        if own and workers is None:
            pool.n_workers = min(pool.n_workers, _enough(asked.root, asked.manifest.utterances.column("path")))
        starts = own and not scheduler
        options = Options(
            batch_size=batch_size,
            on_bad_audio=on_bad_audio,
            retry=retry,
            repair=repair,
            recompute=recompute,
            quiet=quiet,
        )
        computing = Computing(recipe, place.cache, pool, options)
        at_first_new = early.begin if starts else None
        with Looking(asked.manifest, asked.root, memo, at_first_new=at_first_new, quiet=quiet) as looking:
            if not recompute:
                for rows, revised in looking.parts(_PART * pool.n_workers, early.wait):
                    laps.end("recordings")
                    with contextlib.suppress(PartError):  # vanished from the cache: it is computed with the rest
                        computing(rows, revised)
                    laps.end("features")
            looked = looking.result()
        laps.end("recordings")
        early.wait()
        stored = _store(recipe, asked, looked, computing=computing, laps=laps)
    finally:
        if own:
            early.stop()
            pool.close()
    n_rows, packed, loudness = stored.n_rows, stored.packed, stored.loudness
    result = BuildResult(
        version=packed.version,
        store=packed.path,
        n_utterances=n_rows,
        computed=min(computing.n, n_rows),
        reused=max(0, n_rows - computing.n),
        quarantined=len(stored.bad),
        reasons=tuple(sorted(stored.bad, key=lambda entry: (entry.id, entry.path))),
        dropped=asked.dropped,
        warnings=(
            *asked.warnings,
            *_remarks(recipe.features, asked.manifest),
            *place.notes,
            *at(recipe.dataset_path).cautions(),
            *looked.remarks,
            *loudness.warnings,
        ),
        levels=loudness.counts,
        n_files_read=memo.n_read,
        audio_seconds=computing.seconds,
        seconds=time.monotonic() - began,
        stages={name: round(seconds, 3) for name, seconds in laps.seconds.items()},
        retries=dict(Counter(retries.taken()) + Counter(getattr(pool, "retries", {}))),
        repaired=tuple(f"{problem.place}: {problem.message}" for problem in packed.repaired),
    )
    del asked, looked, looking, stored  # the card of a million utterances needs their memory
    return _write_report(result, recipe, cache=place.cache)


@dataclass(frozen=True, kw_only=True)
class _Stored:
    """The store that is there now."""

    packed: Packed
    n_rows: int  # in it
    bad: Sequence[Quarantined]  # what is not
    loudness: Loudness


def _store(recipe: Recipe, asked: Asked, looked: Looked, *, computing: Computing, laps: "_Laps") -> _Stored:
    """Compute what the cache lacks, and pack it; what vanishes from the cache meanwhile is computed again."""
    good, bad = usable(asked.manifest, looked.manifest, looked.reasons)
    options, cache, pool, attempts_left = computing.options, computing.cache, computing.pool, ATTEMPTS
    with shared(recipe, good, cache=cache.root, pool=pool):
        laps.end("workers")
        while True:
            try:
                computed = computing(good, looked.revised)
                rows, silent = computed.utterances, recipe.corpus.silent
                loudness = check_loudness(
                    rows, recipe.root, cache=cache, silent=silent, retry=options.retry, quiet=options.quiet
                )
                rows, origins = rows.take(loudness.keep), computed.origins.take(np.array(loudness.keep, np.int64))
                all_bad = [*bad, *computed.failed, *loudness.quarantined]
                _refuse_nothing(rows, all_bad, options.on_bad_audio)
                laps.end("features")
                packed = pack(
                    Manifest(rows, asked.manifest.info),
                    origins,
                    dataset=recipe.dataset_path,
                    labels=asked.labels,
                    features=recipe.features,
                    config=recipe.store,
                    cache=cache,
                    pool=pool,
                    repair=options.repair,
                    anew=options.recompute or (options.repair and computing.n > 0),
                    quiet=options.quiet,
                )
                laps.end("packing")
                return _Stored(packed=packed, n_rows=len(rows), bad=all_bad, loudness=loudness)
            except PartError as error:  # damaged, or removed by somebody who wanted space: it is gone now
                attempts_left -= 1
                if not attempts_left:
                    raise
                if not options.quiet:
                    print(f"computing again: {one_line(error)}", file=sys.stderr)


class _Laps:
    """How long each stage took that has ended; what is done again counts again."""

    def __init__(self) -> None:
        self.seconds: dict[str, float] = {}
        self._began = time.monotonic()

    def end(self, stage: str) -> None:
        """It ends now, and the next begins."""
        now = time.monotonic()
        self.seconds[stage] = self.seconds.get(stage, 0.0) + now - self._began
        self._began = now


def _enough(root: Path, paths: Sequence[str]) -> int:
    """Workers that so many recordings are worth: each takes seconds to start."""
    names = set(paths)
    if len(names) >= _FEW * n_cores():
        return n_cores()
    try:
        large = any((root / name).stat().st_size > _LARGE for name in names)
    except (OSError, AttributeError):  # not there, or at a URL
        large = True
    return n_cores() if large else 1 + len(names) // _FEW


def _remarks(features: Features, manifest: Manifest) -> list[str]:
    """What kinds of feature say of the utterances they were asked for."""
    ids = manifest.utterances.column("id")
    return [line for name in features.kinds for line in features.kind(name).remarks(features.configs[name], ids)]


def _refuse_nothing(rows: Sequence[object], bad: Sequence[Quarantined], on_bad_audio: str) -> None:
    """Raise if there is nothing to store, or bad audio that must not be."""
    reasons = [f"utterance {one_line(entry.id)!r} ({one_line(entry.path)}): {entry.reason}" for entry in bad]
    if bad and on_bad_audio == "fail":
        raise SerprepError(first_ten(reasons))
    if not rows:
        raise StoreError("nothing to store: " + first_ten(reasons or ["the recipe drops everything"]))


def _claim(folder: Place, version: str, number: int) -> int:
    """A running number from `number` on that no other version has, taken for this one."""
    with contextlib.suppress(OSError):  # a finished data set may be read-only
        while not folder.create(f"numbers/{number}", f"{version}\n".encode()):
            number += 1
    return number


def _write_report(result: BuildResult, recipe: Recipe, *, cache: Cache) -> BuildResult:
    """Write ``build.json`` and the card beside the store; the result, with both and with the version before.

    Of a version that was built before, time, libraries and speeds stay those of the build that made it.
    """
    stem, folder = f"versions/{result.version}", at(recipe.dataset_path)
    stems = {name.rsplit(".", 1)[0] for name in versions(recipe.dataset_path)}
    numbers = {other: build_number(recipe.dataset_path, other) for other in stems}
    number = numbers.get(stem) or _claim(folder, result.version, 1 + max(numbers.values(), default=0))
    earlier = {other: n for other, n in numbers.items() if 0 < n < number}
    if earlier:
        with contextlib.suppress(StoreError):  # damaged: what it held is not told
            before = read_build(recipe.dataset_path, max(earlier, key=earlier.__getitem__)).get("n_utterances")
            result = replace(result, n_before=before)
    platform = os.uname().sysname + " " + os.uname().machine if hasattr(os, "uname") else sys.platform
    made: dict[str, Any] = {
        "built": datetime.now(UTC).isoformat(timespec="seconds"),
        "libraries": library_versions() | kind_libraries(recipe.features),
        "python": sys.version.split()[0],
        "platform": platform,
        "seconds": dict(result.stages),
        "audio_seconds_per_second": round(result.audio_seconds / result.stages.get("features", 0.0), 1)
        if result.computed and result.stages.get("features")
        else None,
        "retries": dict(result.retries),
    }
    with contextlib.suppress(StoreError, KeyError):  # of the build that made it
        before = read_build(recipe.dataset_path, stem)
        made |= {key: before[key] for key in (("built",) if result.repaired else tuple(made)) if key in before}
    report = {
        "version": result.version,
        "number": number,
        "dataset": recipe.dataset.name,
        **made,
        "n_utterances": result.n_utterances,
        "quarantined": [vars(entry) for entry in result.reasons],
        "dropped": dict(result.dropped),
        "warnings": list(result.warnings),
        "levels": dict(result.levels),
    }
    report = json.loads(json.dumps(report))  # as it will be read
    report["sha256"] = build_digest(report)
    name = f"{stem}.build.json"
    try:
        folder.write(name, (json.dumps(report, indent=2, ensure_ascii=False) + "\n").encode())
    except OSError:
        if not folder.exists(name):  # a finished data set may be read-only
            raise
    return replace(result, card=_write_card(result, recipe, cache))


def _write_card(result: BuildResult, recipe: Recipe, cache: Cache) -> str:
    """The card beside the store; "" where it cannot be written, which is no reason to fail a build."""
    with contextlib.suppress(SerprepError, OSError):
        return write_card(Store(result.store), recipe=recipe, cache=cache)
    return ""
