"""Freed memory stays with the process while it trains: each step asks for the same large arrays again.

glibc gives large arrays back as soon as they are freed, and each page of the next one is a fault:
half of a step of ``cnn-lstm``, whose arrays of one batch take hundreds of megabytes.
"""

import ctypes
import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

M_TRIM_THRESHOLD, M_MMAP_MAX = -1, -4  # malloc.h
TRIM, MAPPED = 128 << 10, 65_536  # glibc's defaults
KEPT = 1 << 30  # bytes that may lie free at the heap's end


@contextmanager
def kept() -> Iterator[None]:
    """Keep freed memory for a while, where the C library is glibc; give it back afterwards."""
    libc: Any = ctypes.CDLL(None) if sys.platform == "linux" else None
    if not hasattr(libc, "mallopt"):
        yield
        return
    libc.mallopt(M_MMAP_MAX, 0)
    libc.mallopt(M_TRIM_THRESHOLD, KEPT)
    try:
        yield
    finally:
        libc.mallopt(M_MMAP_MAX, MAPPED)
        libc.mallopt(M_TRIM_THRESHOLD, int(os.environ.get("MALLOC_TRIM_THRESHOLD_", TRIM)))
        libc.malloc_trim(0)
