"""What every form has in common: what stands in it, whole or not at all, and how it is refused."""

import json
import shutil

import pytest

from serprep.errors import CorpusError, SerprepError, SplitError, StoreError
from serprep.exports import EXPORTS
from serprep.exports.export import export
from serprep.exports.exporter import Exporter
from serprep.split import read_split

FORMS = [name for name in EXPORTS if type(EXPORTS[name]).write is not Exporter.write]


@pytest.mark.parametrize("form", FORMS)
def test_version_licence_labels_extractors_and_split_stand_in_each(shop, form):
    folder = shop.export(form)
    about = json.loads((folder / "serprep.json").read_text())
    assert about["version"] == shop.store.version and about["labels"] == ["low mood", "sad"]
    assert about["licences"][0].startswith("recordings: ") and set(about["extractors"]) == {"logmel", "egemaps"}
    assert read_split(folder / "split.json") == shop.splits[3]
    assert about["split"]["digest"] == shop.splits[3].digest


class Broken(Exporter):
    name = "broken"

    def write(self, source, folder):
        (folder / "half").write_text("half")
        raise OSError(28, "No space left on device")


def test_whole_or_not_at_all(shop, tmp_path, monkeypatch):
    monkeypatch.setitem(EXPORTS.places, "broken", "")
    monkeypatch.setattr("serprep.plugins.ByName.__getitem__", lambda self, name: Broken())
    with pytest.raises(StoreError, match="out: No space left on device; free space"):
        export(shop.store.path, tmp_path / "out", form="broken")
    assert list(tmp_path.iterdir()) == []


def test_what_cannot_be_is_one_line(shop, tmp_path):
    with pytest.raises(SerprepError, match=r"unknown form 'hugingface'.*did you mean 'huggingface'"):
        export(shop.store.path, tmp_path / "out", form="hugingface")
    with pytest.raises(SerprepError, match="form 'jsonl' is one of predictions, not of stores"):
        export(shop.store.path, tmp_path / "out", form="jsonl")
    with pytest.raises(SerprepError, match="form 'kaldi' is one of stores, not of predictions"):
        EXPORTS["kaldi"].predictions([], [])
    with pytest.raises(StoreError, match="it exists; nothing is overwritten"):
        export(shop.store.path, shop.root, form="csv")
    with pytest.raises(StoreError, match="a store never changes"):
        export(shop.store.path, f"{shop.store.path}/out", form="csv")
    (tmp_path / "set/versions/" / f"{shop.store.version}.zarr").mkdir(parents=True)
    (tmp_path / "set/versions" / f"{shop.store.version}.build.json").touch()
    for inside in ("out", "experiments/out"):
        with pytest.raises(StoreError, match=r"it lies in the data set .*/set; name a place outside of it"):
            export(shop.store.path, tmp_path / "set" / inside, form="csv")
    shutil.rmtree(tmp_path / "set")
    with pytest.raises(StoreError, match="a folder on this machine"):
        export(shop.store.path, "memory://out", form="csv")
    with pytest.raises(SplitError, match="expected a split file"):
        export(shop.store.path, tmp_path / "out", form="csv", split=tmp_path / "no.json")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("form", ["audformat", "croissant", "huggingface", "kaldi", "lhotse", "webdataset"])
def test_recordings_that_are_not_there_are_told_by_every_form_that_takes_or_names_them(shop, tmp_path, form):
    with pytest.raises(CorpusError, match=r"\.wav: .*name the folder that the store was built from"):
        export(shop.store.path, tmp_path / "out", form=form, audio=tmp_path)
    assert list(tmp_path.iterdir()) == []


def test_another_recording_is_named(shop, tmp_path):
    (tmp_path / "x").mkdir()
    (tmp_path / "x" / "a.wav").write_bytes(b"another")
    with pytest.raises(CorpusError, match=r"x/a\.wav: another recording than the store was made from"):
        export(shop.store.path, tmp_path / "out", form="huggingface", audio=tmp_path)
    (tmp_path / "x" / "a.wav").unlink()
    with pytest.raises(CorpusError, match=r"x/a\.wav: .*name the folder that the store was built from"):
        export(shop.store.path, tmp_path / "out", form="webdataset", audio=tmp_path)
    assert not (tmp_path / "out").exists()
