"""Progress of anything that takes more than two seconds: a bar on a terminal, plain lines elsewhere."""

import sys
from time import monotonic
from types import TracebackType
from typing import Any, TextIO

EVERY = 5.0  # seconds between plain lines


class Progress:
    """Counts things done; silent until two seconds have passed.

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
        self._bar: Any = None
        self._printed = False

    def __enter__(self) -> "Progress":
        if not self.quiet and self.stream.isatty():
            self._bar = self._rich_bar()
            self._bar.start()
            self._task = self._bar.add_task(self.label, total=self.total or None, note="")
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bar is not None:
            self._bar.stop()
        elif self._printed and kind is None:
            self._line()

    def _rich_bar(self) -> Any:
        from rich.console import Console
        from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn
        from rich.progress import Progress as RichProgress

        return RichProgress(
            TextColumn("{task.description}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn(f"{self.unit}{{task.fields[note]}}"),
            TimeRemainingColumn(),
            console=Console(file=self.stream),
            transient=False,
        )

    def add(self, n: int = 1, *, seconds: float = 0.0, n_bad: int = 0) -> None:
        """`n` more are done, with so many seconds of audio; `n_bad` of them were quarantined."""
        self.done += n
        self.seconds += seconds
        self.n_bad += n_bad
        if self._bar is not None:
            self._bar.update(self._task, completed=self.done, note=self._note())
        elif not self.quiet and monotonic() - self._last >= (EVERY if self._printed else 2.0):
            self._line()

    def to(self, done: int) -> None:
        """`done` are done in all."""
        self.add(done - self.done)

    def _note(self) -> str:
        elapsed = max(monotonic() - self._start, 1e-9)
        parts = []
        if self.seconds:
            parts.append(f"{self.seconds / elapsed:.0f} audio-seconds/s")
        if self.n_bad:
            parts.append(f"{self.n_bad} quarantined")
        return "".join(f", {part}" for part in parts)

    def _line(self) -> None:
        now = monotonic()
        left = (now - self._start) / max(self.done, 1) * (self.total - self.done)
        remaining = f", {left:.0f} s left" if 0 < self.done < self.total else ""
        of = f"/{self.total}" if self.total else ""
        print(f"{self.label}: {self.done}{of} {self.unit}{self._note()}{remaining}", file=self.stream, flush=True)
        self._last = now
        self._printed = True
