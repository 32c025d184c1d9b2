"""Any set and level of openSMILE: the package called directly is the reference."""

import warnings

import numpy as np
import pytest
import soundfile

from serprep.audio.decode import decode, read_bytes
from serprep.audio.signal import Signal
from serprep.errors import FeatureError, SerprepError
from serprep.features import opensmile_fork, opensmile_sets
from serprep.features.extract import Features, extract, extractors, identities
from serprep.features.opensmile_sets import OPENSMILE, Sets
from serprep.pipeline.build import build
from serprep.recipe import recipe_from
from serprep.store.convert import convert
from serprep.store.store import open_store
from serprep.store.verify import verify

opensmile = pytest.importorskip("opensmile", reason="openSMILE is not installed")
NOISE = (0.1 * np.random.default_rng(0).normal(size=8000)).astype(np.float32)

OWN = r"""
[componentInstances:cComponentManager]
instance[dataMemory].type=cDataMemory
\{\cm[source{?}:source include config]}
[componentInstances:cComponentManager]
instance[frame].type=cFramer
instance[energy].type=cEnergy
[frame:cFramer]
reader.dmLevel=wave
writer.dmLevel=frames
frameSize=0.025
frameStep=0.010
frameCenterSpecial=left
[energy:cEnergy]
reader.dmLevel=frames
writer.dmLevel=energy
rms=1
log=1
\{\cm[sink{?}:include external sink]}
"""


def by_the_package(signal, feature_set, level):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # of deprecated sets
        smile = opensmile.Smile(feature_set, level)
    return smile.process_signal(signal.copy(), 16_000)


@pytest.mark.parametrize(
    ("name", "level", "theirs"),
    [
        ("eGeMAPSv02", "functionals", "Functionals"),
        ("eGeMAPSv02", "lld", "LowLevelDescriptors"),
        ("GeMAPS", "functionals", "Functionals"),
        ("emobase", "lld_de", "LowLevelDescriptors_Deltas"),
        ("ComParE_2016", "lld", "LowLevelDescriptors"),
        ("IS10", "functionals", "Functionals"),
    ],
)
@pytest.mark.parametrize("helper", [True, False])
def test_values_and_names_are_the_package_s(monkeypatch, name, level, theirs, helper):
    if not helper:
        monkeypatch.setattr(opensmile_fork, "_refused", [True])
    expected = by_the_package(NOISE, opensmile.FeatureSet[name], opensmile.FeatureLevel[theirs])
    config = Sets(feature_set=name, level=level)
    rows = OPENSMILE.extractor(config, Signal())(NOISE)
    assert OPENSMILE.names(config) == tuple(expected.columns)
    assert OPENSMILE.shape_of(config) == ("row" if level == "functionals" else "contour")
    assert rows.tobytes() == expected.to_numpy().tobytes() and rows.ndim == (1 if level == "functionals" else 2)


def recipe(root, container, **options):
    values = {
        "dataset": {"path": "data"},
        "corpus": {"reader": "pattern", "root": "audio", "pattern": "{speaker}_{emotion}.wav"},
        "features": {"logmel": {"enabled": False}, "functionals": {"enabled": False}, "opensmile": options},
        "store": {"format": container},
    }
    return recipe_from(values, folder=root, name="sets")


@pytest.fixture
def corpus(tmp_path):
    (tmp_path / "audio").mkdir()
    for i, name in enumerate(["anna_sad", "bob_angry"]):
        soundfile.write(tmp_path / f"audio/{name}.wav", NOISE[: 4000 + 3000 * i], 16_000)
    (tmp_path / "own.conf").write_text(OWN)
    return tmp_path


@pytest.mark.parametrize("container", ["zarr", "hdf5"])
@pytest.mark.parametrize("level", ["functionals", "lld"])
def test_a_store_of_them_lives_as_any_other(corpus, inline, monkeypatch, container, level):
    asked = recipe(corpus, container, level=level)
    result = build(asked, pool=inline)
    assert (result.computed, build(asked, pool=inline).computed) == (2, 0)
    store = open_store(result.store)
    theirs = (
        opensmile.FeatureLevel.Functionals if level == "functionals" else opensmile.FeatureLevel.LowLevelDescriptors
    )
    for i, name in enumerate(store.column("path")):
        signal = decode(read_bytes(corpus / "audio" / name))
        expected = by_the_package(signal, opensmile.FeatureSet.eGeMAPSv02, theirs)
        assert store.values("opensmile", i).tobytes() == expected.to_numpy().tobytes()
    assert store.names("opensmile") == list(expected.columns)
    assert store.attributes["licences"][1:] == [
        "opensmile: openSMILE (audEERING), free for research and personal use only"
    ]
    assert verify(result.store, against_audio=corpus / "audio").problems == ()
    monkeypatch.setattr(opensmile_sets, "find_spec", lambda name: None)  # and now it is uninstalled
    other = convert(result.store, corpus / ("x.h5" if container == "zarr" else "x.zarr"), quiet=True)
    assert np.array_equal(other.values("opensmile", 1), store.values("opensmile", 1))
    (problem,) = verify(other.path, against_audio=corpus / "audio").problems
    assert "the package opensmile, which is not installed: pip install opensmile" in problem.message


def test_a_file_of_one_s_own_is_known_by_its_digest(corpus, inline):
    asked = recipe(corpus, "zarr", level="energy", file="own.conf")
    store = open_store(build(asked, pool=inline).store)
    expected = by_the_package(NOISE[:4000], str(corpus / "own.conf"), "energy")
    assert store.names("opensmile") == list(expected.columns) and len(expected) > 10
    signal = decode(read_bytes(corpus / "audio/anna_sad.wav"))
    expected = by_the_package(signal, str(corpus / "own.conf"), "energy").to_numpy()
    assert store.values("opensmile", 0).tobytes() == expected.tobytes()
    assert str(corpus) not in str(store.attributes["configurations"])
    (corpus / "moved").mkdir()
    (corpus / "own.conf").rename(corpus / "moved/own.conf")  # another place is not another store
    moved = recipe(corpus, "zarr", level="energy", file="moved/own.conf")
    again = build(moved, pool=inline)
    assert (again.version, again.computed) == (store.version, 0)
    (corpus / "moved/own.conf").write_text(OWN.replace("0.010", "0.020"))
    changed = build(recipe(corpus, "zarr", level="energy", file="moved/own.conf"), pool=inline)
    assert changed.version != store.version and changed.computed == 2
    assert verify(store.path).problems == ()
    (problem,) = verify(store.path, against_audio=corpus / "audio").problems
    assert "which a store does not hold: `serprep verify --recipe FILE`, with the recipe" in problem.message
    (corpus / "own.conf").write_text(OWN)
    sources = recipe(corpus, "zarr", level="energy", file="own.conf").features
    assert verify(store.path, against_audio=corpus / "audio", sources=sources).problems == ()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"feature_set": "eGeMAPSv99"}, r"feature_set is 'eGeMAPSv99'; the installed opensmile .* knows ComParE_2016,"),
        ({"feature_set": "../x"}, r"feature_set is '../x'; expected a name such as 'eGeMAPSv02'"),
        ({"level": "lld1"}, r"level is 'lld1'; expected one of functionals, lld, lld_de"),
        ({"level": "lld_de"}, r"openSMILE refuses feature_set 'eGeMAPSv02' with level 'lld_de' \(Feature level"),
        ({"file": "none.conf"}, r"file .*none\.conf: No such file"),
        ({"file": "own.conf", "level": "a b"}, r"level is 'a b'; expected letters"),
        ({"file": "own.conf", "level": "nowhere"}, r"openSMILE refuses file .*own\.conf with level 'nowhere'"),
        ({"file": "audio/anna_sad.wav", "level": "energy"}, r"refuses file .*anna_sad\.wav with level 'energy'"),
    ],
)
def test_what_the_package_does_not_know_is_refused(corpus, options, message):
    with pytest.raises(SerprepError, match=message) as caught:
        recipe(corpus, "zarr", **options)
    assert "\n" not in str(caught.value)


def test_a_signal_too_short_for_a_set_is_an_error():
    with pytest.raises(FeatureError, match=r"gave no values|not finite"):  # IS10 needs more than 60 ms
        extract(
            NOISE[:960], Features(logmel=None, functionals=None, opensmile=Sets(feature_set="IS10")), ("opensmile",)
        )


def test_key_and_version_know_library_and_package():
    features = Features(logmel=None, functionals=None, opensmile=Sets())
    identity = identities(features)["opensmile"]
    assert len(identity["extractor"]["library"]) == 64
    assert identity["opensmile"] == {"feature_set": "eGeMAPSv02", "level": "functionals", "file": ""}
    assert extractors(features)["opensmile"]["opensmile"] == opensmile_sets.opensmile_version()
