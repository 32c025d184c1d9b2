"""Workers start while recordings are read, if there will be work."""

import threading

import pytest

from serprep.features.extract import Features
from serprep.features.functionals import Functionals
from serprep.pipeline.build import _FEW, _LARGE, _enough
from serprep.pipeline.early import Early, load

FEATURES = Features(functionals=Functionals(enabled=False))


class Pool:
    """Stands in for `serprep.parallel.Workers`."""

    n_workers = 2

    def __init__(self, fails=False):
        self.fails, self.done = fails, []

    @property
    def client(self):
        if self.fails:
            raise RuntimeError("no workers")
        self.done.append(threading.current_thread())

    def run(self, function, items, *, once=False):
        self.done += [(function, item) for item in items]
        return enumerate(map(function, items))


def test_workers_load_what_computes_in_the_background_and_then_this_process_what_packs():
    pool, then = Pool(), threading.Event()
    early = Early(pool, FEATURES, then=lambda: then.set() or pool.done.append(early), quiet=True)
    early.wait()  # nothing has begun
    assert pool.done == []
    for _ in range(3):
        early.begin()
    early.wait()
    assert then.wait(60)
    early.stop()
    assert pool.done[0] is not threading.main_thread()
    assert pool.done[1:] == [(load, FEATURES)] * 2 + [early]


def test_workers_that_are_ready_are_not_kept_waiting_for_what_packs():
    packs = threading.Event()
    early = Early(Pool(), FEATURES, then=packs.wait, quiet=True)
    early.begin()
    early.wait()
    packs.set()


def test_whoever_needs_workers_meets_the_error_and_not_this():
    early = Early(Pool(fails=True), FEATURES, then=lambda: None, quiet=True)
    early.begin()
    early.wait()


@pytest.mark.parametrize(("n", "size", "expected"), [(1, 1, 1), (_FEW, 1, 2), (3 * _FEW, 1, 3), (1, _LARGE + 1, 3)])
def test_few_short_recordings_are_worth_few_workers(tmp_path, monkeypatch, n, size, expected):
    monkeypatch.setattr("serprep.pipeline.build.n_cores", lambda: 3)
    names = [f"{i}.wav" for i in range(n)]
    for name in names:
        with (tmp_path / name).open("wb") as file:
            file.truncate(size)
    assert _enough(tmp_path, names * 2) == expected


def test_recordings_that_are_not_there_or_elsewhere_may_be_long(tmp_path, monkeypatch):
    monkeypatch.setattr("serprep.pipeline.build.n_cores", lambda: 3)
    assert _enough(tmp_path, ["absent.wav"]) == 3


def test_nothing_is_loaded_after_a_build_has_ended(monkeypatch):
    pool, compiling = Pool(), threading.Event()
    monkeypatch.setattr("serprep.pipeline.early.prepare", lambda *_: compiling.wait())
    monkeypatch.setattr("serprep.pipeline.early.PATIENCE", 0.0)
    early = Early(pool, FEATURES, then=lambda: pool.done.append("packs"), quiet=True)
    early.begin()
    early.stop()  # does not wait for what compiles
    compiling.set()
    early.wait()
    assert len(pool.done) == 1
