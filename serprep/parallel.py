"""The only module that knows Dask: many batches, a few workers, one thread each.

Tasks take batches and return receipts, never arrays.  Only a few per worker are in
flight, so the scheduler's memory does not grow with the corpus.  A batch whose
worker died is run again with nothing beside it: if the worker dies again, the batch is
handed back as `Died`.  Its neighbours are unblamed.
"""

import os
import signal
import tempfile
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from typing import Any, TypeVar

from serprep.errors import SerprepError

Item = TypeVar("Item")
Receipt = TypeVar("Receipt")


@dataclass(frozen=True)
class Died:
    """The worker that ran this batch was killed or crashed, more than once."""

    reason: str


def n_cores() -> int:
    """Cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class Workers:
    """Runs functions over batches; starts its cluster when first needed.

    Parameters
    ----------
    n_workers : int or None
        Local processes; None is one per core.
    scheduler : str or None
        Address of a running Dask scheduler, such as ``tcp://host:8786``, instead of a
        local cluster.  Its workers need serprep and the same paths or URLs.
    """

    def __init__(self, n_workers: int | None = None, scheduler: str | None = None) -> None:
        if n_workers is not None and not 1 <= n_workers <= 10_000:
            raise SerprepError(f"workers is {n_workers}; expected 1 or more")
        self.n_workers = n_workers or n_cores()
        self.scheduler = scheduler
        self._client: Any = None
        self._stack = ExitStack()

    @property
    def client(self) -> Any:
        """The Dask client; the first use starts or joins the cluster."""
        if self._client is None:
            self._client = self._connect()
        return self._client

    def _connect(self) -> Any:
        import dask
        from distributed import Client

        if self.scheduler:
            try:
                client = Client(self.scheduler, timeout="10s")
            except (OSError, TimeoutError, ValueError) as error:
                raise SerprepError(
                    f"scheduler {self.scheduler}: {error or 'no answer'}; expected a running Dask scheduler, "
                    "such as tcp://host:8786"
                ) from None
            return self._stack.enter_context(client)
        scratch = self._stack.enter_context(tempfile.TemporaryDirectory(prefix="serprep-", ignore_cleanup_errors=True))
        self._stack.enter_context(
            dask.config.set(
                {
                    "distributed.scheduler.allowed-failures": 0,  # `run` tries again itself, alone
                    "distributed.admin.log-format": "%(message)s",
                    "distributed.admin.low-level-log-length": 10,  # else the last 1000 messages, with their batches
                    # Dask's default gives freed memory back at once: half of a training step is then page faults
                    "distributed.nanny.pre-spawn-environ": {
                        "MALLOC_TRIM_THRESHOLD_": str(256 << 20),
                        "MALLOC_MMAP_THRESHOLD_": str(256 << 20),
                        "OMP_NUM_THREADS": "1",
                        "MKL_NUM_THREADS": "1",
                        "OPENBLAS_NUM_THREADS": "1",
                    },
                    "distributed.worker.profile.enabled": False,
                    "distributed.worker.memory.pause": False,
                    "distributed.worker.memory.spill": False,
                    "distributed.worker.memory.target": False,
                    "distributed.worker.memory.terminate": False,
                }
            )
        )
        # Ctrl-C is for this process alone, which then closes the workers: they inherit a blocked signal
        mask = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT}) if hasattr(signal, "pthread_sigmask") else None
        try:
            return self._local(scratch)
        finally:
            if mask is not None:
                signal.pthread_sigmask(signal.SIG_SETMASK, mask)

    def _local(self, scratch: str) -> Any:
        """A client of a new local cluster."""
        from distributed import Client, LocalCluster

        with _quiet_children():
            cluster = LocalCluster(
                n_workers=self.n_workers,
                threads_per_worker=1,
                processes=True,
                # None would still open a port, 8787 on every interface
                dashboard_address="127.0.0.1:0",
                scheduler_kwargs={"dashboard": False},
                local_directory=scratch,
                memory_limit=0,
                silence_logs=50,
            )
        self._stack.enter_context(cluster)
        return self._stack.enter_context(Client(cluster))

    def run(self, function: Callable[[Item], Receipt], items: Sequence[Item]) -> Iterator[tuple[int, Receipt | Died]]:
        """``(number, function(item))`` in order of completion; those whose worker died come last."""
        if not items:  # nothing to do needs no cluster, not even its import
            return
        from distributed import as_completed
        from distributed.scheduler import KilledWorker

        waiting = iter(enumerate(items))
        in_flight: dict[Any, int] = {}
        flow = as_completed(loop=self.client.loop)

        def submit() -> None:
            for number, item in waiting:
                with warnings.catch_warnings():  # the plan of a whole store is large, and is sent once
                    warnings.filterwarnings("ignore", "Sending large graph", UserWarning)
                    future = self.client.submit(function, item, pure=False)
                in_flight[future] = number
                flow.add(future)
                break

        for _ in range(2 * self._n_threads() + 2):
            submit()
        suspects = []  # Dask blames everything the dead worker had been given
        for future in flow:
            number = in_flight.pop(future)
            try:
                receipt = future.result()
            except KilledWorker:
                suspects.append(number)
                submit()
                continue
            future.release()
            submit()
            yield number, receipt
        for number in suspects:
            yield number, self._run_alone(function, items[number])
        if suspects and not self.scheduler:  # a cluster closed while workers restart complains loudly
            with suppress(TimeoutError):
                self.client.wait_for_workers(self.n_workers, timeout=60)

    def _run_alone(self, function: Callable[[Item], Receipt], item: Item) -> Receipt | Died:
        from distributed.scheduler import KilledWorker

        future = self.client.submit(function, item, pure=False)
        try:
            receipt: Receipt = future.result()
        except KilledWorker:
            return Died("the process that computed it was killed or crashed")
        return receipt

    def _n_threads(self) -> int:
        return max(1, sum(self.client.nthreads().values())) if self.scheduler else self.n_workers

    def close(self) -> None:
        """Stop the local cluster, or leave the running one."""
        self._stack.close()
        self._client = None


@contextmanager
def _quiet_children() -> Iterator[None]:
    """Processes started meanwhile have no standard error: closed in mid-start, they print tracebacks.

    What goes wrong in a task comes back with its future.
    """
    try:
        before = os.dup(2)
    except OSError:  # there is none
        yield
        return
    nowhere = os.open(os.devnull, os.O_WRONLY)
    try:
        os.dup2(nowhere, 2)
        yield
    finally:
        os.dup2(before, 2)
        os.close(before)
        os.close(nowhere)


@contextmanager
def workers(n_workers: int | None = None, scheduler: str | None = None) -> Iterator[Workers]:
    """Workers that are closed on leaving the block."""
    pool = Workers(n_workers, scheduler)
    try:
        yield pool
    finally:
        pool.close()
