"""Torch's threads: one where several systems train at once, and one in forked children.

OpenMP's threads do not survive a fork: a child that asks for them waits for ever for those
of its parent.  So a child begins with one, as workers of a `DataLoader` do.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from threading import RLock

import torch

if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=lambda: torch.set_num_threads(1))


_turn = RLock()


@contextmanager
def one_thread() -> Iterator[None]:
    """One system trains in a process, with one thread: sums have one order, cores are not fought over.

    Random numbers, a GPU and the memory budget are a process's, too: a worker with several threads trains
    one system after the other.
    """
    with _turn:
        before = torch.get_num_threads()
        torch.set_num_threads(1)
        try:
            yield
        finally:
            torch.set_num_threads(before)
