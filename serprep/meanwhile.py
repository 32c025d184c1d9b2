"""What is done again and again beside something that takes long: watching, telling, sending."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from threading import Event, Thread


@contextmanager
def meanwhile(action: Callable[[], object], *, every: float) -> Iterator[None]:
    """While the block runs, do something every so many seconds in a thread; the block ends after its last time.

    Parameters
    ----------
    action : callable
        It raises nothing.
    every : float
        Seconds.
    """
    over = Event()

    def repeat() -> None:
        while not over.wait(every):
            action()

    thread = Thread(target=repeat, daemon=True)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
