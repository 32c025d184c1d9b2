"""Every utterance exactly once per epoch, in memory and streamed, whole and resumed, with any number of workers."""

import collections
import json
import os
import subprocess
import sys
import threading
from itertools import chain, pairwise

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader

from serprep.errors import TrainError
from serprep.store.convert import convert
from serprep.store.store import open_store
from serprep_models import loader as loader_module
from serprep_models.examples import Stored
from serprep_models.loader import Batches, Loader, fitting_batch, hold
from serprep_models.standardise import Moments, training_statistics

BUDGET = 1_700_000  # bytes: several windows for the small store
ROWS = np.array([row for row in range(32) if row % 5])  # gaps, as a fold's training part has


@pytest.fixture(scope="module")
def stored(small) -> Stored:
    _, store = small
    kinds = ("short", "functionals")
    return Stored(store, ROWS, kinds, training_statistics(store, ROWS, kinds))


@pytest.fixture(scope="module")
def names(stored):
    """Fingerprint of an utterance's functionals → its place."""
    return {row.numpy().tobytes(): place for place, row in enumerate(stored.load().inputs["functionals"])}


def places(batch, names) -> list[int]:
    return [names[row.numpy().tobytes()] for row in batch.inputs["functionals"]]


def batches_of(stored, mode: str, **options) -> Batches:
    source = stored.load() if mode == "memory" else stored
    return Batches(source, **{"batch_size": 4, "memory_budget": BUDGET, **options})


@pytest.mark.parametrize("mode", ["memory", "streaming"])
@pytest.mark.parametrize("options", [{}, {"batch_size": 1}, {"batch_size": 7}, {"bucket": 3}, {"shuffle": False}])
def test_every_utterance_exactly_once_per_epoch(stored, names, mode, options) -> None:
    loader = Loader(batches_of(stored, mode, **options))
    size = options.get("batch_size", 4)
    orders = []
    for _ in range(3):
        expected = len(loader)
        found = [places(batch, names) for batch in loader]
        assert len(found) == expected
        assert sorted(chain(*found)) == list(range(len(ROWS)))
        assert sorted(map(len, found))[1:] == [size] * (len(found) - 1)
        orders.append(list(chain(*found)))
    if options.get("shuffle", True):
        assert orders[0] != orders[1] != orders[2]
    else:
        assert orders == [list(range(len(ROWS)))] * 3


def test_streaming_reads_several_windows_within_the_budget(stored) -> None:
    plan = batches_of(stored, "streaming").plan(0, 1)
    assert len(plan) >= 4
    sizes = [int(stored.n_bytes[window.places].sum()) for window in plan]
    assert max(a + b for a, b in pairwise(sizes)) <= BUDGET
    assert sorted(np.concatenate([window.places for window in plan])) == list(range(len(ROWS)))


@pytest.mark.filterwarnings("ignore:This DataLoader will create 3 worker processes")  # on two cores
@pytest.mark.parametrize(
    ("mode", "n_workers", "start_method"),
    [  # a spawned worker imports torch anew: once is enough
        *(("memory", n, "fork") for n in (1, 3)),
        *(("streaming", n, "fork") for n in (1, 3)),
        ("streaming", 2, "spawn"),
    ],
)
def test_any_number_of_workers_gives_every_utterance_once(stored, names, mode, n_workers, start_method) -> None:
    data = batches_of(stored, mode, memory_budget=3 * BUDGET)
    loader = Loader(data, n_workers=n_workers, start_method=start_method)
    expected = len(loader)
    found = [places(batch, names) for batch in loader]
    assert sorted(chain(*found)) == list(range(len(ROWS)))
    assert len(found) == expected


@pytest.mark.parametrize("n_workers", [1, 2, 5, 40])
@pytest.mark.parametrize("mode", ["memory", "streaming"])
def test_shares_of_many_workers_are_the_whole(stored, mode, n_workers) -> None:
    """The plan alone: more workers than windows, and than batches."""
    data = batches_of(stored, mode, memory_budget=n_workers * BUDGET, bucket=2)
    for data.epoch in range(3):
        shares = [data.plan(share, n_workers) for share in range(n_workers)]
        drawn = [place for share in shares for window in share for batch in window.batches for place in batch]
        assert sorted(drawn) == list(range(len(ROWS)))


def test_a_data_loader_of_torch_takes_the_batches(stored, names) -> None:
    data = batches_of(stored, "streaming", memory_budget=2 * BUDGET)
    loader = DataLoader(data, batch_size=None, num_workers=2, multiprocessing_context="fork")
    found = [place for batch in loader for place in places(batch, names)]
    assert sorted(found) == list(range(len(ROWS)))


@pytest.mark.parametrize("mode", ["memory", "streaming"])
@pytest.mark.parametrize("n_workers", [0, 2])
def test_a_loader_goes_on_where_another_was(stored, names, mode, n_workers) -> None:
    def loader() -> Loader:
        data = batches_of(stored, mode, bucket=2, memory_budget=2 * BUDGET, batch_size=3)
        return Loader(data, n_workers=n_workers, start_method="fork" if n_workers else None)

    whole, first = loader(), loader()
    expected = [[places(batch, names) for batch in whole] for _ in range(2)]
    steps = range(len(expected[1]) + 1) if not n_workers else (0, 1, 2, 5, len(expected[1]))
    list(first)
    for stop in steps:
        at = loader()
        at.epoch = 1
        found = []
        for batch in at:
            if len(found) == stop:
                break
            found.append(places(batch, names))
            state = json.loads(json.dumps(at.state_dict()))
        if stop == 0:
            state = first.state_dict()
        again = loader()
        again.load_state_dict(state)
        assert found + [places(batch, names) for batch in again] == expected[1], stop


def test_streamed_features_are_those_in_memory(stored, names) -> None:
    examples = stored.load()
    for batch in Batches(stored, batch_size=5, memory_budget=BUDGET):
        expected = examples.batch(torch.tensor(places(batch, names)))
        assert torch.equal(batch.inputs["short"], expected.inputs["short"])
        assert torch.equal(batch.counts["short"], expected.counts["short"])
        assert torch.equal(batch.inputs["functionals"], expected.inputs["functionals"])
        assert torch.equal(batch.labels, expected.labels)


def test_hdf5_is_streamed_in_forked_and_spawned_workers(stored, names, tmp_path) -> None:
    path = tmp_path / "store.h5"
    convert(stored.store.path, path)
    store = open_store(path)
    store.read_functionals([0])  # the parent's file is open when a worker forks
    other = Stored(store, stored.rows, stored.names, stored.statistics)
    for n_workers, how in ((0, None), (2, "fork"), (1, "spawn")):
        data = Batches(other, batch_size=4, memory_budget=2 * BUDGET)
        found = [places(batch, names) for batch in Loader(data, n_workers=n_workers, start_method=how)]
        assert sorted(chain(*found)) == list(range(len(ROWS)))


def test_a_store_at_a_url_is_streamed(stored, names) -> None:
    import fsspec

    fsspec.filesystem("memory").put(stored.store.path, "memory://loader/store.zarr", recursive=True)
    other = Stored(open_store("memory://loader/store.zarr"), stored.rows, stored.names, stored.statistics)
    found = [
        place for batch in Batches(other, memory_budget=2 * BUDGET, batch_size=3) for place in places(batch, names)
    ]
    assert sorted(found) == list(range(len(ROWS)))


@pytest.mark.parametrize(("mode", "bucket"), [("memory", 1), ("memory", 3), ("streaming", 1)])
def test_every_utterance_is_equally_often_everywhere(stored, mode, bucket) -> None:
    """Unbiased: over many epochs the mean place of each utterance is the middle; also with buckets."""
    data = batches_of(stored, mode, bucket=bucket)
    n_epochs, where = 400, collections.defaultdict(list)
    for data.epoch in range(n_epochs):
        drawn = np.concatenate([batch for window in data.plan(0, 1) for batch in window.batches])
        for position, place in enumerate(drawn.tolist()):
            where[place].append(position)
    n = len(ROWS)
    spread = np.sqrt((n * n - 1) / 12 / n_epochs)  # of the mean of uniform positions
    means = np.array([np.mean(where[place]) for place in range(n)])
    assert np.abs(means - (n - 1) / 2).max() < 4.5 * spread


def test_buckets_hold_utterances_of_like_length(stored) -> None:
    plain, bucketed = (Batches(stored.load(), batch_size=4, bucket=bucket).plan(0, 1)[0].batches for bucket in (1, 7))
    n_steps = stored.n_steps

    def padded(batches) -> int:
        return sum(len(batch) * int(n_steps[batch].max()) for batch in batches)

    if len(set(n_steps.tolist())) > 1:
        assert padded(bucketed) < padded(plain)


def test_balanced_batches_draw_every_label_equally_often(stored, names) -> None:
    labels = stored.labels.numpy()
    chosen = np.concatenate([np.flatnonzero(labels == 0), np.flatnonzero(labels == 1)[:1], np.flatnonzero(labels == 2)])
    few = Stored(stored.store, ROWS[np.sort(chosen)], stored.names, stored.statistics)
    for mode in ("memory", "streaming"):
        seen: collections.Counter[int] = collections.Counter()
        data = batches_of(few, mode, balanced=True)
        for data.epoch in range(20):
            drawn = [label for batch in data for label in batch.labels.tolist()]
            counts = collections.Counter(drawn)
            assert len(drawn) == len(few)
            assert set(counts) == {0, 1, 2} and max(counts.values()) - min(counts.values()) <= 1
            for window in data.plan(0, 1):
                for batch in window.batches:
                    seen.update(batch.tolist())
        assert set(seen) == set(range(len(few)))  # nobody is left out for good


def test_what_fits_is_held_and_what_does_not_is_streamed(stored) -> None:
    n_bytes = int(stored.n_bytes.sum())
    assert n_bytes == sum(v.numel() * 4 for v in (stored.load().inputs["short"], stored.load().inputs["functionals"]))
    assert not isinstance(hold(stored, memory_budget=n_bytes), Stored)
    assert isinstance(hold(stored, memory_budget=n_bytes - 1), Stored)


def test_a_budget_too_small_for_a_batch_says_how_much_is_needed(stored) -> None:
    with pytest.raises(TrainError, match=r"budget of 1000 bytes is too small .* expected at least \d+") as caught:
        list(Batches(stored, memory_budget=1000))
    enough = int(str(caught.value).split()[-1])
    assert sum(len(batch.labels) for batch in Batches(stored, memory_budget=enough)) == len(ROWS)


@pytest.mark.parametrize("budget", [1, 1000, 400_000, 10_000_000])
def test_any_budget_suffices_for_predictions(stored, names, budget) -> None:
    """A trained system must not fail because a test utterance is longer than those of training."""
    size = fitting_batch(stored, memory_budget=budget, at_most=20)
    assert 1 <= size <= 20
    data = Batches(stored, batch_size=size, shuffle=False, memory_budget=budget)
    assert [place for batch in data for place in places(batch, names)] == list(range(len(ROWS)))


def test_a_state_of_other_data_is_refused(stored) -> None:
    state = Loader(batches_of(stored, "memory")).state_dict()
    for other in (batches_of(stored, "memory", seed=1), batches_of(stored, "streaming")):
        with pytest.raises(TrainError, match="other utterances or settings"):
            Loader(other).load_state_dict(state)


def test_reading_goes_on_while_a_batch_is_used(stored, monkeypatch) -> None:
    """The next window is being read while the first batch of one is held."""
    load, begun = Stored.load, threading.Semaphore(0)

    def told(self, chosen=None):
        begun.release()
        return load(self, chosen)

    monkeypatch.setattr(Stored, "load", told)
    data = batches_of(stored, "streaming", batch_size=2)
    sizes = [len(window.batches) for window in data.plan(0, 1)]
    assert len(sizes) > 2
    batches = iter(data)
    for number, size in enumerate(sizes):
        next(batches)
        for _ in range(2 if number == 0 else number < len(sizes) - 1):  # its own window and the one after it
            assert begun.acquire(timeout=300)
        for _ in range(size - 1):
            next(batches)
    assert not begun.acquire(blocking=False)


def test_constant_statistics_are_taken_as_they_are(stored) -> None:
    """A kind's moments come from the caller alone."""
    zero = {kind: Moments(np.zeros(size), np.ones(size)) for kind, size in (("short", 40), ("functionals", 6373))}
    raw = Stored(stored.store, ROWS[:3], stored.names, zero).load()
    assert np.array_equal(raw.inputs["short"].numpy(), stored.store.read_segments(ROWS[:3], 30)[0])


def test_batches_that_a_loader_took_can_be_taken_by_others(stored, names) -> None:
    data = batches_of(stored, "memory")
    loader = Loader(data, n_workers=0)
    half = places(next(iter(loader)), names)
    assert half
    state = loader.state_dict()
    again = Loader(data)
    again.load_state_dict(state)
    rest = [place for batch in again for place in places(batch, names)]
    assert len(rest) == len(ROWS) - len(half)
    for n_workers in (0, 2):
        whole = DataLoader(data, batch_size=None, num_workers=n_workers)
        assert sorted(place for batch in whole for place in places(batch, names)) == list(range(len(ROWS)))


LONG = """
import sys, tempfile
import numpy as np
from serprep.store.store import open_store
from serprep_models.loader import Batches, Loader, Stored
from serprep_models.standardise import OwnMoments
assert len(tempfile.gettempdir()) > 107
store = open_store(sys.argv[1])
stored = Stored(store, np.arange(len(store)), ("short",), {"short": OwnMoments()})
for source in (stored, stored.load()):
    loader = Loader(Batches(source, batch_size=8), n_workers=2, start_method=sys.argv[2])
    assert sum(len(batch.labels) for batch in loader) == len(store)
print("whole")
"""


def test_workers_give_batches_under_a_temporary_folder_of_a_long_name(small, tmp_path) -> None:
    """Sockets have paths of at most 107 bytes."""
    _, store = small
    folder = tmp_path / ("x" * 133)
    folder.mkdir()
    done = subprocess.run(
        [sys.executable, "-c", LONG, store.path, "fork"],
        env={**os.environ, "TMPDIR": str(folder)},
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert done.stdout == "whole\n", done.stderr


def test_where_no_folder_has_a_short_name_one_line_says_so(stored, monkeypatch) -> None:
    monkeypatch.setattr(loader_module.tempfile, "tempdir", "/" + "x" * 133)
    monkeypatch.setattr(loader_module, "_short_folder", lambda: None)
    with pytest.raises(TrainError, match="too long for the sockets of workers; set one of at most 71 characters"):
        next(iter(Loader(Batches(stored), n_workers=1)))
