"""Versions travel: to a folder, and to places with a URL."""

import json
import shutil

import numpy as np
import pytest
import soundfile

from helpers.inline import Inline
from serprep import remote
from serprep.dataset.carry import carry
from serprep.dataset.tag import tag
from serprep.errors import StoreError
from serprep.pipeline.build import build
from serprep.place.place import at
from serprep.recipe import recipe_from
from serprep.store.store import open_store
from serprep.store.verify import verify
from serprep.version import read_build, tags


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A data set of two versions that differ in a label, with an experiment on the first; the versions."""
    folder = tmp_path_factory.mktemp("carry")
    (folder / "corpus").mkdir()
    for i in range(3):
        soundfile.write(folder / "corpus" / f"u{i}.wav", 0.1 * np.random.default_rng(i).normal(size=8000), 16_000)
    found = []
    for label in ("sad", "angry"):
        (folder / "corpus" / "labels.csv").write_text(f"path,emotion\nu0.wav,sad\nu1.wav,{label}\nu2.wav,angry\n")
        values = {
            "dataset": {"path": str(folder / "data")},
            "corpus": {"reader": "table", "root": str(folder / "corpus"), "file": "labels.csv"},
            "features": {"functionals": {"enabled": False}},
        }
        found.append(build(recipe_from(values, folder=folder, name="x"), pool=Inline()).version)
    experiment = folder / "data" / "experiments" / "0123456789abcdef"
    (experiment / "majority").mkdir(parents=True)
    (experiment / "experiment.json").write_text(json.dumps({"version": found[0]}))
    (experiment / "majority" / "predictions.csv").write_text("id\nu0\n")
    (folder / "data" / "experiments" / "ffff").mkdir()
    (folder / "data" / "experiments" / "ffff" / "experiment.json").write_text(json.dumps({"version": found[1]}))
    tag(folder / "data", found[0], "paper")
    return folder / "data", *found


@pytest.fixture(params=["folder", "url"])
def target(request, tmp_path):
    if request.param == "folder":
        yield str(tmp_path / "copy")
        return
    yield "memory://copy/set"
    remote.connect("memory://copy")[0].store.clear()


def test_a_version_arrives_with_all_that_belongs_to_it_and_shared_files_travel_once(made, target):
    data, first, second = made
    done = carry(f"{data}@paper", target)
    assert (done.version, done.experiments, done.tags, done.shared) == (first, 1, ("paper",), 0)
    place = at(target)
    assert place.read("experiments/0123456789abcdef/majority/predictions.csv") == b"id\nu0\n"
    assert tags(target) == {"paper": first} and not place.entries("experiments/ffff")
    assert verify(f"{target}@paper").ok and open_store(f"{target}@paper").seal == open_store(f"{data}@paper").seal
    again = carry(f"{data}@paper", target)
    assert (again.sent, again.sent_bytes) == (0, 0)
    other = carry(f"{data}@{second[:8]}", target)
    assert other.shared > other.sent > 0 and verify(f"{target}@{second[:8]}").ok
    assert open_store(target).version == second  # still the latest
    assert read_build(target, f"versions/{second}")["number"] == 2


def test_what_was_stopped_goes_on(made, target, monkeypatch):
    data = made[0]
    place, sent = type(at(target)), []
    real = place.new_file

    def stops(self):
        sent.append(self.root)
        if len(sent) == 5:
            raise OSError(28, "No space left on device")
        return real(self)

    monkeypatch.setattr(place, "new_file", stops)
    with pytest.raises(StoreError, match="No space left on device; the same command goes on from what has arrived"):
        carry(f"{data}@paper", target)
    with pytest.raises(StoreError, match="no store there"):
        open_store(target)
    monkeypatch.setattr(place, "new_file", real)
    done = carry(f"{data}@paper", target)
    assert done.present >= 4 and verify(f"{target}@paper").ok
    assert not [name for name in at(target).entries("versions") if name.startswith(".")]


def test_damage_does_not_travel(made, tmp_path):
    data, first, _ = made
    shutil.copytree(data, tmp_path / "bad")
    path = next((tmp_path / "bad" / "versions" / f"{first}.zarr" / "logmel").rglob("c/0*"))
    path = path if path.is_file() else next(entry for entry in path.rglob("*") if entry.is_file())
    path.chmod(0o644)
    path.write_bytes(path.read_bytes()[:-1] + b"\0")
    with pytest.raises(StoreError, match="damaged: it has not the digest of its store; `serprep build --repair`"):
        carry(f"{tmp_path}/bad@paper", str(tmp_path / "copy"))
    with pytest.raises(StoreError, match="no store there"):
        open_store(str(tmp_path / "copy"))


def test_what_cannot_travel_is_one_line(made, tmp_path):
    data, first, _ = made
    with pytest.raises(StoreError, match="the data set that it lies in"):
        carry(str(data), str(data))
    for inside in (f"{data}/experiments", f"{data}/versions/more"):
        with pytest.raises(StoreError, match=rf"it lies in the data set {data}; name a place outside of it"):
            carry(f"{data}@paper", inside)
    shutil.copytree(data / "versions" / f"{first}.zarr", tmp_path / "alone.zarr")
    with pytest.raises(StoreError, match="it lies in no data set; name DATASET@VERSION"):
        carry(str(tmp_path / "alone.zarr"), str(tmp_path / "copy"))
    place = at(tmp_path / "taken")
    place.create("tags/paper", b"0" * 64)
    assert carry(f"{data}@paper", place.path()).notes == ("the tag paper stands for another version there, and stays",)
    (tmp_path / "file").write_text("mine")
    for no_folder in ("", "/", str(tmp_path / "file")):
        with pytest.raises(StoreError, match=r"is no folder; expected the folder or URL of a data set"):
            carry(str(made[0]), no_folder)
    assert (tmp_path / "file").read_text() == "mine"
