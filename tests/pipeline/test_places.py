"""A worker is used if it sees the corpus and the data set that the main process sees."""

from contextlib import contextmanager
from dataclasses import replace
from importlib.metadata import version
from types import SimpleNamespace

import pytest

from serprep.audio.decode import digest_of
from serprep.errors import StoreError
from serprep.features.extract import Features
from serprep.features.functionals import Functionals
from serprep.features.libraries import minor
from serprep.pipeline import places
from serprep.pipeline.places import Places, _identity, shared
from serprep.recipe import recipe_from
from serprep.utterance import Utterance, Utterances

FEATURES = Features(functionals=Functionals(enabled=False))


@pytest.fixture
def seen(tmp_path, monkeypatch):
    """What a worker that sees everything is asked."""
    monkeypatch.setattr(places, "PAUSE", 0.0)
    (tmp_path / "a.wav").write_bytes(b"sound")
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache" / "token").write_bytes(b"token")
    return Places(
        (str(tmp_path / "cache"),),
        "token",
        str(tmp_path / "a.wav"),
        digest_of(b"sound"),
        FEATURES,
        _identity(FEATURES),
    )


def test_a_worker_that_sees_everything_is_used_and_leaves_nothing(seen, tmp_path):
    assert seen() == ""
    assert [path.name for path in (tmp_path / "cache").iterdir()] == ["token"]


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (
            {"identity": _identity(FEATURES).replace('"scipy": "', '"scipy": "9')},
            "other libraries that decide features (logmel: scipy {0}, here 9{0})".format(minor(version("scipy"))),
        ),
        ({"sample": "/nowhere/a.wav"}, "cannot read /nowhere/a.wav (file is missing)"),
        ({"digest": "0" * 64}, "is another file there"),
        ({"written": ("/nowhere/cache",)}, "does not see what is written to /nowhere/cache"),
        ({"token": "other"}, "does not see what is written to"),
    ],
)
def test_one_that_does_not_is_told_what_it_lacks(seen, change, says):
    assert says in replace(seen, **change)()


def test_one_that_cannot_write(seen, monkeypatch):
    def refuse(self, name, data):
        raise OSError(30, "Read-only file system")

    monkeypatch.setattr(type(places.at(seen.written[0])), "write", refuse)
    assert "Read-only file system" in seen()


@pytest.mark.parametrize("scheduler", [None, "tcp://x:1"])
def test_workers_of_a_scheduler_are_asked_and_no_token_stays(tmp_path, scheduler):
    asked = []

    @contextmanager
    def admitting(test):
        asked.append(test())
        yield

    (tmp_path / "a.wav").write_bytes(b"sound")
    recipe = recipe_from(
        {
            "dataset": {"path": str(tmp_path / "data")},
            "corpus": {"reader": "pattern", "root": str(tmp_path), "pattern": "{text}.wav"},
            "features": {"functionals": {"enabled": False}},
        },
        folder=tmp_path,
        name="test",
    )
    rows = Utterances([Utterance(id="a", path="a.wav", audio_digest=digest_of(b"sound"))])
    pool = SimpleNamespace(scheduler=scheduler, members=SimpleNamespace(admitting=admitting))
    with pytest.raises(StoreError, match="stop"), shared(recipe, rows, cache=str(tmp_path / "cache"), pool=pool):
        raise StoreError("stop")
    assert asked == ([""] if scheduler else [])
    assert not (tmp_path / "cache").exists() or list((tmp_path / "cache").iterdir()) == []
