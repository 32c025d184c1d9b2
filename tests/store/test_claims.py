"""Metadata that somebody forged, digests and all: one line each, and no memory."""

import hashlib
import json
import re
import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest
import soundfile

from helpers.inline import Inline
from serprep.errors import StoreError
from serprep.pipeline.build import build
from serprep.recipe import recipe_from
from serprep.store import hdf5_store, zarr_store
from serprep.store.claims import check_attributes, check_files, check_zarr_array, is_inside
from serprep.store.convert import convert
from serprep.store.store import Store, open_store
from serprep.store.verify import verify


@pytest.fixture(scope="module")
def stores(tmp_path_factory):
    """The same three utterances as zarr and hdf5, writable."""
    root = tmp_path_factory.mktemp("claims")
    for i in range(3):
        soundfile.write(root / f"{i}.wav", 0.1 * np.random.default_rng(i).normal(size=9000 + 4000 * i), 16_000)
    (root / "labels.csv").write_text("path,speaker,emotion\n0.wav,a,sad\n1.wav,b,sad\n2.wav,b,angry\n")
    found = {}
    for container in ("zarr", "hdf5"):
        values = {
            "dataset": {"path": str(root / "data")},
            "corpus": {"reader": "table", "root": str(root), "file": "labels.csv"},
            "features": {"functionals": {"enabled": False}},
            "store": {"format": container},
        }
        found[container] = Path(build(recipe_from(values, folder=root, name="x"), pool=Inline()).store)
    return found


@pytest.fixture
def store(stores, tmp_path):
    copy = Path(shutil.copytree(stores["zarr"], tmp_path / "forged.zarr"))
    for path in [copy, *copy.rglob("*")]:
        path.chmod(0o700)
    return copy


@pytest.fixture
def file(stores, tmp_path):
    path = Path(shutil.copy(stores["hdf5"], tmp_path / "forged.h5"))
    path.chmod(0o600)
    return path


def about(path):
    """Its root attributes as they were given to `seal`."""
    return {name: value for name, value in Store(str(path)).attributes.items() if name not in ("files", "seal")}


def every_way(path, tmp_path):
    """What opening, describing, checking and converting make of a store: messages of a line."""
    said = []
    for use in (
        lambda: [open_store(path).array(name)[:2] for name in open_store(path).array_names],
        lambda: open_store(path).manifest(),
        lambda: open_store(path).read_segments(slice(None), 30),
        lambda: open_store(path).segments(1, 30),
        lambda: convert(path, tmp_path / "deep" / "out.zarr"),
        lambda: convert(path, tmp_path / "deep" / "out.h5"),
    ):
        try:
            use()
        except StoreError as error:
            said.append(str(error))
    problems = verify(str(path)).problems
    assert problems, "verify finds it whole"
    said += [problem.message for problem in problems]
    assert said and all("\n" not in line and len(line) < 900 for line in said)
    assert not (tmp_path / "deep").exists() or list((tmp_path / "deep").iterdir()) == []
    return said


HUGE = 10**299
REFUSED = re.compile("impossible|damaged|do not match|has not the shape")
ATTRIBUTES = [
    ("n_utterances", -1),
    ("n_utterances", HUGE),
    ("n_utterances", 2**50),
    ("n_utterances", 1e300),
    ("n_utterances", True),
    ("n_utterances", None),
    ("n_utterances", 4),
    ("version", "../.."),
    ("version", 7),
    ("version", "A" * 64),
    ("columns", "id"),
    ("columns", ["id"]),
    ("columns", {"id": 1}),
    ("columns", ["../../x", "id", "path", "start", "end", "speaker", "emotion", "partition", "duration"]),
    ("licences", 5),
    ("licences", [5]),
    ("segment_dtype", "float8"),
    ("segment_dtype", ["float32"]),
    ("provenance", []),
    ("provenance", {"corpus": [], "manifest_digest": "0" * 64, "extractors": {}}),
    ("provenance", {"corpus": {}, "manifest_digest": "x", "extractors": {}}),
    ("provenance", {"corpus": {}, "manifest_digest": "0" * 64, "extractors": {"logmel": "x"}}),
    ("configurations", {}),
    ("configurations", {"features": {}, "labels": []}),
    ("configurations", {"features": {"logmel": {"n_mels": HUGE}, "segments": {}, "functionals": {}}, "labels": []}),
    ("configurations", {"features": {"logmel": [], "segments": 1, "functionals": "x"}, "labels": []}),
]


@pytest.mark.parametrize(("name", "value"), ATTRIBUTES)
def test_forged_attributes_are_one_line_in_either_container(store, file, tmp_path, name, value):
    forged = {**about(store), name: value}
    zarr_store.seal(store, forged)
    assert any(REFUSED.search(line) for line in every_way(store, tmp_path))
    with h5py.File(file, "r+", libver=hdf5_store.LIBVER) as opened:
        del opened.attrs[name]
        for key in list(opened.attrs):  # in their order, as the digest asks for
            del opened.attrs[key]
        for key, entry in forged.items():
            hdf5_store._set_attribute(opened, key, entry)
    hdf5_store._seal(file, forged)
    assert any(REFUSED.search(line) for line in every_way(file, tmp_path))


@pytest.mark.parametrize("files", [[], None, {"../x": "1" * 64}, {"/etc/passwd": "1" * 64}, {"a": 5}, {"a": "../b"}])
def test_files_that_lie_elsewhere_are_refused(store, files, tmp_path):
    root = {**about(store), "files": files, "seal": zarr_store.NO_SEAL}

    text = zarr_store.root_text(root)
    seal = hashlib.sha256(text.encode()).hexdigest()
    (store / "zarr.json").write_text(text.replace(zarr_store.NO_SEAL, seal))
    assert any("files " in line for line in every_way(store, tmp_path))
    with pytest.raises(ValueError, match="files "):
        check_files(files)


def change(**entries):
    return lambda values: values.update(entries)


ARRAYS = [
    ("logmel/30/segments", change(shape=[1 << 39, 30, 40]), r"needs \d+ files"),
    ("logmel/30/segments", change(shape=[1 << 60, 30, 40]), "its shape is impossible"),
    ("logmel/30/segments", change(shape=[-1, 30, 40]), "its shape is impossible"),
    ("logmel/30/segments", change(shape=[3.0, 30, 40]), "its shape is impossible"),
    ("logmel/30/segments", change(data_type="float64"), "expected float32"),
    ("logmel/30/segments", change(data_type={"name": "r99999"}), "its type is none"),
    ("logmel/30/segments", change(codecs=[{"name": "blosc"}]), "its codecs are none"),
    ("logmel/30/segments", change(codecs=None), "its codecs are none"),
    ("logmel/30/keys", change(shape=[3, 16]), "expected 3 × 32|its chunks"),
    ("logmel/30/offsets", change(shape=[3]), "expected 4"),
    (
        "logmel/30/offsets",
        change(chunk_grid={"name": "regular", "configuration": {"chunk_shape": [1 << 39]}}),
        "its chunks are larger",
    ),
    (
        "utterances/id",
        change(chunk_grid={"name": "regular", "configuration": {"chunk_shape": [1 << 39]}}),
        "its chunks are larger",
    ),
    ("utterances/id", change(chunk_grid={"name": "regular"}), "its chunks are impossible"),
    ("utterances/id", change(chunk_grid=[]), "its chunks are impossible"),
    ("utterances/id", change(data_type="int64"), "damaged"),
    ("utterances/id", change(node_type="group"), "no array is described"),
    ("utterances/id", change(shape=[10**290]), "its shape is impossible"),
]


@pytest.mark.parametrize(("name", "forge", "message"), ARRAYS)
def test_forged_arrays_are_one_line(store, tmp_path, name, forge, message):

    values = json.loads((store / name / "zarr.json").read_bytes())
    forge(values)
    (store / name / "zarr.json").write_text(json.dumps(values))
    zarr_store.seal(store, about(store))
    said = every_way(store, tmp_path)
    assert any(re.search(message, line) for line in said), said


@pytest.mark.parametrize("text", ["[" * 200_000, '{"shape": 1e999}', '{"shape": "\\ud800"}', "", "[]", "\xff"])
def test_metadata_that_are_no_json_are_one_line(store, tmp_path, text):
    (store / "utterances/id/zarr.json").write_text(text)
    zarr_store.seal(store, about(store))
    assert any("array 'utterances/id' is damaged" in line for line in every_way(store, tmp_path))
    root = store / "zarr.json"
    root.write_text(text)
    with pytest.raises(StoreError, match="its root metadata is unfinished or damaged"):
        open_store(store)


@pytest.mark.parametrize("offsets", [[0, 5, 2, None], [1, 2, 3, None], [0, 1, 2, 1 << 62], [0, -4, 2, None]])
def test_offsets_that_do_not_rise_to_the_end_are_refused(store, tmp_path, offsets):
    last = open_store(store).array("logmel/30/segments").shape[0]
    zarr_store.write_rows(str(store), "logmel/30/offsets", 0, np.array([last if o is None else o for o in offsets]))
    zarr_store.seal(store, about(store))
    with pytest.raises(StoreError, match=f"it does not rise from 0 to the {last} rows"):
        open_store(store).segments(0, 30)
    every_way(store, tmp_path)


def forge_rows(opened):
    del opened["logmel/30/segments"]
    opened.create_dataset("logmel/30/segments", (1 << 36, 30, 40), "f4", chunks=(8, 30, 40), fillvalue=0)


def forge_text(opened):
    del opened["utterances/id"]
    opened.create_dataset("utterances/id", (3,), h5py.string_dtype("utf-8", 1 << 29), chunks=(1,))


def forge_bomb(opened):
    del opened["utterances/duration"]
    opened.create_dataset("utterances/duration", data=np.zeros(3), chunks=(3,), compression="gzip")


def forge_pointer(opened):
    del opened["utterances/id"]
    opened.create_dataset("utterances/id", data=["a"] * 3, dtype=h5py.string_dtype())


def forge_link(opened):
    del opened["utterances/id"]
    opened["utterances/id"] = h5py.ExternalLink("/etc/other.h5", "x")


def forge_soft_link(opened):
    del opened["utterances/id"]
    opened["utterances/id"] = h5py.SoftLink("/utterances/path")


def forge_outside(opened):
    del opened["utterances/duration"]
    opened.create_dataset("utterances/duration", (3,), "f8", external=[("/etc/passwd", 0, 24)])


@pytest.mark.parametrize(
    "forge", [forge_rows, forge_text, forge_bomb, forge_pointer, forge_link, forge_soft_link, forge_outside]
)
def test_forged_hdf5_is_one_line(file, tmp_path, forge):
    attributes = about(file)
    with h5py.File(file, "r+", libver=hdf5_store.LIBVER) as opened:
        forge(opened)
    hdf5_store._seal(file, attributes)
    every_way(file, tmp_path)


def test_whole_stores_pass(stores):
    for path in stores.values():
        store = open_store(path)
        check_attributes(store.attributes)
        assert verify(str(path)).ok
    files = open_store(stores["zarr"]).attributes["files"]
    check_files(files)
    for name in open_store(stores["zarr"]).array_names:
        n_files = sum(file.startswith(f"{name}/c/") for file in files)
        check_zarr_array(json.loads((stores["zarr"] / name / "zarr.json").read_bytes()), n_files)


@pytest.mark.parametrize("name", ["", "/", "a/", "a/../b", "./a", "a\0b", "a\\b", "x" * 5000, None, 3])
def test_names_that_leave_a_folder(name):
    assert not is_inside(name)
