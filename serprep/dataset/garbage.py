"""What nobody needs in a data set: stores, cached parts, what killed builds left; found, and removed if told to.

Tagged stores, the newest, damaged ones, whatever is less than 24 hours old, and what is somebody else's stay.
"""

import re
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np

from serprep.cache.collect import YOUNG
from serprep.cache.levels import level_key
from serprep.cache.parts import Cache
from serprep.errors import StoreError, one_line
from serprep.forms import SUFFIXES, form_of, stem_of
from serprep.place.place import Entry, Place, at, claim_on, is_claim
from serprep.store.store import Store
from serprep.version import CONDITIONS, is_version, latest, read_build, stores_of, tags, version_named, versions

#: A temporary file or folder of ours, or what lies in it.
_TEMPORARY = re.compile(r"((?:(?:versions|tags|numbers|cache(/[^/]+)?|experiments(?:/[^/]+)*?)/)?\.[^/]*\.tmp)(?:/|$)")
_NO_PARTS = {"failures", "memo"}  # folders of the cache that hold no features


@dataclass(frozen=True, kw_only=True)
class Garbage:
    """What may go, or went; names are relative to the data set."""

    removed: bool  # False: a dry run
    stores: tuple[str, ...]
    parts: tuple[str, ...]  # of the cache, whose keys no kept store names
    temporary: tuple[str, ...]  # left by builds that were killed
    kept: Mapping[str, str]  # store → why it stays
    damaged: Mapping[str, str]  # store → what is wrong; damaged stores are never removed
    notes: tuple[str, ...]
    bytes: int  # on the disk, not counting files that a kept store shares


def gc(dataset: str | Path, *, yes: bool = False) -> Garbage:
    """Find stores, cached parts and temporary files that nobody needs, and remove them if told to.

    Tagged stores, the newest, damaged ones, and whatever is less than 24 hours old stay.
    Something from the future, because the clock jumped back, counts as young.

    Parameters
    ----------
    dataset : str or path
        A local folder or a URL.
    yes : bool
        Remove; otherwise this is a dry run.

    Returns
    -------
    Garbage

    Raises
    ------
    StoreError
        If there is no store, a tag is damaged, or something cannot be removed.
    """
    dataset = str(dataset)
    place = at(dataset)
    try:
        garbage = _find_garbage(place, yes=yes)
        if yes:
            for name in garbage.stores:
                _remove_store(place, name)
            place.remove_all([*garbage.parts, *garbage.temporary])
    except OSError as error:
        raise StoreError(
            f"{one_line(error.filename or dataset)}: {error.strerror or error}; make it readable and writable"
        ) from None
    return Garbage(**{**vars(garbage), "removed": yes})


@dataclass(frozen=True)
class _Files:
    """Everything in a data set, listed once."""

    entries: Mapping[str, Entry]  # by relative name
    now: float

    @cached_property
    def _names(self) -> list[str]:
        return sorted(self.entries)

    def below(self, name: str) -> list[Entry]:
        """What is known of a file of that name, or of a folder and all that lies in it."""
        first, last = (bisect_left(self._names, f"{name}{end}") for end in "/0")  # "0" comes after "/"
        own = [self.entries[name]] if name in self.entries else []
        return own + [self.entries[inside] for inside in self._names[first:last]]

    def is_young(self, name: str) -> bool:
        """Whether something in it was written less than a day ago; the future counts as just now, and no time as well.

        Linked files are as old as what they are linked to, their folders are not.
        """
        return any(entry.modified is None or self.now - entry.modified < YOUNG for entry in self.below(name))

    def freed(self, names: Iterable[str]) -> int:
        """Bytes that removing all of these gives back."""
        going = [entry for name in names for entry in self.below(name)]
        counts = Counter(entry.content for entry in going)
        sizes = {entry.content: entry.size for entry in going if counts[entry.content] >= entry.n_names}
        return sum(sizes.values())

    def leftovers(self) -> list[str]:
        """Temporary files and folders in which nothing has changed for a day."""
        names = sorted({match[1] for name in self._names if (match := _TEMPORARY.match(name))})
        return [name for name in names if not self.is_young(name)]


def _find_garbage(place: Place, *, yes: bool) -> Garbage:
    root = place.root
    stores = stores_of(root)
    files = _Files(place.below(), place.now(write=yes))
    unfinished = _unfinished(place, files)
    stores = [name for name in stores if name not in unfinished]
    wanted = _tagged_versions(root)
    newest = stem_of(latest(root, stores)) if stores else ""
    going, kept, damaged, notes = [], {}, {}, []
    keys: set[bytes] = set()
    for name in stores:
        reasons = [f"tagged {names}"] if (names := ", ".join(wanted.get(version_named(name), ()))) else []
        reasons += ["latest"] if stem_of(name) == newest else []
        reasons += ["its build.json is damaged: it may be the latest"] if _is_unnumbered(root, name) else []
        reasons += ["less than 24 hours old"] if files.is_young(name) else []
        reasons += [] if reasons or place.removable(name) else ["somebody else's, who can remove it"]
        try:
            store = Store(f"{root}/{name}")
            own = _keys(store) if reasons else set()
        except StoreError as error:
            damaged[name] = str(error)
            continue
        if reasons:
            kept[name] = ", ".join(reasons)
            keys |= own
        else:
            going.append(name)
    for name in versions(f"{root}/{CONDITIONS}"):
        try:
            keys |= _keys(Store(f"{root}/{CONDITIONS}/{name}"))
        except StoreError as error:
            damaged[f"{CONDITIONS}/{name}"] = str(error)
    parts: list[str] = []
    if damaged:
        notes.append("parts of the cache are not looked at while a store is damaged: they may be needed to repair it")
    else:
        parts = _orphans(root, files, keys)
    # a claim on a store goes after it, since what a kill leaves of the store is known by it
    temporary = sorted({*files.leftovers(), *unfinished}, key=lambda name: (is_claim(name), name))
    if foreign := [name for name in (*parts, *temporary) if not place.removable(name)]:
        such = one_line(foreign[0])
        notes.append(f"{len(foreign)} parts and temporary stay, somebody else's to remove, such as {such}")
        parts, temporary = ([name for name in names if name not in foreign] for names in (parts, temporary))
    return Garbage(
        removed=False,
        stores=tuple(going),
        parts=tuple(parts),
        temporary=tuple(temporary),
        kept=kept,
        damaged=damaged,
        notes=tuple(notes),
        bytes=files.freed([*going, *parts, *temporary]),
    )


def _unfinished(place: Place, files: _Files) -> list[str]:
    """Stores that a killed build did not finish or a killed collector did not remove, and untouched for a day."""
    tops = {"/".join(name.split("/")[:2]) for name in files.entries if name.startswith("versions/")}
    named = {name: form for name in tops if (form := form_of(name)) and is_version(version_named(name))}
    names = []
    for name, form in named.items():
        told, card = (f"{stem_of(name)}{end}" for end in (".build.json", ".card.html"))
        claimed = claim_on(name) in files.entries and not files.is_young(claim_on(name))
        if not place.is_whole(name, form.mark) and (claimed or told not in files.entries) and not files.is_young(name):
            shared = any(stem_of(other) == stem_of(name) for other in named if other != name)
            names += [name, *({told, card} & (set() if shared else files.entries.keys()))]
    return names


def _remove_store(place: Place, name: str) -> None:
    """Remove a store that nobody has tagged since, and what tells of its build unless another container holds it.

    Whoever tags it then looks whether it is there, and here is looked for tags once it is not: one sees the other.
    """

    def is_tagged() -> bool:
        if version_named(name) in _tagged_versions(place.root):
            return True
        if not any(place.holds(f"{stem_of(name)}{suffix}") for suffix in SUFFIXES if not name.endswith(suffix)):
            for suffix in (".build.json", ".card.html"):
                place.remove(f"{stem_of(name)}{suffix}")
        return False

    form = form_of(name)
    place.withdraw(name, form.mark if form else "", unless=is_tagged)


def _tagged_versions(root: str) -> dict[str, list[str]]:
    """Version → its tags.  A tag that names no version might have named any: better to stop."""
    tagged: dict[str, list[str]] = {}
    for name, version in tags(root).items():
        if not is_version(version):
            place = one_line(root)
            raise StoreError(f"{place}@{name}: the tag is damaged; set it anew or remove {place}/tags/{name}")
        tagged.setdefault(version, []).append(name)
    return tagged


def _is_unnumbered(root: str, name: str) -> bool:
    try:
        read_build(root, stem_of(name))
    except StoreError:
        return True
    return False


def _keys(store: Store) -> set[bytes]:
    """Cache keys of all rows."""
    columns = [store.column(name) for name in ("audio_digest", "start", "end")]
    levels = {
        level_key(digest, None if np.isnan(start) else float(start), None if np.isnan(end) else float(end))
        for digest, start, end in zip(*columns, strict=True)
    }
    return levels | {row.tobytes() for table in store.tables for row in store.keys(table.group)}


def _orphans(root: str, files: _Files, keys: set[bytes]) -> list[str]:
    cache = Cache(f"{root}/cache")
    kinds = {name.split("/")[1] for name in files.entries if name.startswith("cache/") and name.count("/") > 1}
    names = (
        name for kind in sorted(kinds - _NO_PARTS) for name, own in cache.parts(kind).items() if own.isdisjoint(keys)
    )
    return [f"cache/{name}" for name in names if not files.is_young(f"cache/{name}")]
