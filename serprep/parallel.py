"""Batches, computed with Dask: many batches, a few workers, one thread each.

Tasks take batches and return receipts, never arrays.  Only a few per worker are in
flight, so the scheduler's memory does not grow with the corpus.  A batch whose
worker died is run again with nothing beside it: if the worker dies again, the batch is
handed back as `Died`.  Its neighbours are unblamed.

Nothing waits for ever: every few seconds the workers are asked what they do.  Where
batches are waiting and nobody works, they are handed out again, a few times, and then
one line says why not.  A batch that a live worker computes may take as long as it likes.

A local cluster is this module's own: it takes nothing from the user's Dask
configuration.  On somebody's scheduler that configuration counts, and only workers are
used that compute what this process would (`serprep.fitness`) and see what it sees.
"""

import asyncio
import os
import sys
import time
import warnings
import weakref
from collections import Counter, deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import CancelledError
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

from serprep import retries
from serprep.errors import SerprepError, one_line
from serprep.isolation import configured, isolated, uncollected
from serprep.limits import refusal
from serprep.members import KEPT, Members
from serprep.processes import Processes, scratch
from serprep.serving import LOCAL
from serprep.waits import LOOK, TICK, in_time, say, saying

Item = TypeVar("Item")
Receipt = TypeVar("Receipt")

NOTICE = 1.0  # seconds after which workers of a scheduler that came or left are noticed
PATIENCE = 5  # looks that find nobody at work before batches are handed out again
BUSY_TICKS = 25  # of a processor's time from look to look, more than an idle process uses
SILENCE = 12  # looks that a process neither answers nor computes before it is ended
FAILURES = 3  # times that all who might compute a batch may leave it, before it is a suspect
RESTARTS = 2  # times batches are handed out again without any of them being done
WAIT = 300.0  # seconds to wait for workers of a scheduler

RETRIES: Counter[str] = Counter()  # requests that workers of this process's pools made again, and why
_pools: "weakref.WeakSet[Workers]" = weakref.WeakSet()

# what a worker executes: an expression, for workers without serprep and of another Python
BUSY = "[str(key.key) for one in __import__('distributed').worker.Worker._instances for key in one.state.executing]"


@dataclass(frozen=True)
class _Counted:
    """A task whose receipt comes with the requests to object stores that were made again meanwhile."""

    function: Callable[[Any], Any]

    def __call__(self, item: Any) -> tuple[Any, dict[str, int]]:
        return self.function(item), retries.taken()


@dataclass(frozen=True)
class Died:
    """The worker that ran this batch was killed or crashed, more than once."""

    reason: str


def n_working() -> int:
    """Workers of all pools of this process."""
    return sum(pool.n_used for pool in list(_pools))


def n_cores() -> int:
    """Cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def here() -> str:
    """Address of the worker that runs this, "" where none does."""
    if "distributed.worker" in sys.modules:
        from distributed import get_worker

        with suppress(ValueError):
            return str(get_worker().address)
    return ""


def n_threads() -> int:
    """Threads of the worker that runs this, 0 where none does."""
    if "distributed.worker" in sys.modules:
        from distributed import get_worker

        with suppress(ValueError):
            return int(get_worker().state.nthreads)
    return 0


class Workers:
    """Runs functions over batches; starts its cluster when first needed, and closes it at the end of a ``with`` block.

    Parameters
    ----------
    n_workers : int or None
        Local processes; None is one per core.
    scheduler : str or None
        Address of a running Dask scheduler, such as ``tcp://host:8786``, instead of a
        local cluster.  Its workers need serprep and the same paths or URLs.
    wait : float
        Seconds to wait for workers of a scheduler that has none.
    memory : int, optional
        MiB that a signal may cost a worker beyond what it has; by default most of its machine's.
    """

    def __init__(
        self,
        n_workers: int | None = None,
        scheduler: str | None = None,
        *,
        wait: float = WAIT,
        memory: int | None = None,
    ) -> None:
        if n_workers is not None and not 1 <= n_workers <= 10_000:
            raise SerprepError(f"workers is {n_workers}; expected 1 or more")
        self.n_workers = n_workers or n_cores()
        self.scheduler = scheduler
        self.memory = memory and memory << 20
        _pools.add(self)
        self.retries: Counter[str] = Counter()  # why requests of workers to object stores were made again
        self._client: Any = None
        self._processes: Processes | None = None
        self._stack = ExitStack()
        self.members = Members(lambda: self.client, scheduler, wait)

    def __enter__(self) -> "Workers":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @property
    def n_used(self) -> int:
        """Workers that are there and used."""
        return len(self.members.threads) if self.scheduler else self.n_workers * (self._client is not None)

    @property
    def client(self) -> Any:
        """The Dask client; the first use starts or joins the cluster."""
        if self._client is None:
            self._client = self._join() if self.scheduler else self._start()
        return self._client

    # -- a cluster of this machine ---------------------------------------------------

    def _start(self) -> Any:
        """A client of a new local cluster."""
        try:
            return self._local()
        except SerprepError:
            raise
        except Exception as error:
            with suppress(Exception):
                self.close()
            reason = refusal(error) or one_line(f"{type(error).__name__}: {error}")
            raise SerprepError(f"workers of this machine cannot be started: {reason}") from None

    def _local(self) -> Any:
        folder = self._stack.enter_context(scratch())
        self._processes = Processes(self.n_workers, folder)
        self._stack.callback(self._processes.close)
        self._processes.revive()  # they import Dask while this process does
        self._stack.enter_context(isolated({**LOCAL, "temporary-directory": str(folder)}))
        from distributed import Client, LocalCluster

        with uncollected():
            cluster = LocalCluster(
                n_workers=0,
                processes=True,
                # None would still open a port, 8787 on every interface
                dashboard_address="127.0.0.1:0",
                scheduler_kwargs={"dashboard": False},
                silence_logs=False,
            )
        self._stack.callback(in_time, cluster.close, "the local cluster to close")
        with uncollected():
            client = Client(cluster)
        self._stack.callback(in_time, client.close, "the local cluster to close")
        self._stack.callback(self._processes.close)
        self._processes.serve(cluster.scheduler_address)
        return client

    # -- somebody's scheduler --------------------------------------------------------

    def _join(self) -> Any:
        """A client of a running scheduler."""
        place = self.members.place
        try:
            self._stack.enter_context(configured())
            from distributed import Client

            with saying(f"an answer of {place}"), uncollected():
                client = Client(self.scheduler, timeout="10s")
        except Exception as error:
            self._stack.close()
            reason = refusal(error) or one_line(str(error).strip().partition("\n")[0] or "no answer")
            if "ssl" in reason.lower() or "tls" in reason.lower():
                reason += " (TLS needs certificates: name them in distributed.comm.tls of Dask's configuration)"
            raise SerprepError(
                f"{place}: {reason}; expected a running Dask scheduler, such as tcp://host:8786"
            ) from None
        self._stack.callback(in_time, client.close, f"{place} to let go")
        with suppress(Exception):  # one without a dashboard
            say(f"dashboard of the scheduler: {client.dashboard_link}")
        return client

    # -- work ------------------------------------------------------------------------

    def run(
        self, function: Callable[[Item], Receipt], items: Sequence[Item], *, once: bool = False
    ) -> Iterator[tuple[int, Receipt | Died]]:
        """``(number, function(item))`` in order of completion; those whose worker died come last.

        `once`: they are not tried again alone, since the caller knows better who did it.

        Raises
        ------
        SerprepError
            If nobody works on them, and nobody will.
        """
        if not items:  # nothing to do needs no cluster, not even its import
            return
        suspects = []  # Dask blames everything the dead worker had been given
        for number, receipt in self._flow(function, items, range(len(items)), alone=False):
            if isinstance(receipt, Died) and not once:
                suspects.append(number)
            else:
                yield number, receipt
        yield from self._flow(function, items, suspects, alone=True)

    def _flow(
        self, function: Callable[[Item], Receipt], items: Sequence[Item], numbers: Sequence[int], *, alone: bool
    ) -> Iterator[tuple[int, Receipt | Died]]:
        """Hand out batches and take their receipts, a few at a time or one by one."""
        waiting, flight = deque(numbers), _Flight()
        if not waiting:
            return
        self.client  # noqa: B018 - imports Dask, as it must be
        from distributed.scheduler import KilledWorker

        while waiting or flight.numbers:
            if self.scheduler and self.client.status != "running":  # it would try to find it again, and has lost all
                raise self.members.lost()
            self._hand_out(function, items, waiting, flight, limit=1 if alone else None)
            try:
                future = flight.done.get(timeout=TICK)
            except Empty:
                future = None
            if future in flight.numbers:
                if future.status in ("cancelled", "lost"):
                    if not self.scheduler:
                        self._hand_out_again(waiting, flight)
                    elif self.client.status == "running":  # whoever held the receipt is gone, and nobody else
                        waiting.append(flight.numbers.pop(future))
                    continue
                try:
                    receipt: Receipt | Died
                    receipt, counts = future.result(timeout=LOOK)
                    self.retries.update(counts)
                    RETRIES.update(counts)
                except KilledWorker:
                    receipt = Died("the process that computed it was killed or crashed")
                except CancelledError:  # since its status was looked at
                    flight.done.put(future)
                    continue
                except TimeoutError:
                    if future.status == "error":  # the task's own
                        raise
                    # the worker that held it has died: Dask computes it again, or nobody does
                    future.add_done_callback(flight.done.put)
                    if not self._look(flight):
                        self._hand_out_again(waiting, flight)
                    continue
                number = flight.numbers.pop(future)
                flight.n_restarts = flight.n_idle = flight.n_ends = 0
                future.release()
                self._hand_out(function, items, waiting, flight, limit=1 if alone else None)
                yield number, receipt
            if flight.numbers and not self._look(flight):
                self._hand_out_again(waiting, flight)
            for number in self._take_back(waiting, flight):
                yield number, Died("the processes that computed it were killed or crashed")

    def _take_back(self, waiting: deque[int], flight: "_Flight") -> list[int]:
        """Take back batches whose workers have all left, to be handed out to others; those that outlived too many."""
        died = []
        for future, workers in list(flight.workers.items()):
            if future not in flight.numbers:
                del flight.workers[future]
            elif future.status == "pending" and self.members.present.isdisjoint(workers):
                del flight.workers[future]
                number = flight.numbers.pop(future)
                with suppress(Exception):
                    self.client.cancel([future])
                flight.n_left[number] += 1
                if flight.n_left[number] > FAILURES:
                    died.append(number)
                else:
                    waiting.append(number)
        return died

    def _hand_out(
        self,
        function: Callable[[Item], Receipt],
        items: Sequence[Item],
        waiting: deque[int],
        flight: "_Flight",
        *,
        limit: int | None,
    ) -> None:
        """Submit batches until enough are in flight."""
        client = self.client
        if self.scheduler and waiting and not self.members.threads:
            self.members.meet()
        if limit is None:
            limit = 2 * (max(1, sum(self.members.threads.values())) if self.scheduler else self.n_workers) + 2
        where = {"workers": sorted(self.members.threads)} if self.scheduler else {}
        while waiting and len(flight.numbers) < limit:
            number = waiting.popleft()
            item = items[number]
            try:
                with warnings.catch_warnings():  # the plan of a whole store is large, and is sent once
                    warnings.filterwarnings("ignore", "Sending large graph", UserWarning)
                    future = client.submit(_Counted(function), item, pure=False, **where)
                future.add_done_callback(flight.done.put)
            except (OSError, TimeoutError, asyncio.CancelledError) as error:
                waiting.appendleft(number)
                raise self.members.lost(error) from None
            flight.numbers[future] = number
            if self.scheduler:
                flight.workers[future] = frozenset(self.members.threads)

    def _look(self, flight: "_Flight") -> bool:
        """Whether batches in flight are, or will be, worked on; looks from time to time only."""
        if not self.scheduler:
            flight.n_ends += self._revive()
            if flight.n_ends > 3 * self.n_workers + 3:
                raise SerprepError(f"workers of this machine end again and again: {self._end}; {KEPT}")
        now = time.monotonic()
        if self.scheduler and now - flight.noticed >= NOTICE:
            flight.noticed = now
            self.members.threads = self.members.look_around()
            if not self.members.threads:
                flight.say(f"waiting for workers: all that {self.members.place} had are gone")
                self.members.meet()
                return True
        if now - flight.looked < LOOK:
            return True
        flight.looked = now
        if self.scheduler:
            present = sorted(self.members.threads)
        else:
            present = sorted(self.members.ask(self.client.scheduler.ncores, workers=None))
        answers = self.members.tell(eval, BUSY, workers=present)
        keys = {str(future.key) for future in flight.numbers}
        answered = [set(answer) for answer in answers.values() if isinstance(answer, list)]
        silent = [worker for worker, answer in answers.items() if not isinstance(answer, list)]
        at_work = any(keys & set(answer) for answer in answered)
        busy = not self.scheduler and self._end_silent(flight)
        # a process that starts, or holds the interpreter, computes and does not answer
        at_work = at_work or (busy and (not present or bool(silent)))
        others = self.scheduler and any(answered)  # a scheduler shared with others: they go first
        flight.n_idle = 0 if at_work or others else flight.n_idle + 1
        if flight.n_idle >= 2:
            flight.say(
                f"waiting for workers: {len(flight.numbers)} batches are handed out, "
                + (f"{len(present)} workers are there and none works on them" if present else "no worker is there yet")
                + (f"; {len(silent)} do not answer" if silent else "")
            )
        patience = PATIENCE * (1 + flight.n_restarts)
        return flight.n_idle < (patience if present and not silent else 2 * patience)

    _end = ""

    def _revive(self) -> int:
        """Start local processes again that ended; how many had."""
        assert self._processes is not None
        try:
            ends = self._processes.revive()
        except OSError as error:
            raise SerprepError(
                f"workers of this machine cannot be started: {refusal(error) or one_line(error)}"
            ) from None
        if ends:
            self._end = one_line(refusal(ends[-1]) or ends[-1])
        return len(ends)

    def _end_silent(self, flight: "_Flight") -> bool:
        """Whether a local process computes; those that have used no time of a processor in many looks are ended."""
        assert self._processes is not None
        busy = False
        for name in self._processes.names:
            ticks = self._processes.ticks(name)
            before, n_same = flight.ticks.get(name, (None, 0))
            flight.ticks[name] = (ticks, n_same + 1 if ticks is not None and ticks == before else 0)
            busy |= ticks is not None and before is not None and ticks - before >= BUSY_TICKS
            if flight.ticks[name][1] >= SILENCE:
                self._processes.kill(name)
        return busy

    def _hand_out_again(self, waiting: deque[int], flight: "_Flight") -> None:
        """Take back what is in flight, to be handed out again, on a new cluster where it is ours."""
        flight.n_restarts += 1
        if flight.n_restarts > RESTARTS:
            why = f"; the last process to end: {self._end}" if self._end else ""
            raise SerprepError(
                f"{len(flight.numbers)} batches were handed out {flight.n_restarts} times, and no worker "
                f"worked on them{why}; {KEPT}"
            )
        waiting.extendleft(sorted(flight.numbers.values(), reverse=True))
        say(f"no worker works: {len(flight.numbers)} batches are handed out again")
        taken = list(flight.numbers)
        flight.numbers.clear()
        flight.ticks.clear()
        flight.n_idle = 0
        if self.scheduler:
            with suppress(Exception):
                self.client.cancel(taken)
        else:
            self.close()

    def close(self) -> None:
        """Stop the local cluster, or leave the running one."""
        self.members.forget()
        self._stack.close()
        self._client = self._processes = None


class _Flight:
    """Batches that are handed out, and what was seen of the work on them."""

    def __init__(self) -> None:
        self.numbers: dict[Any, int] = {}  # future → number
        self.workers: dict[Any, frozenset[str]] = {}  # future → addresses that may compute it, of a scheduler's
        self.n_left: Counter[int] = Counter()  # number → times that all these left
        self.done: SimpleQueue[Any] = SimpleQueue()
        self.looked = self.noticed = time.monotonic()
        self.n_idle = 0  # looks in a row that found nobody at work
        self.n_restarts = 0  # since a batch was done
        self.n_ends = 0  # of local processes since a batch was done
        self.ticks: dict[str, tuple[int | None, int]] = {}  # process → its time, looks without more of it
        self._said = ""

    def say(self, line: str) -> None:
        """A line, once."""
        if line != self._said:
            self._said = line
            say(line)
