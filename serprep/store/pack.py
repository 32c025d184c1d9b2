"""Cached rows → a published store: written beside its final name, sealed, read-only, renamed.

A store is never overwritten.  The exception is a damaged one that a build is asked to
repair: it is packed again and swapped, and files it shared with other stores by hard link
are put right there as well.
"""

import contextlib
import os
import uuid
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from serprep.cache.parts import Cache
from serprep.errors import StoreError, one_line
from serprep.features.extract import Features, extractors
from serprep.forms import Form, form_of, stem_of
from serprep.manifest.table import Manifest
from serprep.meanwhile import meanwhile
from serprep.parallel import Died, Workers
from serprep.place.place import Stage, at
from serprep.progress import Progress
from serprep.store import sharing, writer
from serprep.store.container import Problem
from serprep.store.containers import CONTAINERS, container_of
from serprep.store.layout import StoreConfig
from serprep.store.verify import container_problems
from serprep.store.writer import Origins
from serprep.version import build_number, version_of, versions

Receipt = TypeVar("Receipt")
REPLACED = "computed again, it has other values: replaced"


@dataclass(frozen=True, kw_only=True)
class Packed:
    """A store that is there."""

    version: str
    path: str
    repaired: tuple[Problem, ...] = ()  # what was wrong with it before


def pack(
    manifest: Manifest,
    origins: Origins,
    *,
    dataset: str,
    labels: Sequence[str],
    features: Features,
    config: StoreConfig,
    pool: Workers,
    cache: Cache | None = None,
    repair: bool = False,
    anew: bool = False,
    quiet: bool = True,
) -> Packed:
    """Write the store of these rows into a data set, unless it is there.

    Parameters
    ----------
    manifest : Manifest
        The rows in the store.
    origins : Origins
        Where the features of each row lie in the cache.
    dataset : str
        Folder of the data set.
    labels : sequence of str
        Declared emotions, in logit order.
    features, config
        What the store holds, and how.
    pool : Workers
    cache : Cache, optional
        By default the one beside the stores.
    repair : bool
        Look through an existing store, and write it again where it is damaged.
    anew : bool
        Write the store even if it is there, and put it in its place if it differs.
    quiet : bool

    Raises
    ------
    StoreError
        If an existing store is damaged and not to be repaired, or the disk is full.
    """
    cache = cache or Cache(f"{dataset}/cache")
    configurations = {"features": features.to_json(), "labels": list(labels), "corpus": dict(manifest.info)}
    used = extractors(features)
    version = version_of(
        manifest_digest=manifest.digest,
        configurations=configurations,
        extractors=used,
        segment_dtype=config.segment_dtype,
    )
    place, container = at(dataset), CONTAINERS[config.format]
    form = container.form
    name = f"versions/{version}{form.suffix}"
    path = f"{dataset}/{name}"
    try:
        there = place.is_whole(name, form.mark)
        problems, before = _looked_through(path, inspect=repair or anew) if there else ((), {})
        if there and not problems and not anew:
            return Packed(version=version, path=path)
        plan = writer.plan_store(manifest, origins, features, config)
        about = writer.attributes(plan, version=version, configurations=configurations, extractors=used)
        older = _older(dataset, form) if place.links and not anew else []  # else what they hold may be what is doubted
        with place.stage(name, form.mark, replace=there) as stage:
            after = _write(plan, about, stage, cache=cache, older=older, pool=pool, quiet=quiet)
            problems = problems or (_differences(before, after, form, name) if there else ())
            place.publish(stage, name, form.mark, changed=bool(problems), quiet=quiet)
    except OSError as error:
        raise StoreError(
            f"{one_line(dataset)}/versions: {error.strerror or one_line(error)}; free space or make it writable, then "
            "build again: computed features are kept"
        ) from None
    _mend_links(Path(path), problems)
    return Packed(version=version, path=path, repaired=problems)


def _looked_through(path: str, *, inspect: bool) -> tuple[tuple[Problem, ...], Mapping[str, str]]:
    """What is wrong with a store that is there, and the digests of its files.

    Raises
    ------
    StoreError
        If it is damaged and is not to be inspected: it is refused, not handed out.
    """
    if inspect and (problems := container_problems(path).problems):
        return problems, {}
    try:
        attributes = container_of(path).attributes(path)
    except StoreError as error:
        raise StoreError(f"{error}, with `serprep build --repair`") from None
    return (), attributes.get("files", {"": attributes["seal"]})


def _write(
    plan: writer.Plan,
    about: dict[str, Any],
    stage: Stage,
    *,
    cache: Cache,
    older: Sequence[Path],
    pool: Workers,
    quiet: bool,
) -> Mapping[str, str]:
    """Write and seal a whole store; the digests of its files."""
    sharding = CONTAINERS[plan.config.format].sharding
    if sharding is None:
        job = writer.FileJob(stage.target, cache.root, plan, about)
        with _growing(Path(stage.target), plan, quiet=quiet):
            return _run(writer.write_file, [job], pool=pool, unit="files", quiet=True)[0]
    sharding.create(stage.here, plan.arrays, partial(writer.small_value, plan))
    linked = sharing.link_unchanged(plan.arrays, about, store=stage.here, older=older, sharding=sharding)
    jobs = [job for job in writer.shard_jobs(plan, stage.target, cache) if job.array.name not in linked.arrays]
    shards = dict(_run(writer.write_shard, jobs, pool=pool, unit="shards", quiet=quiet))
    digests = sharding.seal(stage.here, about, linked.files | shards)
    target = at(stage.target)
    target.remove_all(target.files() - digests.keys() - {CONTAINERS[plan.config.format].form.mark})
    return digests


def _run(
    task: Callable[[Any], Receipt], jobs: Sequence[Any], *, pool: Workers, unit: str, quiet: bool
) -> list[Receipt]:
    """Receipts of all tasks of packing."""
    receipts = []
    with Progress("packing", len(jobs), unit=unit, quiet=quiet) as progress:
        for number, receipt in pool.run(task, jobs):
            if isinstance(receipt, Died):
                if not getattr(pool, "scheduler", None):
                    raise StoreError(f"packing: {receipt.reason}; build again: computed features are kept")
                receipt = task(jobs[number])  # no worker of that cluster lives as long as it needs
            receipts.append(receipt)
            progress.add()
    return receipts


@contextlib.contextmanager
def _growing(path: Path, plan: writer.Plan, *, quiet: bool) -> Iterator[None]:
    """Progress of one task that writes one file on this machine: how much of it is there."""
    n_bytes = sum(array.n_bytes for array in plan.arrays)

    def watch() -> None:
        with contextlib.suppress(FileNotFoundError):  # not begun
            progress.to(min(path.stat().st_size, n_bytes) >> 20)

    with Progress("packing", n_bytes >> 20, unit="MB", quiet=quiet) as progress:
        with meanwhile(watch, every=0.5):
            yield
        progress.to(progress.total)


def _older(dataset: str, form: Form) -> list[Path]:
    """Stores that a new one may share files with, the newest first."""
    names = [name for name in versions(dataset) if form_of(name) == form]
    names.sort(key=lambda name: build_number(dataset, stem_of(name)), reverse=True)
    return [Path(dataset) / name for name in names]


def _differences(before: Mapping[str, str], after: Mapping[str, str], form: Form, store: str) -> tuple[Problem, ...]:
    """Arrays that two stores of one version hold differently, by the digests of their files."""
    files = {name for name in before.keys() | after.keys() if before.get(name) != after.get(name)}
    arrays = {name.partition("/c/")[0].removesuffix(f"/{form.mark}") or store for name in files}
    return tuple(Problem(kind="content", place=name, message=REPLACED) for name in sorted(arrays))


def _mend_links(final: Path, problems: Sequence[Problem]) -> None:
    """Files that other stores shared with the damaged one: link the whole ones there, too."""
    for problem in problems:
        for other in problem.shared_with:
            target = Path(other) / problem.place
            beside = Path(other).with_name(f".mended.{uuid.uuid4().hex[:12]}.tmp")  # not in the store, if we are killed
            folder = target.parent
            mode = folder.stat().st_mode
            with contextlib.suppress(OSError):
                folder.chmod(mode | 0o200)
            try:
                os.link(final / problem.place, beside)
                beside.replace(target)
            finally:
                beside.unlink(missing_ok=True)
                with contextlib.suppress(OSError):
                    folder.chmod(mode)
