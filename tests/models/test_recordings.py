"""Places → recordings with ids of their own."""

import dataclasses
from pathlib import Path

import pytest

from serprep.errors import TrainError
from serprep.manifest.table import make_manifest, write_manifest
from serprep_models.checkpoint import checkpoints_below
from serprep_models.recordings import other_recordings, utterances_of


def test_a_manifest_keeps_its_ids_and_excerpts(small, tmp_path: Path) -> None:
    recipe, store = small
    rows = [dataclasses.replace(row, id=f"u{n}") for n, row in enumerate(store.manifest().utterances[:3])]
    rows[1] = dataclasses.replace(rows[1], start=0.1, end=0.7)
    path = write_manifest(make_manifest(rows), tmp_path)
    with pytest.raises(TrainError, match="say where its recordings lie with --root"):
        utterances_of([str(path)])
    found = utterances_of([str(tmp_path)], root=recipe.root)
    assert (found.ids, found.starts, found.ends) == (("u0", "u1", "u2"), (None, 0.1, None), (None, 0.7, None))


def test_ids_stay_apart(tmp_path: Path) -> None:
    for name in ("a/x.wav", "b/x.wav"):
        (tmp_path / name).parent.mkdir()
        (tmp_path / name).touch()
    found = utterances_of([str(tmp_path / "a/x.wav"), str(tmp_path / "b/x.wav")])
    assert found.ids == (str(tmp_path / "a/x"), str(tmp_path / "b/x"))
    assert utterances_of([str(tmp_path)]).ids == ("a/x", "b/x")
    (tmp_path / "a/x.flac").touch()
    beside = utterances_of([str(tmp_path / "a")])
    assert beside.ids == tuple(str(tmp_path / "a" / name) for name in ("x.flac", "x.wav"))
    for places, message in (
        ([str(tmp_path / "a/x.wav")] * 2, "named twice"),
        ([str(tmp_path / "none.wav")], "no such file"),
    ):
        with pytest.raises(TrainError, match=message):
            utterances_of(places)
    (tmp_path / "empty").mkdir()
    with pytest.raises(TrainError, match="no recordings"):
        utterances_of([str(tmp_path / "empty")])
    with pytest.raises(TrainError, match="no checkpoint"):
        checkpoints_below(tmp_path)


def test_recordings_that_are_not_searched_for_are_counted(tmp_path: Path) -> None:
    for name in ("a.wav", "b.m4a", "deep/c.AIFF", "deep/d.m4a", "notes.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
    assert utterances_of([str(tmp_path)]).ids == ("a",)
    (note,) = other_recordings([str(tmp_path), str(tmp_path / "a.wav")])
    assert note.startswith("passed over: 1 .aiff, 2 .m4a;")
