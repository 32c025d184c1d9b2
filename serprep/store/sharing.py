"""A new version takes unchanged files from an older store of its data set, by hard link.

Where the keys of all rows, the segments and the metadata are the same, so is every byte
that packing would write: a version that differs in labels or speakers costs a few small
files.  What is linked is read and compared with its digest first, so that damage does not
spread.  Where a link cannot be made, the array is written as if there were no older store.
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from serprep.errors import StoreError
from serprep.place.place import at
from serprep.store.container import Sharding, digest_of
from serprep.store.containers import container_of
from serprep.store.layout import Array, segments_name


@dataclass(frozen=True)
class Linked:
    """What a new store shares with older ones."""

    arrays: set[str] = field(default_factory=set)  # feature arrays that need not be written
    files: dict[str, str] = field(default_factory=dict)  # relative name → SHA-256, read just now


def link_unchanged(
    arrays: Sequence[Array], attributes: Mapping[str, Any], *, store: Path, older: Sequence[Path], sharding: Sharding
) -> Linked:
    """Replace files of a store that is being made by links to equal ones of older stores.

    Parameters
    ----------
    arrays : sequence of Array
        Every array of the new store.
    attributes : mapping
        Root attributes of the new store, without files and seal.
    store : Path
        The new store: all metadata and small arrays written, feature arrays empty.
    older : sequence of Path
        Stores to look into, the best first.
    sharding : Sharding
        Of the container.

    Returns
    -------
    Linked
    """
    linked = Linked()
    if not older:
        return linked
    own = {name: digest_of(store / name) for name in at(store).files()}
    for candidate in older:
        missing = [array for array in arrays if array.is_large and array.name not in linked.arrays]
        if not missing:
            break
        try:
            known = container_of(str(candidate)).attributes(str(candidate))
            digests: dict[str, str] = known["files"]
            unchanged = [array for array in missing if _same(array, own, attributes, known)]
        except (StoreError, KeyError, TypeError, AttributeError):  # damaged, or of another format
            continue
        for array in unchanged:
            names = [sharding.file(array, first) for first in range(0, array.shape[0], array.shard)]
            if all(_link(candidate / name, store / name, digests.get(name, "")) for name in names):
                linked.arrays.add(array.name)
                linked.files.update({name: digests[name] for name in names})
            else:
                for name in names:
                    (store / name).unlink(missing_ok=True)
        for name, digest in own.items():
            if (
                name not in linked.files
                and digests.get(name) == digest
                and _link(candidate / name, store / name, digest)
            ):
                linked.files[name] = digest
    return linked


def _same(array: Array, own: Mapping[str, str], new: Mapping[str, Any], old: Mapping[str, Any]) -> bool:
    """Whether the older store holds the very same rows of a feature array."""
    group = array.name.rpartition("/")[0]
    kind = array.name.partition("/")[0]
    described = [name for name in own if name.startswith(f"{group}/")]  # keys, offsets, all metadata
    return (
        new["format"] == old["format"]
        and new["provenance"]["extractors"][kind] == old["provenance"]["extractors"].get(kind)
        and _hop(array, new) == _hop(array, old)
        and all(old["files"].get(name) == own[name] for name in described)
    )


def _hop(array: Array, attributes: Mapping[str, Any]) -> int | None:
    """Frames from one segment of the array to the next, where it holds segments; equal offsets do not tell."""
    segments = attributes["configurations"]["features"]["segments"].values()
    return {segments_name(entry["length"]): int(entry["hop"]) for entry in segments}.get(array.name)


def _link(source: Path, target: Path, digest: str) -> bool:
    """Make `target` another name of `source`, if that is what its digest says."""
    beside = target.with_name(f".{target.name}.link")
    try:
        if digest_of(source) != digest:
            return False
        target.parent.mkdir(parents=True, exist_ok=True)
        os.link(source, beside)
        beside.replace(target)
    except OSError:  # another file system, too many links, somebody else's file, removed meanwhile
        beside.unlink(missing_ok=True)
        return False
    return True
