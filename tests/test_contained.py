"""A signal that crashes, hangs or eats memory ends no process but its own, and is told which it did."""

import signal
from functools import partial

import pytest

from helpers.perils import peril
from serprep import contained as containing
from serprep.contained import contained, limited
from serprep.errors import LimitError
from serprep.features.extract import Features
from serprep.pipeline.extract import Batch, _within


def test_each_is_told_what_it_did_and_the_others_are_computed():
    words = ["a", "crash", "print", "hang", "exit", "memory", "b"]
    assert list(contained(peril, words, seconds=lambda word: 0.2)) == [
        ("a", ""),
        (None, "its extractor crashes (SIGSEGV)"),
        ("print", ""),
        (None, "its extractor hangs: it computed longer than 0 s"),
        (None, "its extractor crashes (it ended its process with status 7)"),
        ("it needs more memory than it may use (64 MB)", ""),
        ("b", ""),
    ]


def test_who_is_killed_from_outside_is_tried_again_and_who_waits_for_ever_is_ended(monkeypatch):
    ends = iter([[-signal.SIGKILL], [("a",), -signal.SIGKILL], [-signal.SIGTERM], [("b",), containing.HUNG]])
    monkeypatch.setattr(containing, "_answers", lambda function, items, seconds: iter(next(ends)))
    assert list(contained(peril, ["a", "b", "c"], seconds=lambda word: 1.0)) == [
        ("a", ""),
        ("b", ""),
        (None, "its extractor hangs: it waits and does not come to an end"),
    ]


def test_ticks_are_counted_and_not_seconds(monkeypatch):
    """A machine that was suspended for an hour in one of them has waited for one."""
    ticks = []
    monkeypatch.setattr(containing.select, "select", lambda *words: ticks.append(words) or ([], [], []))
    assert not containing._arrives(None, 5) and len(ticks) == 5


def test_a_process_that_does_other_things_is_not_limited_in_memory(monkeypatch):
    armed = []
    monkeypatch.setattr(containing.signal, "setitimer", lambda which, seconds: armed.append(seconds))
    monkeypatch.setattr(containing, "_limit_memory", lambda more: armed.append("memory"))
    with limited(2.0, None, n_threads=8):
        pass
    assert armed == [16.0, 0.0]
    armed.clear()
    monkeypatch.setattr(containing, "alone", True)
    with pytest.raises(MemoryError, match="not ours"), limited(2.0, 1):
        raise MemoryError("not ours")
    assert armed == [2.0, "memory", 0.0]


def test_what_would_need_too_much_is_not_tried(monkeypatch):
    features = Features()
    kind = type(features.kind("functionals"))
    monkeypatch.setattr(kind, "memory", lambda self, config, n_samples: 1000 * n_samples)
    within = partial(_within, signal=range(32_000), kinds=("logmel", "functionals"))
    within(Batch((), features, "", memory=1 << 30))
    with pytest.raises(LimitError, match=r"functionals of 2 s need 30 MB, and a worker may use 16 .*cut the recording"):
        within(Batch((), features, "", memory=16 << 20))
