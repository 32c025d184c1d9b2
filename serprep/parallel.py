"""The only module that computes with Dask: many batches, a few workers, one thread each.

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
import threading
import time
import warnings
import weakref
from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from queue import Empty, SimpleQueue
from typing import Any, TypeVar

from serprep import contained, fitness, retries
from serprep.errors import SerprepError, one_line
from serprep.isolation import configured, isolated, uncollected
from serprep.limits import refusal
from serprep.processes import Processes, scratch

Item = TypeVar("Item")
Receipt = TypeVar("Receipt")

TICK = 0.5  # seconds between looks at this machine's processes
LOOK = 5.0  # seconds between questions to the workers; also after what time a wait is said
ANSWER = 10.0  # seconds a worker may take to answer
PATIENCE = 5  # looks that find nobody at work before batches are handed out again
BUSY_TICKS = 25  # of a processor's time from look to look, more than an idle process uses
SILENCE = 12  # looks that a process neither answers nor computes before it is ended
FAILURES = 3  # times that all who might compute a batch may leave it, before it is a suspect
RESTARTS = 2  # times batches are handed out again without any of them being done
WAIT = 300.0  # seconds to wait for workers of a scheduler
KEPT = "what is computed is kept: the same command goes on from there"

RETRIES: Counter[str] = Counter()  # requests that workers of this process's pools made again, and why
_pools: "weakref.WeakSet[Workers]" = weakref.WeakSet()

LOCAL = {
    "distributed.scheduler.allowed-failures": 0,  # `run` tries again itself, alone
    "distributed.scheduler.worker-ttl": None,  # a suspended machine misses heartbeats
    "distributed.admin.log-format": "%(message)s",
    "distributed.admin.low-level-log-length": 10,  # else the last 1000 messages, with their batches
    "distributed.diagnostics.nvml": False,
    "distributed.worker.profile.enabled": False,
    "distributed.worker.memory.pause": False,
    "distributed.worker.memory.spill": False,
    "distributed.worker.memory.target": False,
    "distributed.worker.memory.terminate": False,
}
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
    """Runs functions over batches; starts its cluster when first needed.

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
        self.wait = wait
        self.memory = memory and memory << 20
        _pools.add(self)
        self.retries: Counter[str] = Counter()  # why requests of workers to object stores were made again
        self._client: Any = None
        self._processes: Processes | None = None
        self._stack = ExitStack()
        self._tests: list[Callable[[], str]] = []
        self._seen: dict[str, str] = {}  # address of a scheduler's worker → why it is not used, "" if it is
        self._threads: dict[str, int] = {}  # address → threads, of those that are there and used

    @property
    def n_used(self) -> int:
        """Workers that are there and used."""
        return len(self._threads) if self.scheduler else self.n_workers * (self._client is not None)

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
        self._stack.callback(_in_time, cluster.close, "the local cluster to close")
        with uncollected():
            client = Client(cluster)
        self._stack.callback(_in_time, client.close, "the local cluster to close")
        self._processes = Processes(self.n_workers, cluster.scheduler_address, folder)
        self._stack.callback(self._processes.close)
        self._processes.revive()
        return client

    # -- somebody's scheduler --------------------------------------------------------

    def _join(self) -> Any:
        """A client of a running scheduler."""
        place = f"scheduler {one_line(self.scheduler)}"
        try:
            self._stack.enter_context(configured())
            from distributed import Client

            with _saying(f"an answer of {place}"), uncollected():
                client = Client(self.scheduler, timeout="10s")
        except Exception as error:
            self._stack.close()
            reason = refusal(error) or one_line(str(error).strip().partition("\n")[0] or "no answer")
            if "ssl" in reason.lower() or "tls" in reason.lower():
                reason += " (TLS needs certificates: name them in distributed.comm.tls of Dask's configuration)"
            raise SerprepError(
                f"{place}: {reason}; expected a running Dask scheduler, such as tcp://host:8786"
            ) from None
        self._stack.callback(_in_time, client.close, f"{place} to let go")
        with suppress(Exception):  # one without a dashboard
            _say(f"dashboard of the scheduler: {client.dashboard_link}")
        return client

    @contextmanager
    def admitting(self, test: Callable[[], str]) -> Iterator[None]:
        """While the block runs, use only workers of the scheduler where `test` gives no reason against it."""
        self._tests.append(test)
        self._seen.clear()
        self._threads.clear()
        try:
            yield
        finally:
            self._tests.remove(test)

    def distrust(self, worker: str, reason: str) -> None:
        """Use a worker of a scheduler no more.

        Raises
        ------
        SerprepError
            If none is left.
        """
        if self.scheduler and not self._seen.get(worker):
            self._refuse(worker, reason)
            self._threads.pop(worker, None)
            if not self._threads:
                self._meet()

    def _refuse(self, worker: str, reason: object) -> None:
        self._seen[worker] = one_line(reason)
        _say(f"worker {worker} is not used: {reason}")

    def _meet(self) -> Mapping[str, int]:
        """Threads of each worker of the scheduler that may be used; waits for one.

        Raises
        ------
        SerprepError
            If there is none in time, or none can be used.
        """
        began, said = time.monotonic(), False
        while True:
            self._threads = self._look_around()
            if self._threads:
                return self._threads
            present = {worker: reason for worker, reason in self._seen.items() if worker in self._present}
            if present:
                worker, reason = next(iter(present.items()))
                rest = f", and {len(present) - 1} more cannot either" if len(present) > 1 else ""
                raise SerprepError(f"scheduler {self.scheduler}: worker {worker} cannot be used: {reason}{rest}")
            waited = time.monotonic() - began
            if waited >= self.wait:
                raise SerprepError(
                    f"scheduler {self.scheduler}: no worker within {self.wait:.0f} s; start some with "
                    f"`dask worker {self.scheduler}`, or wait longer with --wait-for-workers"
                )
            if waited >= LOOK and not said:
                said = True
                _say(
                    f"waiting for workers: scheduler {self.scheduler} has none; "
                    f"start some with `dask worker {self.scheduler}` (gives up after {self.wait:.0f} s)"
                )
            time.sleep(min(TICK, max(0.0, self.wait - waited)))

    def _look_around(self) -> dict[str, int]:
        """Threads of each worker that is there and fit; new ones are asked first."""
        threads = self._ask(self.client.scheduler.ncores, workers=None)
        self._present = frozenset(threads)
        new = [worker for worker in threads if worker not in self._seen]
        if new:
            with _saying(f"{len(new)} workers to say what they compute with"):
                answers = self._tell(eval, fitness.question(), workers=new)
            reasons = {worker: fitness.unfit(answers[worker]) for worker in new}
            for test in self._tests:
                fit = [worker for worker, reason in reasons.items() if not reason]
                with _saying(f"{len(fit)} workers to look at corpus and data set"):
                    reasons |= self._tell(test, workers=fit, seconds=60.0)
            for worker, reason in reasons.items():
                if reason != "":
                    self._refuse(worker, reason or "it does not answer within 60 s")
                self._seen.setdefault(worker, "")
        return {worker: n for worker, n in threads.items() if self._seen.get(worker) == ""}

    def _ask(self, question: Callable[..., Any], **options: Any) -> Any:
        """What the scheduler answers.

        Raises
        ------
        SerprepError
            If it does not.
        """
        try:
            with _saying(f"an answer of scheduler {self.scheduler}"):
                return self.client.sync(question, callback_timeout=2 * ANSWER, **options)
        except Exception as error:
            raise self._lost(error) from None

    def _lost(self, error: object = "") -> SerprepError:
        """That the connection to the scheduler is gone."""
        detail = one_line(str(error).strip().partition("\n")[0])
        place = f"scheduler {self.scheduler}" if self.scheduler else "the local cluster"
        return SerprepError(f"{place}: the connection was lost{f' ({detail})' if detail else ''}; {KEPT}")

    def _tell(
        self, function: Callable[..., Any], *words: object, workers: Sequence[str], seconds: float = ANSWER
    ) -> dict[str, Any]:
        """What a function gives on each of these workers, an error, or None where it does not answer in time."""
        client = self.client

        async def one(worker: str) -> Any:
            try:
                answers = await asyncio.wait_for(
                    client._run(function, *words, workers=[worker], on_error="return"), seconds
                )
            except TimeoutError:
                return None
            except Exception as error:
                return error
            return answers.get(worker)

        async def every() -> list[Any]:
            return await asyncio.gather(*map(one, workers))

        try:
            return dict(zip(workers, client.sync(every), strict=True))
        except Exception as error:
            raise self._lost(error) from None

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
                raise self._lost()
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
            elif future.status == "pending" and self._present.isdisjoint(workers):
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
        if self.scheduler and waiting and not self._threads:
            self._meet()
        if limit is None:
            limit = 2 * (max(1, sum(self._threads.values())) if self.scheduler else self.n_workers) + 2
        where = {"workers": sorted(self._threads)} if self.scheduler else {}
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
                raise self._lost(error) from None
            flight.numbers[future] = number
            if self.scheduler:
                flight.workers[future] = frozenset(self._threads)

    def _look(self, flight: "_Flight") -> bool:
        """Whether batches in flight are, or will be, worked on; looks from time to time only."""
        if not self.scheduler:
            flight.n_ends += self._revive()
            if flight.n_ends > 3 * self.n_workers + 3:
                raise SerprepError(f"workers of this machine end again and again: {self._end}; {KEPT}")
        now = time.monotonic()
        if now - flight.looked < LOOK:
            return True
        flight.looked = now
        if self.scheduler:
            self._threads = self._look_around()
            if not self._threads:
                flight.say(f"waiting for workers: all that scheduler {self.scheduler} had are gone")
                self._meet()
                return True
            present = sorted(self._threads)
        else:
            present = sorted(self._ask(self.client.scheduler.ncores, workers=None))
        answers = self._tell(eval, BUSY, workers=present)
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
    _present: frozenset[str] = frozenset()

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
        _say(f"no worker works: {len(flight.numbers)} batches are handed out again")
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
        self._stack.close()
        self._client = self._processes = None
        self._threads = {}


class _Flight:
    """Batches that are handed out, and what was seen of the work on them."""

    def __init__(self) -> None:
        self.numbers: dict[Any, int] = {}  # future → number
        self.workers: dict[Any, frozenset[str]] = {}  # future → addresses that may compute it, of a scheduler's
        self.n_left: Counter[int] = Counter()  # number → times that all these left
        self.done: SimpleQueue[Any] = SimpleQueue()
        self.looked = time.monotonic()
        self.n_idle = 0  # looks in a row that found nobody at work
        self.n_restarts = 0  # since a batch was done
        self.n_ends = 0  # of local processes since a batch was done
        self.ticks: dict[str, tuple[int | None, int]] = {}  # process → its time, looks without more of it
        self._said = ""

    def say(self, line: str) -> None:
        """A line, once."""
        if line != self._said:
            self._said = line
            _say(line)


def serve(address: str, scratch: str, name: str) -> None:
    """Work for a scheduler of this machine until it, or whoever started this process, ends."""
    threading.Thread(target=_end_with_parent, daemon=True).start()
    contained.alone = True

    async def work() -> None:
        from distributed import Worker

        async with Worker(
            address,
            nthreads=1,
            name=name,
            host="127.0.0.1",
            dashboard_address="127.0.0.1:0",
            local_directory=scratch,
            memory_limit=0,
        ) as worker:
            await worker.finished()

    with isolated({**LOCAL, "temporary-directory": scratch}):
        asyncio.run(work())
    os._exit(0)  # a thread that still computes must not keep it


def _end_with_parent() -> None:
    with suppress(OSError):
        while os.read(0, 1):
            pass
    os._exit(0)


# -- waits ------------------------------------------------------------------------------


def _say(line: str) -> None:
    """One line on standard error, if there is one."""
    with suppress(OSError, ValueError, AttributeError):
        print(one_line(line), file=sys.stderr, flush=True)


@contextmanager
def _saying(what: str) -> Iterator[None]:
    """If the block takes more than five seconds, say what it waits for."""
    timer = threading.Timer(LOOK, _say, [f"waiting for {what}"])
    timer.daemon = True
    timer.start()
    try:
        yield
    finally:
        timer.cancel()


def _in_time(close: Callable[[], object], what: str) -> None:
    """Close something that may hang or complain, for a few seconds at most."""

    def quietly() -> None:
        with suppress(BaseException):
            close()

    thread = threading.Thread(target=quietly, daemon=True)
    with _saying(what):
        thread.start()
        thread.join(2 * ANSWER)


@contextmanager
def workers(n_workers: int | None = None, scheduler: str | None = None, *, wait: float = WAIT) -> Iterator[Workers]:
    """Workers that are closed on leaving the block."""
    pool = Workers(n_workers, scheduler, wait=wait)
    try:
        yield pool
    finally:
        pool.close()
