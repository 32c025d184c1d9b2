"""Dask, imported and configured: quiet, and either as its user said or as if there were no user.

Its configuration is read when it is imported, from files and the environment; a broken
file ends the import.  `serprep.parallel` is who uses it.
"""

import gc
import logging
import os
import sys
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any

LOGGERS = (
    "distributed",
    "distributed.client",
    "tornado",
    "tornado.application",
    "tornado.access",
    "tornado.general",
    "asyncio",
)


@contextmanager
def isolated(settings: Mapping[str, Any]) -> Iterator[None]:
    """Dask with its defaults and these settings, whatever the user's files and environment say."""
    with _quiet():
        dask = _imported()
        before = dict(dask.config.config)
        dask.config.refresh(paths=[], env={})
        try:
            with dask.config.set(settings):
                yield
        finally:
            dask.config.config.clear()
            dask.config.config.update(before)


_imported_here = False
_process = 0  # that imported Dask


def _imported() -> Any:
    """Dask, imported where it finds none of its files: a broken one does no harm."""
    global _imported_here, _process
    _imported_here |= "dask" not in sys.modules
    nowhere = {"HOME": os.devnull, "DASK_ROOT_CONFIG": os.devnull, "DASK_CONFIG": f"{os.devnull}/dask"}
    before = {name: value for name, value in os.environ.items() if name in nowhere or name.startswith("DASK_")}
    try:
        if "distributed" not in sys.modules:
            for name in before:
                del os.environ[name]
            os.environ.update(nowhere)
        import dask
        import distributed  # adds its own defaults
    finally:
        for name in nowhere:
            os.environ.pop(name, None)
        os.environ.update(before)
    if _process not in (0, os.getpid()):  # forked since: the threads that it had are not there
        distributed.utils._offload_executor = ThreadPoolExecutor(1, thread_name_prefix="Dask-Offload")
    _process = os.getpid()
    _silence()
    return dask


@contextmanager
def configured() -> Iterator[None]:
    """Dask as the user configured it: in files and environment, or in the process that imported it."""
    with _quiet():
        dask = _imported()
        before = dict(dask.config.config)
        if _imported_here:
            try:
                dask.config.refresh(paths=dask.config._get_paths())
            except Exception as error:
                raise ValueError(f"Dask's configuration cannot be read: {error}") from None
        try:
            yield
        finally:
            dask.config.config.clear()
            dask.config.config.update(before)


@contextmanager
def _quiet() -> Iterator[None]:
    """What Dask logs does not reach the user; afterwards it may, if somebody else had imported it."""
    loggers = [logging.getLogger(name) for name in LOGGERS]
    before = [logger.level for logger in loggers] if "dask" in sys.modules and not _imported_here else []
    try:
        yield
    finally:
        for logger, level in zip(loggers, before, strict=False):
            logger.setLevel(level)


@contextmanager
def uncollected() -> Iterator[None]:
    """No garbage is collected meanwhile, in any thread.

    A client that found nobody is closed when it is collected, and takes a lock for that;
    collected while another client starts, which holds that lock, it waits for itself for ever.
    So does an object of h5py that is collected by the very thread that h5py, holding its lock, waits for.
    """
    global _n_uncollected, _collects
    with _collecting:
        if not _n_uncollected:
            _collects = gc.isenabled()
            gc.disable()
        _n_uncollected += 1
    try:
        yield
    finally:
        with _collecting:
            _n_uncollected -= 1
            if not _n_uncollected and _collects:
                gc.enable()


_collecting = threading.Lock()
_n_uncollected, _collects = 0, True


def _silence() -> None:
    """After the import, which sets levels."""
    for name in LOGGERS:
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
