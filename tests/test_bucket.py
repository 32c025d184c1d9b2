"""A lab with a bucket: corpus and data set in S3, as moto's server on this machine plays it."""

import dataclasses
import hashlib
import multiprocessing
import re
import subprocess
import sys
import time
from functools import partial
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from serprep_cli.main import cli

from helpers.inline import Inline
from serprep import remote
from serprep.cache.parts import Cache
from serprep.corpora import read_corpus
from serprep.dataset import garbage
from serprep.dataset.carry import carry
from serprep.dataset.diff import diff
from serprep.dataset.log import log
from serprep.dataset.tag import tag
from serprep.errors import CorpusError, StoreError
from serprep.manifest.look import check_manifest, look
from serprep.manifest.table import make_manifest
from serprep.pipeline.build import build
from serprep.place.corpus import as_root
from serprep.place.place import at
from serprep.recipe import recipe_from
from serprep.store.convert import convert
from serprep.store.store import open_store
from serprep.store.verify import verify
from serprep.testing import write_synthetic_corpus
from serprep.version import build_number, read_build, versions

pytestmark = pytest.mark.skipif(
    not (find_spec("s3fs") and find_spec("moto")), reason="no s3fs or moto"
)  # not imported: a second of every collection

KEYS = {
    "AWS_ACCESS_KEY_ID": "testing",
    "AWS_SECRET_ACCESS_KEY": "testing",
    "AWS_DEFAULT_REGION": "us-east-1",
    "AWS_EC2_METADATA_DISABLED": "true",
}


class Bucket:
    """One bucket, and what was asked of the server."""

    def __init__(self, log):
        import s3fs

        self._log, self._seen = log, 0
        self.files = s3fs.S3FileSystem(use_listings_cache=False)
        self.files.mkdir("lab")

    def upload(self, folder, prefix):
        for path in folder.rglob("*"):
            if path.is_file():
                self.files.pipe_file(f"lab/{prefix}/{path.relative_to(folder).as_posix()}", path.read_bytes())

    def digests(self, prefix):
        """Name below the prefix → MD5 of the object, which S3 calls its ETag."""
        found = self.files.find(f"lab/{prefix}", detail=True).items()
        return {name.removeprefix(f"lab/{prefix}"): entry["ETag"].strip('"') for name, entry in found}

    def requests(self):
        """``METHOD /bucket/key`` of every request since the last call."""
        # the server writes a request's line before the first byte of its answer
        lines = re.findall(r'"(?:\x1b\[\d+m)*([A-Z]+ /\S*) HTTP', self._log.read_text(errors="replace"))
        new, self._seen = lines[self._seen :], len(lines)
        return new


@pytest.fixture(scope="module")
def bucket(tmp_path_factory):
    log = tmp_path_factory.mktemp("moto") / "log"
    with pytest.MonkeyPatch.context() as patch, log.open("wb") as file:
        for name, value in KEYS.items():
            patch.setenv(name, value)
        server = subprocess.Popen(
            [sys.executable, "-W", "ignore", "-m", "moto.server", "-H", "127.0.0.1", "-p", "0"],
            stdout=file,
            stderr=file,
        )
        try:
            found = None
            while not found:
                assert server.poll() is None, log.read_text(errors="replace")
                time.sleep(0.05)
                found = re.search(r"http://127\.0\.0\.1:\d+", log.read_text(errors="replace"))
            patch.setenv("AWS_ENDPOINT_URL", found[0])
            remote._filesystem.cache_clear()
            yield Bucket(log)
        finally:
            remote._filesystem.cache_clear()
            server.kill()
            server.wait()


@pytest.fixture(scope="module")
def corpus(bucket, tmp_path_factory):
    """Four recordings, in a folder and in the bucket."""
    folder = tmp_path_factory.mktemp("corpus")
    write_synthetic_corpus(folder, n_speakers=2, emotions=["sad", "angry"], n_texts=1)
    bucket.upload(folder, "corpus")
    return folder


def recipe(root, dataset, **changes):
    values = {
        "dataset": {"path": str(dataset)},
        "corpus": {"reader": "pattern", "root": str(root), "pattern": "{emotion}/{speaker}_{text}_{take}.wav"},
        "features": {"functionals": {"enabled": False}},
        "split": {"protocol": "leave-one-group-out", "group": "speaker"},
        **changes,
    }
    return recipe_from(values, folder=Path.cwd(), name="lab")


@pytest.fixture(scope="module")
def local(corpus, tmp_path_factory):
    """The same stores in a folder: format → path."""
    folder = tmp_path_factory.mktemp("local")
    return {
        name: build(recipe(corpus, folder, store={"format": name}), pool=Inline()).store for name in ("zarr", "hdf5")
    }


@pytest.fixture(scope="module")
def store(bucket, corpus):
    """Built in the bucket from the bucket, by processes of their own."""
    result = build(recipe("s3://lab/corpus", "s3://lab/set"), workers=2)
    assert (result.computed, result.n_files_read) == (4, 4)
    return result.store


def bytes_of(place):
    return {path.relative_to(place).as_posix(): path.read_bytes() for path in place.rglob("*") if path.is_file()}


def test_the_bucket_gets_the_bytes_a_folder_gets(bucket, store, local):
    assert store == f"s3://lab/set/versions/{Path(local['zarr']).name}"
    files = bytes_of(Path(local["zarr"])).items()
    expected = {f"/{name}": hashlib.md5(data, usedforsecurity=False).hexdigest() for name, data in files}
    assert bucket.digests(store.removeprefix("s3://lab/")) == expected
    other, here = open_store("s3://lab/set@latest"), open_store(local["zarr"])
    assert (other.version, other.seal, other.ids) == (here.version, here.seal, here.ids)
    assert other.segments(2, 30).tobytes() == here.segments(2, 30).tobytes()


def test_an_unchanged_corpus_is_recognised_without_reading(bucket, store):
    bucket.requests()
    again = build(recipe("s3://lab/corpus", "s3://lab/set"), pool=Inline())
    asked = bucket.requests()
    assert (again.computed, again.reused, again.n_files_read, again.store) == (0, 4, 0, store)
    assert asked and not [line for line in asked if ".wav" in line]
    listed = [line for line in asked if "list-type=2&prefix=corpus/" in line]
    assert len(listed) == 1, listed


def test_a_replaced_object_is_read_and_only_that(bucket, corpus, tmp_path):
    bucket.upload(corpus, "changing")
    asked = recipe("s3://lab/changing", tmp_path / "set")
    assert build(asked, pool=Inline()).computed == 4
    names = sorted(bucket.files.find("lab/changing"))
    data = bytearray(bucket.files.cat_file(names[1]))
    data[-2] ^= 1
    bucket.files.pipe_file(names[1], bytes(data))
    bucket.files.rm_file(names[2])
    bucket.requests()
    again = build(asked, pool=Inline())
    read = {line.split()[1] for line in bucket.requests() if line.startswith("GET") and ".wav" in line}
    assert (again.computed, again.reused, again.quarantined, again.n_files_read) == (1, 2, 0, 1)
    assert read == {f"/{names[1]}"}


def test_a_manifest_of_a_bucket_is_that_of_the_folder(bucket, corpus):
    options = {"pattern": "{emotion}/{speaker}_{text}_{take}.wav"}
    manifests = []
    for root in (corpus, as_root("s3://lab/corpus")):
        rows = make_manifest(read_corpus("pattern", root, options).utterances)
        manifests.append(look(rows, root).manifest)
    assert manifests[0] == manifests[1]
    assert check_manifest(manifests[0], as_root("s3://lab/corpus")).same
    with pytest.raises(CorpusError, match=r"s3://lab/nothing: no such folder; expected the root of"):
        read_corpus("pattern", as_root("s3://lab/nothing"), options)


@pytest.mark.parametrize("format", ["zarr", "hdf5"])
def test_damage_is_found_and_repaired(bucket, corpus, local, format):
    asked = recipe("s3://lab/corpus", f"s3://lab/damaged-{format}", store={"format": format})
    store = build(asked, pool=Inline()).store
    prefix = store.removeprefix("s3://lab/")
    whole = bucket.digests(prefix)
    assert open_store(store).seal == open_store(local[format]).seal
    assert verify(store, against_audio=as_root("s3://lab/corpus"), sample=2).ok
    large = max(bucket.files.find(f"lab/{prefix}", detail=True).values(), key=lambda entry: entry["size"])["name"]
    data = bytearray(bucket.files.cat_file(large))
    data[len(data) // 2] ^= 4
    bucket.files.pipe_file(large, bytes(data))
    found = verify(store)
    assert [problem.kind for problem in found.problems if problem.kind != "content"] == ["damaged file"]
    assert found.problems[0].utterances
    if format == "zarr":
        bucket.files.rm_file(f"lab/{prefix}/utterances/emotion/c/0")
        bucket.files.pipe_file(f"lab/{prefix}/notes.txt", b"mine")
        kinds = [problem.kind for problem in verify(store).problems]
        assert {"missing file", "extra file", "damaged file"} <= set(kinds)
        with pytest.raises(StoreError, match=r"1 of its .* files are missing.*with `serprep build --repair`"):
            build(asked, pool=Inline())
    repaired = build(asked, pool=Inline(), repair=True)
    assert repaired.repaired and repaired.computed == 0
    assert bucket.digests(prefix) == whole and verify(store).ok
    assert build(asked, pool=Inline(), repair=True).repaired == ()


def test_a_shard_that_vanishes_after_opening_is_no_fill_value(bucket, corpus):
    store = build(recipe("s3://lab/corpus", "s3://lab/vanishing"), pool=Inline()).store
    opened = open_store(store)
    assert np.isfinite(opened.segments(0, 30)).all()
    bucket.files.rm_file(f"{store.removeprefix('s3://')}/logmel/50/segments/c/0/0/0")
    with pytest.raises(StoreError, match=r"its file c/0/0/0 is missing"):
        opened.segments(0, 50)
    with pytest.raises(StoreError, match=r"1 of its .* files are missing"):
        open_store(store)


def test_history_names_differences_and_garbage(bucket, store, monkeypatch):
    data = "s3://lab/history"
    first = build(recipe("s3://lab/corpus", data), pool=Inline())
    corpus = {"reader": "pattern", "root": "s3://lab/corpus", "pattern": "{emotion}/{speaker}_{t}_{k}.wav"}
    renamed = recipe("s3://lab/corpus", data, corpus=corpus)
    second = build(renamed, pool=Inline())
    assert second.computed == 0
    features = {"logmel": {"n_mels": 20}, "functionals": {"enabled": False}}
    third = build(recipe("s3://lab/corpus", data, features=features), pool=Inline())
    entries = log(data)
    assert [entry.version for entry in entries] == [third.version, second.version, first.version]
    assert entries[0].latest and all(entry.bytes > 10_000 for entry in entries)
    assert tag(data, first.version[:8], "v1").version == first.version
    assert open_store(f"{data}@v1").version == first.version
    with pytest.raises(StoreError, match="the tag names version"):
        tag(data, second.version, "v1")
    assert diff(f"{data}@v1", data).configuration_changed["features.logmel.n_mels"] == (40, 20)
    young = garbage.gc(data)
    assert (young.stores, young.parts, len(young.kept)) == ((), (), 3)
    bucket.files.pipe_file(f"lab/history/versions/{'e' * 64}.zarr/logmel/zarr.json", b"half")  # a killed upload
    assert len(versions(data)) == 3
    now = time.time()
    monkeypatch.setattr("serprep.place.url.time.time", lambda: now + garbage.YOUNG + 60)
    before = bucket.digests("history")
    dry = garbage.gc(data)
    assert not dry.removed and bucket.digests("history") == before
    done = garbage.gc(data, yes=True)
    gone = f"versions/{second.version}.zarr"
    assert done.stores == dry.stores == (gone,) and done.parts == ()
    assert done.temporary == (f"versions/{'e' * 64}.zarr",)
    left = bucket.digests("history")
    removed, expected = set(before) - set(left), (f"/versions/{second.version}", f"/versions/{'e' * 64}")
    assert removed and all(name.startswith(expected) for name in removed)
    assert f"/versions/{second.version}.build.json" in removed
    assert verify(f"{data}@v1").ok
    assert done.bytes == dry.bytes > 0
    bucket.files.rm_file("lab/history/tags/v1")
    rest = garbage.gc(data, yes=True)
    assert len(rest.stores) == len(rest.parts) == 1 and rest.kept == {f"versions/{third.version}.zarr": "latest"}
    assert verify(data).ok


def test_converted_there_and_back(bucket, store, local, tmp_path):
    there = convert(store, "s3://lab/other.h5")
    assert there.seal == open_store(local["hdf5"]).seal and verify("s3://lab/other.h5").ok
    back = convert("s3://lab/other.h5", tmp_path / "back.zarr")
    assert back.seal == open_store(store).seal
    assert convert(local["hdf5"], "s3://lab/third.zarr").seal == back.seal
    with pytest.raises(StoreError, match="it exists; a store is never overwritten"):
        convert(store, "s3://lab/third.zarr")


def _read(stores, queue):
    queue.put([_segments(opened) for opened in stores])


def _segments(opened):
    return [opened.segments(row, 30).tobytes() for row in range(len(opened))]


@pytest.mark.parametrize("method", ["fork", "spawn"])
def test_worker_processes_read_after_their_parent_did(bucket, corpus, store, method):
    if method not in multiprocessing.get_all_start_methods():
        pytest.skip(f"no {method} here")
    asked = recipe("s3://lab/corpus", "s3://lab/workers", store={"format": "hdf5"})
    stores = [open_store(store), open_store(build(asked, pool=Inline()).store)]
    expected = [_segments(opened) for opened in stores]
    assert expected[0] == expected[1]
    context = multiprocessing.get_context(method)
    queue = context.Queue()
    processes = [context.Process(target=_read, args=(stores, queue)) for _ in range(2 if method == "fork" else 1)]
    for process in processes:
        process.start()
    assert all(queue.get(timeout=300) == expected for _ in processes)
    for process in processes:
        process.join(timeout=300)
        assert process.exitcode == 0
    assert [_segments(opened) for opened in stores] == expected


@pytest.mark.slow
def test_systems_are_trained_from_the_bucket(bucket, store, tmp_path):
    pytest.importorskip("torch")
    from serprep_models.experiments import run_experiments

    asked = dataclasses.replace(
        recipe("s3://lab/corpus", "s3://lab/set", train={"systems": ["plain-crnn"], "seeds": [0], "epochs": 1}),
        folder=tmp_path,
    )
    outcome = run_experiments(asked, open_store(store), pool=Inline())
    assert [row.system for row in outcome.results] == ["plain-crnn"] * 2
    assert outcome.folder.is_relative_to(tmp_path / "experiments")


def test_of_two_writers_of_one_name_one_wins_and_a_lost_answer_is_no_error(bucket):
    place = at("s3://lab/conditions")
    assert place.create("tags/a", b"mine") and not place.create("tags/a", b"yours")
    assert place.create("tags/a", b"mine"), "the write happened, the answer did not arrive"
    assert place.exchange("tags/a", b"new", b"mine") and not place.exchange("tags/a", b"other", b"mine")
    assert place.read("tags/a") == b"new" and place.cautions() == []
    assert not [name for name in bucket.digests("conditions/") if "probe" in name]


def test_an_object_that_changes_after_it_was_read_is_not_replaced(bucket, monkeypatch):
    place, read = at("s3://lab/exchange"), remote.read
    place.write("x", b"1")

    def read_and_be_overtaken(url, *where):
        data = read(url, *where)
        bucket.files.pipe_file("lab/exchange/x", b"2")
        return data

    monkeypatch.setattr(remote, "read", read_and_be_overtaken)
    assert not place.exchange("x", b"3", b"1")
    assert read("s3://lab/exchange/x") == b"2"


def test_a_store_that_ignores_conditions_is_told_so(bucket, monkeypatch):
    filesystem, _ = remote.connect("s3://lab/x")
    put = filesystem.pipe_file
    monkeypatch.setattr(filesystem, "pipe_file", lambda path, data, **conditions: put(path, data))
    monkeypatch.setattr(remote, "_lacking", {})
    place = at("s3://lab/old")
    assert place.create("tags/a", b"mine") and place.create("tags/a", b"yours")
    assert place.cautions() == [
        "s3://lab has no conditional writes: of two writers of one tag or build the last has it, untold"
    ]


def test_two_builds_never_share_a_number(bucket, corpus, monkeypatch):
    """The second one looks while the first has not told yet which number it has."""
    first = build(recipe("s3://lab/corpus", "s3://lab/numbers"), pool=Inline())
    bucket.files.pipe_file("lab/numbers/numbers/2", b"of another build\n")
    features = {"logmel": {"n_mels": 20}, "functionals": {"enabled": False}}
    second = build(recipe("s3://lab/corpus", "s3://lab/numbers", features=features), pool=Inline())
    stems = [f"versions/{result.version}" for result in (first, second)]
    assert [build_number("s3://lab/numbers", stem) for stem in stems] == [1, 3]
    report = read_build("s3://lab/numbers", stems[0])
    assert set(report["seconds"]) == {"corpus", "recordings", "workers", "features", "packing"}
    assert report["retries"] == {} and report["audio_seconds_per_second"] > 0


def test_parts_that_no_listing_shows_yet_are_found(bucket, corpus, monkeypatch):
    """As of a store whose listings lag behind its writes."""
    monkeypatch.setattr(Cache, "_names", lambda self, kind: [])
    result = build(recipe("s3://lab/corpus", "s3://lab/lagging"), pool=Inline())
    assert (result.computed, result.n_utterances) == (4, 4) and verify(result.store).ok


def test_an_object_without_bytes_and_one_of_several_parts(bucket, monkeypatch):
    remote.write("s3://lab/odd/empty", b"")
    with at("s3://lab/odd/empty").open() as file:
        assert file.read() == remote.read("s3://lab/odd/empty") == b""
    filesystem, _ = remote.connect("s3://lab/x")
    monkeypatch.setattr(filesystem, "pipe_file", partial(filesystem.pipe_file, chunksize=5 << 20))
    data = bytes(11 << 20)
    assert at("s3://lab/odd").create("parts", data) and not at("s3://lab/odd").create("parts", data[1:])
    entry = remote.info("s3://lab/odd/parts")
    assert remote.stamp(entry) == [len(data), entry["ETag"]] and "-3" in entry["ETag"], "no MD5 of the content"
    assert remote.read("s3://lab/odd/parts") == data


def test_a_bucket_that_is_missing_is_one_line(bucket, corpus, tmp_path):
    for call in (
        lambda: read_corpus("ravdess", as_root("s3://nobody/corpus")),
        lambda: open_store("s3://nobody/set@v1"),
        lambda: open_store("s3://nobody/set.zarr"),
        lambda: open_store("s3://nobody/set.h5"),
        lambda: verify("s3://nobody/set.zarr"),
        lambda: log("s3://nobody/set"),
        lambda: garbage.gc("s3://nobody/set"),
        lambda: build(recipe(corpus, "s3://nobody/set"), pool=Inline()),
    ):
        with pytest.raises((CorpusError, StoreError, ValueError), match="no such bucket; make it") as caught:
            call()
        assert "\n" not in str(caught.value)


def test_a_version_is_pushed_goes_on_after_a_stop_shares_its_files_and_is_pulled(
    bucket, local, corpus, tmp_path, monkeypatch
):
    place, sent = type(at("s3://lab/pushed")), []
    real = place.new_file

    def stops(self):
        sent.append(self.root)
        if len(sent) == 6:
            raise OSError(110, "Connection timed out")
        return real(self)

    monkeypatch.setattr(place, "new_file", stops)
    with pytest.raises(StoreError, match="Connection timed out; the same command goes on from what has arrived"):
        carry(local["zarr"], "s3://lab/pushed")
    monkeypatch.setattr(place, "new_file", real)
    assert not versions("s3://lab/pushed")  # what has half arrived is none
    pushed = carry(local["zarr"], "s3://lab/pushed")
    files = bytes_of(Path(local["zarr"])).items()
    expected = {f"/{name}": hashlib.md5(data, usedforsecurity=False).hexdigest() for name, data in files}
    assert pushed.present >= 5 and bucket.digests(pushed.store.removeprefix("s3://lab/")) == expected

    renamed = recipe(corpus, tmp_path / "renamed")
    renamed = dataclasses.replace(
        renamed, corpus=dataclasses.replace(renamed.corpus, emotions={"sad": "sad", "angry": "cross"})
    )
    other = carry(build(renamed, pool=Inline()).store, "s3://lab/pushed")
    assert other.shared > other.sent > 0  # within the bucket: a label changed, and no feature travels again
    pulled = carry("s3://lab/pushed@" + pushed.version[:12], str(tmp_path / "pulled"))
    assert bytes_of(Path(pulled.store)) == bytes_of(Path(local["zarr"]))


def test_commands_take_urls(bucket, corpus, store, tmp_path):
    def serprep(*arguments):
        done = CliRunner().invoke(cli, list(map(str, arguments)), standalone_mode=False)
        return done.return_value or 0, done.stdout, done.exception

    pattern = "{emotion}/{speaker}_{text}_{take}.wav"
    status, out, _ = serprep("manifest", "pattern", "s3://lab/corpus/", "-o", tmp_path, "--pattern", pattern)
    assert status == 0 and "4 utterances, 2 speakers, 0 unreadable files" in out
    status, out, _ = serprep("check", tmp_path, "s3://lab/corpus")
    assert status == 0 and "4 files in the manifest: 0 missing, 0 changed, 0 extra" in out
    status, out, _ = serprep("verify", store, "--against-audio", "s3://lab/corpus", "--sample", 2)
    assert status == 0 and out.startswith("whole: ") and "2 utterances recomputed, 0 problems" in out
    _, out, error = serprep("convert", store, "s3://nobody/x.h5")
    assert out == "" and isinstance(error, StoreError)
    assert str(error) == "s3://nobody/x.h5: no such bucket; make it, or correct its name; choose another name"
