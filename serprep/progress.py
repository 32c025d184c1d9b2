"""Progress of anything that takes more than two seconds: a bar on a terminal, plain lines elsewhere."""

import sys
import threading
from time import monotonic
from types import TracebackType
from typing import Any, TextIO

EVERY = 30.0  # seconds after which a plain line is printed, if anything has changed
SHARE = 0.1  # of the whole, after which one is printed at once
FAIR = 0.05  # of the whole, from which on the time that is left can be told: the first ones start slowly


RUNNING: list["Progress"] = []  # what goes on now, the innermost last
_shared: dict[Any, list[Any]] = {}  # terminal → the bars on it, and how many use them: two at a time would mix
_lock = threading.Lock()


class Progress:
    """Counts things done; silent until two seconds have passed, and while nothing changes.

    Parameters
    ----------
    label : str
        What is going on, such as "features".
    total : int
        How many things there are; 0 is not known.
    unit : str
        What they are, such as "utterances".
    quiet : bool
        Print nothing.
    stream : text stream
        Default: standard error, so that standard output stays clean.
    """

    def __init__(
        self, label: str, total: int, *, unit: str = "utterances", quiet: bool = False, stream: TextIO | None = None
    ) -> None:
        self.label, self.total, self.unit = label, total, unit
        self.stream = stream or sys.stderr
        self.quiet = quiet or self.stream is None  # a service may have closed it
        self.done = 0
        self.seconds = 0.0  # of audio
        self.n_bad = 0
        self._start = self._last = monotonic()
        self._first: tuple[float, int, float] | None = None  # when the first were done, how many, seconds of audio
        self._bar: Any = None
        self._told: tuple[int, int] | None = None  # what the last plain line said: things done, and bad ones

    def __enter__(self) -> "Progress":
        RUNNING.append(self)
        if not self.quiet and self.stream.isatty():
            with _lock:
                entry = _shared.setdefault(self.stream, [None, 0])
                if not entry[1]:
                    entry[0] = self._rich_bar()
                    entry[0].start()
                entry[1] += 1
            self._bar = entry[0]
            self._task = self._bar.add_task(self.label, total=self.total or None, unit=self.unit, note="")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        RUNNING.remove(self)
        if self._bar is not None:
            with _lock:
                entry = _shared[self.stream]
                entry[1] -= 1
                if not entry[1]:
                    del _shared[self.stream]
                    self._bar.stop()
        elif self._told not in (None, (self.done, self.n_bad)) and kind is None:
            self._line()

    def _rich_bar(self) -> Any:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn
        from rich.progress import Progress as RichProgress

        return RichProgress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[unit]}{task.fields[note]}"),
            console=Console(file=self.stream),
            transient=False,
        )

    def add(self, n: int = 1, *, seconds: float = 0.0, n_bad: int = 0) -> None:
        """`n` more are done, with so many seconds of audio; `n_bad` of them were quarantined."""
        self.done += n
        self.seconds += seconds
        self.n_bad += n_bad
        if self._first is None and self.done:
            self._first = monotonic(), self.done, self.seconds
        if self._bar is not None:
            self._bar.update(self._task, completed=self.done, note=self._note())
        elif not self.quiet and self._is_news():
            self._line()

    def to(self, done: int) -> None:
        """`done` are done in all."""
        self.add(done - self.done)

    def _is_news(self) -> bool:
        """Whether a plain line would say something new, and is due."""
        waited = monotonic() - self._last
        if self._told is None:
            return waited >= 2.0
        more = self.done - self._told[0]
        return (self.done, self.n_bad) != self._told and (waited >= EVERY or more >= SHARE * self.total > 0)

    @property
    def elapsed(self) -> float:
        """Seconds since it began."""
        return max(monotonic() - self._start, 1e-9)

    @property
    def left(self) -> float | None:
        """Seconds that are left, at the rate since the first was done; None where that cannot be told yet."""
        if self._first is None or not self._is_known or self.done >= self.total:
            return None
        began, done, _ = self._first
        return (monotonic() - began) / (self.done - done) * (self.total - self.done)

    @property
    def _is_known(self) -> bool:
        """Whether the first things done tell a rate: what starts before them, such as workers, does not count."""
        if self._first is None or self.done <= self._first[1] or self.done < FAIR * self.total:
            return False
        return monotonic() - self._first[0] >= 2.0

    def _note(self) -> str:
        """What is known besides the count."""
        parts = []
        began, _, heard = self._first or (0.0, 0, self.seconds)
        if self._is_known and self.seconds > heard:
            parts.append(f"{(self.seconds - heard) / (monotonic() - began):.0f} audio-seconds/s")
        if self.n_bad:
            parts.append(f"{self.n_bad} quarantined")
        if (left := self.left) is not None:
            parts.append(f"{left:.0f} s left")
        return "".join(f", {part}" for part in parts)

    def _line(self) -> None:
        of = f"/{self.total}" if self.total else ""
        print(f"{self.label}: {self.done}{of} {self.unit}{self._note()}", file=self.stream, flush=True)
        self._last = monotonic()
        self._told = self.done, self.n_bad
