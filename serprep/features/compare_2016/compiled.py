"""How the set's inner loops become machine code: once, kept on disk, without the interpreter lock.

Compiled functions lie in ``__pycache__`` beside the sources or, where that cannot be
written, in the user's cache folder or in ``NUMBA_CACHE_DIR``.
"""

import hashlib
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

from numba import njit

KEPT: list[Any] = []  # the functions whose machine code is kept


def compiled(function: Callable[..., Any]) -> Any:
    """`function` as machine code: IEEE arithmetic in the order that is written, kept on disk where that can be."""
    try:
        made: Any = njit(cache=True, nogil=True, error_model="numpy")(function)
        # numba looks at one file, but a function holds the code of those it calls from others
        made._cache._cache_file._source_stamp = _sources(Path(function.__code__.co_filename).parent)
    except RuntimeError:  # there is no folder that can be written
        made = njit(nogil=True, error_model="numpy")(function)
    else:
        KEPT.append(made)
    return made


@lru_cache
def _sources(folder: Path) -> str:
    """Digest of the modules of a folder, and of this one, whose functions all use."""
    total = hashlib.sha256()
    for each in sorted({folder, Path(__file__).parent}):
        for path in sorted(each.glob("*.py")):
            total.update(path.read_bytes())
    return total.hexdigest()
