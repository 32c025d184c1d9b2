"""Where the cache lies: one per user and machine, shared by all data sets.

In this order: what the recipe says (``[dataset] cache``); beside the stores where the data
set is at a URL or the workers are somebody else's, who do not see this machine's folders;
``SERPREP_CACHE``, where an empty value means beside the stores; ``serprep`` in
``XDG_CACHE_HOME`` or ``~/.cache``.  Where that cannot be written, beside the stores.
"""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from serprep.cache.parts import Cache
from serprep.errors import one_line
from serprep.place.place import at


@dataclass(frozen=True)
class Where:
    """A cache, and what is to be said about its place."""

    cache: Cache
    notes: tuple[str, ...] = ()


def cache_of(dataset: str, *, named: str = "", scheduler: str | None = None) -> Where:
    """The cache of a data set.

    Parameters
    ----------
    dataset : str
        Folder or URL of the data set.
    named : str
        The folder or URL that the recipe names, or "".
    scheduler : str, optional
        Of workers that are not this machine's.
    """
    beside = f"{dataset}/cache"
    if named:
        at(named).refuse_store()
        return Where(_with_old(named, beside))
    if scheduler or not at(dataset).direct():
        return Where(Cache(beside))
    shared = shared_place(os.environ)
    if not shared:
        return Where(Cache(beside))
    if reason := at(shared).unwritable():
        note = f"the cache {one_line(shared)} cannot be used ({reason}): this data set keeps its own, beside its stores"
        return Where(Cache(beside), (note,))
    return Where(_with_old(shared, beside))


def shared_place(environment: Mapping[str, str]) -> str:
    """Folder or URL of the cache that data sets share; "" for none.

    Examples
    --------
    >>> shared_place({"XDG_CACHE_HOME": "/tmp/me"}), shared_place({"SERPREP_CACHE": "", "HOME": "/root"})
    ('/tmp/me/serprep', '')
    """
    named = environment.get("SERPREP_CACHE")
    if named is not None:
        return at(named, base=Path()).root if named else ""
    base = environment.get("XDG_CACHE_HOME", "")
    if not Path(base).is_absolute():  # as its specification says
        try:
            base = str(Path.home() / ".cache")
        except RuntimeError:  # nobody's home
            return ""
    return f"{base}/serprep"


def _with_old(root: str, beside: str) -> Cache:
    """The cache at `root`, which also reads what an older one left beside the stores."""
    other = at(beside).direct()
    return Cache(root, also=other if root != beside and other and Path(other).is_dir() else "")
