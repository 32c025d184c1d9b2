import sys

import pytest

from helpers.builds import noise, recipe
from helpers.inline import Inline
from serprep.pipeline.build import build


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """Folder of recordings, and a store of them."""
    import soundfile

    root = tmp_path_factory.mktemp("browse")
    for number in range(2):
        soundfile.write(root / f"{number}.wav", noise(0.3, 16_000, seed=number), 16_000)
    return root, build(recipe(root, root / "d", reader="pattern", pattern="{text}.wav"), pool=Inline()).store


def test_an_export_has_recordings_only_where_they_are_named(serprep, built, tmp_path):
    root, store = built
    done = serprep("browse", store, "--export", tmp_path / "a")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith("written: 2 utterances, 0 recordings, in ")
    done = serprep("browse", store, "--audio", root, "--export", tmp_path / "b")
    assert "2 utterances, 2 recordings" in done.stdout
    assert (tmp_path / "b" / "audio" / "1.wav").is_file() and not (tmp_path / "a" / "audio").exists()


def test_the_address_is_printed(serprep, built, monkeypatch):
    monkeypatch.setattr("uvicorn.Server.run", lambda *_, **__: None)
    done = serprep("browse", built[1], "--no-open")
    assert done.returncode == 0 and done.stdout.startswith("http://127.0.0.1:")


def test_what_is_wrong_is_one_line(serprep, built, tmp_path, monkeypatch):
    done = serprep("browse", built[1], "--audio", tmp_path / "none")
    assert done.returncode == 1 and "no such folder; expected the root of the store's recordings" in done.stderr
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    monkeypatch.delitem(sys.modules, "serprep.browse.server", raising=False)
    done = serprep("browse", built[1])
    assert done.stderr == (
        "Error: browsing needs uvicorn, which is not installed; add it with `pip install serprep[browse]`\n"
    )
