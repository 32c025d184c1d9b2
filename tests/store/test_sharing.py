"""A new version links what an older one already holds, and is the same as if it had not."""

import errno
import hashlib
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
import soundfile

from helpers.inline import Inline
from serprep.features.extract import extractors
from serprep.parallel import Workers
from serprep.pipeline.build import build
from serprep.place import corpus
from serprep.recipe import recipe_from
from serprep.store.store import open_store

N = 9
ARRAYS = {"logmel/30/segments/c/0/0/0", "logmel/50/segments/c/0/0/0", "functionals/compare_2016/c/0/0"}


@pytest.fixture(scope="module")
def cached(tmp_path_factory):
    """Nine recordings of 0.6 s, and a data set whose cache has their features."""
    root = tmp_path_factory.mktemp("shared")
    rng = np.random.default_rng(3)
    (root / "corpus").mkdir()
    for i in range(N):
        soundfile.write(root / "corpus" / f"u{i}.wav", 0.1 * rng.normal(size=9600), 16_000)
    build(recipe(root, "data"), pool=Inline())
    return root


@pytest.fixture
def root(cached, tmp_path):
    """A copy of both, to change."""
    shutil.copytree(cached / "corpus", tmp_path / "corpus")
    shutil.copytree(cached / "data" / "cache", tmp_path / "data" / "cache")
    shutil.copytree(cached / "data" / "cache", tmp_path / "fresh" / "cache")
    return tmp_path


def recipe(root, name, *, labels=None, speakers=None, features=None, store=None, rows=N):
    labels, speakers = labels or {}, speakers or {}
    lines = [
        f"u{i}.wav,u{i},s{speakers.get(i, i % 3)},{labels.get(i, 'sad' if i % 2 else 'angry')}" for i in range(rows)
    ]
    (root / "corpus" / "labels.csv").write_text("\n".join(["path,id,speaker,emotion", *lines]) + "\n")
    values = {
        "dataset": {"path": str(root / name)},
        "corpus": {"reader": "table", "root": str(root / "corpus"), "file": "labels.csv"},
        "features": features or {},
        "store": store or {},
    }
    return recipe_from(values, folder=root, name="test")


def files(store):
    """Relative name → SHA-256 and inode of every file."""
    paths = {path.relative_to(store).as_posix(): path for path in Path(store).rglob("*") if path.is_file()}
    return {
        name: (hashlib.sha256(path.read_bytes()).hexdigest(), path.stat().st_ino)
        for name, path in sorted(paths.items())
    }


def changed(root, **changes):
    """Build, change, build again beside it and alone; digests agree; → names shared, names not, what was run."""
    first = files(build(recipe(root, "data"), pool=Inline()).store)
    pool = Inline()
    second = build(recipe(root, "data", **changes), pool=pool)
    alone = build(recipe(root, "fresh", **changes), pool=Inline())
    assert second.version == alone.version
    found = files(second.store)
    assert {name: digest for name, (digest, _) in found.items()} == {
        name: digest for name, (digest, _) in files(alone.store).items()
    }
    shared = {name for name in found if name in first and found[name][1] == first[name][1]}
    assert all(Path(second.store, name).stat().st_nlink == 1 for name in found.keys() - shared)
    return shared, found.keys() - shared, pool.functions


def test_a_changed_label_shares_everything_but_the_labels(root):
    shared, own, ran = changed(root, labels={3: "calm", 4: "sad"})
    assert own == {"zarr.json", "utterances/emotion/c/0"}
    assert shared >= ARRAYS and len(shared) > 30 and ran == []
    assert open_store(root / "data").emotions == [
        "angry",
        "sad",
        "angry",
        "calm",
        "sad",
        "sad",
        "angry",
        "sad",
        "angry",
    ]


def test_a_changed_speaker_shares_everything_but_the_speakers(root):
    shared, own, ran = changed(root, speakers={0: 7})
    assert own == {"zarr.json", "utterances/speaker/c/0"}
    assert shared >= ARRAYS and ran == []


def test_no_cluster_is_started_for_a_changed_label(root, monkeypatch):
    monkeypatch.setattr(corpus, "_UNSETTLED", float("-inf"))  # however young the recordings are, and slow the machine
    build(recipe(root, "data"), pool=Inline())
    monkeypatch.setattr(Workers, "_start", lambda self: pytest.fail("a cluster was started"))
    result = build(recipe(root, "data", labels={0: "calm"}), workers=2)
    assert (result.computed, result.reused) == (0, N)


def test_another_hop_shares_the_functionals_and_the_other_segments(root):
    """With hop 21 each of the 58 frames' two segments have the offsets of hop 20, but other values."""
    segments = {"short": {"length": 30, "hop": 21}, "long": {"length": 50, "hop": 25}}
    shared, own, ran = changed(root, features={"segments": segments})
    stores = [open_store(path) for path in (root / "data" / "versions").glob("*.zarr")]
    assert np.array_equal(stores[0].offsets(30), stores[1].offsets(30)) and stores[0].offsets(30)[-1] == 2 * N
    assert not np.array_equal(stores[0].segments(0, 30), stores[1].segments(0, 30))
    assert own == {"zarr.json", "logmel/30/segments/c/0/0/0"} and ran == ["write_shard"]
    assert shared >= ARRAYS - own


def test_another_length_shares_the_functionals_and_the_other_segments(root):
    segments = {"a": {"length": 17, "hop": 3}, "long": {"length": 50, "hop": 25}, "z": {"length": 40, "hop": 5}}
    shared, own, ran = changed(root, features={"segments": segments})
    assert ARRAYS & shared == ARRAYS - {"logmel/30/segments/c/0/0/0"} and ran == ["write_shard"] * 2
    assert {name.split("/")[1] for name in own if "/" in name} == {"17", "40"}


def test_features_that_were_not_there_are_written_and_the_others_shared(root):
    build(recipe(root, "data", features={"functionals": {"enabled": False}}), pool=Inline())
    pool = Inline()
    second = build(recipe(root, "data"), pool=pool)
    assert pool.functions == ["write_shard"]
    linked = {name for name in ARRAYS if Path(second.store, name).stat().st_nlink == 2}
    assert linked == ARRAYS - {"functionals/compare_2016/c/0/0"}


def test_other_rows_share_no_array(root):
    shared, own, ran = changed(root, rows=N - 1)
    assert own >= ARRAYS and ran == ["write_shard"] * 3
    assert "functionals/compare_2016_names/c/0" in shared


def test_the_same_recordings_in_another_order_share_no_array(root):
    """Ids are swapped: the rows' keys stand in another order."""
    first = build(recipe(root, "data"), pool=Inline())
    asked = recipe(root, "data")
    table = root / "corpus" / "labels.csv"
    table.write_text(table.read_text().replace("u0.wav", "x").replace("u1.wav", "u0.wav").replace("x,", "u1.wav,"))
    pool = Inline()
    second = build(asked, pool=pool)
    assert second.version != first.version and pool.functions == ["write_shard"] * 3
    a, b = open_store(first.store), open_store(second.store)
    for i, j in ((0, 1), (1, 0), (2, 2)):
        np.testing.assert_array_equal(a.segments(i, 30), b.segments(j, 30))
        np.testing.assert_array_equal(a.functionals(i), b.functionals(j))


def test_other_precision_shares_the_functionals_only(root):
    shared, own, _ = changed(root, store={"segment_dtype": "float16"})
    assert ARRAYS & shared == {"functionals/compare_2016/c/0/0"}
    assert {name for name in own if name.endswith("segments/zarr.json")} == {
        f"logmel/{length}/segments/zarr.json" for length in (30, 50)
    }


def test_another_revision_of_an_extractor_shares_nothing_of_it(root, monkeypatch):
    build(recipe(root, "data"), pool=Inline())
    (store,) = (root / "data" / "versions").glob("*.zarr")
    monkeypatch.setattr(
        "serprep.store.pack.extractors",
        lambda features: {**extractors(features), "logmel": {"name": "serprep.logmel", "revision": 99}},
    )
    pool = Inline()
    other = files(build(recipe(root, "data"), pool=pool).store)
    before = files(store)
    assert {name for name in ARRAYS if other[name][1] == before[name][1]} == {"functionals/compare_2016/c/0/0"}
    assert pool.functions == ["write_shard"] * 2


def test_two_older_stores_each_give_their_part(root):
    """The newest has other segments, so those come from the one before."""
    first = files(build(recipe(root, "data"), pool=Inline()).store)
    features = {"segments": {"short": {"length": 17, "hop": 3}}}
    build(recipe(root, "data", features=features), pool=Inline())
    pool = Inline()
    third = files(build(recipe(root, "data", labels={0: "calm"}), pool=pool).store)
    assert pool.functions == []
    assert all(third[name] == first[name] for name in ARRAYS)


@pytest.mark.parametrize("damage", ["bit", "shard gone", "root", "other store"])
def test_damage_does_not_spread(root, damage):
    first = Path(build(recipe(root, "data"), pool=Inline()).store)
    name = "zarr.json" if damage == "root" else "logmel/50/segments/c/0/0/0"
    path = first / name
    path.parent.chmod(0o755)
    path.chmod(0o644)
    data = bytearray(path.read_bytes())
    if damage == "shard gone":
        path.unlink()
    elif damage == "other store":
        shutil.rmtree(first)
        first.write_text("not a store")
    else:
        data[len(data) // 2] ^= 4
        path.write_bytes(data)
    second = build(recipe(root, "data", labels={0: "calm"}), pool=Inline())
    alone = build(recipe(root, "fresh", labels={0: "calm"}), pool=Inline())
    found, expected = files(second.store), files(alone.store)
    assert {name: digest for name, (digest, _) in found.items()} == {
        name: digest for name, (digest, _) in expected.items()
    }
    linked = {name for name in ARRAYS if Path(second.store, name).stat().st_nlink == 2}
    assert linked == (ARRAYS - {name} if damage == "bit" else set())


@pytest.mark.parametrize("code", [errno.EXDEV, errno.EPERM, errno.EMLINK, errno.ENOTSUP])
@pytest.mark.parametrize("after", [0, 20])
def test_where_links_cannot_be_made_files_are_written(root, monkeypatch, code, after):
    made = []
    link = os.link

    def fail(source, target):
        made.append(target)
        if len(made) > after:
            raise OSError(code, os.strerror(code))
        return link(source, target)

    first = files(build(recipe(root, "data"), pool=Inline()).store)
    monkeypatch.setattr(os, "link", fail)
    second = build(recipe(root, "data", labels={0: "calm"}), pool=Inline())
    assert len(made) > after
    found = files(second.store)
    alone = files(build(recipe(root, "fresh", labels={0: "calm"}), pool=Inline()).store)
    assert {name: value[0] for name, value in found.items()} == {name: value[0] for name, value in alone.items()}
    assert sum(found[name][1] == first[name][1] for name in found.keys() & first) == after
    assert not [name for name in found if name.endswith(".link")]


def test_a_shard_of_several_that_cannot_be_linked(root, monkeypatch):
    """All shards of an array are linked, or all are written: never into another store's file."""
    monkeypatch.setattr("serprep.store.layout.CHUNK_BYTES", 4 * 6373)
    monkeypatch.setattr("serprep.store.layout.CHUNKS_PER_SHARD", 2)
    first = Path(build(recipe(root, "data"), pool=Inline()).store)
    before = files(first)
    shards = sorted((first / "functionals/compare_2016/c").glob("*/0"), key=lambda path: int(path.parent.name))
    assert len(shards) == 5
    shards[3].chmod(0o644)
    data = bytearray(shards[3].read_bytes())
    data[100] ^= 1
    shards[3].write_bytes(data)
    damaged = files(first)
    second = files(build(recipe(root, "data", labels={0: "calm"}), pool=Inline()).store)
    assert files(first) == damaged
    for n in range(5):
        name = f"functionals/compare_2016/c/{n}/0"
        assert second[name][0] == before[name][0] and second[name][1] != before[name][1]
