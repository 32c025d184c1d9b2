"""Cached rows → a published store: written beside its final name, sealed, read-only, renamed.

A store is never overwritten.  The exception is a damaged one that a build is asked to
repair: it is packed again and swapped, and files it shared with other stores by hard link
are put right there as well.
"""

import contextlib
import filecmp
import os
import threading
import uuid
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from serprep.cache.parts import Cache
from serprep.errors import StoreError, one_line
from serprep.features.extract import Features, extractors
from serprep.files import Folder, discard, make_read_only
from serprep.manifest.table import Manifest
from serprep.parallel import Died, Workers
from serprep.processes import scratch
from serprep.progress import Progress
from serprep.remote import is_url
from serprep.store import sharing, writer, zarr_store
from serprep.store.layout import StoreConfig
from serprep.store.store import container_of
from serprep.store.verify import Problem, container_problems
from serprep.store.writer import Origins
from serprep.version import SUFFIX_OF, build_number, version_of, versions

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
    if is_url(dataset):
        url = f"{dataset}/versions/{version}{SUFFIX_OF[config.format]}"
        found = remote_problems(url, repair=repair)
        before = seal_of(url) if found is not None and anew else None
        if found is None or found or anew:
            plan = writer.plan_store(manifest, origins, features, config)
            about = writer.attributes(plan, version=version, configurations=configurations, extractors=used)
            _write_remote(plan, about, url, cache=cache, damaged=found is not None, pool=pool, quiet=quiet)
        if before is not None and not found and seal_of(url) != before:
            found = (Problem(kind="content", place=url, message=REPLACED),)
        return Packed(version=version, path=url, repaired=found or ())
    final = Path(dataset) / "versions" / f"{version}{SUFFIX_OF[config.format]}"
    problems: tuple[Problem, ...] = ()
    if final.exists():
        if repair:
            problems = container_problems(str(final)).problems
        else:
            try:
                container_of(str(final)).read_attributes(str(final))  # a damaged one is refused, not handed out
            except StoreError as error:
                raise StoreError(f"{error}, with `serprep build --repair`") from None
        if not problems and not anew:
            return Packed(version=version, path=str(final))
    plan = writer.plan_store(manifest, origins, features, config)
    about = writer.attributes(plan, version=version, configurations=configurations, extractors=used)
    beside = final.with_name(f".{version[:16]}.{uuid.uuid4().hex[:12]}.tmp")
    try:
        final.parent.mkdir(parents=True, exist_ok=True)
        older = [] if anew else _older(dataset)  # what they hold may be what is doubted
        _write(plan, about, beside, cache=cache, older=older, pool=pool, quiet=quiet)
        make_read_only(beside)
        if final.exists() and (problems or anew):
            problems = problems or differences(final, beside)
            if problems:
                _swap(beside, final)
                _mend_links(final, problems)
        else:
            _publish(beside, final)
    except OSError as error:
        raise StoreError(
            f"{final.parent}: {error.strerror or error}; free space or make it writable, then build again: "
            "computed features are kept"
        ) from None
    finally:
        discard(beside)
    return Packed(version=version, path=str(final), repaired=problems)


def _write(
    plan: writer.Plan,
    about: dict[str, Any],
    beside: Path,
    *,
    cache: Cache,
    older: Sequence[Path],
    pool: Workers,
    quiet: bool,
) -> None:
    """Write and seal a whole store at `beside`."""
    task: Callable[[Any], int] = writer.write_shard
    jobs: Sequence[Any]
    linked = sharing.Linked()
    if plan.config.format == "hdf5":
        task, jobs, unit = writer.write_file, [writer.FileJob(str(beside), cache.root, plan, about)], "files"
    else:
        beside.mkdir()
        writer.create(plan, str(beside))
        linked = sharing.link_unchanged(plan.arrays, about, store=beside, older=older)
        jobs = [job for job in writer.shard_jobs(plan, str(beside), cache) if job.array.name not in linked.arrays]
        unit = "shards"
    with _growing(beside, plan, quiet=quiet) if unit == "files" else contextlib.nullcontext():
        _run(task, jobs, pool=pool, unit=unit, quiet=quiet or unit == "files")
    if plan.config.format == "zarr":
        zarr_store.seal(beside, about, known=linked.files)


def remote_problems(url: str, *, repair: bool) -> tuple[Problem, ...] | None:
    """What is wrong with a store at a URL; None if there is none yet.

    Raises
    ------
    StoreError
        If it is damaged and not to be repaired, or the URL does not answer.
    """
    folder, _, name = url.rpartition("/")
    root = name if name.endswith(".h5") else f"{name}/{zarr_store.ROOT}"
    try:
        there = Folder(folder).exists(root)
    except OSError as error:
        raise StoreError(f"{one_line(url)}: {error.strerror or one_line(error)}") from None
    if not there:
        return None
    if repair:
        return container_problems(url).problems
    try:
        container_of(url).read_attributes(url)
    except StoreError as error:
        raise StoreError(f"{error}, with `serprep build --repair`") from None
    return ()


def _write_remote(
    plan: writer.Plan,
    about: dict[str, Any],
    url: str,
    *,
    cache: Cache,
    damaged: bool,
    pool: Workers,
    quiet: bool,
) -> None:
    """Write a store at a URL: the workers its shards, its root metadata last: without that, it is no store."""
    try:
        if plan.config.format == "hdf5":
            job = writer.FileJob(url, cache.root, plan, about)
            _run(writer.upload_file, [job], pool=pool, unit="files", quiet=quiet)
            return
        target = Folder(url)
        if damaged:  # from here on until the end it is no store
            target.remove(zarr_store.ROOT)
        shards = _run(writer.upload_shard, writer.shard_jobs(plan, url, cache), pool=pool, unit="shards", quiet=quiet)
        with scratch() as folder:
            beside = folder / "store.zarr"
            beside.mkdir()
            writer.create(plan, str(beside))
            zarr_store.seal(beside, about, known=dict(shards))
            names = zarr_store.file_names(beside)
            for extra in zarr_store.file_names(url) - names - dict(shards).keys():
                target.remove(extra)
            with Progress("uploading", len(names), unit="files", quiet=quiet) as progress:
                zarr_store.upload(beside, url, progress=progress.to)
    except OSError as error:
        raise StoreError(
            f"{one_line(url)}: {error.strerror or one_line(error)}; build again: computed features are kept"
        ) from None


def _run(
    task: Callable[[Any], Receipt], jobs: Sequence[Any], *, pool: Workers, unit: str, quiet: bool
) -> list[Receipt]:
    """Receipts of all tasks of packing."""
    receipts = []
    with Progress("packing", len(jobs), unit=unit, quiet=quiet) as progress:
        for _, receipt in pool.run(task, jobs):
            if isinstance(receipt, Died):
                raise StoreError(f"packing: {receipt.reason}; build again: computed features are kept")
            receipts.append(receipt)
            progress.add()
    return receipts


@contextlib.contextmanager
def _growing(path: Path, plan: writer.Plan, *, quiet: bool) -> Iterator[None]:
    """Progress of one task that writes one file on this machine: how much of it is there."""
    n_bytes = sum(array.n_bytes for array in plan.arrays)
    done = threading.Event()

    def watch(progress: Progress) -> None:
        while not done.wait(0.5):
            with contextlib.suppress(FileNotFoundError):  # not begun
                progress.to(min(path.stat().st_size, n_bytes) >> 20)

    with Progress("packing", n_bytes >> 20, unit="MB", quiet=quiet) as progress:
        watcher = threading.Thread(target=watch, args=(progress,), daemon=True)
        watcher.start()
        try:
            yield
            progress.to(progress.total)
        finally:
            done.set()
            watcher.join()


def _older(dataset: str) -> list[Path]:
    """Stores that a new one may share files with, the newest first."""
    found = [name for name in versions(dataset) if name.endswith(".zarr")]
    found.sort(key=lambda name: build_number(dataset, name.rsplit(".", 1)[0]), reverse=True)
    return [Path(dataset) / name for name in found]


def _publish(beside: Path, final: Path) -> None:
    """Rename; another build that was faster with the same version is success."""
    try:
        if final.suffix == ".h5" and final.exists():  # a rename would replace it
            return
        beside.rename(final)
    except OSError:
        if not final.exists():
            raise


def differences(old: Path, new: Path) -> tuple[Problem, ...]:
    """Arrays that two stores of one version hold differently."""
    if old.is_file():
        return (
            () if filecmp.cmp(old, new, shallow=False) else (Problem(kind="content", place=old.name, message=REPLACED),)
        )
    names = {path.relative_to(root).as_posix() for root in (old, new) for path in root.rglob("*") if path.is_file()} - {
        zarr_store.ROOT
    }
    arrays = {
        name.partition("/c/")[0].removesuffix(f"/{zarr_store.ROOT}")
        for name in names
        if not ((old / name).is_file() and (new / name).is_file())
        or not filecmp.cmp(old / name, new / name, shallow=False)
    }
    return tuple(Problem(kind="content", place=name, message=REPLACED) for name in sorted(arrays))


def seal_of(place: str) -> str:
    """The seal of a store, "" of a damaged one."""
    try:
        return str(container_of(place).read_attributes(place).get("seal", ""))
    except StoreError:
        return ""


def _swap(beside: Path, final: Path) -> None:
    """Put a whole store in the place of a damaged one."""
    aside = final.with_name(f".damaged.{uuid.uuid4().hex[:12]}.tmp")
    final.rename(aside)
    beside.rename(final)
    discard(aside)


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
