"""Where the cache lies: one per user and machine, shared by all data sets.

In this order: what the recipe says (``[dataset] cache``); beside the stores where the data
set is at a URL or the workers are somebody else's, who do not see this machine's folders;
``SERPREP_CACHE``, where an empty value means beside the stores; ``serprep`` in
``XDG_CACHE_HOME`` or ``~/.cache``.  Where that cannot be written, beside the stores.
"""

import contextlib
import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from serprep.cache.parts import Cache
from serprep.errors import one_line
from serprep.files import refuse_store
from serprep.remote import is_url


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
        refuse_store(named)
        return Where(_with_old(named, beside))
    if is_url(dataset) or scheduler:
        return Where(Cache(beside))
    shared = shared_place(os.environ)
    if not shared:
        return Where(Cache(beside))
    if not is_url(shared) and (reason := _unwritable(Path(shared))):
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
        if is_url(named) or not named:
            return named.rstrip("/")
        with contextlib.suppress(RuntimeError):  # "~name" of nobody is a name like any other
            named = str(Path(named).expanduser())
        return str(Path(named).resolve())
    base = environment.get("XDG_CACHE_HOME", "")
    if not Path(base).is_absolute():  # as its specification says
        try:
            base = str(Path.home() / ".cache")
        except RuntimeError:  # nobody's home
            return ""
    return f"{base}/serprep"


def _unwritable(folder: Path) -> str:
    """Why nothing can be written into a folder, or ""; makes it, but nobody's home."""
    if folder.parent.name == ".cache" and not folder.parent.parent.is_dir():
        return f"{one_line(folder.parent.parent)} is not there"
    refuse_store(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        return error.strerror or type(error).__name__
    return "" if os.access(folder, os.W_OK | os.X_OK) else "it is read-only"


def _with_old(root: str, beside: str) -> Cache:
    """The cache at `root`, which also reads what an older one left beside the stores."""
    return Cache(root, also=beside if root != beside and not is_url(beside) and Path(beside).is_dir() else "")
