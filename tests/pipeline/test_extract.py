"""Features are computed once, by whoever, and bad recordings alone are left out."""

import hashlib
import json
import os
import re
import shutil
import sys
from dataclasses import replace
from importlib.metadata import PackageNotFoundError
from importlib.metadata import version as metadata_version
from pathlib import Path
from pkgutil import resolve_name

import numpy as np
import pytest
import soundfile

from helpers.builds import FAST, PATTERN, counts, digests, noise, recipe, table
from helpers.inline import Inline
from serprep.audio.decode import decode
from serprep.cache.parts import Cache
from serprep.conditions.condition import Other
from serprep.conditions.registry import condition_from
from serprep.errors import CacheError, FeatureError, LimitError, SerprepError, StoreError
from serprep.features import compare_2016
from serprep.features.extract import Features
from serprep.features.framing import Segment, cut_segments
from serprep.features.functionals import functionals
from serprep.features.logmel import LogMel, log_mel
from serprep.files import remove_tree
from serprep.manifest.table import make_manifest, write_manifest
from serprep.parallel import Died, Workers
from serprep.pipeline import extract
from serprep.pipeline.build import build
from serprep.pipeline.extract import Batch, Item, Receipt, extract_batch, extract_contained, seconds_of
from serprep.store import writer
from serprep.store.store import open_store
from serprep.store.verify import verify
from serprep.utterance import Utterance


def test_a_store_is_the_same_whatever_computed_it(corpus, pool, tmp_path):
    """One and two workers, batch sizes, order of completion, another place: the same bytes."""
    elsewhere = tmp_path / "an other@place"
    shutil.copytree(corpus, elsewhere)
    for path in elsewhere.rglob("*.wav"):
        os.utime(path, (1e9, 1e9))
    backwards = Inline(order=lambda numbers: reversed(list(numbers)))
    with Workers(1) as single:
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
        "truncated.wav": "truncated: its header announces 16000 bytes of sound, 11000 are there",
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


def test_a_file_that_crashes_the_extractor_is_quarantined_alone_and_no_worker_is_blamed(corpus, tmp_path, monkeypatch):
    """Here the pool pretends, and somebody else kills all who try again; test_contained.py ends real processes."""
    deaths = []

    class Crashing(Inline):
        def run(self, function, items, *, once=False):
            for number, item in enumerate(items):
                evil = any(is_evil(part) for part in item.items) if isinstance(item, Batch) else False
                if function is extract_contained:
                    deaths.append(item)
                    yield number, Died("by somebody else")
                else:
                    yield number, Died("by it") if evil and function is extract_batch else function(item)

    def is_evil(item):
        return item.path.endswith("synth02_t01_1.wav")

    def contained(function, items, *, seconds):
        for batch in items:
            yield (None, "it crashes") if is_evil(batch.items[0]) else (function(batch), "")

    monkeypatch.setattr("serprep.pipeline.extract.contained", contained)
    result = build(recipe(corpus, tmp_path / "a"), pool=Crashing(), batch_size=4)
    assert counts(result) == (10, 0, 2) and len(deaths) == 2
    assert [entry.id for entry in result.reasons] == ["angry/synth02_t01_1", "sad/synth02_t01_1"]
    assert {entry.reason for entry in result.reasons} == {"it crashes"}


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
    asked = recipe(own, tmp_path, features={})
    by_opensmile = {"functionals": {"engine": "opensmile"}}
    other = build(recipe(own, tmp_path, features=by_opensmile), pool=Inline())
    assert any("openSMILE" in note for note in open_store(other.store).attributes["licences"])

    def version(name):
        if name == "opensmile":
            raise PackageNotFoundError(name)
        return metadata_version(name)

    monkeypatch.setitem(sys.modules, "opensmile", None)  # importing it raises
    for module in ("functionals", "libraries"):
        monkeypatch.setattr(f"serprep.features.{module}.version", version)
    for place in ("features.functionals.library_digest", "pipeline.build.library_versions"):  # never asked before
        monkeypatch.setattr(f"serprep.{place}", resolve_name(f"serprep.{place}").__wrapped__)
    result = build(asked, pool=Inline())
    assert result.version != other.version
    assert (result.computed, result.quarantined) == (12, 0)
    store, reference = open_store(result.store), open_store(other.store)
    np.testing.assert_allclose(
        store.read_functionals(slice(None)), reference.read_functionals(slice(None)), rtol=1e-3, atol=1e-6
    )
    assert store.functional_names() == reference.functional_names()
    assert store.attributes["provenance"]["extractors"]["functionals"]["name"] == "serprep.compare_2016"
    assert not any("openSMILE" in note for note in store.attributes["licences"])
    report = json.loads(Path(result.store.replace(".zarr", ".build.json")).read_text())
    assert "numba" in report["libraries"] and "opensmile" not in report["libraries"]
    with pytest.raises(FeatureError, match="the package opensmile is not installed; install it, set"):
        build(recipe(own, tmp_path / "other", features=by_opensmile), pool=Inline())


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


def test_functionals_of_opensmile_are_the_same_whatever_computed_them(corpus, pool, tmp_path):
    features = {"functionals": {"engine": "opensmile"}}
    once = build(recipe(corpus, tmp_path / "a", features=features), pool=Inline())
    again = build(recipe(corpus, tmp_path / "b", features=features), pool=pool, batch_size=1)
    assert digests(once.store) == digests(again.store)


def test_native_functionals_elsewhere_than_at_16_khz_are_an_error_of_the_recipe(own, tmp_path):
    features = {"logmel": {"sample_rate": 8000, "fmax": 4000.0}}
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


class Blind(Inline):
    """One of its workers cannot read some recordings."""

    def __init__(self, name, *, only_first):
        super().__init__()
        self.name, self.only_first, self.blamed = name, only_first, []
        self.members = self  # of which the build says whom it distrusts

    def run(self, function, items, *, once=False):
        self.n_runs += 1
        for number, receipt in [(number, function(items[number])) for number in range(len(items))]:
            if function is extract_batch and (self.n_runs == 1 or not self.only_first):
                unread = {i: "file is missing" for i, item in enumerate(items[number].items) if self.name in item.path}
                receipt = replace(receipt, unread=unread, worker="tcp://blind:1")
            yield number, receipt

    def distrust(self, worker, reason):
        self.blamed.append((worker, reason))


def test_what_one_worker_cannot_read_another_does(own, tmp_path):
    """What the main process has hashed is not missing: that is the worker's fault."""
    pool = Blind("synth02", only_first=True)
    result = build(recipe(own, tmp_path / "a"), pool=pool, batch_size=4)
    assert counts(result) == (12, 0, 0)
    assert {worker for worker, _ in pool.blamed} == {"tcp://blind:1"} and len(pool.blamed) == 4
    assert all("which is there: file is missing" in reason for _, reason in pool.blamed)


def test_what_no_worker_can_read_stops_the_build_and_quarantines_nothing(own, tmp_path):
    with pytest.raises(SerprepError, match=r"synth02.*: worker tcp://blind:1 cannot read it \(file is missing\), this"):
        build(recipe(own, tmp_path / "a"), pool=Blind("synth02", only_first=False), batch_size=4)
    assert not (tmp_path / "a" / "versions").exists()


def test_a_limit_is_not_remembered(own, tmp_path, monkeypatch, later):
    def over(signal, features, kinds, **asked):
        raise LimitError("openSMILE computed longer than 30 s")

    asked = recipe(own, tmp_path / "a")
    build(asked, pool=Inline())
    soundfile.write(own / "sad" / "new_t01_1.wav", noise(1, 16_000), 16_000)
    with monkeypatch.context() as patched:
        patched.setattr("serprep.pipeline.extract.extract", over)
        first = build(asked, pool=Inline())
    assert counts(first) == (0, 12, 1) and "computed longer" in first.reasons[0].reason
    assert counts(build(asked, pool=Inline())) == (1, 12, 0)


@pytest.mark.parametrize("container", ["zarr", "hdf5"])
@pytest.mark.parametrize("how", ["recompute", "repair without the cache"])
def test_wrong_features_are_computed_again_and_replaced(own, tmp_path, monkeypatch, container, how):
    """Workers with other code stored them; cache and store are whole."""
    right = extract.extract

    def wrong(signal, features, kinds, **asked):
        return {kind: rows + 1 for kind, rows in right(signal, features, kinds).items()}

    store = {"format": container}
    expected = build(recipe(own, tmp_path / "b", store=store), pool=Inline())
    asked = recipe(own, tmp_path / "a", store=store)
    with monkeypatch.context() as patched:
        patched.setattr("serprep.pipeline.extract.extract", wrong)
        first = build(asked, pool=Inline())
    assert first.version == expected.version and contents(first.store) != contents(expected.store)
    assert verify(first.store).ok
    if how == "recompute":
        again = build(asked, pool=Inline(), recompute=True)
        assert counts(again) == (12, 0, 0)
    else:
        shutil.rmtree(tmp_path / "a" / "cache")
        again = build(asked, pool=Inline(), repair=True)
    assert contents(again.store) == contents(expected.store) and again.version == first.version
    assert again.repaired and all("computed again, it has other values" in line for line in again.repaired)
    if container == "zarr":
        assert [line.split(":")[0] for line in again.repaired] == ["logmel/30/segments", "logmel/50/segments"]
    same = build(asked, pool=Inline(), recompute=True)
    assert same.repaired == () and contents(same.store) == contents(expected.store)
    assert counts(build(asked, pool=Inline())) == (0, 12, 0)


def contents(store):
    return digests(store) if Path(store).is_dir() else Path(store).read_bytes()


def test_what_is_finished_stays_finished(own, tmp_path):
    class Interrupted(Inline):
        def run(self, function, items, *, once=False):
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


@pytest.mark.parametrize("batch_size", [None, 2])
def test_a_recording_is_read_and_decoded_once_for_all_its_excerpts(tmp_path, monkeypatch, batch_size):
    root = tmp_path / "long"
    root.mkdir()
    for name in ("one", "two"):
        soundfile.write(root / f"{name}.ogg", np.random.default_rng(0).uniform(-0.5, 0.5, 48_000), 16_000)
    rows = [(f"{name}.ogg", f"{9 - i}{name}", i / 4, i / 4 + 0.2, "x") for i in range(10) for name in ("one", "two")]
    table(root / "t.csv", rows, ["path", "id", "start", "end", "emotion"])
    made, read = [], []
    original = extract.Decoder, extract.read_bytes
    monkeypatch.setattr(extract, "Decoder", lambda data: made.append(1) or original[0](data))
    monkeypatch.setattr(extract, "read_bytes", lambda path: read.append(path.name) or original[1](path))
    result = build(recipe(root, tmp_path / "a", reader="table", file="t.csv"), pool=Inline(), batch_size=batch_size)
    assert counts(result) == (20, 0, 0)
    assert (len(made), read) == (2, ["one.ogg", "two.ogg"])
    store = open_store(result.store)
    for row, name in enumerate(store.ids):
        start = (9 - int(name[0])) / 4
        signal = decode((root / f"{name[1:]}.ogg").read_bytes(), start=start, end=start + 0.2)
        np.testing.assert_array_equal(
            store.segments(row, 30), cut_segments(log_mel(signal), Segment(length=30, hop=20))
        )


def test_four_seconds_of_sound_may_take_half_a_minute_and_a_second_for_each_of_theirs_and_each_kind():
    items = tuple(Item("", None, None, "", seconds, {}, b"") for seconds in (2.0, 4.0))
    assert seconds_of(Batch(items, Features(), "")) == 30.0 + 4.0 * (1.0 + 1.0)


def test_a_batch_that_no_worker_of_a_cluster_lives_long_enough_for_is_cut_before_it_is_suspected():
    ran = []

    class ShortLived(Inline):
        scheduler = "tcp://lab:8786"

        def run(self, function, items, *, once=False):
            for number, batch in enumerate(items):
                ran.append((function, len(batch.items)))
                yield number, Died("by somebody else") if len(batch.items) > 4 else Receipt({})

    items = tuple(Item(f"{i}.wav", None, None, "", 1.0, {}, b"") for i in range(9))
    done = list(extract._compute([Batch(items, Features(), "")], ShortLived(), {}))
    assert done == [(item, "") for item in items] and ran == [(extract_batch, n) for n in (9, 4, 4, 1)]


@pytest.mark.parametrize("change", ["other bytes", "gone"])
def test_a_recording_that_is_mixed_in_must_be_what_its_digest_says(tmp_path, change):
    """Its bytes decide the features; whose turn it was to be mixed into is not to blame, and tried again."""
    digests = {}
    for name in ("own", "other"):
        path = tmp_path / f"{name}.wav"
        soundfile.write(path, 0.1 * np.random.default_rng(len(name)).normal(size=16_000), 16_000)
        digests[name] = hashlib.sha256(path.read_bytes()).hexdigest()
    voice = Other(str(tmp_path / "other.wav"), None, None, digests["other"])
    keys = {"logmel": bytes(32)}
    item = Item(str(tmp_path / "own.wav"), None, None, digests["own"], 1.0, keys, bytes(32), "own", (voice,))
    babble = condition_from("babble", {})
    cache = Cache(str(tmp_path / "cache"))
    batch = Batch((item,), Features(functionals=None), cache.root, None, babble)
    whole = extract_batch(batch)
    assert not whole.unread and not whole.failures and whole.parts.keys() == {"logmel"} and extract._is_there(item)
    if change == "gone":
        (tmp_path / "other.wav").unlink()
    else:
        soundfile.write(tmp_path / "other.wav", np.zeros(16_000), 16_000)
    receipt = extract_batch(batch)
    assert receipt.parts == receipt.failures == {} and not extract._is_there(item)
    assert receipt.unread[0].startswith(f"mixed in: {tmp_path / 'other.wav'}: ")
    assert cache.failures() == {}
