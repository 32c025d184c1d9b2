"""Publishing and repairing: the exact bytes come back, for every store that shared the damage."""

import dataclasses
import hashlib
import os
import shutil
import threading
from pathlib import Path
from types import SimpleNamespace

import pytest

from helpers.inline import Inline
from serprep.cache.parts import Cache
from serprep.errors import StoreError
from serprep.features.extract import Features
from serprep.features.framing import Segment
from serprep.parallel import Died
from serprep.pipeline.build import build
from serprep.recipe import Recipe, recipe_from
from serprep.store import pack
from serprep.store.verify import container_problems, verify
from serprep.testing import write_synthetic_corpus


def recipe(project: Path, container: str = "zarr", **corpus: object) -> Recipe:
    values = {
        "dataset": {"path": "stores"},
        "corpus": {
            "reader": "pattern",
            "root": "corpus",
            "pattern": "{emotion}/{speaker}_{text}_{take}.wav",
            **corpus,
        },
        "store": {"format": container},
    }
    return recipe_from(values, folder=project, name="pack")


def digests(store: Path) -> dict[str, str]:
    files = [store] if store.is_file() else [path for path in store.rglob("*") if path.is_file()]
    return {str(path.relative_to(store.parent)): hashlib.sha256(path.read_bytes()).hexdigest() for path in files}


def writable(store: Path) -> None:
    for path in [store, *store.rglob("*")]:
        path.chmod(0o755 if path.is_dir() else 0o644)


@pytest.fixture
def project(tmp_path) -> Path:
    write_synthetic_corpus(tmp_path / "corpus", n_speakers=2, n_texts=1)
    return tmp_path


@pytest.mark.parametrize("container", ["zarr", "hdf5"])
def test_a_damaged_store_is_refused_and_repaired_to_the_byte(project, container) -> None:
    asked = recipe(project, container)
    store = Path(build(asked, pool=Inline()).store)
    reference = digests(store)
    writable(store)
    root = store if store.is_file() else store / "zarr.json"
    root.write_bytes(root.read_bytes()[:-20])
    with pytest.raises(StoreError, match="serprep build --repair"):
        build(asked, pool=Inline())
    result = build(asked, pool=Inline(), repair=True)
    assert digests(store) == reference
    assert result.computed == 0
    assert len(result.repaired) == 1
    assert build(asked, pool=Inline(), repair=True).repaired == ()


def test_repair_without_a_cache_recomputes_from_the_recordings(project) -> None:
    asked = recipe(project)
    store = Path(build(asked, pool=Inline()).store)
    reference = digests(store)
    writable(store)
    (store / "functionals" / "compare_2016" / "c" / "0" / "0").unlink()
    shutil.rmtree(project / "stores" / "cache")
    assert build(asked, pool=Inline(), repair=True).computed == 8
    assert digests(store) == reference


def test_damage_that_stores_share_is_named_and_mended_in_all(project, monkeypatch) -> None:
    emotions = {name: name for name in ("angry", "happy", "neutral", "sad")}
    first = Path(build(recipe(project), pool=Inline()).store)
    second = Path(build(recipe(project, emotions=emotions | {"sad": "low"}), pool=Inline()).store)
    name = "logmel/30/segments/c/0/0/0"
    assert (first / name).stat().st_ino == (second / name).stat().st_ino
    reference = digests(first), digests(second)
    (second / name).chmod(0o644)
    (second / name).write_bytes(b"damaged")
    (problem,) = container_problems(str(first)).problems
    assert problem.shared_with == (str(second),)
    link, seen = os.link, []

    def linked(source, target):
        link(source, target)
        seen.append(set(digests(second)))  # what a kill at this moment would leave

    monkeypatch.setattr("serprep.store.pack.os.link", linked)
    build(recipe(project), pool=Inline(), repair=True)
    assert seen and all(names == set(reference[1]) for names in seen)
    assert (digests(first), digests(second)) == reference
    assert verify(str(second)).ok


def test_a_damaged_part_of_the_cache_is_computed_again_in_the_same_build(project) -> None:
    asked = recipe(project)
    store = Path(build(asked, pool=Inline()).store)
    reference = digests(store)
    writable(store)
    shutil.rmtree(store)
    cache = Cache(str(project / "stores" / "cache"))
    part = Path(cache.folder.path(cache.folder.names("functionals")[0]))
    data = part.read_bytes()
    part.chmod(0o644)
    part.write_bytes(data[:-5] + bytes([data[-5] ^ 1]) + data[-4:])
    result = build(asked, pool=Inline())
    assert 0 < result.computed < 8
    assert digests(store) == reference


def test_nothing_half_written_stays_behind(project) -> None:
    store = Path(build(recipe(project), pool=Inline()).store)
    assert sorted(path.name for path in store.parent.iterdir()) == sorted(
        [store.name, store.with_suffix("").name + ".build.json", store.with_suffix("").name + ".card.html"]
    )


def test_a_full_disk_is_one_error_and_leaves_nothing_visible(project, monkeypatch) -> None:
    from serprep.store import writer

    def full(job: object) -> int:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(writer, "write_shard", full)
    with pytest.raises(StoreError, match="No space left on device; free space"):
        build(recipe(project), pool=Inline())
    assert list((project / "stores" / "versions").iterdir()) == []


def test_a_data_set_at_a_url_holds_the_same_bytes_as_a_local_one(project) -> None:
    import dataclasses

    import fsspec

    from serprep.store.store import open_store

    local = Path(build(recipe(project), pool=Inline()).store)
    asked = recipe(project)
    remote = dataclasses.replace(asked, dataset=dataclasses.replace(asked.dataset, path="memory://bucket/set"))
    result = build(remote, pool=Inline())
    assert result.store == f"memory://bucket/set/versions/{local.name}"
    files = fsspec.filesystem("memory")
    for name, digest in digests(local).items():
        data = files.cat_file(f"/bucket/set/versions/{name}")
        assert hashlib.sha256(data).hexdigest() == digest
    again = build(remote, pool=Inline())
    assert (again.computed, again.reused) == (0, 8)
    opened = open_store("memory://bucket/set@latest")
    assert opened.ids == open_store(local).ids
    assert opened.segments(3, 30).tobytes() == open_store(local).segments(3, 30).tobytes()


def test_a_half_uploaded_store_is_no_store(project, monkeypatch) -> None:
    import dataclasses

    from serprep import remote as objects
    from serprep.store.store import open_store

    asked = recipe(project)
    remote = dataclasses.replace(asked, dataset=dataclasses.replace(asked.dataset, path="memory://bucket/half"))
    upload, count = objects.upload, [0]

    def failing(url: str, file: Path) -> None:
        count[0] += 1
        if count[0] > 20:
            raise OSError(5, "connection lost")
        upload(url, file)

    monkeypatch.setattr(objects, "upload", failing)
    with pytest.raises(StoreError, match=r"connection lost; .*build again: computed features are kept"):
        build(remote, pool=Inline())
    monkeypatch.undo()
    with pytest.raises(StoreError, match="no store there"):
        open_store("memory://bucket/half@latest")
    assert len(open_store(build(remote, pool=Inline()).store)) == 8


def test_progress_of_a_file_that_one_task_writes_is_its_size(project, monkeypatch) -> None:
    shown, n_looks, seen = [], [], {1: threading.Event(), 3: threading.Event()}  # megabytes

    class Watched(pack.Progress):
        def to(self, done: int) -> None:
            shown.append((self.label, self.unit, self.total, done))
            super().to(done)
            if done in seen:
                seen[done].set()

    def slowly(job) -> int:
        path = Path(job.path)
        for n_megabytes, is_seen in seen.items():
            with path.open("ab") as file:
                file.write(bytes((n_megabytes << 20) - file.tell()))
            assert is_seen.wait(300)  # a look that began before may still say less
        n_looks.append(len(shown))
        path.unlink()
        return write_file(job)

    write_file = pack.writer.write_file
    monkeypatch.setattr(pack, "Progress", Watched)
    monkeypatch.setattr(pack.writer, "write_file", slowly)
    segments = {"short": Segment(length=30, hop=1), "long": Segment(length=50, hop=1)}  # several megabytes
    asked = dataclasses.replace(recipe(project, "hdf5"), features=Features(segments=segments))
    store = Path(build(asked, pool=Inline()).store)
    assert {entry[:2] for entry in shown} == {("packing", "MB")}
    total = shown[0][2]
    assert (
        total == pytest.approx(store.stat().st_size / 2**20, rel=0.3) and total >= 3
    )  # names and metadata come on top
    done = [entry[3] for entry in shown]
    grown = done[: n_looks[0]]
    assert {1, 3} <= set(grown) and grown == sorted(grown) and done[-1] == total


def test_what_no_worker_of_a_cluster_lives_long_enough_for_is_packed_here():
    receipts = [(1, 7), (0, Died("it was killed"))]
    pool = SimpleNamespace(scheduler="tcp://lab:8786", run=lambda task, jobs: iter(receipts))
    assert pack._run(abs, [-3, -4], pool=pool, unit="shards", quiet=True) == [7, 3]
    pool.scheduler = None
    with pytest.raises(StoreError, match="packing: it was killed; build again: computed features are kept"):
        pack._run(abs, [-3, -4], pool=pool, unit="shards", quiet=True)
