"""Workers of a scheduler: which are there, what they answer, and which of them may be used."""

import asyncio
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any

from serprep import fitness
from serprep.errors import SerprepError, one_line
from serprep.waits import ANSWER, LOOK, TICK, say, saying

KEPT = "what is computed is kept: the same command goes on from there"


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

    @contextmanager
    def admitting(self, test: Callable[[], str]) -> Iterator[None]:
        """While the block runs, use only workers of the scheduler where `test` gives no reason against it."""
        self._tests.append(test)
        self._reasons.clear()
        self.threads.clear()
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
        if self.scheduler and not self._reasons.get(worker):
            self._refuse(worker, reason)
            self.threads.pop(worker, None)
            if not self.threads:
                self.meet()

    def _refuse(self, worker: str, reason: object) -> None:
        self._reasons[worker] = one_line(reason)
        say(f"worker {worker} is not used: {reason}")

    def meet(self) -> Mapping[str, int]:
        """Threads of each worker of the scheduler that may be used; waits for one.

        Raises
        ------
        SerprepError
            If there is none in time, or none can be used.
        """
        began, said = time.monotonic(), False
        while True:
            self.threads = self.look_around()
            if self.threads:
                return self.threads
            present = {worker: reason for worker, reason in self._reasons.items() if worker in self.present}
            if present:
                worker, reason = next(iter(present.items()))
                rest = f", and {len(present) - 1} more cannot either" if len(present) > 1 else ""
                raise SerprepError(f"{self.place}: worker {worker} cannot be used: {reason}{rest}")
            waited = time.monotonic() - began
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
        """Threads of each worker that is there and fit; new ones are asked first."""
        threads = self.ask(self.client().scheduler.ncores, workers=None)
        self.present = frozenset(threads)
        new = [worker for worker in threads if worker not in self._reasons]
        if new:
            with saying(f"{len(new)} workers to say what they compute with"):
                answers = self.tell(eval, fitness.question(), workers=new)
            reasons = {worker: fitness.unfit(answers[worker]) for worker in new}
            for test in self._tests:
                fit = [worker for worker, reason in reasons.items() if not reason]
                with saying(f"{len(fit)} workers to look at corpus and data set"):
                    reasons |= self.tell(test, workers=fit, seconds=60.0)
            for worker, reason in reasons.items():
                if reason != "":
                    self._refuse(worker, reason or "it does not answer within 60 s")
                self._reasons.setdefault(worker, "")
        return {worker: n for worker, n in threads.items() if self._reasons.get(worker) == ""}

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

    def tell(
        self, function: Callable[..., Any], *words: object, workers: Sequence[str], seconds: float = ANSWER
    ) -> dict[str, Any]:
        """What a function gives on each of these workers, an error, or None where it does not answer in time."""
        client = self.client()

        async def answer(worker: str) -> Any:
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
            return await asyncio.gather(*map(answer, workers))

        try:
            return dict(zip(workers, client.sync(every), strict=True))
        except Exception as error:
            raise self.lost(error) from None
