"""What nobody needs in a data set: stores, cached parts, what killed builds left; found, and removed if told to.

Tagged stores, the newest, damaged ones, and whatever is less than 24 hours old stay.
"""

import os
import time
import uuid
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from serprep import remote
from serprep.cache.collect import YOUNG, server_time
from serprep.cache.levels import level_key
from serprep.cache.parts import Cache
from serprep.dataset import files_below, on_disk, stem_of, stores_of, version_named
from serprep.errors import StoreError, one_line
from serprep.files import Folder, remove_tree
from serprep.remote import is_url
from serprep.store.store import Store
from serprep.store.zarr_store import ROOT
from serprep.version import is_version, latest, read_build, tags

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
    try:
        place = _Bucket(dataset) if is_url(dataset) else _Disk(Path(dataset.removeprefix("file://")), probe=yes)
        found = _find_garbage(place)
        if yes:
            for name in found.stores:
                if version_named(name) not in _tagged_versions(place.root):  # named since we looked
                    place.remove_store(name)
            place.remove([*found.parts, *found.temporary])
    except OSError as error:
        raise StoreError(
            f"{one_line(error.filename or dataset)}: {error.strerror or error}; make it readable and writable"
        ) from None
    return Garbage(**{**vars(found), "removed": yes})


def _find_garbage(place: "_Disk | _Bucket") -> Garbage:
    found = stores_of(place.root)
    wanted = _tagged_versions(place.root)
    newest = stem_of(latest(place.root, found))
    going, kept, damaged, notes = [], {}, {}, []
    keys: set[bytes] = set()
    for name in found:
        reasons = [f"tagged {names}"] if (names := ", ".join(wanted.get(version_named(name), ()))) else []
        reasons += ["latest"] if stem_of(name) == newest else []
        reasons += ["its build.json is damaged: it may be the latest"] if _is_unnumbered(place.root, name) else []
        reasons += ["less than 24 hours old"] if place.is_young(place.modified(name)) else []
        try:
            store = Store(f"{place.root}/{name}")
            own = _keys(store) if reasons else set()
        except StoreError as error:
            damaged[name] = str(error)
            continue
        if reasons:
            kept[name] = ", ".join(reasons)
            keys |= own
        else:
            going.append(name)
    parts: list[str] = []
    if damaged:
        notes.append("parts of the cache are not looked at while a store is damaged: they may be needed to repair it")
    else:
        parts = _orphans(place, keys)
    temporary = place.leftovers(found)
    return Garbage(
        removed=False,
        stores=tuple(going),
        parts=tuple(parts),
        temporary=tuple(temporary),
        kept=kept,
        damaged=damaged,
        notes=tuple(notes),
        bytes=place.freed([*going, *parts, *temporary]),
    )


def _tagged_versions(root: str) -> dict[str, list[str]]:
    """Version → its tags.  A tag that names no version might have named any: better to stop."""
    found: dict[str, list[str]] = {}
    for name, version in tags(root).items():
        if not is_version(version):
            raise StoreError(f"{one_line(root)}@{name}: the tag is damaged; set it anew or remove {root}/tags/{name}")
        found.setdefault(version, []).append(name)
    return found


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


def _orphans(place: "_Disk | _Bucket", keys: set[bytes]) -> list[str]:
    cache = Cache(f"{place.root}/cache")
    kinds = sorted(set(place.kinds()) - _NO_PARTS)
    names = (name for kind in kinds for name, own in cache.parts(kind).items() if own.isdisjoint(keys))
    return [f"cache/{name}" for name in names if not place.is_young(place.modified(f"cache/{name}"))]


# -- on a disk -----------------------------------------------------------------------


class _Disk:
    """A data set in a local folder."""

    def __init__(self, folder: Path, *, probe: bool) -> None:
        self.folder, self.root = folder, str(folder)
        self.now = server_time(folder) if probe and (folder / "versions").is_dir() else time.time()

    def is_young(self, moment: float) -> bool:
        """Whether that was less than a day ago; the future counts as just now."""
        return self.now - moment < YOUNG

    def modified(self, name: str) -> float:
        """When something was last written."""
        return (self.folder / name).stat().st_mtime

    def kinds(self) -> list[str]:
        """Folders of the cache."""
        cache = self.folder / "cache"
        return [path.name for path in cache.iterdir() if path.is_dir()] if cache.is_dir() else []

    def leftovers(self, stores: Sequence[str]) -> list[str]:
        """Temporary files and folders in which nothing has changed for a day."""
        patterns = ("", "versions/", "tags/", "cache/*/", "experiments/**/")
        found = sorted({path for pattern in patterns for path in self.folder.glob(f"{pattern}.*.tmp")})
        return [path.relative_to(self.folder).as_posix() for path in found if not self.is_young(_last_change(path))]

    def freed(self, names: Iterable[str]) -> int:
        """Bytes that removing all of these gives back."""
        counts: Counter[tuple[int, int]] = Counter()
        states: dict[tuple[int, int], os.stat_result] = {}
        for name in names:
            for _, state in files_below(self.folder / name):
                counts[state.st_dev, state.st_ino] += 1
                states[state.st_dev, state.st_ino] = state
        return sum(on_disk(state) for file, state in states.items() if counts[file] >= state.st_nlink)

    def remove_store(self, name: str) -> None:
        """Remove a store: readers see all of it or nothing."""
        path = self.folder / name
        gone = path.with_name(f".{version_named(name)[:16]}.{uuid.uuid4().hex[:12]}.tmp")
        path.rename(gone)
        if not any((self.folder / f"{stem_of(name)}{suffix}").exists() for suffix in (".zarr", ".h5")):
            (self.folder / f"{stem_of(name)}.build.json").unlink(missing_ok=True)
        _remove_one(gone)

    def remove(self, names: Iterable[str]) -> None:
        """Remove parts and leftovers."""
        for name in names:
            _remove_one(self.folder / name)


def _last_change(path: Path) -> float:
    below = (Path(folder) for folder, _, _ in os.walk(path))  # linked files are as old as what they are linked to
    return max([path.lstat().st_mtime, *(folder.lstat().st_mtime for folder in below)])


def _remove_one(path: Path) -> None:
    if path.is_dir() and not path.is_symlink():
        remove_tree(path)
    else:
        path.unlink(missing_ok=True)


# -- at a URL ------------------------------------------------------------------------


class _Bucket:
    """A data set at a URL; everything in it is listed once."""

    def __init__(self, url: str) -> None:
        self.root = url.rstrip("/")
        self._files = remote.listing(self.root)
        self.now = time.time()

    def is_young(self, moment: float) -> bool:
        """Whether that was less than a day ago; the future counts as just now."""
        return self.now - moment < YOUNG

    def _below(self, name: str) -> list[str]:
        """An object of that name, or all that lie below it."""
        return [file for file in self._files if file == name or file.startswith(f"{name}/")]

    def modified(self, name: str) -> float:
        """When something was last written; what has no time counts as young."""
        times = [remote.modified(self._files[file]) for file in self._below(name)]
        return max((time.time() if moment is None else moment for moment in times), default=time.time())

    def kinds(self) -> list[str]:
        """Folders of the cache."""
        return [name.split("/")[1] for name in self._files if name.startswith("cache/") and name.count("/") > 1]

    def leftovers(self, stores: Sequence[str]) -> list[str]:
        """Stores that a killed build did not finish and nothing was added to for a day."""
        tops = {"/".join(name.split("/")[:2]) for name in self._files if name.startswith("versions/")}
        unfinished = [
            name
            for name in sorted(tops - set(stores))
            if name.endswith(".zarr") and is_version(version_named(name)) and f"{name}/{ROOT}" not in self._files
        ]
        return [name for name in unfinished if not self.is_young(self.modified(name))]

    def freed(self, names: Iterable[str]) -> int:
        """Bytes that removing all of these gives back."""
        return sum(int(self._files[file]["size"]) for name in names for file in self._below(name))

    def remove_store(self, name: str) -> None:
        """Remove a store, its root metadata first: from then on it is none."""
        folder = Folder(self.root)
        folder.remove(f"{name}/{ROOT}" if name.endswith(".zarr") else name)
        other = ".h5" if name.endswith(".zarr") else ".zarr"
        if not self._below(f"{stem_of(name)}{other}"):
            folder.remove(f"{stem_of(name)}.build.json")
        self.remove([name])

    def remove(self, names: Iterable[str]) -> None:
        """Remove objects and everything below them."""
        folder = Folder(self.root)
        with ThreadPoolExecutor(max_workers=16) as threads:
            list(threads.map(folder.remove, [file for name in names for file in self._below(name)]))
