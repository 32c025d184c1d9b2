"""A recipe → a store."""

import hashlib
import json
import os
import re
import shutil
import socket
from pathlib import Path

import numpy as np
import pytest
import soundfile

from helpers.builds import FAST, PATTERN, counts, digests, noise, recipe, table
from helpers.inline import Inline
from serprep.audio.decode import decode
from serprep.errors import SerprepError, StoreError
from serprep.features.framing import Segment, cut_segments
from serprep.features.functionals import functionals
from serprep.features.logmel import log_mel
from serprep.pipeline.build import build
from serprep.store import writer
from serprep.store.store import open_store
from serprep.version import build_digest, resolve


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


def test_a_recipe_may_be_named_by_its_path(corpus, tmp_path):
    (tmp_path / "r.toml").write_text(
        f'[corpus]\nreader = "pattern"\nroot = "{corpus}"\npattern = "{PATTERN}"\n'
        "[features.functionals]\nenabled = false\n"
    )
    assert build(str(tmp_path / "r.toml"), pool=Inline()).store == build(tmp_path / "r.toml", pool=Inline()).store
    with pytest.raises(SerprepError, match=r"gone\.toml: No such file"):
        build("gone.toml", pool=Inline())


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
    assert names == {f"{slower.version}.{suffix}" for suffix in ("zarr", "build.json", "card.html")}


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
    assert digests(store) == before and len(list(store.parent.iterdir())) == 3


def test_the_report_beside_a_store(own, tmp_path):
    asked = recipe(own, tmp_path / "a")
    (own / "sad" / "notes.wav").write_text("not like the pattern")
    (own / "sad" / "x_y_z.wav").write_bytes(b"")
    result = build(asked, pool=Inline())
    path = Path(result.store).with_suffix(".build.json")
    report = json.loads(path.read_bytes())
    assert set(report) == {
        *("version", "number", "dataset", "built", "libraries", "python", "platform"),
        *("n_utterances", "quarantined", "dropped", "warnings", "levels", "sha256"),
        *("seconds", "audio_seconds_per_second", "retries"),
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
    del report["sha256"]  # as it was before there were checksums
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
    report = json.loads(about.read_text().replace(np.__version__, "0.1.2"))
    report["sha256"] = build_digest({name: value for name, value in report.items() if name != "sha256"})
    about.write_text(json.dumps(report))
    assert build(asked, pool=Inline()).n_before == 12
    assert json.loads(about.read_bytes())["libraries"]["numpy"] == "0.1.2"  # of the build that made the store


def test_a_damaged_report_of_the_version_before_stops_no_build(own, tmp_path):
    asked = recipe(own, tmp_path / "a")
    for number in (1, 2, 3):
        result = build(asked, pool=Inline())
        about = Path(result.store.removesuffix(".zarr") + ".build.json")
        assert json.loads(about.read_text())["number"] == number
        if number == 2:
            about.write_text("{")
        next(own.rglob("*.wav")).unlink()
    assert result.n_before is None and resolve(f"{tmp_path}/a") == result.store
