"""Progress: silent for short work, plain lines without a terminal."""

import io
import re

from serprep import progress
from serprep.progress import Progress


def test_short_work_prints_nothing(monkeypatch) -> None:
    monkeypatch.setattr(progress, "monotonic", lambda: 0.0)
    stream = io.StringIO()
    with Progress("features", 3, stream=stream) as bar:
        for _ in range(3):
            bar.add(1, seconds=2.0)
    assert stream.getvalue() == ""


def test_nobody_is_told_where_standard_error_is_closed(monkeypatch) -> None:
    monkeypatch.setattr(progress.sys, "stderr", None)
    with Progress("features", 3) as bar:
        bar.add(3)
    assert bar.done == 3


def test_long_work_prints_counts_speed_and_remaining_time(monkeypatch) -> None:
    now = [0.0]

    def monotonic() -> float:
        return now[0]

    monkeypatch.setattr(progress, "monotonic", monotonic)
    stream = io.StringIO()
    with Progress("features", 4, stream=stream) as bar:
        for second in (10.0, 20.0, 30.0, 40.0):
            now[0] = second
            bar.add(1, seconds=50.0, n_bad=second == 20.0)
    lines = stream.getvalue().splitlines()
    assert lines[0] == "features: 1/4 utterances"
    assert lines[1] == "features: 2/4 utterances, 5 audio-seconds/s, 1 quarantined, 20 s left"
    assert lines[-1] == "features: 4/4 utterances, 5 audio-seconds/s, 1 quarantined"


def test_an_unknown_total_is_not_counted_against(monkeypatch) -> None:
    now = [0.0]
    monkeypatch.setattr(progress, "monotonic", lambda: now[0])
    stream = io.StringIO()
    with Progress("verifying", 0, unit="files", stream=stream) as bar:
        now[0] = 10.0
        bar.to(158)
    assert stream.getvalue().splitlines() == ["verifying: 158 files"]


def test_lines_come_with_news_and_time_is_told_once_a_share_is_done(monkeypatch) -> None:
    """1000 epochs, asked every second as training does; the first is done after 40 s, then one a second."""
    now = [0.0]
    monkeypatch.setattr(progress, "monotonic", lambda: now[0])
    stream = io.StringIO()
    with Progress("training", 1000, unit="epochs", stream=stream) as bar:
        for second in range(1, 1040):
            now[0] = float(second)
            bar.to(max(0, second - 39))
    lines = stream.getvalue().splitlines()
    assert lines[:3] == ["training: 0/1000 epochs", "training: 1/1000 epochs", "training: 31/1000 epochs"]
    assert lines[3] == "training: 61/1000 epochs, 939 s left"
    assert lines[-1] == "training: 1000/1000 epochs" and len(lines) == len(set(lines))
    assert len(lines) == 3 + 32 + 1  # 1 to 991 in steps of 30, and the end


def test_fast_work_prints_a_line_per_tenth(monkeypatch) -> None:
    now = [3.0]
    monkeypatch.setattr(progress, "monotonic", lambda: now[0])
    stream = io.StringIO()
    with Progress("packing", 200, unit="tasks", stream=stream) as bar:
        now[0] = 6.0
        for _ in range(200):
            bar.add()
    told = [line.split("/")[0] for line in stream.getvalue().splitlines()]
    assert told == [f"packing: {n}" for n in (1, *range(21, 200, 20), 200)]


def test_two_that_go_on_at_once_share_the_bars_of_a_terminal() -> None:
    class Terminal(io.StringIO):
        def isatty(self) -> bool:
            return True

    stream = Terminal()
    reading = Progress("reading recordings", 5, unit="files", stream=stream)
    reading.__enter__()
    with Progress("features", 4, stream=stream) as features:
        assert features._bar is reading._bar
        features.add(3)
        reading.__exit__(None, None, None)  # the first may end first
        features.add(1)
        assert features._bar.live.is_started
    assert not features._bar.live.is_started
    text = re.sub(r"\x1b\[[0-9;?]*[a-zA-Z]", "", stream.getvalue())
    assert "reading recordings" in text and "0/5 files" in text and "4/4 utterances" in text
    with Progress("packing", 1, stream=stream) as packing:
        assert packing._bar is not features._bar
