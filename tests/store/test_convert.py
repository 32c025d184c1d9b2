import shutil
from pathlib import Path

import pytest

from helpers.inline import Inline
from serprep import remote
from serprep.errors import StoreError
from serprep.pipeline.build import build
from serprep.recipe import recipe_from
from serprep.store import hdf5_store, zarr_store
from serprep.store.convert import convert
from serprep.store.store import open_store
from serprep.testing import write_synthetic_corpus

PATTERN = "{emotion}/{speaker}_{text}_{take}.wav"


@pytest.fixture(scope="module", autouse=True)
def small_shards():
    """Shards of a few rows, so that every large array has several."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("serprep.store.layout.CHUNK_BYTES", 30_000)
        patch.setattr("serprep.store.layout.CHUNKS_PER_SHARD", 2)
        yield


@pytest.fixture(scope="module", params=["float32", "float16"])
def built(tmp_path_factory, request):
    """One version in both containers."""
    root, dataset = tmp_path_factory.mktemp("corpus"), tmp_path_factory.mktemp("data") / "set"
    write_synthetic_corpus(root, n_speakers=3, emotions=["sad", "angry"], n_texts=1)
    corpus = {"reader": "pattern", "root": str(root), "pattern": PATTERN}
    found = {}
    for name in ("zarr", "hdf5"):
        store = {"format": name, "segment_dtype": request.param}
        values = {"dataset": {"path": str(dataset)}, "corpus": corpus, "store": store}
        found[name] = Path(build(recipe_from(values, folder=root, name="test"), pool=Inline()).store)
    return found


def bytes_of(place):
    """Name → content of every file."""
    files = [path for path in place.rglob("*") if path.is_file()] if place.is_dir() else [place]
    return {path.relative_to(place).as_posix(): path.read_bytes() for path in files}


@pytest.mark.parametrize("source", ["zarr", "hdf5"])
@pytest.mark.parametrize("suffix", [".zarr", ".h5"])
def test_a_converted_store_is_the_store_that_a_build_makes(built, tmp_path, source, suffix):
    made = convert(built[source], tmp_path / "folder" / f"x{suffix}")
    other = built["zarr" if suffix == ".zarr" else "hdf5"]
    assert bytes_of(tmp_path / "folder" / f"x{suffix}") == bytes_of(other)
    assert made.version == open_store(other).version and made.seal == open_store(other).seal
    assert made.format == ("zarr" if suffix == ".zarr" else "hdf5")
    assert [path.name for path in (tmp_path / "folder").iterdir()] == [f"x{suffix}"]


@pytest.mark.parametrize("way", [("zarr", ".h5", ".zarr"), ("hdf5", ".zarr", ".h5")], ids=["there", "back"])
def test_there_and_back_is_the_same_bytes(built, tmp_path, way):
    first, there, back = way
    convert(built[first], tmp_path / f"a{there}")
    convert(str(tmp_path / f"a{there}"), str(tmp_path / f"b{back}"))
    assert bytes_of(tmp_path / f"b{back}") == bytes_of(built[first])


def test_large_arrays_are_read_a_shard_at_a_time(built, tmp_path, monkeypatch):
    from serprep.store.store import Store

    sizes = []
    read = Store._read
    monkeypatch.setattr(Store, "_read", lambda *args: sizes.append(read(*args)) or sizes[-1])
    convert(built["zarr"], tmp_path / "a.h5")
    large = [len(rows) for rows in sizes if rows.ndim > 1 and rows.dtype.kind == "f"]
    assert len(large) > 6 and max(large) <= 16


def test_a_version_may_be_converted_within_its_data_set(built, tmp_path):
    dataset = tmp_path / "set"
    source = shutil.copytree(built["zarr"], dataset / "versions" / built["zarr"].name)
    made = convert(f"{dataset}@latest", source.with_suffix(".h5"))
    assert made.version == source.stem
    assert open_store(dataset).format == "zarr"
    shutil.rmtree(source)
    assert open_store(f"{dataset}@{made.version[:8]}").format == open_store(dataset).format == "hdf5"
    with pytest.raises(StoreError, match=f"named like version {'0' * 12}, but the store is version"):
        convert(dataset, dataset / "versions" / f"{'0' * 64}.zarr")


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("x", r"expected a name that ends in \.zarr or \.h5"),
        ("x.hdf5", r"expected a name that ends in \.zarr or \.h5"),
        ("there.h5", "it exists; a store is never overwritten: remove it or choose another name"),
        ("there.zarr", "it exists; a store is never overwritten"),
        ("file/x.h5", "Not a directory; choose another name"),
        ("a\0.h5", "embedded null .*; choose another name"),
        (f"{'x' * 300}.h5", "File name too long; choose another name"),
    ],
)
def test_impossible_destinations(built, tmp_path, name, message):
    (tmp_path / "there.h5").write_text("mine")
    (tmp_path / "there.zarr").mkdir()
    (tmp_path / "file").write_text("mine")
    before = sorted(path.name for path in tmp_path.iterdir())
    with pytest.raises(StoreError, match=message) as caught:
        convert(built["zarr"], tmp_path / name)
    assert "\n" not in str(caught.value)
    assert sorted(path.name for path in tmp_path.iterdir()) == before
    assert (tmp_path / "there.h5").read_text() == (tmp_path / "file").read_text() == "mine"


@pytest.mark.parametrize("suffix", [".zarr", ".h5"])
def test_to_a_url_and_back_is_the_same_bytes(built, tmp_path, suffix):
    other = "zarr" if suffix == ".zarr" else "hdf5"
    url = f"memory://{tmp_path.name}/x{suffix}"
    there = convert(built["hdf5" if suffix == ".zarr" else "zarr"], url)
    assert there.path == url and there.seal == open_store(built[other]).seal
    convert(url, tmp_path / "back.zarr")
    assert bytes_of(tmp_path / "back.zarr") == bytes_of(built["zarr"])
    with pytest.raises(StoreError, match="it exists; a store is never overwritten"):
        convert(built["zarr"], url)
    with pytest.raises(StoreError, match=r"memory://x: expected a name that ends in \.zarr or \.h5"):
        convert(built["zarr"], "memory://x")


def test_damage_is_not_converted(built, tmp_path):
    """A copy would have new digests; even a change that only they notice must stop it."""
    copy = shutil.copytree(built["zarr"], tmp_path / "a.zarr")
    shard = copy / "utterances/emotion/c/0"
    other = zarr_store.open_array(str(copy), "utterances/emotion")[:].astype(object)
    other[0] = "glad"
    zarr_store.write_rows(str(copy), "utterances/emotion", 0, other)  # with a checksum that fits
    assert shard.is_file() and open_store(copy).emotions[0] == "glad"
    with pytest.raises(StoreError, match="utterances/emotion/c/0: its bytes are not those that were sealed"):
        convert(copy, tmp_path / "b.h5")
    file = shutil.copy(built["hdf5"], tmp_path / "a.h5")
    data = bytearray(file.read_bytes())
    data[data.index(b"utterance", data.index(b"GCOL"))] ^= 32  # an axis's label, which nothing else guards
    file.write_bytes(data)
    with pytest.raises(StoreError, match="its SHA-256 is"):
        convert(file, tmp_path / "b.zarr")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.h5", "a.zarr"]


def test_arrays_of_another_layout_are_refused(built, tmp_path):
    copy = shutil.copytree(built["zarr"], tmp_path / "a.zarr")
    shutil.rmtree(copy / "utterances" / "text")
    attributes = {k: v for k, v in open_store(built["zarr"]).attributes.items() if k not in ("files", "seal")}
    zarr_store.seal(copy, attributes)
    with pytest.raises(StoreError, match="has not the arrays of its format, such as 'utterances/text'"):
        convert(copy, tmp_path / "b.h5")
    zarr_store.seal(copy, {**attributes, "columns": [name for name in attributes["columns"] if name != "text"]})
    convert(copy, tmp_path / "b.h5")
    dtype = "float16" if attributes["segment_dtype"] == "float32" else "float32"
    zarr_store.seal(copy, {**open_store(copy).attributes, "segment_dtype": dtype})
    with pytest.raises(StoreError, match=r"array 'logmel/\d+/segments' has not the shape and type of its format"):
        convert(copy, tmp_path / "c.h5")


def test_a_conversion_that_fails_leaves_nothing(built, tmp_path, monkeypatch):
    def full(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(zarr_store, "seal", full)
    monkeypatch.setattr(hdf5_store, "_seal", full)
    for name in ("x.h5", "x.zarr"):
        with pytest.raises(StoreError, match="No space left on device; free space or make its folder writable"):
            convert(built["zarr"], tmp_path / name)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("name", ["inner.zarr", "inner.h5", "deep/er/inner.zarr"])
def test_nothing_is_written_into_a_sealed_store(built, tmp_path, name):
    """Permissions stop nobody but ordinary users, so it is asked for."""
    store = built["zarr"]
    before = sorted(store.rglob("*"))
    link = tmp_path / "link"
    link.symlink_to(store)
    for place in (store / name, link / name, store / ".." / store.name / name):
        with pytest.raises(StoreError, match=r"store.* never changes; name another place"):
            convert(store, place)
    assert sorted(store.rglob("*")) == before


def test_nothing_is_written_into_a_sealed_store_at_a_url(built, tmp_path):
    url = f"memory://{tmp_path.name}/s.zarr"
    convert(built["zarr"], url)
    for place in (f"{url}/inner.zarr", f"{url}/a/inner.h5"):
        with pytest.raises(StoreError, match=r"store.* never changes; name another place"):
            convert(built["zarr"], place)
    assert not [name for name in remote.listing(url) if "inner" in name]
