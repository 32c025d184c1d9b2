"""Whoever watches from outside finds a whole file that says how far a command is."""

import json

import pytest

from serprep import parallel, retries, status
from serprep.progress import Progress


def test_what_goes_on_is_told_and_then_that_it_is_over(tmp_path, monkeypatch):
    monkeypatch.setattr(parallel, "RETRIES", parallel.Counter({"status 503": 3}))
    monkeypatch.setattr(retries, "_counts", retries.Counter({"status 503": 1, "timeout": 2}))
    monkeypatch.setattr(parallel, "n_working", lambda: 4)
    path = tmp_path / "status.json"
    with status.writing_status(path), Progress("features", 200, quiet=True) as progress:
        assert json.loads(path.read_bytes())["stage"] == ""
        progress.add(50, seconds=100.0, n_bad=2)
        told = status.status()
        assert (told["stage"], told["done"], told["total"], told["quarantined"]) == ("features", 50, 200, 2)
        assert told["workers"] == 4 and told["retries"] == {"status 503": 4, "timeout": 2}
        assert told["audio_seconds_per_second"] == pytest.approx(2 * told["per_second"], rel=0.5)
        assert told["seconds_left"] is None  # too early to tell
        progress._first = (progress._start - 10.0, 0, 0.0)
        assert status.status()["seconds_left"] >= 30
    assert json.loads(path.read_bytes())["stage"] == "over"
    assert [entry.name for entry in tmp_path.iterdir()] == ["status.json"]


def test_the_file_is_kept_up_to_date(tmp_path, monkeypatch):
    monkeypatch.setattr(status, "EVERY", 0.0)
    path = tmp_path / "status.json"
    with status.writing_status(path), Progress("packing", 2, unit="shards", quiet=True) as progress:
        progress.add(1)
        while json.loads(path.read_bytes()).get("done") != 1:
            pass


def test_a_place_that_cannot_be_written_is_said_at_once(tmp_path):
    (tmp_path / "file").touch()
    with pytest.raises(OSError, match="file"), status.writing_status(tmp_path / "file" / "status.json"):
        raise AssertionError
