from dataclasses import replace

import pytest

from serprep.browse.export import export
from serprep.browse.page import FILES
from serprep.browse.plane import maps_of
from serprep.errors import StoreError


def test_the_page_is_a_folder_of_files(subject, tmp_path):
    n = len(subject)
    assert export(subject, tmp_path / "page") == len(subject.store)
    written = {path.relative_to(tmp_path / "page").as_posix() for path in (tmp_path / "page").rglob("*.*")}
    assert written == {
        "index.html",
        *FILES,
        *("data/corpus.js", "data/first.js", "data/rows.js"),
        *(f"data/map/{number}.js" for number in range(len(maps_of(subject.store)))),
        *(f"data/utterance/{number}.js" for number in range(n)),
        *(f"{folder}/{number}.wav" for folder in ("audio", "matched") for number in range(n - 1)),
    }
    assert "Content-Security-Policy" in (tmp_path / "page" / "index.html").read_text()


def test_without_recordings_none_is_written(subject, tmp_path):
    assert export(replace(subject, audio=None), tmp_path) == 0
    assert not list(tmp_path.rglob("*.wav"))


def test_a_folder_that_holds_something_is_left_alone(subject, tmp_path):
    (tmp_path / "x").write_text("mine")
    with pytest.raises(StoreError, match="is there already; name a folder that is new or empty"):
        export(subject, tmp_path)
