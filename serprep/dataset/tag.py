"""Names that people give to versions."""

from dataclasses import dataclass
from pathlib import Path

from serprep.errors import StoreError, one_line
from serprep.forms import form_of
from serprep.place.place import at
from serprep.store.store import open_store
from serprep.version import check_tag, stores_of, tags, version_named, versions


@dataclass(frozen=True, kw_only=True)
class Tagged:
    """What a name stands for now, and stood for before."""

    tag: str
    version: str
    store: str
    before: str  # the version it named, or ""


def tag(dataset: str | Path, version: str, name: str, *, force: bool = False) -> Tagged:
    """Give a version a name.

    Parameters
    ----------
    dataset : str or path
    version : str
        At least eight digits, a tag, or "latest".
    name : str
        Up to 64 letters, digits, ".", "_", "-".
    force : bool
        Move a tag that names another version.

    Returns
    -------
    Tagged

    Raises
    ------
    StoreError
        If there is no such version, it is damaged, or the name is impossible or taken.
    """
    dataset = str(dataset)
    check_tag(dataset, name)
    stores_of(dataset)
    store = open_store(f"{dataset}@{version}")
    digest = version_named(f"versions/{store.path.rstrip('/').rsplit('/', 1)[-1]}")
    hidden = [entry for entry in versions(dataset) if entry.startswith(f"versions/{name}")]
    if len(name) >= 8 and hidden:
        raise StoreError(f"{one_line(dataset)}@{name}: these are digits of a version; choose a name that is none")
    place, data = at(dataset), f"{digest}\n".encode()
    before = tags(dataset).get(name, "")
    if before != digest:
        if before and not force:
            raise _taken(dataset, name, before)
        try:
            won = (
                place.exchange(f"tags/{name}", data, f"{before}\n".encode())
                if before
                else place.create(f"tags/{name}", data)
            )
            if not won:  # somebody else was faster
                raise _taken(dataset, name, tags(dataset).get(name, ""))
            form = form_of(store.path)
            if form and not place.is_whole(f"versions/{digest}{form.suffix}", form.mark):  # a collector was at it
                if not before:
                    place.remove(f"tags/{name}")
                else:
                    place.exchange(f"tags/{name}", f"{before}\n".encode(), data)
                raise StoreError(f"{one_line(dataset)}@{name}: {digest[:12]} was removed meanwhile; build it again")
        except OSError as error:
            raise StoreError(f"{one_line(dataset)}: tags/{name}: {error.strerror or error}; make it writable") from None
    return Tagged(tag=name, version=digest, store=store.path, before=before)


def _taken(dataset: str, name: str, version: str) -> StoreError:
    return StoreError(
        f"{one_line(dataset)}@{name}: the tag names version {one_line(version)[:12]}; "
        "choose another name, or move it with --force"
    )
