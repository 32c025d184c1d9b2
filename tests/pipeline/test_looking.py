"""Features are computed while recordings are still being looked at."""

import threading

import numpy as np
import pytest
import soundfile

from helpers.builds import counts, recipe
from serprep import Utterance, make_manifest
from serprep.audio.signal import Recording
from serprep.cache.memo import Memo
from serprep.cache.parts import Cache
from serprep.pipeline import build as building
from serprep.pipeline import computing
from serprep.pipeline.looking import Looking

N = 100


def manifest(n=N):
    return make_manifest([Utterance(id=f"{i:03}", path=f"{i:03}.wav", emotion="sad") for i in range(n)])


class Known(Memo):
    """A memo that reads no file; at the one named `at` it waits until it may go on, and those of `old` it knows."""

    def __init__(self, folder, *, at="", old=()):
        super().__init__(Cache(str(folder / "cache")), folder)
        self.at, self.old, self.go, self.saved = at, old, threading.Event(), 0

    def look_at(self, path):
        if path.stem == self.at:
            assert self.go.wait(60)
        if path.stem not in self.old:
            self.n_read += 1
            self.n_new += 1
        return Recording(1.0, 16_000, path.stem * 8, path.stem == "001")

    def save(self):
        self.saved += 1


def test_what_is_known_is_handed_out_before_the_rest_is(tmp_path):
    memo, begun = Known(tmp_path, at="070", old=["002"]), []
    with Looking(manifest(), tmp_path, memo, at_first_new=lambda: begun.append(1), quiet=True) as looking:
        parts = looking.parts(20, lambda: begun.append("ready"))
        rows, revised = next(parts)
        assert begun[:2] == [1, "ready"] or begun[:3] == [1, 1, "ready"]
        assert [row.id for row in rows][:3] == ["000", "001", "003"]  # another is in the cache already
        assert {row.duration for row in rows} == {1.0} and rows.column("audio_digest")[0] == "000" * 8
        assert revised == {"001" * 8}
        memo.go.set()
        handed = [*rows, *(row for part, _ in parts for row in part)]
        looked = looking.result()
    assert memo.saved == 1
    assert len({row.id for row in handed}) == len(handed) < N
    by_id = {row.id: row for row in looked.manifest.utterances}
    assert len(by_id) == N and all(by_id[row.id] == row for row in handed)


def test_few_are_not_handed_out_alone(tmp_path):
    with Looking(manifest(), tmp_path, Known(tmp_path), at_first_new=lambda: None, quiet=True) as looking:
        assert list(looking.parts(N + 1, lambda: None)) == []
        assert len(looking.result().manifest) == N


def test_who_leaves_does_not_wait_for_the_rest(tmp_path):
    memo = Known(tmp_path, at="040")
    with (
        pytest.raises(KeyboardInterrupt),
        Looking(manifest(), tmp_path, memo, at_first_new=lambda: None, quiet=True) as looking,
    ):
        join = looking._thread.join
        looking._thread.join = lambda: (memo.go.set(), join())  # the file that is being read is read
        raise KeyboardInterrupt
    assert memo.n_read <= 41 and memo.saved == 1


def test_no_more_files_are_read_by_any_thread_once_somebody_leaves(tmp_path, monkeypatch):
    monkeypatch.setattr("serprep.manifest.look._NOTICED", -1.0)
    monkeypatch.setattr("serprep.manifest.look._WAITS", -1)  # several threads from the second chunk on
    memo = Known(tmp_path, at="040")
    with (
        pytest.raises(KeyboardInterrupt),
        Looking(manifest(1000), tmp_path, memo, at_first_new=lambda: None, quiet=True) as looking,
    ):
        join = looking._thread.join
        looking._thread.join = lambda: (memo.go.set(), join())
        while memo.n_read < 33:
            memo.go.wait(0.01)
        raise KeyboardInterrupt
    assert memo.n_read < 1000


def test_what_is_too_young_for_the_memo_waits_for_the_rest(tmp_path):
    """Nobody has begun to start workers for it: two would start them at once."""
    memo = Known(tmp_path)
    memo.look_at = lambda path: setattr(memo, "n_read", memo.n_read + 1) or Recording(1.0, 16_000, "0" * 64, False)
    with Looking(manifest(), tmp_path, memo, at_first_new=pytest.fail, quiet=True) as looking:
        assert list(looking.parts(1, pytest.fail)) == []
        assert len(looking.result().manifest) == N


def test_a_memo_that_cannot_be_kept_ends_the_looking_with_its_error(tmp_path):
    memo = Known(tmp_path)
    memo.save = lambda: 1 / 0
    with (
        pytest.raises(ZeroDivisionError),
        Looking(manifest(), tmp_path, memo, at_first_new=lambda: None, quiet=True) as looking,
    ):
        assert list(looking.parts(1000, lambda: None)) == []
        looking.result()


def test_parts_grow_with_what_was_handed_out(tmp_path):
    memo, sizes = Known(tmp_path, at="9999"), []
    with Looking(manifest(10_000), tmp_path, memo, at_first_new=lambda: None, quiet=True) as looking:
        for rows, _ in looking.parts(64, lambda: None):
            sizes.append(len(rows))
            if sum(sizes) > 5000:
                memo.go.set()
    assert all(size >= sum(sizes[:k]) // 2 for k, size in enumerate(sizes)) and min(sizes) >= 64


def test_what_goes_wrong_is_told_by_the_result(tmp_path):
    memo = Known(tmp_path)
    memo.look_at = lambda path: 1 / 0
    with (
        pytest.raises(ZeroDivisionError),
        Looking(manifest(), tmp_path, memo, at_first_new=None, quiet=True) as looking,
    ):
        assert list(looking.parts(1, lambda: None)) == []
        looking.result()


def test_a_build_computes_before_all_is_known_and_each_recording_once(tmp_path, monkeypatch):
    """The last recording is not read before features of others are there: the stores are those of a build in turn."""
    folder, computed, calls = tmp_path / "corpus", threading.Event(), []
    for i in range(40):
        place = folder / "sad" / f"{i:02}_a_1.wav"
        place.parent.mkdir(parents=True, exist_ok=True)
        values = np.random.default_rng(i).normal(0, 0.1, 4000)
        soundfile.write(place, np.zeros(100) if i in (3, 39) else values, 16_000)  # two are too short
    in_turn = building.build(recipe(folder, tmp_path / "a"), workers=1)

    from serprep.cache import memo

    look_at, compute = memo.look_at, computing.compute_features

    def waits(path):
        if path.stem == "39_a_1":
            assert computed.wait(60)
        return look_at(path)

    def counted(rows, *arguments, **options):
        result = compute(rows, *arguments, **options)
        calls.append((len(rows), result.n))
        computed.set()
        return result

    monkeypatch.setattr("serprep.place.corpus._UNSETTLED", -1.0)
    monkeypatch.setattr("serprep.pipeline.build._PART", 30)
    monkeypatch.setattr(memo, "look_at", waits)
    monkeypatch.setattr(computing, "compute_features", counted)
    meanwhile = building.build(recipe(folder, tmp_path / "b"), workers=1)
    assert calls[0][0] in range(30, 40) and calls[-1][0] == 40
    assert sum(n for _, n in calls) == 38
    assert (meanwhile.version, counts(meanwhile)) == (in_turn.version, counts(in_turn))
    assert meanwhile.reasons == in_turn.reasons and meanwhile.audio_seconds == in_turn.audio_seconds
