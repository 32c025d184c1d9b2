"""What every container promises; a new one joins with its object in CONTAINERS."""

import functools
import multiprocessing
import pickle
import random
import shutil
from pathlib import Path

import numpy as np
import pytest

from helpers.inline import Inline
from serprep.errors import StoreError
from serprep.pipeline.build import build
from serprep.recipe import recipe_from
from serprep.store.containers import CONTAINERS
from serprep.store.store import Store, open_store
from serprep.testing import write_synthetic_corpus
from serprep.version import resolve

FORMATS = list(CONTAINERS)
VALENCES = ["2.5000", "", "-1", "0", "3e0", "", "0.1", "1e300"]
NOTES = ["", "ü" * 300, 'a "b", c', "日本語 🙂", "x"]


def write_corpus(root):
    """Eight recordings, with a column that tempts, one that is empty, and numbers, words and nothing as dimensions."""
    paths = write_synthetic_corpus(root, n_speakers=4, emotions=["sad", "angry"], n_texts=1)
    lines = ["path,id,speaker,emotion,note,nothing,valence,arousal,dominance"]
    for number, path in enumerate(paths):
        note = NOTES[number % len(NOTES)].replace('"', '""')
        cells = [str(path.relative_to(root)), f"u{9 - number}", str(number % 4 or ""), path.parent.name]
        lines.append(",".join([*cells, f'"{note}"', "", VALENCES[number], "high" if number % 2 else "low", ""]))
    (root / "labels.csv").write_text("\n".join(lines) + "\n", encoding="utf-8")


def recipe(root, dataset, format, **options):
    values = {
        "dataset": {"path": str(dataset)},
        "corpus": {"reader": "table", "root": str(root), "file": "labels.csv"},
        "features": {"functionals": {"enabled": False}} if options.pop("fast", False) else {"lld": {"enabled": True}},
        "store": {"format": format, **options},
    }
    return recipe_from(values, folder=root, name="test")


@pytest.fixture(scope="module")
def corpus(tmp_path_factory):
    root = tmp_path_factory.mktemp("corpus")
    write_corpus(root)
    return root


@pytest.fixture(scope="module")
def built(corpus, tmp_path_factory):
    """One version in every format, side by side: format → result of the build."""
    dataset = tmp_path_factory.mktemp("data") / "set"
    return {name: build(recipe(corpus, dataset, name), pool=Inline()) for name in FORMATS}


@pytest.fixture(scope="module", params=FORMATS)
def result(built, request):
    return built[request.param]


@pytest.fixture
def store(result):
    return open_store(result.store)


@pytest.fixture
def copy(result, tmp_path):
    """A copy of the store to damage."""
    source = Path(result.store)
    place = tmp_path / f"copy{source.suffix}"
    if source.is_dir():
        shutil.copytree(source, place)
    else:
        shutil.copy(source, place)
    return place


def values_of(values):
    """Text as a list of str."""
    return [str(value) for value in values.tolist()] if values.dtype.kind in "TO" else values


def everything(store):
    """Bits, shapes and types of all that the interface gives."""
    rows = [2, 0, 5, 6, 7]
    found = {name: values_of(store._read(name)) for name in store.array_names}
    for length in store.lengths:
        found[f"offsets {length}"] = store.offsets(length)
        found[f"segments {length}"] = store.segments(3, length)
        found[f"read {length}"], found[f"starts {length}"] = store.read_segments(rows, length)
        found[f"keys {length}"] = store.keys(f"logmel/{length}")
    found["functionals"] = store.functionals(-1)
    found["many functionals"] = store.read_functionals(rows)
    found["names"] = store.functional_names()
    found["contours"], found["their names"] = store.lld(3), store.lld_names()
    found["manifest"] = store.manifest().digest
    for name in store.columns:
        found[f"column {name}"] = repr(store.column(name))
    return {
        name: (value.dtype.str, value.shape, value.tobytes()) if isinstance(value, np.ndarray) else value
        for name, value in found.items()
    }


# -- the same in all -----------------------------------------------------------------


def test_formats_hold_the_same(built):
    stores = [open_store(built[name].store) for name in FORMATS]
    assert [store.format for store in stores] == FORMATS
    first = everything(stores[0])
    for store in stores[1:]:
        other = everything(store)
        assert list(other) == list(first)
        assert [name for name in first if first[name] != other[name]] == []
    attributes = [
        [(name, value) for name, value in store.attributes.items() if name not in ("files", "seal")] for store in stores
    ]
    assert all(other == attributes[0] for other in attributes[1:])
    assert len({store.version for store in stores}) == 1
    assert len({store.seal for store in stores}) == len(stores)


def test_dimensions_are_numbers_or_words(store):
    by_id = {f"u{9 - number}": cell for number, cell in enumerate(VALENCES)}
    expected = [float(by_id[name] or "nan") for name in store.ids]
    assert np.array_equal(store.column("valence"), expected, equal_nan=True)
    assert store.array("utterances/valence").dtype == store.array("utterances/dominance").dtype == np.float64
    assert np.isnan(store.column("dominance")).all()
    assert set(store.column("arousal")) == {"low", "high"}
    assert store.manifest().column("valence") == ["" if np.isnan(x) else repr(x) for x in expected]


def test_a_store_says_what_was_asked_for(store, result):
    assert store.version == result.version and len(store) == 8
    assert Path(result.store).name == f"{store.version}{store.container.form.suffix}"
    assert store.ids == sorted(store.ids)
    assert store.manifest().digest == store.attributes["provenance"]["manifest_digest"]
    assert store.array("logmel/30/segments").dtype == np.float32
    assert store.array("logmel/30/segments").shape == (store.offsets(30)[-1], 30, 40)


def test_text_is_read_as_written(store):
    assert sorted(set(store.column("note"))) == sorted(NOTES)
    assert store.column("nothing") == [""] * 8
    assert store.speakers.count("") == 2


def test_formats_lie_side_by_side_and_are_not_confused(built, corpus):
    paths = {name: Path(built[name].store) for name in FORMATS}
    dataset = paths["zarr"].parents[1]
    assert {path.parents[1] for path in paths.values()} == {dataset}
    assert sorted(path.name for path in (dataset / "versions").iterdir()) == sorted(
        [
            *(path.name for path in paths.values()),
            f"{built['zarr'].version}.build.json",
            f"{built['zarr'].version}.card.html",
        ]
    )
    before = {name: path.stat().st_mtime_ns for name, path in paths.items()}
    for name in FORMATS:
        again = build(recipe(corpus, dataset, name), pool=Inline())
        assert again.store == str(paths[name]) and (again.computed, again.reused) == (0, 8)
    assert {name: path.stat().st_mtime_ns for name, path in paths.items()} == before
    (dataset / "tags").mkdir(exist_ok=True)
    (dataset / "tags" / "v1").write_text(built["zarr"].version)
    for name in ("", "@latest", "@v1", f"@{built['zarr'].version[:8]}"):
        assert resolve(f"{dataset}{name}") == str(paths["zarr"])


@pytest.mark.parametrize("format", FORMATS)
def test_float16_is_the_nearest_of_float32(corpus, built, tmp_path, format):
    half = open_store(build(recipe(corpus, tmp_path / "a", format, segment_dtype="float16"), pool=Inline()).store)
    single = open_store(built[format].store)
    assert half.version != single.version
    for length in single.lengths:
        array = half.array(f"logmel/{length}/segments")
        assert array.dtype == np.float16
        np.testing.assert_array_equal(array[:], single.array(f"logmel/{length}/segments")[:].astype(np.float16))
    assert half.read_functionals([0]).dtype == np.float32


# -- bytes ---------------------------------------------------------------------------


def bytes_of(place):
    """Name → content of every file."""
    place = Path(place)
    files = [path for path in place.rglob("*") if path.is_file()] if place.is_dir() else [place]
    return {path.relative_to(place.parent).as_posix(): path.read_bytes() for path in files}


@pytest.mark.parametrize("format", FORMATS)
def test_bytes_do_not_depend_on_workers_or_batches(corpus, pool, tmp_path, format, monkeypatch):
    monkeypatch.setattr("serprep.store.layout.CHUNK_BYTES", 30_000)  # several shards, also in the workers' plans
    one = build(recipe(corpus, tmp_path / "a", format, fast=True), pool=Inline(), batch_size=64)
    monkeypatch.undo()
    many = build(recipe(corpus, tmp_path / "b", format, fast=True), pool=pool, batch_size=1)
    monkeypatch.setattr("serprep.store.layout.CHUNK_BYTES", 30_000)
    other = build(recipe(corpus, tmp_path / "c", format, fast=True), pool=Inline(), batch_size=3)
    assert bytes_of(one.store) == bytes_of(other.store)
    monkeypatch.undo()
    plain = build(recipe(corpus, tmp_path / "d", format, fast=True), pool=Inline())
    assert bytes_of(many.store) == bytes_of(plain.store) != bytes_of(one.store)


# -- other processes -----------------------------------------------------------------


def test_a_store_travels_by_pickle_as_its_path(store):
    expected = store.segments(3, 30)
    data = pickle.dumps(store)
    assert len(data) < 500
    np.testing.assert_array_equal(pickle.loads(data).segments(3, 30), expected)  # noqa: S301 - our own, made here


def both_kinds(store, rows):
    return store.read_functionals(rows), store.read_segments(rows, 30)[0]


@pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning")
@pytest.mark.parametrize("start", ["fork", "spawn"])
def test_workers_of_a_data_loader_read_what_the_parent_reads(store, start):
    data = pytest.importorskip("torch.utils.data")
    rows = [5, 0, 7, 3, 3, 1, 6, 2, 4]
    whole, names = store.read_functionals(rows), store.ids  # the parent's files are open when workers start
    segments, _ = store.read_segments(rows, 30)
    n_workers = {"fork": 2, "spawn": 1}[start]  # a spawned one imports torch anew
    options = {"batch_size": 2, "num_workers": n_workers, "multiprocessing_context": multiprocessing.get_context(start)}
    batches = list(data.DataLoader(rows, collate_fn=functools.partial(both_kinds, store), **options))
    assert len(batches) == 5
    np.testing.assert_array_equal(np.concatenate([values for values, _ in batches]), whole)
    np.testing.assert_array_equal(np.concatenate([values for _, values in batches]), segments)
    np.testing.assert_array_equal(store.read_functionals(rows), whole)  # and the parent reads on
    assert store.ids == names


# -- damage --------------------------------------------------------------------------


def test_a_store_that_is_not_there(store, tmp_path):
    for place in (tmp_path / f"x{store.container.form.suffix}", tmp_path):
        with pytest.raises(StoreError, match="no store there"):
            open_store(place)


def test_something_else_of_that_name_is_refused(store, tmp_path):
    place = tmp_path / f"x{store.container.form.suffix}"
    place.write_text("hello")
    with pytest.raises(StoreError, match=r"x\.\w+: (Not a directory|not an HDF5 store of this serprep)"):
        open_store(place)
    place.unlink()
    place.mkdir()
    with pytest.raises(StoreError, match=r"x\.\w+: (no store there|Is a directory)"):
        open_store(place)


def test_damage_is_one_line_or_no_difference(copy, result):
    """Random flips, cuts and holes: every value read is the right one, or there is a StoreError."""
    expected = everything(open_store(result.store))
    rng = random.Random(5)
    files = [path for path in copy.rglob("*") if path.is_file()] if copy.is_dir() else [copy]
    n_refused = 0
    for number in range(60):
        path = rng.choice(files)
        whole = path.read_bytes()
        damaged = bytearray(whole)
        # half of the time where metadata lie, which are small beside the features
        place = rng.randrange(len(whole) if number % 2 else min(len(whole), 60_000))
        if number % 5 == 0:
            del damaged[place:]
        elif number % 5 == 1:
            damaged[place : place + 64] = bytes(len(damaged[place : place + 64]))
        else:
            damaged[place] ^= 1 << rng.randrange(8)
        path.unlink()  # HDF5 knows an open file by its inode
        path.write_bytes(damaged)
        try:
            assert everything(open_store(copy)) == expected, (path.name, number, place)
        except StoreError as error:
            assert "\n" not in str(error) and "build" in str(error)
            n_refused += 1
        path.unlink()
        path.write_bytes(whole)
    assert n_refused > 30
    assert everything(open_store(copy)) == expected


def test_a_build_refuses_a_damaged_store(corpus, tmp_path, store):
    asked = recipe(corpus, tmp_path / "a", store.format, fast=True)
    path = Path(build(asked, pool=Inline()).store)
    root = path / "zarr.json" if path.is_dir() else path
    root.write_bytes(root.read_bytes()[:-100])
    with pytest.raises(StoreError, match="with `serprep build --repair`"):
        build(asked, pool=Inline())


@pytest.mark.parametrize("format", FORMATS)
def test_a_build_that_fails_leaves_nothing(corpus, tmp_path, format, monkeypatch):
    def full(*args, **kwargs):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("serprep.store.writer.shard_values", full)
    with pytest.raises(StoreError, match=r"No space left on device; free space .* computed features are kept"):
        build(recipe(corpus, tmp_path / "a", format, fast=True), pool=Inline())
    assert list((tmp_path / "a" / "versions").iterdir()) == []


def test_rows_of_a_closed_store_are_freed(store):
    """Many stores are opened one after the other: no file stays open."""
    import os

    def n_open():
        return len(list(Path("/proc/self/fd").iterdir())) if Path("/proc/self/fd").is_dir() else 0

    Store(store.path).segments(0, 30)
    before = n_open()
    for _ in range(20):
        Store(os.fspath(store.path)).segments(0, 30)
    assert n_open() <= before + 1


def test_a_closed_store_holds_no_file_and_opens_again(store, copy):
    with Store(str(copy)) as opened:
        expected = everything(opened)
    held = [place.resolve() for place in Path("/proc/self/fd").iterdir() if place.exists()]
    assert not [path for path in held if str(path).startswith(str(copy))]
    opened.close()
    assert everything(opened) == expected
    opened.close()
