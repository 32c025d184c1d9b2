"""A store → the same store in another container: every bit, every attribute, the same version."""

import re
import uuid
from collections.abc import Iterator
from pathlib import Path

from serprep._typing import AnyArray
from serprep.errors import StoreError, first_ten, one_line
from serprep.files import discard, file_size, make_read_only, refuse_store
from serprep.processes import scratch
from serprep.progress import Progress
from serprep.remote import entries, info, is_url, upload
from serprep.store import hdf5_store, zarr_store
from serprep.store.layout import Array, StoreConfig, arrays, counted_columns
from serprep.store.store import Store, open_store
from serprep.version import SUFFIXES


def convert(source: str | Path, destination: str | Path, *, quiet: bool = True) -> Store:
    """The store at `source`, written again at `destination`.

    The source is first compared with its digests: a copy gets new ones, and would
    make damage look sound.  Memory holds one shard.

    Parameters
    ----------
    source : str or path
        As for `open_store`.
    destination : str or path
        A name or URL that ends in ``.zarr`` or ``.h5`` and does not exist.
    quiet : bool
        Show no progress.

    Returns
    -------
    Store
        The new one.

    Raises
    ------
    StoreError
        If the source is damaged, or the destination exists or cannot be written.
    """
    store = open_store(source)
    final = _new_place(str(destination), store.version)
    _check(store, quiet=quiet)
    specs = _specs(store)
    try:
        if is_url(final):
            with scratch() as folder:
                beside, hdf5 = folder / "store", final.endswith(".h5")
                _write(store, specs, beside, hdf5=hdf5, quiet=quiet)
                _new_place(final, store.version)  # it took a while
                if hdf5:
                    upload(final, beside)
                else:
                    zarr_store.upload(beside, final)
        else:
            _write_local(store, specs, Path(final), quiet=quiet)
    except OSError as error:
        raise StoreError(
            f"{one_line(final)}: {error.strerror or one_line(error)}; free space or make its folder writable"
        ) from None
    return Store(final)


def _write_local(store: Store, specs: list[Array], final: Path, *, quiet: bool) -> None:
    """Write beside the final name, then rename."""
    beside = final.with_name(f".{store.version[:16]}.{uuid.uuid4().hex[:12]}.tmp")
    try:
        final.parent.mkdir(parents=True, exist_ok=True)
        _write(store, specs, beside, quiet=quiet, hdf5=final.suffix == ".h5")
        _new_place(str(final), store.version)  # it took a while
        make_read_only(beside)
        beside.rename(final)
    finally:
        discard(beside)


def _write(store: Store, specs: list[Array], path: Path, *, hdf5: bool, quiet: bool) -> None:
    """Write and seal the whole store."""
    attributes = {name: value for name, value in store.attributes.items() if name not in ("files", "seal")}
    n_shards = sum(len(_shards(spec)) for spec in specs if spec.is_large)
    with Progress("converting", n_shards, unit="shards", quiet=quiet) as progress:
        if hdf5:
            small = {spec.name: store._read(spec.name) for spec in specs if not spec.is_large}
            hdf5_store.write_file(path, specs, attributes, small=small, large=_blocks(store, specs, progress))
        else:
            path.mkdir()
            _write_zarr(store, path, specs, progress)
            zarr_store.seal(path, attributes)


def _new_place(destination: str, version: str) -> str:
    """The path or URL to write to.

    Raises
    ------
    StoreError
        If it is not a possible one, or there is something.
    """
    destination = destination.rstrip("/")
    path, place = Path(destination), one_line(destination)
    if path.suffix not in SUFFIXES:
        raise StoreError(f"{place}: expected a name that ends in .zarr or .h5")
    refuse_store(f"{destination.rpartition('/')[0]}/" if is_url(destination) else path.parent)
    if re.fullmatch(r"[0-9a-f]{64}", path.stem) and path.stem != version:
        raise StoreError(f"{place}: named like version {path.stem[:12]}, but the store is version {version[:12]}")
    try:
        if not is_url(destination):
            path.lstat()
        elif info(destination) is None and not entries(destination):
            return destination
    except FileNotFoundError:
        return destination
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or one_line(error)
        raise StoreError(f"{place}: {reason}; choose another name") from None
    raise StoreError(f"{place}: it exists; a store is never overwritten: remove it or choose another name")


def _check(store: Store, *, quiet: bool) -> None:
    """Compare the whole source with its digests."""
    if store.format == "hdf5":
        mib = 1 << 20
        with Progress("checking", file_size(store.path) // mib, unit="MiB", quiet=quiet) as progress:
            problems = hdf5_store.check_file(store.path, lambda done: progress.to(done // mib))
        if problems:
            raise StoreError(first_ten(problems))
        return
    files = store.attributes["files"]
    with Progress("checking", len(files), unit="files", quiet=quiet) as progress:
        for name in files:
            zarr_store.check_file(store.path, name, files)
            progress.add()


def _specs(store: Store) -> list[Array]:
    """The arrays that a store of these attributes has, by name.

    Raises
    ------
    StoreError
        If it has others.
    """
    specs = arrays(
        columns=[name for name in store.columns if name not in counted_columns(store.features)],
        numbers=store.numbers,
        n=len(store),
        n_rows={table.name: int(store.table_offsets(table)[-1]) for table in store.tables},
        features=store.features,
        config=StoreConfig(segment_dtype=store.attributes["segment_dtype"]),
    )
    place = one_line(store.path)
    if differing := {spec.name for spec in specs} ^ set(store.array_names):
        raise StoreError(f"{place}: has not the arrays of its format, such as {min(differing)!r}; build it again")
    for spec in specs:
        array = store.array(spec.name)
        text = array.dtype.kind in "TO"
        if tuple(array.shape) != spec.shape or ("string" if text else str(array.dtype)) != spec.dtype:
            raise StoreError(f"{place}: array {spec.name!r} has not the shape and type of its format; build it again")
    return sorted(specs, key=lambda spec: spec.name)


def _shards(spec: Array) -> range:
    """First rows of the shards."""
    return range(0, spec.shape[0], spec.shard)


def _blocks(store: Store, specs: list[Array], progress: Progress) -> Iterator[tuple[Array, int, AnyArray]]:
    """Shards of the large arrays with their first row, in order."""
    for spec in specs:
        for first in _shards(spec) if spec.is_large else ():
            yield spec, first, store._read(spec.name, first, first + spec.shard)
            progress.add()


def _write_zarr(store: Store, path: Path, specs: list[Array], progress: Progress) -> None:
    """All arrays, shard by shard."""
    for spec in specs:
        zarr_store.create_array(str(path), spec)
        for first in _shards(spec):
            zarr_store.write_rows(str(path), spec.name, first, store._read(spec.name, first, first + spec.shard))
            progress.add(int(spec.is_large))
