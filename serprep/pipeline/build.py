"""A recipe's corpus and configuration → a store, through the cache.

Bad input never stops the rest: it is quarantined with a reason and listed.
"""

import contextlib
import json
import os
import sys
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from serprep.cache.memo import Memo
from serprep.cache.parts import Cache
from serprep.errors import (
    PartError,
    SerprepError,
    StoreError,
    first_ten,
    one_line,
)
from serprep.features.libraries import library_versions
from serprep.files import Folder, refuse_store
from serprep.manifest.look import look
from serprep.manifest.table import Manifest
from serprep.parallel import Workers
from serprep.pipeline.extract import compute_features
from serprep.pipeline.gather import Quarantined, gather, usable
from serprep.progress import Progress
from serprep.recipe import Recipe
from serprep.remote import is_url
from serprep.store.pack import pack
from serprep.version import build_number, versions


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
        good, bad = usable(asked.manifest, looked.manifest, looked.reasons)
        n_computed, seconds = 0, 0.0
        for attempts_left in reversed(range(100)):
            try:
                rows, origins, failed, n_more, more = compute_features(
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
