"""The versions of a data set, the newest first; sizes are bytes on the disk, or of objects."""

import contextlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from serprep.dataset.diff import compare
from serprep.errors import StoreError
from serprep.forms import form_of, stem_of
from serprep.place.place import at
from serprep.store.store import Store
from serprep.version import build_number, latest, read_build, stores_of, tags, version_named


@dataclass(frozen=True, kw_only=True)
class Entry:
    """One store of a data set."""

    number: int  # of the build; 0 where it is not known
    version: str
    store: str  # path or URL
    built: str  # UTC, ISO 8601
    n_utterances: int | None  # None: it cannot be read
    labels: tuple[str, ...]
    format: str  # the container
    tags: tuple[str, ...]
    latest: bool
    bytes: int
    shared_bytes: int  # of these, in files that are also another store's by hard link
    changes: str  # against the version before, in words
    damaged: str  # what is wrong with it, or ""
    note: str = ""  # what is wrong with its build.json, or ""


def log(dataset: str | Path) -> list[Entry]:
    """The stores of a data set, the newest first.

    Raises
    ------
    StoreError
        If there is none.  A damaged store is an entry that says so.
    """
    dataset = str(dataset)
    stores = sorted(stores_of(dataset), key=lambda name: (build_number(dataset, stem_of(name)), name))
    newest = stem_of(latest(dataset, stores))
    names = tags(dataset)
    entries: list[Entry] = []
    previous: Store | None = None
    current: Store | None = None  # the last that could be read
    for name in stores:
        about, note = _about_build(dataset, stem_of(name))
        place = at(dataset).path(name)
        size, shared = _size(place)
        damaged, changes, store = "", "", None
        try:
            store = Store(place)
            if current is not None and current.version != store.version:
                previous = current
            changes = compare(previous, store).words if previous is not None else "the first version"
            current = store
        except StoreError as error:
            damaged = str(error)
        entries.append(
            Entry(
                number=build_number(dataset, stem_of(name)),
                version=version_named(name),
                store=place,
                built=about.get("built", ""),
                n_utterances=None if store is None else len(store),
                labels=() if store is None else store.labels,
                format=form.name if (form := form_of(name)) else "",
                tags=tuple(tag for tag, version in names.items() if version == version_named(name)),
                latest=stem_of(name) == newest,
                bytes=size,
                shared_bytes=shared,
                changes=changes,
                damaged=damaged,
                note=note,
            )
        )
    return entries[::-1]


def _about_build(dataset: str, stem: str) -> tuple[dict[str, Any], str]:
    """What is known of a build, and what is wrong with the file that tells it."""
    try:
        return read_build(dataset, stem), ""
    except StoreError as error:
        return {}, str(error)


def _size(place: str) -> tuple[int, int]:
    """Bytes of a store, and those in files with more than one name."""
    with contextlib.suppress(OSError):
        entries = at(place).below().values()
        return sum(entry.size for entry in entries), sum(entry.size for entry in entries if entry.n_names > 1)
    return 0, 0
