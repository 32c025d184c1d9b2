"""A store → the same store in another container: every bit, every attribute, the same version."""

from collections.abc import Iterator
from pathlib import Path

from serprep._typing import AnyArray
from serprep.errors import StoreError, first_ten, one_line
from serprep.forms import SUFFIXES, form_of, stem_of
from serprep.place.place import Place, at
from serprep.progress import Progress
from serprep.store.container import Container
from serprep.store.containers import CONTAINERS
from serprep.store.layout import Array
from serprep.store.store import Store, open_store
from serprep.version import is_version


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
    place, name, container = _new_place(str(destination), store.version)
    _check(store, quiet=quiet)
    specs = _specs(store)
    attributes = {name: value for name, value in store.attributes.items() if name not in ("files", "seal")}
    n_shards = sum(len(_shards(spec)) for spec in specs if spec.is_large)
    try:
        with place.stage(name, container.form.mark, replace=False) as stage:
            with Progress("converting", n_shards, unit="shards", quiet=quiet) as progress:
                blocks = _blocks(store, specs, progress)
                container.write(stage.here, specs, attributes, lambda spec: store._read(spec.name), blocks)
            _new_place(str(destination), store.version)  # it took a while
            place.publish(stage, name, container.form.mark, changed=False, quiet=quiet)
    except OSError as error:
        raise StoreError(
            f"{one_line(destination)}: {error.strerror or one_line(error)}; free space or make its folder writable"
        ) from None
    return Store(str(destination).rstrip("/"))


def _new_place(destination: str, version: str) -> tuple[Place, str, Container]:
    """The folder or URL to write in, the name there, and how.

    Raises
    ------
    StoreError
        If it is not a possible one, or there is something.
    """
    folder, _, name = destination.rstrip("/").rpartition("/")
    folder, shown, form = folder or ("/" if destination.startswith("/") else "."), one_line(destination), form_of(name)
    place = at(folder)
    if form is None or name == form.suffix:
        raise StoreError(f"{shown}: expected a name that ends in {' or '.join(SUFFIXES)}")
    place.refuse_store()
    if is_version(stem_of(name)) and stem_of(name) != version:
        raise StoreError(f"{shown}: named like version {name[:12]}, but the store is version {version[:12]}")
    try:
        if not place.holds(name):
            return place, name, CONTAINERS[form.name]
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or one_line(error)
        raise StoreError(f"{shown}: {reason}; choose another name") from None
    raise StoreError(f"{shown}: it exists; a store is never overwritten: remove it or choose another name")


def _check(store: Store, *, quiet: bool) -> None:
    """Compare the whole source with its digests."""
    container = store.container
    size = container.size(store.path, store.attributes)
    with Progress("checking", size, unit=container.unit, quiet=quiet) as progress:
        problems = container.inspect(store.path, progress.to).problems
    damage = [f"{one_line(problem.place)}: {problem.message}" for problem in problems if problem.kind != "extra file"]
    if damage:
        raise StoreError(first_ten([f"{one_line(store.path)}: {line}; build it again" for line in damage]))


def _specs(store: Store) -> list[Array]:
    """The arrays that a store of these attributes has, by name.

    Raises
    ------
    StoreError
        If it has others.
    """
    n_rows = {table.name: int(store.table_offsets(table)[-1]) for table in store.tables}
    specs = store.specs(n_rows, numbers=store.numbers)
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
