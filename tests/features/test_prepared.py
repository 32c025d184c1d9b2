"""What was compiled once is not asked for again."""

import pytest

from serprep.features import prepared
from serprep.features.prepared import prepare_once


@pytest.fixture
def package(tmp_path, monkeypatch):
    """A package with compiled code, and what compiles it; the list of its calls."""
    (tmp_path / "made_up").mkdir()
    (tmp_path / "made_up/__init__.py").write_text("")
    monkeypatch.syspath_prepend(tmp_path)
    for name in [name for name in prepared.os.environ if name.startswith("NUMBA_")]:
        monkeypatch.delenv(name)
    return tmp_path / "made_up"


def compiling(package, calls):
    def prepare(say):
        calls.append(say)
        (package / "__pycache__").mkdir(exist_ok=True)
        (package / "__pycache__/loops.native").touch()

    return prepare


def test_what_lies_on_disk_is_not_compiled_again(package):
    calls = []
    for _ in range(3):
        prepare_once("made_up", compiling(package, calls), print)
    assert calls == [print]


@pytest.mark.parametrize("change", ["source", "library", "variable", "files"])
def test_other_sources_libraries_and_places_are_asked_for_again(package, monkeypatch, change):
    calls = []
    prepare_once("made_up", compiling(package, calls))
    if change == "source":
        (package / "more.py").write_text("x = 1")
    elif change == "library":
        monkeypatch.setattr(prepared, "version", lambda name: "0.1")
    elif change == "variable":
        monkeypatch.setenv("NUMBA_CACHE_DIR", str(package))
    else:
        (package / "__pycache__/loops.native").unlink()
    prepare_once("made_up", compiling(package, calls))
    assert len(calls) == 2


def test_nothing_is_remembered_where_nothing_could_be_kept(package):
    calls = []
    for _ in range(2):
        prepare_once("made_up", calls.append)
    assert calls == [None, None]
