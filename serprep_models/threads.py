"""Torch's threads: one where several systems train at once, and one in forked children.

OpenMP's threads do not survive a fork: a child that asks for them waits for ever for those
of its parent.  So a child begins with one, as workers of a `DataLoader` do.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager

import torch

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=lambda: torch.set_num_threads(1))


@contextmanager
def one_thread() -> Iterator[None]:
    """Several systems train at once, one thread each: sums have one order, cores are not fought over."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
