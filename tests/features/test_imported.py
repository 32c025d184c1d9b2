"""Arrays from elsewhere: every form gives the same store, and what does not fit is named."""

import h5py
import numpy as np
import pytest
import soundfile

from helpers.late import Late
from serprep.errors import FeatureError, SerprepError
from serprep.features.extract import Features, identities
from serprep.features.imported import IMPORTED, Imported
from serprep.pipeline.build import build
from serprep.recipe import recipe_from
from serprep.store.convert import convert
from serprep.store.store import open_store
from serprep.store.verify import verify

pd = Late("pandas")

RNG = np.random.default_rng(0)
ROWS = {f"{name}_sad": RNG.normal(size=3).astype(np.float32) for name in ("anna", "bob", "cyd")}
FRAMES = {name: RNG.normal(size=(n, 3)).astype(np.float32) for n, name in enumerate(ROWS, 2)}


def as_folder(path, arrays):
    path.mkdir()
    for name, array in arrays.items():
        np.save(path / name, array)


def as_folder_of_npz(path, arrays):
    path.mkdir()
    for name, array in arrays.items():
        np.savez(path / name, array)


def as_npz(path, arrays):
    np.savez(path, **arrays)


def as_hdf5(path, arrays):
    with h5py.File(path, "w") as file:
        for name, array in arrays.items():
            file[name] = array


def as_parquet(path, arrays):
    frames = [pd.DataFrame(np.atleast_2d(array), columns=list("xyz")).assign(id=name) for name, array in arrays.items()]
    pd.concat(frames).to_parquet(path)


FORMS = {
    "f": as_folder,
    "z": as_folder_of_npz,
    "a.npz": as_npz,
    "a.h5": as_hdf5,
    "a.parquet": as_parquet,
}


@pytest.fixture
def corpus(tmp_path):
    (tmp_path / "audio").mkdir()
    for name in ROWS:  # twins in sound, so that nothing but the id tells them apart
        soundfile.write(tmp_path / f"audio/{name}.wav", 0.1 * np.random.default_rng(1).normal(size=1000), 16_000)
    return tmp_path


def recipe(root, path, container="zarr", **options):
    values = {
        "dataset": {"path": "data"},
        "corpus": {"reader": "pattern", "root": "audio", "pattern": "{speaker}_{emotion}.wav"},
        "features": {
            "logmel": {"enabled": False},
            "functionals": {"enabled": False},
            "signal": {},
            "imported": {"path": path, **options},
        },
        "store": {"format": container},
    }
    return recipe_from(values, folder=root, name="arrays")


def test_every_form_gives_the_same_store(corpus, inline):
    versions = set()
    for form, write in FORMS.items():
        write(corpus / form, FRAMES)
        result = build(recipe(corpus, form, rows="frames"), pool=inline)
        versions.add(result.version)
    assert len(versions) == 1 and result.computed == 0  # where they lie is not in the keys
    store = open_store(result.store)
    for i, name in enumerate(store.ids):
        assert store.values("imported", i).tobytes() == FRAMES[name].tobytes()
    assert str(corpus) not in str(store.attributes["configurations"])


@pytest.mark.parametrize("container", ["zarr", "hdf5"])
@pytest.mark.parametrize("rows", ["utterance", "frames"])
def test_a_store_of_them_lives_as_any_other(corpus, inline, container, rows):
    arrays = ROWS if rows == "utterance" else FRAMES
    as_npz(corpus / "a.npz", arrays)
    asked = recipe(corpus, "a.npz", container, rows=rows)
    result = build(asked, pool=inline)
    assert (result.computed, build(asked, pool=inline).computed, result.warnings) == (3, 0, ())
    store = open_store(result.store)
    expected = np.concatenate([np.atleast_2d(arrays[name]) for name in store.ids])
    assert np.array_equal(store.read("imported", slice(None))[0], expected)
    assert store.names("imported") == ["imported_0", "imported_1", "imported_2"]
    assert verify(result.store).problems == ()
    alone = verify(result.store, against_audio=corpus / "audio")
    assert alone.whole and len(alone.problems) == 1  # the store is whole, and this says why it is not compared
    assert "arrays that were computed elsewhere (sha256:" in alone.problems[0].message
    assert "`serprep verify --recipe FILE`" in alone.problems[0].message
    assert verify(result.store, against_audio=corpus / "audio", sources=asked.features).problems == ()
    other = convert(result.store, corpus / ("x.h5" if container == "zarr" else "x.zarr"), quiet=True)
    assert other.version == store.version and verify(other.path).problems == ()
    assert np.array_equal(other.read("imported", slice(None))[0], expected)


def test_one_array_that_changes_is_one_row_computed_again(corpus, inline):
    as_folder(corpus / "f", ROWS)
    first = build(recipe(corpus, "f"), pool=inline)
    np.save(corpus / "f/bob_sad.npy", ROWS["bob_sad"] + 1)
    changed = recipe(corpus, "f")
    second = build(changed, pool=inline)
    assert second.computed == 1 and second.version != first.version
    store = open_store(second.store)
    assert np.array_equal(store.values("imported", 1), ROWS["bob_sad"] + 1)
    assert np.array_equal(store.values("imported", 0), ROWS["anna_sad"])
    same = open_store(first.store).keys("imported") == store.keys("imported")
    assert same.all(axis=1).tolist() == [True, False, True]
    problems = verify(first.store, against_audio=corpus / "audio", sources=changed.features).problems
    assert len(problems) == 1 and "computed elsewhere" in problems[0].message  # another source is not this store's


def test_what_has_no_array_or_no_utterance_is_named_and_counted(corpus, inline):
    as_npz(corpus / "a.npz", {"anna_sad": ROWS["anna_sad"], "dan_sad": ROWS["bob_sad"]})
    result = build(recipe(corpus, "a.npz"), pool=inline)
    assert [bad.id for bad in result.reasons] == ["bob_sad", "cyd_sad"] and result.n_utterances == 1
    assert result.reasons[0].reason.endswith("a.npz has no array of this utterance")
    place = corpus / "a.npz"
    assert f"[features.imported] 2 utterances have no array in {place}: bob_sad, cyd_sad" in result.warnings
    assert f"[features.imported] 1 arrays of {place} are of no utterance: dan_sad" in result.warnings
    as_npz(corpus / "a.npz", ROWS)  # the others are added: nothing remembers that they failed
    assert build(recipe(corpus, "a.npz"), pool=inline).n_utterances == 3


@pytest.mark.parametrize(
    ("arrays", "options", "message"),
    [
        (
            {"a": np.zeros((2, 3))},
            {},
            r"array 'a': shape \(2, 3\); expected \(n_columns,\), as rows = 'utterance' says",
        ),
        ({"a": np.zeros(3)}, {"rows": "frames"}, r"shape \(3,\); expected \(n_frames, n_columns\)"),
        ({"a": np.zeros(0)}, {}, r"shape \(1, 0\); expected"),
        ({"a": np.zeros(3), "b": np.zeros(4)}, {}, "array 'b' has 4 columns; expected 3, as those before"),
        ({"a": np.zeros(3)}, {"columns": 4}, "columns is 4; the arrays of .* have 3"),
        ({"a": np.array([1, np.nan])}, {}, "1 numbers are not finite"),
        ({"a": np.array([1e300])}, {}, "1 numbers are not finite as float32"),
        ({"a": np.array(["x"])}, {}, "type <U1; expected numbers"),
        ({"a": np.array([None, {}], object)}, {}, r"array 'a': .*allow_pickle=False"),
        ({}, {}, "holds no array; expected arrays named by utterance id"),
        ({"a": np.zeros(3)}, {"rows": "speaker"}, "rows is 'speaker'; expected one of utterance, frames"),
    ],
)
@pytest.mark.parametrize("write", [as_npz, as_folder])
def test_arrays_that_cannot_be_are_refused_in_one_line(corpus, write, arrays, options, message):
    write(corpus / "a.npz", arrays)
    with pytest.raises(SerprepError, match=message) as caught:
        recipe(corpus, "a.npz", **options)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("a.npz", b"PK\x03\x04 no more", "cannot be read"),
        ("a.npz", b"", "cannot be read"),
        ("a.h5", b"nothing", "cannot be read"),
        ("a.parquet", b"PAR1", "cannot be read"),
        ("a.pkl", b"\x80\x04.", r"is .pkl; expected a folder of .npy or .npz, or one of .npz, .*\(never pickle\)"),
        ("f/b.npy", b"\x80\x04.", r"array 'b'"),
    ],
)
def test_files_that_are_none_are_refused_in_one_line(corpus, name, data, message):
    (corpus / name).parent.mkdir(exist_ok=True)
    (corpus / name).write_bytes(data)
    with pytest.raises(FeatureError, match=message) as caught:
        recipe(corpus, name.split("/")[0])
    assert "\n" not in str(caught.value)
    with pytest.raises(FeatureError, match="no such file or folder"):
        recipe(corpus, "nowhere.npz")


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"name": ["a"], "x": [1.0]}, "no column id"),
        ({"id": ["a"], "x": ["1"]}, "column x is .*string; expected numbers"),
        ({"id": ["a", "b"], "x": [1.0, None]}, "column x has 1 empty cells"),
        ({"id": ["a", "a"], "x": [1.0, 2.0]}, r"array 'a': shape \(2, 1\)"),
        ({"id": ["a"]}, "array 'a'"),
    ],
)
def test_tables_that_cannot_be_are_refused(corpus, table, message):
    pd.DataFrame(table).to_parquet(corpus / "a.parquet")
    with pytest.raises(FeatureError, match=message):
        recipe(corpus, "a.parquet")


def test_hdf5_groups_are_part_of_ids_and_other_files_are_not_read(corpus):
    with h5py.File(corpus / "a.h5", "w") as file:
        file["one/two"] = np.zeros(3)
        file["other"] = h5py.ExternalLink("b.h5", "x")
    as_hdf5(corpus / "b.h5", {"x": np.zeros(3)})
    config = IMPORTED.located(Imported(path="a.h5"), corpus)
    assert IMPORTED.own_identity(config, "one/two")["array"] and IMPORTED.own_identity(config, "other")["array"] is None
    with h5py.File(corpus / "c.h5", "w") as file:
        layout = h5py.VirtualLayout((3,), float)
        layout[:] = h5py.VirtualSource(corpus / "b.h5", "x", (3,))
        file.create_virtual_dataset("v", layout)
    with pytest.raises(FeatureError, match="v lies in another file"):
        IMPORTED.located(Imported(path="c.h5"), corpus)


def test_no_other_key_knows_ids_and_version_knows_the_whole_source(corpus):
    as_npz(corpus / "a.npz", ROWS)
    config = IMPORTED.located(Imported(path="a.npz"), corpus)
    features = Features(logmel=None, functionals=None, imported=config)
    assert identities(features)["imported"]["imported"] == {"rows": "utterance", "columns": 3}
    plain = features.to_json()["kinds"]["imported"]
    assert plain["path"].startswith("sha256:") and (plain["rows"], plain["columns"]) == ("utterance", 3)
    with pytest.raises(FeatureError, match="needs path"):
        Imported()
