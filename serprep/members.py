"""Workers of a scheduler: which are there, what they answer, and which of them may be used."""

import asyncio
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ALL_COMPLETED, Future, wait
from contextlib import contextmanager
from typing import Any

from serprep import fitness
from serprep.errors import SerprepError, one_line
from serprep.waits import ANSWER, LOOK, TICK, say, saying

KEPT = "what is computed is kept: the same command goes on from there"
TEST = 60.0  # seconds that a worker may take to say what it computes with, and to look at corpus and data set


class Members:
    """Workers of a scheduler.

    Parameters
    ----------
    client : callable
        Gives the Dask client.
    scheduler : str or None
        Address, for messages; None for a cluster of this machine.
    wait : float
        Seconds to wait for a worker where there is none.
    """

    def __init__(self, client: Callable[[], Any], scheduler: str | None, wait: float) -> None:
        self.client = client
        self.scheduler = scheduler
        self.wait = wait
        self.threads: dict[str, int] = {}  # address → threads, of those that are there and used
        self.present: frozenset[str] = frozenset()  # addresses of all that are there
        self.place = f"scheduler {one_line(scheduler)}" if scheduler else "the local cluster"
        self._tests: list[Callable[[], str]] = []
        self._reasons: dict[str, str] = {}  # address → why it is not used, "" if it is
        self._asked: dict[str, Future[str]] = {}  # address → why it is not used, as soon as it has answered

    @contextmanager
    def admitting(self, test: Callable[[], str]) -> Iterator[None]:
        """While the block runs, use only workers of the scheduler where `test` gives no reason against it."""
        self._tests.append(test)
        self.forget()
        try:
            yield
        finally:
            self._tests.remove(test)

    def forget(self) -> None:
        """Ask them all again; what they are asked now is not waited for."""
        for answer in self._asked.values():
            answer.cancel()
        self._asked.clear()
        self._reasons.clear()
        self.threads.clear()

    def distrust(self, worker: str, reason: str) -> None:
        """Use a worker of a scheduler no more.

        Raises
        ------
        SerprepError
            If none is left.
        """
        if self.scheduler and not self._reasons.get(worker):
            self._refuse(worker, reason)
            self.threads.pop(worker, None)
            if not self.threads:
                self.meet()

    def _refuse(self, worker: str, reason: object) -> None:
        self._reasons[worker] = one_line(reason)
        say(f"worker {worker} is not used: {reason}")

    def meet(self) -> Mapping[str, int]:
        """Threads of each worker of the scheduler that may be used; waits for one, and a little for the others.

        Raises
        ------
        SerprepError
            If there is none in time, or none can be used.
        """
        began, said = time.monotonic(), False
        while True:
            self.threads = self.look_around()
            waited = time.monotonic() - began
            if self._asked and waited < (LOOK if self.threads else self.wait + 2 * TEST):
                if waited >= LOOK and not said:
                    said = True
                    say(f"waiting for {len(self._asked)} workers to say what they compute with and what they see")
                wait(self._asked.values(), TICK, ALL_COMPLETED)
                continue
            if self.threads:
                return self.threads
            if present := {worker: reason for worker, reason in self._reasons.items() if worker in self.present}:
                worker, reason = next(iter(present.items()))
                rest = f", and {len(present) - 1} more cannot either" if len(present) > 1 else ""
                raise SerprepError(f"{self.place}: worker {worker} cannot be used: {reason}{rest}")
            if waited >= self.wait:
                raise SerprepError(
                    f"{self.place}: no worker within {self.wait:.0f} s; start some with "
                    f"`dask worker {self.scheduler}`, or wait longer with --wait-for-workers"
                )
            if waited >= LOOK and not said:
                said = True
                say(
                    f"waiting for workers: {self.place} has none; "
                    f"start some with `dask worker {self.scheduler}` (gives up after {self.wait:.0f} s)"
                )
            time.sleep(min(TICK, max(0.0, self.wait - waited)))

    def look_around(self) -> dict[str, int]:
        """Threads of each worker that is there and fit; new ones are asked, and no answer is waited for."""
        threads = self.ask(self.client().scheduler.ncores, workers=None)
        self.present = frozenset(threads)
        for worker in self.present - self._reasons.keys() - self._asked.keys():
            self._asked[worker] = self.examined(worker)
        for worker, answer in list(self._asked.items()):
            if worker not in self.present:
                self._asked.pop(worker).cancel()
            elif answer.done():
                del self._asked[worker]
                self._reasons[worker] = ""
                if reason := answer.result():
                    self._refuse(worker, reason)
        return {worker: n for worker, n in threads.items() if self._reasons.get(worker) == ""}

    def examined(self, worker: str) -> "Future[str]":
        """Why a worker is not used, once it has answered; "" if it is."""
        client = self.client()
        tests: list[tuple[tuple[Any, ...], Callable[[Any], str]]] = [((eval, fitness.question()), fitness.unfit)]
        tests += [((test,), _reason) for test in self._tests]

        async def why() -> str:
            for question, judge in tests:
                answer = await self._answer(client, worker, *question, seconds=TEST)
                if answer is None:
                    return f"it does not answer within {TEST:.0f} s"
                if reason := judge(answer):
                    return one_line(reason)
            return ""

        return asyncio.run_coroutine_threadsafe(why(), client.loop.asyncio_loop)

    def ask(self, question: Callable[..., Any], **options: Any) -> Any:
        """What the scheduler answers.

        Raises
        ------
        SerprepError
            If it does not.
        """
        try:
            with saying(f"an answer of {self.place}"):
                return self.client().sync(question, callback_timeout=2 * ANSWER, **options)
        except Exception as error:
            raise self.lost(error) from None

    def lost(self, error: object = "") -> SerprepError:
        """That the connection to the scheduler is gone."""
        detail = one_line(str(error).strip().partition("\n")[0])
        return SerprepError(f"{self.place}: the connection was lost{f' ({detail})' if detail else ''}; {KEPT}")

    def tell(self, function: Callable[..., Any], *words: object, workers: Sequence[str]) -> dict[str, Any]:
        """What a function gives on each of these workers, an error, or None where it does not answer in time."""
        client = self.client()

        async def every() -> list[Any]:
            answers = (self._answer(client, worker, function, *words) for worker in workers)
            return await asyncio.gather(*answers)

        try:
            return dict(zip(workers, client.sync(every), strict=True))
        except Exception as error:
            raise self.lost(error) from None

    @staticmethod
    async def _answer(
        client: Any, worker: str, function: Callable[..., Any], *words: object, seconds: float = ANSWER
    ) -> Any:
        """What a function gives on a worker, an error, or None where it does not answer in time."""
        run = client._run(function, *words, workers=[worker], on_error="return")
        try:
            answer = (await asyncio.wait_for(run, seconds)).get(worker)
        except TimeoutError:
            return None
        except Exception as error:
            answer = error
        if isinstance(answer, OSError):  # a connection that broke: if the worker has left, that is known a moment later
            await asyncio.sleep(TICK)
        return answer


def _reason(answer: object) -> str:
    """What a test says, or how it failed."""
    return answer if isinstance(answer, str) else f"{type(answer).__name__}: {answer}"
