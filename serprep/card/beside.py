"""What lies beside a store and tells of it: its build, the version before, levels in the cache."""

import contextlib
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from serprep._typing import FloatArray
from serprep.audio.levels import COLUMNS as LEVELS
from serprep.cache.levels import KIND, level_key
from serprep.cache.parts import Cache, as_keys
from serprep.cache.place import cache_of
from serprep.dataset.diff import Difference, compare
from serprep.errors import CacheError, SerprepError, StoreError
from serprep.forms import stem_of
from serprep.place.place import at
from serprep.store.store import Store
from serprep.version import build_number, read_build, versions


@dataclass(frozen=True, kw_only=True)
class Beside:
    """What is known of a data set besides its rows."""

    build: dict[str, Any] = field(default_factory=dict)  # build.json
    before: str = ""  # the version before, or ""
    difference: Difference | None = None  # from it
    levels: FloatArray | None = None  # (n, 5), NaN where not known


def build_of(store: Store) -> tuple[str, str, dict[str, Any]]:
    """The data set's folder, the store's name in it without suffix, and its ``build.json``, {} where there is none."""
    folder, _, name = store.path.rstrip("/").rpartition("/")
    inside = folder == "versions" or folder.endswith("/versions")
    dataset = (folder.removesuffix("versions").rstrip("/") if inside else folder) or "."
    stem = f"versions/{stem_of(name)}" if inside else stem_of(name)
    with contextlib.suppress(StoreError):
        return dataset, stem, read_build(dataset, stem)
    return dataset, stem, {}


def beside_of(store: Store, cache: Cache | None) -> Beside:
    """What is known of a store besides its rows."""
    dataset, stem, build = build_of(store)
    before, difference = "", None
    if stem.startswith("versions/"):
        numbers = {name: build_number(dataset, stem_of(name)) for name in versions(dataset)}
        own = int(build.get("number", 0))
        earlier = [name for name in numbers if 0 < numbers[name] < own]
        with contextlib.suppress(StoreError):
            if earlier:
                older = Store(at(dataset).path(max(earlier, key=numbers.__getitem__)))
                before, difference = older.version, compare(older, store)
    return Beside(build=build, before=before, difference=difference, levels=known_levels(store, cache, dataset))


def known_levels(store: Store, cache: Cache | None, dataset: str) -> FloatArray | None:
    """Levels as the cache has them, shape (n, 5), NaN where it has none; None if it has none at all."""
    times = ([None if np.isnan(value) else float(value) for value in store.column(name)] for name in ("start", "end"))
    keys = as_keys(level_key(*cells) for cells in zip(store.column("audio_digest"), *times, strict=True))
    levels = np.full((len(store), len(LEVELS)), np.nan, np.float32)
    with contextlib.suppress(SerprepError, OSError):
        cache = cache or cache_of(dataset).cache
        places = cache.find(KIND, keys)
        known = np.flatnonzero(places.cached)
        if len(known):
            with contextlib.suppress(CacheError):
                levels[known] = np.concatenate(cache.read(places[known]))
                return levels
    return None
