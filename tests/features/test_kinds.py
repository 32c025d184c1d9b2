"""The contract of every kind of feature, and how a kind of somebody else's joins."""

import copy
import dataclasses
from dataclasses import dataclass
from importlib.metadata import EntryPoint

import numpy as np
import pytest
import soundfile

from serprep import plugins
from serprep.audio.signal import Signal
from serprep.errors import FeatureError
from serprep.features.extract import Features, extract, extractors, features_from_json, identities, kind_libraries
from serprep.features.framing import Segment
from serprep.features.kind import Kind, MissingKind
from serprep.features.kinds import KINDS, brought_by, kind_names, kind_of, set_of
from serprep.features.libraries import minor
from serprep.pipeline.build import build
from serprep.recipe import recipe_from
from serprep.store.convert import convert
from serprep.store.store import open_store
from serprep.store.verify import verify

SIGNAL = (0.1 * np.random.default_rng(0).normal(size=8000)).astype(np.float32)

WITHOUT_DEFAULTS = ("embedding",)  # these must be told what to read; their own tests do


@dataclass(frozen=True, kw_only=True)
class Peaks:
    how_many: int = 2


class _Peaks(Kind[Peaks]):
    name = "peaks"
    config = Peaks
    shape = "row"
    revision = 3

    def names(self, config):
        return tuple(f"peak_{i}" for i in range(config.how_many))

    def extractor(self, config, signal):
        return lambda samples: np.sort(samples)[::-1][: config.how_many].astype(np.float32)


PEAKS = _Peaks()


@pytest.fixture
def installed(monkeypatch):
    """`PEAKS` as if a package had brought it."""

    class Distribution:
        name, version = "serprep-peaks", "1.4.2"

    entry = EntryPoint("peaks", "tests:PEAKS", "serprep.features")
    vars(entry).update(dist=Distribution)
    monkeypatch.setattr(plugins, "plugged", lambda group: {"peaks": (entry,)} if group == "serprep.features" else {})
    monkeypatch.setattr(plugins, "load", lambda entry: PEAKS)


@pytest.mark.parametrize(
    "name", [name for name, kind in KINDS.items() if kind.wants == "signal" and name not in WITHOUT_DEFAULTS]
)
def test_a_kind_gives_what_it_announces(name):
    kind = KINDS[name]
    config = kind.config(enabled=True) if "enabled" in kind.config.__dataclass_fields__ else kind.config()
    kind.check(config, Signal())
    rows = kind.extractor(config, Signal())(SIGNAL)
    assert rows.dtype == np.float32 and rows.shape[-1] == kind.n_columns(config) == len(kind.names(config))
    assert rows.ndim == {"row": 1, "contour": 2}[kind.shape_of(config)]
    if kind.shape_of(config) == "contour":
        assert kind.n_rows(len(SIGNAL), config) in (None, len(rows))
    assert kind.name == name and kind_of(name) is kind and brought_by(name) == ""
    assert dataclasses.is_dataclass(kind.config) and kind.config.__dataclass_params__.frozen
    assert np.isfinite(kind.extractor(config, Signal())(SIGNAL[: kind.shortest(config, Signal())])).all()


def test_a_kind_of_somebody_else_s_is_computed_keyed_and_recorded(installed):
    features = Features(logmel=None, functionals=None, peaks=Peaks(how_many=3))
    assert kind_names()[-1] == "peaks" and features.kinds == ("peaks",) and features.segments == {}
    (rows,) = extract(SIGNAL, features, ("peaks",)).values()
    assert rows.tolist() == [sorted(SIGNAL.tolist(), reverse=True)[:3]]
    identity = identities(features)["peaks"]
    assert identity["extractor"]["distribution"] == "serprep-peaks 1.4" and identity["extractor"]["revision"] == 3
    assert identity["peaks"] == {"how_many": 3}
    assert kind_libraries(features) == {"serprep-peaks": "1.4.2"}
    assert extractors(features) == {
        "peaks": {"name": "serprep.peaks", "revision": 3, "distribution": "serprep-peaks 1.4"}
    }
    values = features.to_json()
    assert values["kinds"] == {"peaks": {"how_many": 3}} and "logmel" not in values
    assert features_from_json(values) == features == copy.deepcopy(features)


def test_only_what_is_a_package_of_that_version_is_a_library(installed, monkeypatch):
    known = {"numpy": minor(np.__version__), "scipy": "0.1", "device": "cpu", "weights": "ab" * 32, "": None}
    monkeypatch.setattr(_Peaks, "identity", lambda self, config: known)
    features = Features(logmel=None, functionals=None, peaks=Peaks())
    assert kind_libraries(features) == {"serprep-peaks": "1.4.2", "numpy": np.__version__}


def test_a_kind_that_is_not_installed_can_be_read_and_not_computed(installed, monkeypatch):
    values = Features(peaks=Peaks()).to_json()
    monkeypatch.setattr(plugins, "plugged", lambda group: {})
    with pytest.raises(FeatureError, match=r"unknown kind of feature 'peaks'; expected one of logmel"):
        features_from_json(values)
    missing = MissingKind(name="peaks", shape="row", column_names=("a", "b"), distribution="serprep-peaks 1.4.2")
    features = features_from_json(values, {"peaks": missing})
    assert features.to_json() == values and features.kind("peaks").n_columns({}) == 2
    assert list(extract(SIGNAL, features, ("logmel",))) == ["logmel"]
    with pytest.raises(FeatureError, match=r"came from the package serprep-peaks 1\.4\.2, which is not installed"):
        extract(SIGNAL, features, ("peaks",))


def test_an_unknown_kind_is_answered_with_the_closest():
    with pytest.raises(FeatureError, match=r"unknown kind of feature 'logmle'; .*; did you mean 'logmel'"):
        kind_of("logmle")


def test_an_entry_point_that_is_no_kind_is_refused(monkeypatch):
    entry = EntryPoint("peaks", "json:dumps", "serprep.features")
    monkeypatch.setattr(plugins, "plugged", lambda group: {"peaks": (entry,)} if group == "serprep.features" else {})
    with pytest.raises(FeatureError, match=r"is function ''; expected a serprep.features.kind.Kind of that name"):
        kind_of("peaks")


def cut_from(kind):
    return {"a": Segment(length=3, hop=1, of=kind)}


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"logmel": None, "functionals": None}, "leaves nothing to compute"),
        (
            {"peaks": Peaks(), "segments": cut_from("peaks"), "logmel": None},
            "one row per utterance; expected a contour",
        ),
        ({"segments": cut_from("lld")}, "cut from 'lld', which is not enabled"),
    ],
)
def test_impossible_combinations_are_refused(installed, values, message):
    with pytest.raises(FeatureError, match=message):
        Features(**values)


@pytest.mark.parametrize("container", ["zarr", "hdf5"])
def test_a_store_of_somebody_else_s_kind_alone_lives_as_any_other(installed, inline, monkeypatch, tmp_path, container):
    rng = np.random.default_rng(1)
    signals = {name: 0.1 * rng.normal(size=2000 + 500 * i) for i, name in enumerate(["anna_sad", "bob_angry"])}
    for name, samples in signals.items():
        soundfile.write(tmp_path / f"{name}.wav", samples, 16_000, "FLOAT")
    values = {
        "dataset": {"path": "data"},
        "corpus": {"reader": "pattern", "root": ".", "pattern": "{speaker}_{emotion}.wav"},
        "features": {"logmel": {"enabled": False}, "functionals": {"enabled": False}, "peaks": {"how_many": 4}},
        "store": {"format": container},
    }
    recipe = recipe_from(values, folder=tmp_path, name="peaks")
    result = build(recipe, pool=inline)
    assert (result.computed, build(recipe, pool=inline).computed) == (2, 0)
    store = open_store(result.store)
    expected = [np.sort(signals[name].astype(np.float32))[::-1][:4] for name in store.ids]
    assert np.array_equal(store.read("peaks", slice(None))[0], expected)
    assert store.names("peaks") == ["peak_0", "peak_1", "peak_2", "peak_3"]
    assert "n_frames" not in store.columns and store.column("n_samples") == [2000, 2500]
    assert verify(result.store, against_audio=tmp_path).problems == ()
    monkeypatch.setattr(plugins, "plugged", lambda group: {})  # and now it is uninstalled
    other = convert(result.store, tmp_path / ("x.h5" if container == "zarr" else "x.zarr"), quiet=True)
    assert other.version == store.version and np.array_equal(other.values("peaks", 1), expected[1])
    assert verify(other.path).problems == ()
    (problem, *_) = verify(other.path, against_audio=tmp_path).problems
    assert "'peaks' came from the package serprep-peaks 1.4.2, which is not installed" in problem.message


class _Named(_Peaks):
    """Of each utterance the length of its name: what somebody else knows of it."""

    wants = "utterance"

    def own_identity(self, config, utterance):
        return {"length": len(utterance)}

    def remarks(self, config, utterances):
        return [f"{len(utterances)} names were measured"]

    def extractor(self, config, signal):
        def length(samples, utterance):
            if utterance == "eve_sad":
                raise FeatureError("nobody knows eve")
            return np.full(config.how_many, len(utterance), np.float32)

        return length


def test_a_kind_that_wants_the_utterance_gets_its_id_and_keys_of_its_own(installed, inline, monkeypatch, tmp_path):
    monkeypatch.setattr(plugins, "load", lambda entry: _Named())
    names = ["al_sad", "anna_sad", "bo_sad", "eve_sad"]
    for name in names:  # the same bytes: what the signal alone decides is computed once
        soundfile.write(tmp_path / f"{name}.wav", SIGNAL[:2000], 16_000, "FLOAT")
    values = {
        "dataset": {"path": "data"},
        "corpus": {"reader": "pattern", "root": ".", "pattern": "{speaker}_{emotion}.wav"},
        "features": {"functionals": {"enabled": False}, "peaks": {"how_many": 1}},
    }
    result = build(recipe_from(values, folder=tmp_path, name="peaks"), pool=inline)
    assert [(bad.id, bad.reason) for bad in result.reasons] == [("eve_sad", "nobody knows eve")]
    assert "4 names were measured" in result.warnings
    store = open_store(result.store)
    assert store.read("peaks", slice(None))[0].tolist() == [[6], [8], [6]]
    al, anna, bo = (keys.tobytes() for keys in store.keys("peaks"))
    assert al == bo != anna and len({keys.tobytes() for keys in store.keys("logmel/30")}) == 1
    assert build(recipe_from(values, folder=tmp_path, name="peaks"), pool=inline).computed == 0
    assert verify(result.store, against_audio=tmp_path).problems == ()


@dataclass(frozen=True, kw_only=True)
class Codes:
    whole: bool = False


class _Codes(Kind[Codes]):
    name = "peaks"
    config = Codes
    revision = 1
    lacks = ""

    def shape_of(self, config):
        return "row" if config.whole else "contour"

    def dtype(self, config):
        return "int16"

    def missing(self, config):
        return self.lacks

    def names(self, config):
        return ("a", "b")

    def extractor(self, config, signal):
        def codes(samples):
            rows = np.floor(samples[: len(samples) // 2 * 2].reshape(-1, 2) * 32768)
            return rows[0] if config.whole else rows

        return codes


@pytest.mark.parametrize("container", ["zarr", "hdf5"])
@pytest.mark.parametrize("whole", [False, True])
def test_shape_and_type_follow_from_the_configuration(installed, inline, monkeypatch, tmp_path, container, whole):
    monkeypatch.setattr(plugins, "load", lambda entry: _Codes())
    samples = (0.1 * np.random.default_rng(1).normal(size=3001)).astype(np.float32)
    soundfile.write(tmp_path / "anna_sad.wav", samples, 16_000, "FLOAT")
    segments = {} if whole else {"segments": {"a": {"length": 500, "hop": 400, "of": "peaks"}}}
    values = {
        "dataset": {"path": "data"},
        "corpus": {"reader": "pattern", "root": ".", "pattern": "{speaker}_{emotion}.wav"},
        "features": {
            "logmel": {"enabled": False},
            "functionals": {"enabled": False},
            "peaks": {"whole": whole},
            **segments,
        },
        "store": {"format": container, "segment_dtype": "float16"},
    }
    place = build(recipe_from(values, folder=tmp_path, name="peaks"), pool=inline).store
    store = open_store(place)
    expected = np.floor(samples[:3000].reshape(-1, 2) * 32768).astype(np.int16)
    found = store.values("peaks", 0)
    assert found.dtype == np.int16 and np.array_equal(found, expected[0] if whole else expected)
    if not whole:  # a float16 could not tell such numbers apart
        assert np.array_equal(store.segments(0, 500, "peaks"), np.stack([expected[i : i + 500] for i in (0, 400, 800)]))
    assert verify(place, against_audio=tmp_path).problems == ()
    monkeypatch.setattr(_Codes, "lacks", "the machine of codes is not there: install it")
    other = convert(place, tmp_path / ("x.h5" if container == "zarr" else "x.zarr"), quiet=True)
    assert np.array_equal(other.values("peaks", 0), found) and other.names("peaks") == ["a", "b"]
    assert verify(other.path).problems == ()
    (problem,) = verify(other.path, against_audio=tmp_path).problems
    assert problem.message == "the machine of codes is not there: install it"


@pytest.mark.parametrize("rows", [np.zeros(3), np.zeros(3, np.float32), np.zeros((2, 2), np.float32)])
def test_what_is_not_as_announced_is_an_error(installed, monkeypatch, rows):
    monkeypatch.setattr(_Peaks, "extractor", lambda self, config, signal: lambda samples: rows)
    from serprep.features.extract import _extractor

    _extractor.cache_clear()
    with pytest.raises(FeatureError, match=r"peaks gave float.*; expected float32, 2 columns"):
        extract(SIGNAL, Features(peaks=Peaks()), ("peaks",))
    _extractor.cache_clear()


@pytest.mark.parametrize(
    ("name", "level", "kind", "n_columns", "hop"),
    [
        ("egemaps", "", "egemaps", 88, 0.01),
        ("egemaps", "lld", "egemaps", 25, 0.01),
        ("compare_2016", "", "functionals", 6373, None),
        ("compare_2016", "functionals", "functionals", 6373, None),
        ("compare_2016", "lld", "lld", 130, 0.01),
        ("logmel", "", "logmel", 40, 0.01),
        ("signal", "lld", "signal", 1, 1 / 16_000),
        ("peaks", "functionals", "peaks", 2, None),
    ],
)
def test_a_feature_set_is_a_kind_at_a_level(installed, name, level, kind, n_columns, hop):
    chosen, config = set_of(name, level)
    assert (chosen.name, chosen.n_columns(config), chosen.enabled(config)) == (kind, n_columns, True)
    assert chosen.hop(config, Signal()) == hop
    assert chosen.licence(config) == ""  # the engine of its own, where there are two


def test_a_set_that_is_not_there_is_answered_with_those_that_are(installed):
    with pytest.raises(
        FeatureError, match=r"no feature set 'compare2016'; did you mean 'compare_2016'.*embedding, peaks"
    ):
        set_of("compare2016")
    with pytest.raises(FeatureError, match="'logmel' has no level 'functionals'"):
        set_of("logmel", "functionals")
    with pytest.raises(FeatureError, match="'imported' is not computed from recordings"):
        set_of("imported")
