"""Garbage at a URL; on a disk, `test_log.py` and in a bucket `test_bucket.py` show it."""

import time
from pathlib import Path

import fsspec
import numpy as np
import pytest
import soundfile

from helpers.inline import Inline
from serprep import remote
from serprep.dataset.garbage import YOUNG, gc
from serprep.dataset.tag import tag
from serprep.errors import StoreError
from serprep.features.extract import Features
from serprep.pipeline.build import build
from serprep.pipeline.places import Places, _identity
from serprep.place.place import claim_on
from serprep.recipe import recipe_from
from serprep.store.store import open_store
from serprep.version import tags


@pytest.fixture
def data(tmp_path, monkeypatch):
    """A data set in memory with two versions, two days ago: the older has a part of its own."""
    url = f"memory://{tmp_path.name}/set"
    for i in range(2):
        soundfile.write(tmp_path / f"u{i}.wav", 0.1 * np.random.default_rng(i).normal(size=8000), 16_000)
    for n_mels in (20, 40):
        (tmp_path / "labels.csv").write_text("path,emotion\nu0.wav,sad\nu1.wav,angry\n")
        values = {
            "dataset": {"path": url},
            "corpus": {"reader": "table", "root": str(tmp_path), "file": "labels.csv"},
            "features": {"functionals": {"enabled": False}, "logmel": {"n_mels": n_mels}},
        }
        build(recipe_from(values, folder=Path(tmp_path), name="x"), pool=Inline())
    now = time.time()
    monkeypatch.setattr("serprep.place.url.time.time", lambda: now + 2 * YOUNG)
    yield url
    fsspec.filesystem("memory").rm(f"/{tmp_path.name}", recursive=True)


def test_a_dry_run_names_what_then_goes(data):
    before = remote.listing(data)
    dry = gc(data)
    assert not dry.removed and remote.listing(data).keys() == before.keys()
    assert len(dry.stores) == len(dry.parts) == 1 and list(dry.kept.values()) == ["latest"]
    done = gc(data, yes=True)
    assert done.removed and (done.stores, done.parts, done.bytes) == (dry.stores, dry.parts, dry.bytes)
    gone = before.keys() - remote.listing(data).keys()
    stem = done.stores[0].removesuffix(".zarr")
    reports = {f"{stem}.build.json", f"{stem}.card.html"}
    assert {name for name in gone if not name.startswith(f"{done.stores[0]}/")} == {*reports, *done.parts}
    assert done.bytes == sum(before[name]["size"] for name in gone - reports)
    assert len(open_store(f"{data}@latest")) == 2
    assert gc(data, yes=True).stores == ()


def test_who_tags_what_is_being_removed_has_it_or_is_told(data, monkeypatch):
    version = gc(data).stores[0].removeprefix("versions/").removesuffix(".zarr")
    inner, mark = remote.remove, f"{data}/versions/{version}.zarr/zarr.json"

    def remove(url):
        inner(url)
        if url == mark:  # a tagger that saw it whole before
            remote.write(f"{data}/tags/best", f"{version}\n".encode())

    monkeypatch.setattr(remote, "remove", remove)
    gc(data, yes=True)
    assert len(open_store(f"{data}@best")) == 2 and remote.info(f"{data}/versions/{version}.build.json")
    monkeypatch.setattr(remote, "remove", inner)
    remote.remove(f"{data}/tags/best")
    create = remote.create
    monkeypatch.setattr(remote, "create", lambda url, text: create(url, text) and not inner(mark))
    with pytest.raises(StoreError, match=f"@best: {version[:12]} was removed meanwhile; build it again"):
        tag(data, version, "best")
    assert tags(data) == {}


def test_what_tells_no_time_is_young(data, monkeypatch):
    monkeypatch.setattr(remote, "modified", lambda entry: None)
    found = gc(data)
    assert (found.stores, found.parts, found.temporary) == ((), (), ())


def test_a_store_that_lost_its_root_is_damaged_and_stays_with_all_parts(data):
    store = gc(data).stores[0]
    remote.remove(f"{data}/{store}/zarr.json")
    before = remote.listing(data).keys()
    found = gc(data, yes=True)
    assert list(found.damaged) == [store] and (found.stores, found.parts, found.temporary) == ((), (), ())
    assert remote.listing(data).keys() == before


def test_a_killed_upload_goes_after_a_day(data, monkeypatch):
    name = f"versions/{'a' * 64}.zarr"
    remote.write(f"{data}/{name}/logmel/zarr.json", b"half")
    remote.write(f"{data}/versions/mine.zarr/zarr.json", b"no version")
    assert gc(data).temporary == (name,)
    now = time.time()  # as the fixture has it: two days ahead
    with monkeypatch.context() as patch:
        patch.setattr("serprep.place.url.time.time", lambda: now - 1.5 * YOUNG)
        assert gc(data).temporary == ()
    gc(data, yes=True)
    assert remote.listing(f"{data}/{name}") == {} and remote.listing(f"{data}/versions/mine.zarr")


def test_what_a_worker_killed_while_it_was_asked_left_goes_after_a_day(data, monkeypatch):
    places = tuple(f"{data}/{folder}" for folder in ("cache", "versions", "numbers"))
    for place in places:
        remote.write(f"{place}/token", b"token")
    asked = Places(places, "token", "", "", Features(), _identity(Features()))
    monkeypatch.setattr(remote, "remove", lambda url: None)
    assert asked() == ""
    names = [name for name in remote.listing(data) if "/.probe-" in name]
    assert len(names) == 3 and sorted(gc(data).temporary) == sorted(names)


def test_what_a_killed_collector_left_of_a_store_goes_after_a_day(data, monkeypatch):
    (store,) = gc(data).stores
    remote.write(f"{data}/{claim_on(store)}", b"somebody")
    remote.remove(f"{data}/{store}/zarr.json")
    now = time.time()  # as the fixture has it: two days ahead
    with monkeypatch.context() as patch:
        patch.setattr("serprep.place.url.time.time", lambda: now - 1.5 * YOUNG)
        assert gc(data).temporary == ()
    stem = store.removesuffix(".zarr")
    assert gc(data, yes=True).temporary == (f"{stem}.build.json", f"{stem}.card.html", store, claim_on(store))
    assert not [name for name in remote.listing(data) if stem in name or "going" in name]
    assert gc(data).damaged == {} and len(open_store(f"{data}@latest")) == 2
    (last,) = gc(data).kept  # and of the last store
    remote.write(f"{data}/{claim_on(last)}", b"somebody")
    remote.remove(f"{data}/{last}/zarr.json")
    assert last in gc(data, yes=True).temporary and remote.listing(f"{data}/versions") == {}


def test_a_bucket_that_does_not_answer_is_one_line(monkeypatch):
    def silent(url):
        raise OSError(5, "no answer", url)

    monkeypatch.setattr(remote, "entries", silent)
    with pytest.raises(StoreError, match="s3://lab/set: no answer; expected the folder of a data set"):
        gc("s3://lab/set")
