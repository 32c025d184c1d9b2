import csv
import hashlib
import json
import os
import re
import shutil
import socket
import sys
import time
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as metadata_version
from pathlib import Path
from pkgutil import resolve_name

import numpy as np
import pytest
import soundfile

from serprep.audio import decode
from serprep.errors import CacheError, CorpusError, FeatureError, ManifestError, SerprepError, StoreError
from serprep.features import compare_2016
from serprep.features.framing import Segment, cut_segments
from serprep.features.functionals import functionals
from serprep.features.logmel import LogMel, log_mel
from serprep.files import remove_tree
from serprep.manifest import make_manifest, write_manifest
from serprep.parallel import Died, workers
from serprep.pipeline import build, extract_batch, gather
from serprep.recipe import recipe_from
from serprep.store import writer
from serprep.store.store import open_store
from serprep.store.verify import verify
from serprep.testing import write_synthetic_corpus
from serprep.utterance import Utterance

PATTERN = "{emotion}/{speaker}_{text}_{take}.wav"
FAST = {"functionals": {"enabled": False}}  # where openSMILE adds nothing but time


class Inline:
    """Stands in for `serprep.parallel.Workers`: runs everything here, and can do something first."""

    n_workers = 1

    def __init__(self, before=None, order=list):
        self.before, self.order, self.n_runs = before, order, 0

    def run(self, function, items):
        self.n_runs += 1
        if self.before and items:
            self.before(function, items)
        return ((number, function(items[number])) for number in self.order(range(len(items))))


@pytest.fixture(scope="module")
def pool():
    with workers(2) as pool:
        yield pool


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    """Twelve synthetic recordings, two emotions, three speakers."""
    root = tmp_path_factory.mktemp("corpus")
    write_synthetic_corpus(root, n_speakers=3, emotions=["sad", "angry"], n_texts=2)
    return root


@pytest.fixture
def own(corpus, tmp_path):
    """A copy of the corpus to change."""
    return shutil.copytree(corpus, tmp_path / "own")


@pytest.fixture
def later(monkeypatch):
    """Ten seconds have passed since files were written: the memo trusts them."""
    now = time.time
    monkeypatch.setattr("serprep.cache.time.time", lambda: now() + 10)


def recipe(root, dataset, *, features=FAST, folder=None, store=None, **corpus):
    corpus = corpus or {"reader": "pattern", "pattern": PATTERN}
    values = {
        "dataset": {"name": "test", "path": str(dataset)},
        "corpus": {"root": str(root), **corpus},
        "features": features,
        "store": store or {},
    }
    return recipe_from(values, folder=folder or Path(root), name="test")


def table(path, rows, header):
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([header, *rows])


def digests(store):
    """SHA-256 of every file of a store."""
    root = Path(store)
    return {
        path.relative_to(root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }


def noise(seconds, rate, channels=1, seed=0):
    rng = np.random.default_rng(seed)
    shape = (int(seconds * rate),) if channels == 1 else (int(seconds * rate), channels)
    return 0.1 * rng.normal(size=shape)


def counts(result):
    return result.computed, result.reused, result.quarantined


# -- the same bytes ------------------------------------------------------------------


def test_a_store_is_the_same_whatever_computed_it(corpus, pool, tmp_path):
    """One and two workers, batch sizes, order of completion, another place: the same bytes."""
    elsewhere = tmp_path / "an other@place"
    shutil.copytree(corpus, elsewhere)
    for path in elsewhere.rglob("*.wav"):
        os.utime(path, (1e9, 1e9))
    backwards = Inline(order=lambda numbers: reversed(list(numbers)))
    with workers(1) as single:
        results = [
            build(recipe(corpus, tmp_path / "a", features={}), pool=single, batch_size=5),
            build(recipe(corpus, tmp_path / "b", features={}), pool=pool, batch_size=1),
            build(recipe(elsewhere, tmp_path / "d@e", features={}), pool=backwards, batch_size=7),
        ]
    assert [counts(result) for result in results] == [(12, 0, 0)] * 3
    assert len({result.version for result in results}) == 1
    first, *others = [digests(result.store) for result in results]
    assert len(first) > 30
    for other in others:
        assert other == first


def test_a_store_holds_what_is_computed_directly(corpus, tmp_path):
    result = build(recipe(corpus, tmp_path / "a", features={}), pool=Inline())
    store = open_store(result.store)
    paths = sorted(path.relative_to(corpus).as_posix() for path in corpus.rglob("*.wav"))
    assert store.column("path") == paths
    assert store.ids == [path[:-4] for path in paths]
    assert store.emotions == [path.split("/")[0] for path in paths]
    assert store.speakers == [path.split("/")[1].split("_")[0] for path in paths]
    for i, path in enumerate(paths):
        data = (corpus / path).read_bytes()
        signal = decode(data)
        frames = log_mel(signal)
        for segment in (Segment(length=30, hop=20), Segment(length=50, hop=25)):
            np.testing.assert_array_equal(store.segments(i, segment.length), cut_segments(frames, segment))
        np.testing.assert_array_equal(store.functionals(i), functionals(signal))
        assert store.column("n_samples")[i] == len(signal)
        assert store.column("n_frames")[i] == 1 + (len(signal) - 400) // 160
        assert store.column("audio_digest")[i] == hashlib.sha256(data).hexdigest()
        assert store.column("duration")[i] == len(signal) / 16_000
    assert store.manifest().digest == store.attributes["provenance"]["manifest_digest"]


def test_the_default_pool_is_made_and_closed(corpus, tmp_path):
    result = build(recipe(corpus, tmp_path / "a"), workers=1)
    assert counts(result) == (12, 0, 0)
    assert result.n_utterances == 12 and result.audio_seconds > 10


def test_half_precision_segments_are_the_rounded_ones(corpus, tmp_path):
    stores = [
        open_store(build(recipe(corpus, tmp_path / "a", store={"segment_dtype": dtype}), pool=Inline()).store)
        for dtype in ("float32", "float16")
    ]
    single, half = (store.read_segments(slice(None), 30)[0] for store in stores)
    assert half.dtype == np.float16 and stores[0].version != stores[1].version
    np.testing.assert_array_equal(half, single.astype(np.float16))


# -- excerpts ------------------------------------------------------------------------


def test_excerpts_are_treated_as_files_of_their_own(tmp_path):
    """Samples [floor(start·rate + 0.5), floor(end·rate + 0.5)), written to a file: the same features."""
    rate = 44_100
    root, cut = tmp_path / "long", tmp_path / "cut"
    root.mkdir()
    cut.mkdir()
    samples = np.round(noise(5, rate) * 32768) / 32768
    soundfile.write(root / "session.wav", samples, rate)
    shutil.copy(root / "session.wav", root / "other.wav")
    times = [("", "", 0, 5 * rate), ("0.5", "1.75", 22050, 77175), ("1.000011", "2", 44100, 88200)]
    times += [("4", "", 176400, 220500), ("", "0.3000114", 0, 13231)]  # 44100.49 rounds down, 13230.50 up
    rows = [("session.wav", f"u{i}", start, end, "x") for i, (start, end, _, _) in enumerate(times)]
    rows += [("session.wav", "late", "4.5", "5.1", "x"), ("session.wav", "turned", "2", "2.000001", "x")]
    rows += [("session.wav", "after", "7", "", "x"), ("other.wav", "again", "0.5", "1.75", "x")]
    table(root / "t.csv", rows, ["path", "id", "start", "end", "emotion"])
    for i, (_, _, first, last) in enumerate(times):
        soundfile.write(cut / f"u{i}.wav", samples[first:last], rate)
    table(cut / "t.csv", [(f"u{i}.wav", "x") for i in range(len(times))], ["path", "emotion"])
    result = build(recipe(root, tmp_path / "a", features={}, reader="table", file="t.csv"), pool=Inline())
    files = build(recipe(cut, tmp_path / "b", features={}, reader="table", file="t.csv"), pool=Inline())
    excerpts, whole = open_store(result.store), open_store(files.store)
    assert whole.ids == [f"u{i}" for i in range(len(times))]
    for i, name in enumerate(whole.ids):
        row = excerpts.ids.index(name)
        np.testing.assert_array_equal(excerpts.segments(row, 30), whole.segments(i, 30))
        np.testing.assert_array_equal(excerpts.functionals(row), whole.functionals(i))
        assert excerpts.column("duration")[row] == (times[i][3] - times[i][2]) / rate
    reasons = {entry.id: entry.reason for entry in result.reasons}
    assert set(reasons) == {"late", "turned", "after"}
    assert "ends at 5.1 s, the file after 5.000 s" in reasons["late"]
    assert "is empty" in reasons["turned"] and "is empty" in reasons["after"]
    # the same seconds of the same bytes: computed once
    assert counts(result) == (len(times), 1, 3)
    assert excerpts.manifest().digest == excerpts.attributes["provenance"]["manifest_digest"]


# -- bad input -----------------------------------------------------------------------

ODD = "a b'\"äöü@1,\t;\n%s.wav"


@pytest.fixture(scope="module")
def zoo(tmp_path_factory):
    """A folder with every kind of bad input; names → what the reason must say ("" for good ones)."""
    root = tmp_path_factory.mktemp("zoo")
    good = {
        "plain.wav": (noise(0.5, 16_000), 16_000, "PCM_16"),
        "eight-bit.wav": (noise(0.5, 16_000, seed=1), 16_000, "PCM_U8"),
        "24-bit.wav": (noise(0.5, 16_000, seed=2), 16_000, "PCM_24"),
        "loud.wav": (30 * noise(0.5, 16_000, seed=3), 16_000, "FLOAT"),
        "8k.wav": (noise(0.5, 8_000, seed=4), 8_000, "PCM_16"),
        "96k.wav": (noise(0.5, 96_000, seed=5), 96_000, "PCM_16"),
        "six.wav": (noise(0.5, 16_000, channels=6, seed=6), 16_000, "PCM_16"),
        ODD: (noise(0.5, 16_000, seed=7), 16_000, "PCM_16"),
        "least.wav": (noise(0.06, 16_000, seed=8), 16_000, "PCM_16"),
        "flac.wav": (noise(0.5, 16_000, seed=9), 16_000, "PCM_16"),
    }
    for name, (samples, rate, subtype) in good.items():
        soundfile.write(root / name, samples, rate, subtype, format="FLAC" if name == "flac.wav" else "WAV")
    whole = (root / "plain.wav").read_bytes()
    (root / "empty.wav").write_bytes(b"")
    (root / "text.wav").write_text("This is no recording.\n")
    (root / "truncated.wav").write_bytes(whole[:-5000])
    (root / "head.wav").write_bytes(whole[:20])
    soundfile.write(root / "silent.wav", np.zeros(0), 16_000)
    broken = noise(0.5, 16_000)
    broken[100:103] = np.nan
    soundfile.write(root / "nan.wav", broken, 16_000, "FLOAT")
    broken[100:103] = np.inf
    soundfile.write(root / "inf.wav", broken, 16_000, "DOUBLE")
    soundfile.write(root / "short.wav", noise(0.0599, 16_000), 16_000)
    soundfile.write(root / "one.wav", noise(0.3, 16_000, seed=10), 16_000)
    soundfile.write(root / "two.wav", noise(0.3, 16_000, seed=11), 16_000)
    (root / "x.wav").mkdir()
    (root / "dangling.wav").symlink_to(root / "nowhere.wav")
    os.mkfifo(root / "pipe.wav")
    bad = {
        "empty.wav": "file is empty (0 bytes)",
        "text.wav": "not a recording that can be decoded",
        "truncated.wav": "truncated: the wav header announces 5000 bytes more than the file has",
        "head.wav": "not a recording that can be decoded",
        "silent.wav": "no samples",
        "nan.wav": "3 of 8000 samples are NaN or infinite",
        "inf.wav": "3 of 8000 samples are NaN or infinite",
        "short.wav": "too short: 958 samples (60 ms) are fewer than 960",
        "one.wav": "duplicate id: 2 different rows share it",
        "two.wav": "duplicate id: 2 different rows share it",
        "x.wav": "a folder, not a recording",
        "dangling.wav": "dangling link: its target is missing",
        "pipe.wav": "not a regular file",
        "missing.wav": "file is missing",
    }
    names = {**dict.fromkeys(good, ""), **bad}
    assert {path.name for path in root.iterdir()} | {"missing.wav"} == set(names)
    rows = [(name, "same" if name in ("one.wav", "two.wav") else "", f"s{i % 3}") for i, name in enumerate(names)]
    table(root / "labels.csv", rows, ["path", "id", "speaker"])
    return root, names


def test_good_files_are_built_and_each_bad_one_is_quarantined_with_its_reason(zoo, pool, tmp_path):
    root, names = zoo
    result = build(
        recipe(root, tmp_path / "a", features={}, reader="table", file="labels.csv"), pool=pool, batch_size=3
    )
    found = {entry.path: entry.reason for entry in result.reasons}
    assert found.keys() == {name for name, reason in names.items() if reason}
    for name, reason in found.items():
        assert names[name] in reason, name
        assert "\n" not in reason and str(root) not in reason
    store = open_store(result.store)
    good = sorted(name for name, reason in names.items() if not reason)
    assert sorted(store.column("path")) == good
    assert counts(result) == (len(good), 0, len(found))
    assert result.computed + result.reused + result.quarantined == len(names)
    assert result.n_utterances == len(store) == len(good)
    for i, name in enumerate(store.column("path")):
        signal = decode((root / name).read_bytes())
        assert np.abs(signal).max() <= 1
        np.testing.assert_array_equal(store.segments(i, 30), cut_segments(log_mel(signal), Segment(length=30, hop=20)))
        np.testing.assert_array_equal(store.functionals(i), functionals(signal))
        assert np.isfinite(store.functionals(i)).all() and np.isfinite(store.segments(i, 30)).all()
    assert store.ids[store.column("path").index(ODD)] == ODD.removesuffix(".wav")
    report = json.loads(Path(result.store).with_suffix(".build.json").read_bytes())
    assert {entry["path"]: entry["reason"] for entry in report["quarantined"]} == found


def test_a_reader_that_walks_the_folder_hides_nothing_either(zoo, tmp_path):
    root, names = zoo
    result = build(recipe(root, tmp_path / "a", features={}, reader="pattern", pattern="{text}.wav"), pool=Inline())
    bad = {entry.path for entry in result.reasons}
    stored = set(open_store(result.store).column("path"))
    assert bad | stored == set(names) - {"missing.wav"}
    assert not bad & stored
    assert {"one.wav", "two.wav"} <= stored  # their ids are their own here


def test_bad_audio_can_stop_the_build(zoo, tmp_path):
    root, _ = zoo
    asked = recipe(root, tmp_path / "a", features={}, reader="table", file="labels.csv")
    with pytest.raises(SerprepError, match=r"(?s)utterance '.*'.*… and 4 more\n\(14 problems\)"):
        build(asked, pool=Inline(), on_bad_audio="fail")
    assert not (tmp_path / "a" / "versions").exists()


@pytest.mark.parametrize("rows", [["empty.wav", "text.wav"], ["nan.wav", "short.wav"]])
def test_nothing_but_bad_files(zoo, tmp_path, rows):
    root, names = zoo
    manifest = make_manifest([Utterance(id=name, path=name) for name in rows])
    write_manifest(manifest, tmp_path / "m")
    asked = recipe(root, tmp_path / "a", features={}, folder=tmp_path, manifest="m")
    with pytest.raises(StoreError, match="(?s)nothing to store: .*" + re.escape(names[rows[0]])):
        build(asked, pool=Inline())


def test_a_file_that_crashes_the_extractor_is_quarantined_alone(corpus, tmp_path):
    """Here the pool pretends; test_parallel.py kills real workers."""

    class Crashing(Inline):
        def run(self, function, items):
            for number, item in enumerate(items):
                evil = function is extract_batch and any(part.path.endswith("synth02_t01_1.wav") for part in item.items)
                yield number, Died("it was killed") if evil else function(item)

    result = build(recipe(corpus, tmp_path / "a"), pool=Crashing(), batch_size=4)
    assert counts(result) == (10, 0, 2)
    assert [entry.id for entry in result.reasons] == ["angry/synth02_t01_1", "sad/synth02_t01_1"]
    assert {entry.reason for entry in result.reasons} == {"crashed the extractor: it was killed"}


# -- what a change costs -------------------------------------------------------------


def test_a_second_build_computes_nothing_and_reads_no_file(own, tmp_path, later):
    asked = recipe(own, tmp_path / "a", features={})
    first = build(asked, pool=Inline())
    before = digests(first.store)
    assert first.n_files_read == 12
    pool = Inline()
    second = build(asked, pool=pool)
    assert counts(second) == (0, 12, 0)
    assert second.n_files_read == 0 and pool.n_runs <= 2
    assert (second.version, second.store, digests(second.store)) == (first.version, first.store, before)
    assert build(asked, pool=Inline(), rehash=True).n_files_read == 12


def test_ten_added_files_cost_ten(own, tmp_path, later):
    asked = recipe(own, tmp_path / "a")
    first = build(asked, pool=Inline())
    for number in range(10):
        soundfile.write(own / "sad" / f"new{number}_t_1.wav", noise(0.4, 16_000, seed=number), 16_000)
    computed = []
    pool = Inline(before=lambda function, items: computed.extend(items) if function is extract_batch else None)
    second = build(asked, pool=pool)
    assert counts(second) == (10, 12, 0)
    assert second.n_files_read == 10
    assert sorted(Path(item.path).name for batch in computed for item in batch.items) == [
        f"new{number}_t_1.wav" for number in range(10)
    ]
    assert second.version != first.version
    assert Path(first.store).exists()


def test_a_changed_label_costs_nothing_and_gives_another_version(own, tmp_path, later):
    first = build(recipe(own, tmp_path / "a"), pool=Inline())
    merged = {"reader": "pattern", "pattern": PATTERN, "emotions": {"sad": "low", "angry": "high"}}
    second = build(recipe(own, tmp_path / "a", **merged), pool=Inline())
    assert counts(second) == (0, 12, 0) and second.n_files_read == 0
    assert second.version != first.version
    store = open_store(second.store)
    assert store.labels == ("low", "high") and set(store.emotions) == {"low", "high"}
    assert open_store(first.store).labels == ("angry", "sad")
    # the names alone are another version too: they are the logits' order
    turned = {**merged, "emotions": {"angry": "high", "sad": "low"}}
    third = build(recipe(own, tmp_path / "a", **turned), pool=Inline())
    assert third.version not in (first.version, second.version)


def test_a_renamed_file_costs_nothing(own, tmp_path, later):
    first = build(recipe(own, tmp_path / "a"), pool=Inline())
    (own / "sad" / "synth01_t01_1.wav").rename(own / "angry" / "synth09_t01_1.wav")
    second = build(recipe(own, tmp_path / "a"), pool=Inline())
    assert counts(second) == (0, 12, 0)
    assert second.version != first.version


def test_another_segment_length_costs_nothing(own, tmp_path, later):
    features = {**FAST, "segments": {"short": {"length": 17, "hop": 3}}}
    first = build(recipe(own, tmp_path / "a"), pool=Inline())
    second = build(recipe(own, tmp_path / "a", features=features), pool=Inline())
    assert counts(second) == (0, 12, 0) and second.n_files_read == 0
    assert second.version != first.version
    store = open_store(second.store)
    assert store.lengths == (17,)
    for i, path in enumerate(store.column("path")):
        frames = log_mel(decode((own / path).read_bytes()))
        np.testing.assert_array_equal(store.segments(i, 17), cut_segments(frames, Segment(length=17, hop=3)))


def test_another_frame_costs_everything(own, tmp_path):
    build(recipe(own, tmp_path / "a"), pool=Inline())
    second = build(recipe(own, tmp_path / "a", features={**FAST, "logmel": {"n_mels": 20}}), pool=Inline())
    assert counts(second) == (12, 0, 0)
    frames = log_mel(decode((own / "sad" / "synth01_t01_1.wav").read_bytes()), LogMel(n_mels=20))
    store = open_store(second.store)
    segments = store.segments(store.ids.index("sad/synth01_t01_1"), 30)
    np.testing.assert_array_equal(segments, cut_segments(frames, Segment(length=30, hop=20)))


def test_functionals_added_later_leave_log_mel_alone(own, tmp_path):
    build(recipe(own, tmp_path / "a"), pool=Inline())
    kinds = []
    pool = Inline(before=lambda function, items: kinds.extend(items) if function is extract_batch else None)
    result = build(recipe(own, tmp_path / "a", features={}), pool=pool)
    assert counts(result) == (12, 0, 0)
    assert {tuple(item.keys) for batch in kinds for item in batch.items} == {("functionals",)}


def test_native_functionals_need_no_opensmile_and_no_licence_note(own, tmp_path, monkeypatch):
    asked = recipe(own, tmp_path, features={"functionals": {"engine": "native"}})
    both = recipe(own, tmp_path, features={})
    default = build(both, pool=Inline())

    def version(name):
        if name == "opensmile":
            raise PackageNotFoundError(name)
        return metadata_version(name)

    monkeypatch.setitem(sys.modules, "opensmile", None)  # importing it raises
    for module in ("functionals", "extract"):
        monkeypatch.setattr(f"serprep.features.{module}.version", version)
    for place in ("features.functionals.library_digest", "pipeline.library_versions"):  # as if never asked before
        monkeypatch.setattr(f"serprep.{place}", resolve_name(f"serprep.{place}").__wrapped__)
    result = build(asked, pool=Inline())
    assert result.version != default.version
    assert (result.computed, result.quarantined) == (12, 0)
    store, reference = open_store(result.store), open_store(default.store)
    np.testing.assert_allclose(
        store.read_functionals(slice(None)), reference.read_functionals(slice(None)), rtol=1e-3, atol=1e-6
    )
    assert store.functional_names() == reference.functional_names()
    assert store.attributes["provenance"]["extractors"]["functionals"]["name"] == "serprep.compare_2016"
    assert not any("openSMILE" in note for note in store.attributes["licences"])
    report = json.loads(Path(result.store.replace(".zarr", ".build.json")).read_text())
    assert "numba" in report["libraries"] and "opensmile" not in report["libraries"]
    with pytest.raises(FeatureError, match="the package opensmile is not installed; install it, set"):
        build(recipe(own, tmp_path / "other", features={}), pool=Inline())


def test_contours_are_computed_once_and_leave_the_other_kinds_alone(own, tmp_path):
    plain = build(recipe(own, tmp_path, features=FAST), pool=Inline())
    batches = []
    pool = Inline(before=lambda function, items: batches.extend(items) if function is extract_batch else None)
    result = build(recipe(own, tmp_path, features={**FAST, "lld": {"enabled": True}}), pool=pool)
    assert {tuple(item.keys) for batch in batches for item in batch.items} == {("lld",)}  # log-mels are there
    store = open_store(result.store)
    assert store.lld_names()[:1] == ["F0final_sma"] and len(store.lld_names()) == 130
    for row, path in enumerate(store.column("path")):
        signal = decode((own / path).read_bytes())
        np.testing.assert_array_equal(store.lld(row), compare_2016.lld(signal))
        assert len(store.lld(row)) == compare_2016.n_rows(len(signal))
    assert not verify(result.store, against_audio=own).problems
    assert store.attributes["provenance"]["extractors"]["lld"]["name"] == "serprep.compare_2016"
    assert not any("openSMILE" in line for line in store.attributes["licences"])
    assert result.version != plain.version
    without = build(recipe(own, tmp_path, features={**FAST, "lld": {"enabled": False}}), pool=Inline())
    assert without.version == plain.version  # what is not asked for does not change a version


def test_contours_at_another_rate_are_an_error_before_anything_is_computed(own, tmp_path):
    features = {**FAST, "lld": {"enabled": True}, "logmel": {"sample_rate": 8000, "fmax": 4000}}
    with pytest.raises(SerprepError, match=r"sample_rate is 8000; \[features.lld\] gives contours at 16000 Hz only"):
        recipe(own, tmp_path, features=features)


def test_native_functionals_are_the_same_whatever_computed_them(corpus, pool, tmp_path):
    features = {"functionals": {"engine": "native"}}
    once = build(recipe(corpus, tmp_path / "a", features=features), pool=Inline())
    again = build(recipe(corpus, tmp_path / "b", features=features), pool=pool, batch_size=1)
    assert digests(once.store) == digests(again.store)


def test_native_functionals_elsewhere_than_at_16_khz_are_an_error_of_the_recipe(own, tmp_path):
    features = {"functionals": {"engine": "native"}, "logmel": {"sample_rate": 8000, "fmax": 4000.0}}
    with pytest.raises(SerprepError, match=r"sample_rate is 8000; engine 'native' computes .* at 16000 Hz only"):
        recipe(own, tmp_path, features=features)


def test_byte_identical_recordings_are_computed_once(own, tmp_path):
    for n in (7, 8):
        shutil.copy(own / "sad" / "synth01_t01_1.wav", own / "angry" / f"copy{n}_t01_1.wav")
    result = build(recipe(own, tmp_path / "a"), pool=Inline())
    assert counts(result) == (12, 2, 0)
    store = open_store(result.store)
    assert len(store) == 14
    rows = [store.ids.index(name) for name in ("sad/synth01_t01_1", "angry/copy7_t01_1", "angry/copy8_t01_1")]
    for row in rows:
        np.testing.assert_array_equal(store.segments(row, 30), store.segments(rows[0], 30))
        assert bytes(store.keys("logmel/30")[row]) == bytes(store.keys("logmel/30")[rows[0]])


def test_byte_identical_bad_recordings_are_all_quarantined(own, tmp_path):
    for n in (7, 8):
        soundfile.write(own / "sad" / f"bad{n}_t01_1.wav", np.full(10, 0.1), 16_000)
    result = build(recipe(own, tmp_path / "a"), pool=Inline())
    assert counts(result) == (12, 0, 2)


def test_failures_are_remembered_until_asked_to_retry(own, tmp_path, later):
    soundfile.write(own / "sad" / "bad_t01_1.wav", np.full(10, 0.1), 16_000)
    asked = recipe(own, tmp_path / "a")
    first = build(asked, pool=Inline())
    tried = []
    pool = Inline(before=lambda function, items: tried.extend(items) if function is extract_batch else None)
    second = build(asked, pool=pool)
    assert tried == [] and second.n_files_read == 0
    assert counts(first) == (12, 0, 1) and counts(second) == (0, 12, 1)
    assert second.reasons == first.reasons and "too short" in first.reasons[0].reason
    again = build(asked, pool=pool, retry=True)
    assert [Path(item.path).name for batch in tried for item in batch.items] == ["bad_t01_1.wav"]
    assert counts(again) == (0, 12, 1) and again.reasons == first.reasons
    # another extractor, another chance: without functionals 400 samples are enough
    soundfile.write(own / "sad" / "bad_t01_1.wav", np.full(500, 0.1), 16_000)
    assert counts(build(recipe(own, tmp_path / "b", features={}), pool=Inline())) == (12, 0, 1)
    assert counts(build(recipe(own, tmp_path / "b"), pool=Inline())) == (1, 12, 0)


# -- recordings that change ----------------------------------------------------------


def test_a_recording_that_is_not_the_manifest_s_is_quarantined(own, tmp_path, later):
    rows = [
        Utterance(
            id=path.stem + path.parent.name,
            path=path.relative_to(own).as_posix(),
            emotion=path.parent.name,
            audio_digest=hashlib.sha256(path.read_bytes()).hexdigest(),
        )
        for path in own.rglob("*.wav")
    ]
    write_manifest(make_manifest(rows, {"corpus": "mine", "licence": "CC0"}), tmp_path / "m")
    asked = recipe(own, tmp_path / "a", folder=tmp_path, manifest="m")
    assert counts(build(asked, pool=Inline())) == (12, 0, 0)
    soundfile.write(own / "sad" / "synth01_t01_1.wav", noise(1, 16_000), 16_000)
    result = build(asked, pool=Inline())
    assert counts(result) == (0, 11, 1)
    assert result.reasons[0].path == "sad/synth01_t01_1.wav"
    assert "not the manifest's (other SHA-256)" in result.reasons[0].reason
    store = open_store(result.store)
    assert "recordings: CC0" in store.attributes["licences"]
    assert store.attributes["provenance"]["corpus"] == {"corpus": "mine", "licence": "CC0"}


@pytest.mark.parametrize("batch_size", [1, 12])
def test_a_recording_that_changes_during_the_build_is_quarantined(own, tmp_path, batch_size):
    victim, gone = own / "sad" / "synth01_t01_1.wav", own / "sad" / "synth02_t01_1.wav"

    def change(function, items):
        soundfile.write(victim, noise(1, 16_000), 16_000)
        gone.unlink(missing_ok=True)

    result = build(recipe(own, tmp_path / "a"), pool=Inline(before=change), batch_size=batch_size)
    assert counts(result) == (10, 0, 2)
    reasons = {entry.id: entry.reason for entry in result.reasons}
    assert "changed during the build; build again" in reasons["sad/synth01_t01_1"]
    assert "missing" in reasons["sad/synth02_t01_1"]
    gone.write_bytes((own / "sad" / "synth03_t01_1.wav").read_bytes())
    again = build(recipe(own, tmp_path / "a"), pool=Inline())
    assert counts(again) == (1, 11, 0)


# -- interruptions and damage --------------------------------------------------------


def test_what_is_finished_stays_finished(own, tmp_path):
    class Interrupted(Inline):
        def run(self, function, items):
            for number, receipt in Inline.run(self, function, items):
                if number == 2:
                    raise KeyboardInterrupt
                yield number, receipt

    asked = recipe(own, tmp_path / "a")
    with pytest.raises(KeyboardInterrupt, match=r"^$"):
        build(asked, pool=Interrupted(), batch_size=2)
    result = build(asked, pool=Inline())
    assert result.computed + result.reused == 12
    assert result.reused >= 4  # two batches of two were reported


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), CacheError("cache x: damaged")])
def test_a_failed_pack_leaves_no_store_and_keeps_the_features(own, tmp_path, error):
    def fail(function, items):
        if function is writer.write_shard:
            raise error

    asked = recipe(own, tmp_path / "a")
    with pytest.raises(SerprepError, match=r"No space left on device; free space|cache x: damaged"):
        build(asked, pool=Inline(before=fail))
    assert list((tmp_path / "a" / "versions").iterdir()) == []
    assert counts(build(asked, pool=Inline())) == (0, 12, 0)


@pytest.mark.parametrize("where", ["head", "index", "data", "cut", "gone"])
def test_a_damaged_part_is_computed_again_in_the_same_build(own, tmp_path, where):
    asked = recipe(own, tmp_path / "a")
    first = build(asked, pool=Inline(), batch_size=4)
    before = digests(first.store)
    remove_tree(Path(first.store))
    part = sorted((tmp_path / "a" / "cache" / "logmel").iterdir())[1]
    data = bytearray(part.read_bytes())
    data[{"head": 9, "index": 60, "data": len(data) - 7}.get(where, 0)] ^= where not in ("cut", "gone")
    part.write_bytes(data[: len(data) // 2] if where == "cut" else data)
    if where == "gone":
        part.unlink()
    again = build(asked, pool=Inline())
    assert counts(again) == (4, 8, 0)
    assert digests(again.store) == before


def test_a_whole_cache_can_be_deleted(own, tmp_path):
    asked = recipe(own, tmp_path / "a")
    first = build(asked, pool=Inline())
    before = digests(first.store)
    shutil.rmtree(tmp_path / "a" / "cache")
    remove_tree(Path(first.store))
    again = build(asked, pool=Inline())
    assert counts(again) == (12, 0, 0) and digests(again.store) == before


def test_a_damaged_store_is_refused_and_never_overwritten(own, tmp_path):
    asked = recipe(own, tmp_path / "a")
    first = build(asked, pool=Inline())
    (Path(first.store) / "utterances/id/c").chmod(0o755)
    (Path(first.store) / "utterances/id/c/0").unlink()
    before = digests(first.store)
    with pytest.raises(StoreError, match=r"1 of its .* files are missing.*with `serprep build --repair`"):
        build(asked, pool=Inline())
    assert digests(first.store) == before


def test_two_builds_of_one_version_at_once_are_both_successful(own, tmp_path):
    asked = recipe(own, tmp_path / "a")
    faster = []

    def overtake(function, items):
        if function is writer.write_shard:
            faster.append(build(asked, pool=Inline()))

    slower = build(asked, pool=Inline(before=overtake))
    assert faster[0].version == slower.version and faster[0].store == slower.store
    names = {path.name for path in (tmp_path / "a" / "versions").iterdir()}
    assert names == {f"{slower.version}.zarr", f"{slower.version}.build.json"}


def test_a_store_is_read_only(own, tmp_path):
    store = Path(build(recipe(own, tmp_path / "a"), pool=Inline()).store)
    places = [store, *store.rglob("*")]
    assert len(places) > 60
    assert [path for path in places if path.stat().st_mode & 0o222] == []
    assert all(path.stat().st_mode & 0o111 for path in places if path.is_dir())
    assert len(open_store(store)) == 12


def test_a_store_is_private_where_the_umask_says_so(own, tmp_path):
    before = os.umask(0o077)
    try:
        store = Path(build(recipe(own, tmp_path / "a"), pool=Inline()).store)
    finally:
        os.umask(before)
    assert {oct(path.stat().st_mode & 0o777) for path in [store, *store.rglob("*")]} == {"0o400", "0o500"}


@pytest.mark.parametrize("inside", ["", "utterances", "new/folder"])
def test_a_data_set_cannot_lie_in_a_store(own, tmp_path, inside):
    store = Path(build(recipe(own, tmp_path / "a"), pool=Inline()).store)
    before = digests(store)
    with pytest.raises(StoreError, match=r"store.*never changes; name another place"):
        build(recipe(own, store / inside), pool=Inline())
    assert digests(store) == before and len(list(store.parent.iterdir())) == 2


# -- what is recorded ----------------------------------------------------------------


def test_the_report_beside_a_store(own, tmp_path):
    asked = recipe(own, tmp_path / "a")
    (own / "sad" / "notes.wav").write_text("not like the pattern")
    (own / "sad" / "x_y_z.wav").write_bytes(b"")
    result = build(asked, pool=Inline())
    path = Path(result.store).with_suffix(".build.json")
    report = json.loads(path.read_bytes())
    assert set(report) == {
        *("version", "number", "dataset", "built", "libraries", "python", "platform"),
        *("n_utterances", "quarantined", "dropped", "warnings"),
    }
    assert report["version"] == result.version and report["number"] == 1 and report["dataset"] == "test"
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00", report["built"])
    assert report["n_utterances"] == 12
    assert report["quarantined"] == [{"id": "sad/x_y_z", "path": "sad/x_y_z.wav", "reason": "file is empty (0 bytes)"}]
    assert report["warnings"] == ["recordings that do not fit the pattern passed over: sad/notes.wav"]
    assert report["libraries"]["numpy"] == np.__version__
    assert {"serprep", "opensmile", "zarr", "soxr", "soundfile", "libsndfile", "scipy", "dask"} <= set(
        report["libraries"]
    )
    # built again: the number and the date stay, what was quarantined is today's
    report["built"] = "2018-09-02T00:00:00+00:00"
    path.write_text(json.dumps(report))
    (own / "sad" / "x_y_z.wav").unlink()
    build(asked, pool=Inline())
    again = json.loads(path.read_bytes())
    assert (again["number"], again["built"], again["quarantined"]) == (1, report["built"], [])


def test_builds_are_numbered_and_latest_is_the_newest(own, tmp_path):
    results = [build(recipe(own, tmp_path / "a"), pool=Inline())]
    for n in (5, 6, 7):
        features = {**FAST, "segments": {"short": {"length": n, "hop": 1}}}
        results.append(build(recipe(own, tmp_path / "a", features=features), pool=Inline()))
        assert open_store(tmp_path / "a").version == results[-1].version
    reports = [json.loads(Path(result.store).with_suffix(".build.json").read_bytes()) for result in results]
    assert [report["number"] for report in reports] == [1, 2, 3, 4]


def test_a_store_tells_neither_when_nor_where_it_was_built(own, tmp_path):
    asked = recipe(own, tmp_path / "data set", features={})
    store = Path(build(asked, pool=Inline()).store)
    files = [path for path in store.rglob("*") if path.is_file()]
    texts = [path for path in files if path.name == "zarr.json" or "/utterances/" in path.as_posix()]
    assert len(texts) > 20
    for path in texts:
        text = path.read_bytes().decode("utf-8", "replace")
        assert not re.search(r"\b(19|20)\d\d-\d\d", text), path
        for word in (str(own), str(tmp_path), tmp_path.name, "data set", str(Path.home()) + "/"):
            assert word not in text, path
        assert not re.search(rf"\b{re.escape(socket.gethostname())}\b", text), path


# -- which utterances ----------------------------------------------------------------


def test_labels_are_kept_renamed_merged_and_dropped_visibly(tmp_path):
    root = tmp_path / "c"
    root.mkdir()
    labels = ["W", "A", "", "?", "T", "W", ""]
    for i in range(len(labels)):
        soundfile.write(root / f"{i}.wav", noise(0.1, 16_000, seed=i), 16_000)
    rows = [(f"{i}.wav", label, "test" if i == 6 else "train") for i, label in enumerate(labels)]
    table(root / "t.csv", rows, ["path", "emotion", "partition"])
    keep = build(recipe(root, tmp_path / "a", reader="table", file="t.csv"), pool=Inline())
    store = open_store(keep.store)
    assert store.emotions == ["W", "A", "", "", "T", "W", ""] and store.labels == ("A", "T", "W")
    options = {"reader": "table", "file": "t.csv", "emotions": {"W": "hot", "A": "hot"}}
    result = build(recipe(root, tmp_path / "a", **options), pool=Inline())
    store = open_store(result.store)
    assert store.ids == ["0", "1", "5", "6"]  # the test partition's labels are unknown: it stays
    assert store.emotions == ["hot", "hot", "hot", ""] and store.labels == ("hot",)
    assert result.dropped == {"emotion 'T' not named in [corpus.emotions]": 1, "no label": 2}
    (root / "out.txt").write_text("\ufeff5\n\n 1 \n", encoding="utf-8")
    result = build(recipe(root, tmp_path / "a", **options, exclude="out.txt"), pool=Inline())
    assert open_store(result.store).ids == ["0", "6"]
    assert result.dropped["excluded by the recipe's list"] == 2


def test_a_corpus_without_any_label_is_built(tmp_path):
    soundfile.write(tmp_path / "x.wav", noise(0.1, 16_000), 16_000)
    result = build(recipe(tmp_path, tmp_path / "a", reader="pattern", pattern="{text}.wav"), pool=Inline())
    store = open_store(result.store)
    assert (store.labels, store.emotions, store.speakers) == ((), [""], [""])


@pytest.mark.parametrize(
    ("column", "stored"),
    [
        ("a/b", "a_b"),
        ("zarr.json", "zarr_json"),
        ("c", "c"),
        ("n_words", "n_words"),
        ("n_frames", "table_n_frames"),
        ("../x", "x"),
        ("Größe (cm)", "Größe_cm"),
        ("2nd", "table_2nd"),
        ("duration", "table_duration"),
    ],
)
def test_columns_of_odd_names_are_carried_along(tmp_path, column, stored):
    soundfile.write(tmp_path / "x.wav", noise(0.1, 16_000), 16_000)
    table(tmp_path / "t.csv", [("x.wav", "va,lue\n")], ["path", column])
    store = open_store(build(recipe(tmp_path, tmp_path / "a", reader="table", file="t.csv"), pool=Inline()).store)
    assert store.column(stored) == ["va,lue"]
    assert store.manifest().digest == store.attributes["provenance"]["manifest_digest"]


@pytest.mark.parametrize("column", ["a/b", "zarr.json", "../x", "__x", "a b", ""])
def test_columns_that_are_no_word_are_refused_in_a_manifest(tmp_path, column):
    (tmp_path / "m.csv").write_text(f"id,path,{column}\nx,x.wav,1\n")
    (tmp_path / "wav").mkdir()
    with pytest.raises(ManifestError, match=r"m\.csv: column .* expected a word"):
        gather(recipe(tmp_path / "wav", tmp_path / "a", folder=tmp_path, manifest="m.csv"))


# -- what is refused -----------------------------------------------------------------


def test_impossible_requests(corpus, tmp_path):
    asked = recipe(corpus, tmp_path / "a")
    with pytest.raises(SerprepError, match="on_bad_audio is 'stop'; expected 'quarantine' or 'fail'"):
        build(asked, on_bad_audio="stop")
    for size in (0, -1):
        with pytest.raises(SerprepError, match=f"batch_size is {size}; expected 1 or more"):
            build(asked, batch_size=size)
    with pytest.raises(SerprepError, match="workers is 0; expected 1 or more"):
        build(asked, workers=0)
    assert not (tmp_path / "a").exists()


def test_corpora_that_are_not_there(tmp_path):
    with pytest.raises(CorpusError, match="no such folder; expected the root"):
        build(recipe(tmp_path / "none", tmp_path / "a"), pool=Inline())
    (tmp_path / "m.csv").write_text("id,path\nx,x.wav\n")
    with pytest.raises(CorpusError, match="no such folder; expected the root of the manifest's recordings"):
        build(recipe(tmp_path / "none", tmp_path / "a", manifest=str(tmp_path / "m.csv")), pool=Inline())
    (tmp_path / "empty").mkdir()
    with pytest.raises(CorpusError, match=r"no utterance of .* found"):
        build(recipe(tmp_path / "empty", tmp_path / "a"), pool=Inline())
    (tmp_path / "empty.csv").write_text("id,path\n")
    asked = recipe(tmp_path / "empty", tmp_path / "a", manifest=str(tmp_path / "empty.csv"))
    with pytest.raises(StoreError, match="nothing to store: the recipe drops everything"):
        build(asked, pool=Inline())


def test_lists_of_ids_that_are_wrong(own, tmp_path):
    options = {"reader": "pattern", "pattern": PATTERN, "exclude": "out.txt"}
    with pytest.raises(ManifestError, match=r"exclude = 'out.txt': .*expected utterance ids"):
        gather(recipe(own, tmp_path / "a", **options))
    (own / "out.txt").write_text("sad/nobody\n")
    with pytest.raises(ManifestError, match="1 excluded ids are not in the corpus, such as 'sad/nobody'"):
        gather(recipe(own, tmp_path / "a", **options))


def test_data_sets_that_cannot_be_written(corpus, tmp_path):
    (tmp_path / "file").write_text("mine")
    with pytest.raises(SerprepError, match=r"Not a directory|File exists"):
        build(recipe(corpus, tmp_path / "file"), pool=Inline())
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "versions").write_text("mine")
    with pytest.raises(StoreError, match=r"File exists|Not a directory"):
        build(recipe(corpus, tmp_path / "a"), pool=Inline())


def test_fewer_utterances_than_before_are_told(own, tmp_path, later):
    asked = recipe(own, tmp_path / "a")
    first = build(asked, pool=Inline())
    assert first.n_before is None
    next(own.rglob("*.wav")).unlink()
    second = build(asked, pool=Inline())
    assert (second.n_utterances, second.n_before) == (11, 12)
    about = Path(second.store.removesuffix(".zarr") + ".build.json")
    about.write_text(about.read_text().replace(np.__version__, "0.1.2"))
    assert build(asked, pool=Inline()).n_before == 12
    assert json.loads(about.read_bytes())["libraries"]["numpy"] == "0.1.2"  # of the build that made the store


def test_other_spellings_of_a_speaker_are_a_warning(own, tmp_path):
    assert not [line for line in build(recipe(own, tmp_path / "a"), pool=Inline()).warnings if "differ in case" in line]
    path = sorted(own.glob("sad/*.wav"))[0]
    shutil.copy(path, path.with_name(path.name.upper().replace(".WAV", ".wav")))
    (warning,) = [
        line for line in build(recipe(own, tmp_path / "a"), pool=Inline()).warnings if "differ in case" in line
    ]
    assert path.name.split("_")[0] in warning
