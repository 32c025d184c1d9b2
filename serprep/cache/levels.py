"""Levels of utterances in the cache: a few numbers each, which depend on nothing that a recipe configures."""

import contextlib
from collections.abc import Sequence

from serprep._typing import FloatArray
from serprep.cache.parts import Cache, key_of
from serprep.errors import CacheError

KIND = "levels"  # of parts
_IDENTITY = {"name": "levels", "revision": 1}


def level_key(digest: str, start: float | None, end: float | None) -> bytes:
    """The key of an utterance's levels."""
    return key_of(digest, start, end, _IDENTITY)


def keep_levels(cache: Cache, levels: Sequence[tuple[bytes, FloatArray]]) -> None:
    """Write levels by their keys; a cache that cannot be written is none the worse."""
    if levels:
        keys, rows = zip(*levels, strict=True)
        with contextlib.suppress(CacheError):
            cache.write(KIND, keys, [row[None] for row in rows], [1] * len(rows))
