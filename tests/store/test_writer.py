import dataclasses
import json
import re
from collections import Counter
from functools import partial
from itertools import pairwise

import numpy as np
import pytest

from serprep.cache.parts import Cache, as_keys
from serprep.errors import CacheError
from serprep.features.extract import Features
from serprep.features.framing import Segment
from serprep.features.functionals import Functionals
from serprep.features.logmel import LogMel
from serprep.manifest.table import make_manifest
from serprep.store import writer, zarr_store
from serprep.store.container import digest_of
from serprep.store.convert import convert
from serprep.store.layout import StoreConfig
from serprep.store.store import Store
from serprep.store.verify import verify
from serprep.utterance import Utterance

FEATURES = Features(
    logmel=LogMel(n_mels=3),
    functionals=Functionals(engine="opensmile"),
    segments={"a": Segment(length=4, hop=2), "b": Segment(length=9, hop=9), "c": Segment(length=3, hop=5)},
)
N_FRAMES = (1, 3, 4, 5, 6, 30, 9, 2, 17, 8, 12)  # shorter than a segment, exactly one, many


@pytest.fixture
def small_shards(monkeypatch):
    """Shards of a few rows, so that utterances straddle them."""
    monkeypatch.setattr("serprep.store.layout.CHUNK_BYTES", 100)
    monkeypatch.setattr("serprep.store.layout.CHUNKS_PER_SHARD", 2)


def slow_segments(frames, segment):
    """Segments of one utterance, one by one."""
    found = []
    first = 0
    while first + segment.length <= len(frames):
        found.append(frames[first : first + segment.length])
        first += segment.hop
    if not found:
        found = [np.concatenate([frames, np.repeat(frames[-1:], segment.length - len(frames), axis=0)])]
    return np.array(found)


def origins_of(cache, keys):
    """Origins of utterances with these keys by kind."""
    return writer.Origins(
        {kind: as_keys(own) for kind, own in keys.items()}, {kind: cache.find(kind, own) for kind, own in keys.items()}
    )


def rows_of(cache, features=FEATURES, n_frames=N_FRAMES):
    """A manifest, rows in the cache, and the arrays they stand for."""
    rng = np.random.default_rng(2)
    utterances, frames, functionals = [], [], []
    kinds = ("logmel", "functionals") if features.functionals.enabled else ("logmel",)
    keys = {kind: [] for kind in kinds}
    for i, n in enumerate(n_frames):
        extra = {"session": f"S{i % 2}", "n_words": str(i), "größe": ""}
        utterances.append(
            Utterance(
                id=f"u{i:02}",
                path=f"{i}.wav",
                start=None if i % 2 else i / 7,
                end=None if i % 3 else i + 0.1,
                speaker="" if i == 3 else f"s{i % 3}",
                emotion="" if i == 4 else "sad",
                extra=extra,
                duration=n / 3,
                sample_rate=44_100,
                audio_digest=f"{i:064x}",
            )
        )
        frames.append(rng.normal(size=(n, features.logmel.n_mels)).astype(np.float32))
        functionals.append(rng.normal(size=(1, 6373)).astype(np.float32))
        for kind, block in (("logmel", frames[-1]), ("functionals", functionals[-1])):
            key = rng.bytes(32)
            cache.write(kind, [key], [block], [1000 + i])
            if kind in kinds:
                keys[kind].append(key)
    rows = origins_of(cache, keys)
    manifest = make_manifest(utterances, {"corpus": "made up", "licence": "mine"})
    return manifest, rows, frames, np.concatenate(functionals)


def packed(path, cache, manifest, rows, features=FEATURES, config=None, order=None):
    """A whole store, its shards written in some order."""
    plan = writer.plan_store(manifest, rows, features, config or StoreConfig())
    beside = path.with_suffix(".tmp")  # nothing is written into what is named like a store
    zarr_store.create(beside, plan.arrays, partial(writer.small_value, plan))
    jobs = writer.shard_jobs(plan, str(beside), cache)
    for number in order(range(len(jobs))) if order else range(len(jobs)):
        name, digest = writer.write_shard(jobs[number])
        assert digest_of(beside / name) == digest
    configurations = {"features": features.to_json(), "labels": ["sad"]}
    about = writer.attributes(plan, version="0" * 64, configurations=configurations, extractors={"logmel": {}})
    zarr_store.seal(beside, about)
    beside.rename(path)
    return plan, jobs


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_shards_hold_what_the_utterances_give(tmp_path, small_shards, dtype):
    cache = Cache(str(tmp_path / "cache"))
    manifest, rows, frames, functionals = rows_of(cache)
    _, jobs = packed(tmp_path / "x.zarr", cache, manifest, rows, config=StoreConfig(segment_dtype=dtype))
    store = Store(str(tmp_path / "x.zarr"))
    for segment in FEATURES.segments.values():
        cut = [slow_segments(block, segment) for block in frames]
        np.testing.assert_array_equal(
            store.array(f"logmel/{segment.length}/segments")[:], np.concatenate(cut).astype(dtype)
        )
        assert store.offsets(segment.length).tolist() == np.cumsum([0, *map(len, cut)]).tolist()
        for i, block in enumerate(cut):
            np.testing.assert_array_equal(store.segments(i, segment.length), block.astype(dtype))
    np.testing.assert_array_equal(store.read_functionals(slice(None)), functionals)
    n_shards = Counter(job.array.name for job in jobs)
    assert min(n_shards.values()) > 1, "every array must have several shards for this to mean anything"
    assert any(job.skip for job in jobs), "some utterance must straddle two shards"


def test_one_task_writes_one_whole_shard_and_no_two_the_same(tmp_path, small_shards):
    cache = Cache(str(tmp_path / "cache"))
    manifest, rows, _, _ = rows_of(cache)
    plan, jobs = packed(tmp_path / "x.zarr", cache, manifest, rows)
    files = [zarr_store.shard_file(job.array, job.first) for job in jobs]
    assert len(set(files)) == len(files)
    large = {array.name for array in plan.arrays if array.is_large}
    on_disk = {name for name in zarr_store.file_names(tmp_path / "x.zarr") if "/c/" in name}
    assert {name for name in on_disk if name.split("/c/")[0] in large} == set(files)
    for array in large:
        ranges = sorted((job.first, job.last) for job in jobs if job.array.name == array)
        size = next(job.array for job in jobs if job.array.name == array)
        assert ranges[0][0] == 0 and ranges[-1][1] == size.shape[0]
        assert all(a[1] == b[0] and a[0] % size.shard == 0 for a, b in pairwise(ranges))


def test_shards_are_cut_by_row_number_whatever_the_parts(tmp_path, small_shards):
    """The same rows from one part of everything: the same jobs, the same bytes, in any order."""
    cache = Cache(str(tmp_path / "cache"))
    manifest, rows, frames, functionals = rows_of(cache)
    packed(tmp_path / "a.zarr", cache, manifest, rows)
    other = Cache(str(tmp_path / "other"))
    for kind, blocks in (("logmel", frames), ("functionals", list(functionals[:, None]))):
        turned = list(range(len(blocks)))[::-1]
        other.write(
            kind,
            [rows.keys[kind][i].tobytes() for i in turned],
            [blocks[i] for i in turned],
            [1000 + i for i in turned],
        )
    elsewhere = origins_of(other, {kind: list(map(bytes, keys)) for kind, keys in rows.keys.items()})
    packed(tmp_path / "b.zarr", other, manifest, elsewhere, order=reversed)
    names = set(zarr_store.file_names(tmp_path / "a.zarr"))
    assert names == set(zarr_store.file_names(tmp_path / "b.zarr"))
    for name in names:
        assert (tmp_path / "a.zarr" / name).read_bytes() == (tmp_path / "b.zarr" / name).read_bytes(), name


def test_columns_keys_and_counts(tmp_path):
    cache = Cache(str(tmp_path / "cache"))
    manifest, rows, frames, _ = rows_of(cache)
    packed(tmp_path / "x.zarr", cache, manifest, rows)
    store = Store(str(tmp_path / "x.zarr"))
    assert store.columns == [*manifest.columns, "n_samples", "n_frames"]
    assert store.column("n_frames") == [len(block) for block in frames]
    assert store.column("n_samples") == [1000 + i for i in range(len(frames))]
    assert store.column("n_words") == [str(i) for i in range(len(frames))]
    assert store.column("größe") == [""] * len(frames)
    assert store.speakers[3] == "" and store.emotions[4] == ""
    assert [np.isnan(value) for value in store.column("start")] == [bool(i % 2) for i in range(len(frames))]
    for kind in ("logmel/4", "logmel/9", "functionals"):
        expected = [bytes(key) for key in rows.keys[kind.split("/")[0]]]
        assert [bytes(key) for key in store.keys(kind)] == expected
    assert store.manifest().digest == manifest.digest


@pytest.mark.parametrize("cells", [("2.5000", "", "3"), ("2.5", "", "0.1")])
def test_stores_whose_dimensions_are_text_stay_readable(tmp_path, cells, monkeypatch):
    cache = Cache(str(tmp_path / "cache"))
    manifest, rows, _, _ = rows_of(cache)
    rated = [
        dataclasses.replace(row, extra={**row.extra, "valence": cells[i % 3]})
        for i, row in enumerate(manifest.utterances)
    ]
    manifest = make_manifest(rated, as_written=True)
    with monkeypatch.context() as before:  # as stores were written when every other column was text
        before.setattr("serprep.manifest.table.DIMENSIONS", ())
        packed(tmp_path / "x.zarr", cache, manifest, rows)
    for store in (Store(str(tmp_path / "x.zarr")), convert(tmp_path / "x.zarr", tmp_path / "x.h5")):
        assert store.column("valence") == manifest.column("valence") and store.numbers == []
        assert store.manifest().digest == manifest.digest
        (problem,) = verify(store.path).problems  # the version is made up, and nothing else is wrong
        assert "the content has version" in problem.message


def test_dimensions_that_are_numbers_stay_numbers_in_the_other_container(tmp_path):
    cache = Cache(str(tmp_path / "cache"))
    manifest, rows, _, _ = rows_of(cache)
    cells = ("2.5000", "", "1")
    manifest = make_manifest(
        dataclasses.replace(row, extra={**row.extra, "arousal": cells[i % 3]})
        for i, row in enumerate(manifest.utterances)
    )
    packed(tmp_path / "x.zarr", cache, manifest, rows)
    there = convert(tmp_path / "x.zarr", tmp_path / "x.h5")
    for store in (Store(str(tmp_path / "x.zarr")), there, convert(there.path, tmp_path / "y.zarr")):
        assert store.numbers == ["arousal"]
        assert np.array_equal(store.column("arousal")[:3], [2.5, np.nan, 1.0], equal_nan=True)
        assert store.manifest().digest == manifest.digest
        assert [problem.place for problem in verify(store.path).problems] == ["attributes"]  # a made-up version


def test_functionals_can_be_left_out(tmp_path):
    features = Features(logmel=LogMel(n_mels=3), functionals=Functionals(enabled=False))
    cache = Cache(str(tmp_path / "cache"))
    manifest, rows, _, _ = rows_of(cache, features)
    packed(tmp_path / "x.zarr", cache, manifest, rows, features)
    store = Store(str(tmp_path / "x.zarr"))
    assert not any("functionals" in name for name in store.array_names)
    assert store.attributes["licences"] == ["recordings: mine"]


def test_attributes_say_what_is_in_the_store_and_nothing_of_the_build(tmp_path):
    cache = Cache(str(tmp_path / "cache"))
    manifest, rows, _, _ = rows_of(cache)
    plan = writer.plan_store(manifest, rows, FEATURES, StoreConfig(segment_dtype="float16"))
    about = writer.attributes(
        plan, version="ab", configurations={"labels": ["sad"]}, extractors={"logmel": {"revision": 1}}
    )
    assert about["format"] == 1 and about["version"] == "ab" and about["n_utterances"] == len(N_FRAMES)
    assert about["segment_dtype"] == "float16"
    assert about["provenance"]["manifest_digest"] == manifest.digest
    assert about["provenance"]["corpus"] == {"corpus": "made up", "licence": "mine"}
    assert about["licences"][0] == "recordings: mine" and "research" in about["licences"][1]
    assert not re.search(r"\d{4}-\d\d-\d\d|/tmp", json.dumps(about))


def test_a_damaged_part_is_refused_not_packed(tmp_path, small_shards):
    cache = Cache(str(tmp_path / "cache"))
    manifest, rows, _, _ = rows_of(cache)
    plan = writer.plan_store(manifest, rows, FEATURES, StoreConfig())
    part = tmp_path / "cache" / rows.places["logmel"][5].part
    data = bytearray(part.read_bytes())
    data[-2] ^= 16
    part.write_bytes(data)
    with pytest.raises(CacheError, match="was damaged and is removed now"):
        for job in writer.shard_jobs(plan, "unused", cache):
            writer.shard_values(job, cache)


def test_a_store_of_one_utterance_of_one_frame(tmp_path):
    cache = Cache(str(tmp_path / "cache"))
    manifest, rows, frames, _ = rows_of(cache, n_frames=(1,))
    packed(tmp_path / "x.zarr", cache, manifest, rows)
    store = Store(str(tmp_path / "x.zarr"))
    np.testing.assert_array_equal(store.segments(0, 9)[0], np.repeat(frames[0], 9, axis=0))
