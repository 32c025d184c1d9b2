import json
import multiprocessing
import pickle
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from helpers.inline import Inline
from serprep.cache.parts import key_of
from serprep.errors import StoreError
from serprep.features.extract import identities
from serprep.pipeline.build import build
from serprep.recipe import recipe_from
from serprep.store.store import Store, open_store
from serprep.testing import write_synthetic_corpus


@pytest.fixture(scope="module")
def built(tmp_path_factory):
    """Ten utterances in a store; some without a label, one speaker unknown."""
    root = tmp_path_factory.mktemp("corpus")
    paths = write_synthetic_corpus(root, n_speakers=5, emotions=["sad", "angry"], n_texts=1)
    lines = ["path,id,speaker,emotion,n_words,Note"]
    for number, path in enumerate(paths):
        emotion = "" if number == 7 else path.parent.name
        note = '"a ""b"" ü, c"' if number == 2 else ""
        lines.append(f"{path.relative_to(root)},u{9 - number},s{number % 5 or ''},{emotion},{number},{note}")
    (root / "labels.csv").write_text("\n".join(lines) + "\n")
    recipe = recipe_from(
        {
            "dataset": {"path": str(tmp_path_factory.mktemp("data") / "set")},
            "corpus": {"reader": "table", "root": str(root), "file": "labels.csv"},
        },
        folder=root,
        name="test",
    )
    return build(recipe, pool=Inline())


@pytest.fixture(scope="module")
def store(built):
    return open_store(built.store)


@pytest.fixture
def copy(built, tmp_path):
    """A copy of the store to damage."""
    copy = shutil.copytree(built.store, tmp_path / "copy.zarr")
    for path in [copy, *copy.rglob("*")]:
        path.chmod(0o700)
    return copy


# -- what it says --------------------------------------------------------------------


def test_a_store_explains_itself(store, built):
    assert len(store) == 10
    assert store.ids == sorted(store.ids) == [f"u{n}" for n in range(10)]
    assert store.version == built.version and len(store.version) == 64
    assert store.labels == ("angry", "sad")  # declared by nobody: sorted, "" is no label
    assert store.lengths == (30, 50) or store.lengths == (50, 30)
    assert set(store.emotions) == {"angry", "sad", ""} and store.emotions.count("") == 1
    assert store.speakers.count("s") == 2
    assert store.column("Note").count('a "b" ü, c') == 1
    assert store.column("n_words") == [str(9 - n) for n in range(10)]
    assert repr(store) == f"<Store {store.version[:12]}: 10 utterances, 2 labels>"


def test_the_manifest_in_a_store_has_the_digest_its_attributes_name(store):
    manifest = store.manifest()
    assert manifest.digest == store.attributes["provenance"]["manifest_digest"]
    assert manifest.columns[5:7] == ("n_words", "Note")
    assert all(row.audio_digest and row.sample_rate == 16_000 for row in manifest.utterances)


def test_keys_are_the_cache_keys_of_each_row(store):
    kinds = identities(store.features)
    for name, kind in (("logmel/30", "logmel"), ("logmel/50", "logmel"), ("functionals", "functionals")):
        expected = [key_of(row.audio_digest, None, None, kinds[kind]) for row in store.manifest().utterances]
        assert [bytes(key) for key in store.keys(name)] == expected


def test_array_names_are_all_arrays(store, built):
    import zarr

    group = zarr.open_group(built.store, mode="r", zarr_format=3)
    expected = sorted(path for path, node in group.members(max_depth=None) if isinstance(node, zarr.Array))
    assert store.array_names == expected


def test_xarray_opens_a_store_with_named_axes(store, built):
    import xarray

    tree = xarray.open_datatree(built.store, engine="zarr", consolidated=False)
    assert tree["logmel/30/segments"].dims == ("segment_30", "frame_30", "mel")
    assert tree["logmel/50/segments"].dims == ("segment_50", "frame_50", "mel")
    assert tree["functionals/compare_2016"].dims == ("utterance", "functional")
    assert tree["utterances/id"].dims == ("utterance",)
    assert [str(value) for value in tree["utterances/id"].values] == store.ids
    np.testing.assert_array_equal(tree["functionals/compare_2016"].values, store.read_functionals(slice(None)))
    assert tree.attrs["version"] == store.version
    tree.close()


# -- reading -------------------------------------------------------------------------

ROWS = [
    slice(None),
    slice(2, 5),
    slice(None, None, 3),
    slice(None, None, -1),
    slice(5, 5),
    slice(-3, None),
    slice(4, 1000),
    [],
    [3],
    [-1],
    [7, 2, 2, 9, -10, 0],
    [4, 5, 6, 5, 6, 7],
    range(1, 9, 2),
    np.array([9, 8], np.uint8),
    np.array([], np.int64),
    (1, 2),
]


@pytest.mark.parametrize("rows", ROWS, ids=str)
@pytest.mark.parametrize("length", [30, 50])
def test_many_utterances_are_read_like_one_by_one(store, rows, length):
    wanted = list(range(10))[rows] if isinstance(rows, slice) else [int(i) for i in rows]
    segments, offsets = store.read_segments(rows, length)
    assert offsets.dtype == np.int64 and offsets[0] == 0 and len(offsets) == len(wanted) + 1
    assert segments.shape == (offsets[-1], length, 40) and segments.dtype == np.float32
    for place, i in enumerate(wanted):
        np.testing.assert_array_equal(segments[offsets[place] : offsets[place + 1]], store.segments(i, length))
    functionals = store.read_functionals(rows)
    assert functionals.shape == (len(wanted), 6373)
    for place, i in enumerate(wanted):
        np.testing.assert_array_equal(functionals[place], store.functionals(i))


def test_negative_numbers_count_from_the_end(store):
    for i in range(1, 11):
        np.testing.assert_array_equal(store.segments(-i, 30), store.segments(10 - i, 30))
        np.testing.assert_array_equal(store.functionals(-i), store.functionals(10 - i))


@pytest.mark.parametrize("row", [10, -11])
def test_rows_that_are_not_there(store, row):
    for read in (lambda: store.segments(row, 30), lambda: store.functionals(row)):
        with pytest.raises(IndexError, match=f"utterance {row} of 10"):
            read()
    for read in (lambda: store.read_segments([0, row], 30), lambda: store.read_functionals([row])):
        with pytest.raises(IndexError, match=r"utterances -?\d+ to -?\d+ of 10"):
            read()


@pytest.mark.parametrize("rows", [np.arange(10) > 4, [True, False], [0.5], ["u1"]], ids=str)
def test_masks_and_names_are_not_taken_for_row_numbers(store, rows):
    for read in (lambda: store.read_segments(rows, 30), lambda: store.read_functionals(rows)):
        with pytest.raises(IndexError, match="expected row numbers"):
            read()


def test_a_length_that_is_not_stored(store):
    for read in (store.segments, store.read_segments):
        with pytest.raises(StoreError, match=r"has no segments of 31 frames of 'logmel'; it has .*logmel/30/segments"):
            read(0 if read == store.segments else [0], 31)
    with pytest.raises(StoreError, match="has no array 'utterances/age'"):
        store.column("age")


# -- elsewhere -----------------------------------------------------------------------


def test_a_store_travels_by_pickle_as_its_path(store):
    store.segments(0, 30)
    data = pickle.dumps(store)
    assert len(data) < 500
    other = pickle.loads(data)  # noqa: S301 - our own, made here
    np.testing.assert_array_equal(other.segments(3, 30), store.segments(3, 30))


def test_no_file_of_a_store_needs_pickle(built, monkeypatch):
    monkeypatch.setattr(pickle, "loads", None)
    monkeypatch.setattr(pickle, "Unpickler", None)
    store = Store(built.store)
    for name in store.array_names:
        store.array(name)[:]


def read_in_child(store, results):
    results.put((store.read_segments([1, 0], 30)[0].sum(), float(store.functionals(2).sum()), store.ids[3]))


@pytest.mark.filterwarnings("ignore:.*use of fork:DeprecationWarning")
def test_a_store_is_read_after_a_fork(store):
    expected = (store.read_segments([1, 0], 30)[0].sum(), float(store.functionals(2).sum()), store.ids[3])
    context = multiprocessing.get_context("fork")
    results = context.Queue()
    children = [context.Process(target=read_in_child, args=(store, results), daemon=True) for _ in range(2)]
    for child in children:
        child.start()
    found = [results.get(timeout=300) for _ in children]
    for child in children:
        child.join(timeout=300)
    assert found == [expected, expected]
    assert [child.exitcode for child in children] == [0, 0]


# -- damage --------------------------------------------------------------------------


def test_open_store_takes_data_sets_and_paths(built, tmp_path):
    from pathlib import Path

    root = Path(built.store).parents[1]
    for place in (root, str(root), f"{root}@latest", f"{root}@{built.version[:8]}", Path(built.store)):
        assert open_store(place).version == built.version
    with pytest.raises(StoreError, match="no store there"):
        open_store(tmp_path)


def test_a_store_without_its_root_is_refused(copy):
    (copy / "zarr.json").unlink()
    with pytest.raises(StoreError, match="no store there"):
        open_store(copy)


def test_a_store_with_half_a_root_is_refused(copy):
    data = (copy / "zarr.json").read_bytes()
    (copy / "zarr.json").write_bytes(data[: len(data) // 2])
    with pytest.raises(StoreError, match="unfinished or damaged; build it again"):
        open_store(copy)


def test_a_store_with_one_digit_changed_is_refused(copy):
    text = (copy / "zarr.json").read_text()
    (copy / "zarr.json").write_text(text.replace('"n_utterances": 10', '"n_utterances": 11'))
    with pytest.raises(StoreError, match="does not match its seal"):
        open_store(copy)


def test_a_store_with_a_missing_shard_is_refused(copy):
    (copy / "functionals/compare_2016/c/0/0").unlink()
    with pytest.raises(StoreError, match=r"1 of its .* files are missing, such as functionals/compare_2016/c/0/0"):
        open_store(copy)


def test_a_store_of_another_format_is_refused(copy):
    from serprep.store import zarr_store

    about = json.loads((copy / "zarr.json").read_bytes())["attributes"]
    zarr_store.seal(copy, {**about, "format": 2})
    with pytest.raises(StoreError, match="has format 2, this serprep reads 1"):
        open_store(copy)


@pytest.mark.parametrize(
    ("file", "read"),
    [
        ("logmel/30/segments/c/0/0/0", lambda store: store.segments(0, 30)),
        ("logmel/30/segments/c/0/0/0", lambda store: store.read_segments([0], 30)),
        ("logmel/50/offsets/c/0", lambda store: store.segments(0, 50)),
        ("functionals/compare_2016/c/0/0", lambda store: store.functionals(0)),
        ("functionals/compare_2016/c/0/0", lambda store: store.read_functionals([0])),
        ("functionals/keys/c/0/0", lambda store: store.keys("functionals")),
        ("functionals/compare_2016_names/c/0", lambda store: store.functional_names()),
        ("utterances/emotion/c/0", lambda store: store.emotions),
        ("utterances/duration/c/0", lambda store: store.manifest()),
    ],
)
def test_damaged_chunks_are_one_line(copy, file, read):
    store = open_store(copy)
    read(store)
    data = (copy / file).read_bytes()
    damaged = bytearray(data)
    damaged[3] ^= 1
    for content in (bytes(damaged), data[: len(data) // 2], b""):
        (copy / file).write_bytes(content)
        name = file.split("/c/")[0]
        with pytest.raises(StoreError, match=f"array '{name}' is damaged .*build again") as caught:
            read(open_store(copy))
        assert "\n" not in str(caught.value)


def test_damaged_metadata_of_an_array_is_refused(copy):
    path = copy / "logmel/30/segments/zarr.json"
    text = path.read_text()
    path.write_text(text.replace('"shape": [', '"shape":  [').replace("NaN", "0.0"))
    assert path.read_text() != text
    with pytest.raises(StoreError, match=r"logmel/30/segments/zarr.json does not match its digest"):
        open_store(copy).segments(0, 30)


@pytest.mark.parametrize("name", ["logmel/30/segments", "functionals/compare_2016", "utterances/emotion"])
def test_a_file_that_goes_missing_under_an_open_store_is_an_error(name, tmp_path):
    """Zarr itself would give fill values: NaN, or an empty label."""
    from serprep.testing import write_synthetic_corpus

    write_synthetic_corpus(tmp_path / "corpus", n_speakers=1, n_texts=1)
    asked = recipe_from(
        {
            "dataset": {"path": "stores"},
            "corpus": {"reader": "pattern", "root": "corpus", "pattern": "{emotion}/{speaker}_{text}_{take}.wav"},
        },
        folder=tmp_path,
        name="missing",
    )
    opened = open_store(build(asked, pool=Inline()).store)
    files = [path for path in (Path(opened.path) / name).rglob("*") if path.is_file() and path.name != "zarr.json"]
    for path in files:
        path.parent.chmod(0o755)
        path.unlink()
    with pytest.raises(StoreError, match=r"its file c/0(/0)* is missing"):
        {
            "logmel/30/segments": lambda: opened.segments(0, 30),
            "functionals/compare_2016": lambda: opened.read_functionals([2]),
            "utterances/emotion": lambda: opened.emotions,
        }[name]()


def test_an_unknown_array_is_answered_with_those_there_are(store):
    expected = r"has no array 'x\\nlogmel'; it has functionals/compare_2016, .*utterances/start"
    with pytest.raises(StoreError, match=expected) as caught:
        store.array("x\nlogmel")
    assert all(name in str(caught.value) for name in store.array_names)


def test_info_on_a_zarr_store_loads_no_library_of_arrays(built):
    code = (
        "import sys; from serprep_cli.main import cli; cli(['info', sys.argv[1]], standalone_mode=False); "
        "print([name for name in ('zarr', 'h5py', 'scipy', 'numba') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code, built.store], capture_output=True, text=True)
    assert "utterances" in done.stdout and done.stdout.splitlines()[-1] == "[]", done.stderr
