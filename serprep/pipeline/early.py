"""Workers that start, compile and load while recordings are still being read."""

import threading
from collections.abc import Callable
from contextlib import suppress

import numpy as np

from serprep.features.extract import Features, extract, prepare
from serprep.parallel import Workers

PATIENCE = 5.0  # seconds


class Early:
    """Starts a pool of this machine in the background, as soon as there will be work.

    Parameters
    ----------
    pool : Workers
    features : Features
        What will be computed.
    then : callable
        Called in this process once the workers compute: it loads what their results are packed with.
    quiet : bool
        Say nothing of compiling.
    """

    def __init__(self, pool: Workers, features: Features, *, then: Callable[[], object], quiet: bool) -> None:
        self._pool, self._features, self._then, self._quiet = pool, features, then, quiet
        self._stopped, self._ready = False, threading.Event()
        self._thread = threading.Thread(target=self._start, daemon=True)

    def begin(self) -> None:
        """Start, unless that was done before."""
        if self._thread.ident is None and not self._stopped:
            self._thread.start()

    def wait(self) -> None:
        """Until the workers are ready, if they were begun."""
        if self._thread.ident is not None:
            self._ready.wait()

    def stop(self) -> None:
        """Load no more, after an error or Ctrl-C: compiling is not waited for."""
        self._stopped = True
        if self._thread.ident is not None:
            self._thread.join(PATIENCE)

    def _start(self) -> None:
        with suppress(Exception):  # whoever needs it next meets it again, and says so
            try:
                self._pool.client  # noqa: B018 - processes import while this one compiles
                prepare(self._features, self._features.kinds, (lambda line: None) if self._quiet else None)
                if not self._stopped:
                    list(self._pool.run(load, [self._features] * self._pool.n_workers))
            finally:
                self._ready.set()
            if not self._stopped:
                self._then()


def load(features: Features) -> None:
    """Load what computes features, by computing those of silence."""
    kinds = tuple(name for name in features.kinds if features.kind(name).slow_to_load)
    extract(np.zeros(features.shortest, np.float32), features, kinds)
