import warnings
from types import SimpleNamespace

import numpy as np
import pytest

from serprep.audio.decode import decode, read_bytes
from serprep.audio.guard import PEAK, guard
from serprep.errors import FeatureError
from serprep.features.functionals import (
    Functionals,
    check_signal,
    checked,
    feature_names,
    functionals,
    library_digest,
    opensmile_version,
    shortest,
)

opensmile = pytest.importorskip("opensmile", reason="openSMILE is not installed")
REAL = (
    "emodb_first2s/wav/03a01Wa.flac",
    "emodb_first2s/wav/12a05Ta.flac",
    "emodb_first2s/wav/16b10Wb.flac",
    "ravdess/Actor_01/03-01-02-01-01-02-01.flac",  # stereo
    "ravdess/Actor_07/03-01-03-01-02-01-07.flac",
    "ravdess/Actor_24/03-01-05-02-02-02-24.flac",
)

ENGINES = ("native", "opensmile")


@pytest.fixture
def smile():
    """A fresh one for every test: what the package itself computes."""
    return opensmile.Smile(opensmile.FeatureSet.ComParE_2016, opensmile.FeatureLevel.Functionals)


def bits(array):
    return np.ascontiguousarray(array, np.float32).view(np.uint32)


def noise(n_samples, *, seed=0):
    return np.random.default_rng(seed).uniform(-0.3, 0.3, n_samples).astype(np.float32)


@pytest.mark.parametrize("name", REAL)
def test_values_are_the_package_s_bit_for_bit(corpora, smile, name):
    signal = decode(read_bytes(corpora / name))
    expected = smile.process_signal(signal.copy(), 16_000).to_numpy()[0]
    found = functionals(signal, engine="opensmile")
    assert found.shape == (6373,)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(bits(found), bits(expected))


@pytest.mark.parametrize("engine", ENGINES)
def test_values_do_not_depend_on_what_was_computed_before(engine):
    first, second = noise(8000), noise(5000, seed=1)
    once = bits(functionals(first, engine=engine))
    functionals(second, engine=engine)
    np.testing.assert_array_equal(bits(functionals(first, engine=engine)), once)


def test_the_signal_is_left_as_it_was():
    signal = noise(8000)
    signal.flags.writeable = False
    for engine in ENGINES:
        functionals(signal, engine=engine)


def test_names_are_the_package_s(smile):
    assert len(feature_names()) == 6373
    assert list(feature_names()) == list(smile.feature_names)
    assert len(set(feature_names())) == 6373


def test_960_samples_are_enough_and_959_are_not(smile):
    signal = noise(960)
    np.testing.assert_array_equal(bits(functionals(signal)), bits(smile.process_signal(signal.copy(), 16_000))[0])
    with pytest.warns(UserWarning, match="too short"):
        assert not np.isfinite(smile.process_signal(signal[:959].copy(), 16_000)).any(axis=None)
    with pytest.raises(FeatureError, match=r"959 samples are fewer than functionals need \(960, 60 ms\)"):
        functionals(signal[:959])


@pytest.mark.parametrize(("sample_rate", "n_samples"), [(16_000, 960), (8_000, 480), (44_100, 2646)])
def test_the_shortest_signal_lasts_60_ms(sample_rate, n_samples):
    assert shortest(sample_rate) == n_samples


@pytest.mark.parametrize("level", [0.0, 0.25, -1.0, float(PEAK)])
def test_silence_and_constants_have_finite_functionals(smile, level):
    signal = np.full(8000, level, np.float32)
    found = functionals(signal, engine="opensmile")
    assert np.isfinite(found).all()
    np.testing.assert_array_equal(bits(found), bits(smile.process_signal(signal.copy(), 16_000))[0])


@pytest.mark.parametrize("bad", [1.0, 1.5, -1.001, np.nan, np.inf, -np.inf])
def test_signals_that_would_wrap_are_refused(bad):
    signal = noise(2000)
    signal[700] = bad
    with pytest.raises(FeatureError, match="would wrap"):
        functionals(signal, engine="opensmile")


def test_every_guarded_signal_passes():
    rng = np.random.default_rng(0)
    for rate in (16_000, 44_100):
        check_signal(guard(rng.normal(0, 2, 8000).astype(np.float32), rate), 16_000)


def test_anything_but_6373_finite_values_is_refused():
    values = np.zeros((1, 6373), np.float32)
    assert checked(values).shape == (6373,)
    values[0, 17] = np.nan
    with pytest.raises(FeatureError, match="openSMILE gave 6372 finite values, expected 6373"):
        checked(values)
    with pytest.raises(FeatureError, match="openSMILE gave 88 finite values, expected 6373"):
        checked(np.zeros((1, 88)))


def test_no_warning_reaches_the_caller():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for engine in ENGINES:
            functionals(noise(960), engine=engine)


def test_library_digest_follows_library_and_configuration_files(tmp_path, monkeypatch):
    files = {"core/bin/linux/libSMILEapi.so": b"1", "core/config/compare/c.conf": b"2", "core/smile.py": b"3"}
    for name, data in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_bytes(data)
    found = SimpleNamespace(origin=str(tmp_path / "__init__.py"))
    monkeypatch.setattr("serprep.features.functionals.find_spec", lambda name: found)
    digest = library_digest.__wrapped__
    first = digest()
    (tmp_path / "core/smile.py").write_bytes(b"4")
    assert digest() == first
    (tmp_path / "core/config/compare/c.conf").write_bytes(b"5")
    changed = digest()
    (tmp_path / "core/config/compare/c.conf").rename(tmp_path / "core/config/compare/d.conf")
    (tmp_path / "core/bin/linux/other").write_bytes(b"")
    assert len({first, changed, digest()}) == 3


def test_the_installed_library_has_a_digest_and_a_version():
    assert len(bytes.fromhex(library_digest())) == 32
    assert opensmile_version() == opensmile.__version__


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"feature_set": "eGeMAPSv02"}, "feature_set is 'eGeMAPSv02'; expected ComParE_2016"),
        ({"engine": "librosa"}, "engine is 'librosa'; expected one of native, opensmile"),
    ],
)
def test_impossible_configurations_are_refused(change, message):
    with pytest.raises(FeatureError, match=message):
        Functionals(**change)


def test_the_native_engine_is_the_default_and_gives_the_other_s_values():
    signal = noise(8000)
    found = functionals(signal)
    assert found.shape == (6373,)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, functionals(signal, engine="opensmile"), rtol=1e-6)


def test_the_native_engine_computes_at_16_khz_only():
    with pytest.raises(
        FeatureError, match="sample_rate is 8000; engine 'native' computes functionals at 16000 Hz only"
    ):
        functionals(noise(8000), sample_rate=8000, engine="native")


@pytest.mark.parametrize("bad", [1.0, -1.001, np.nan, np.inf])
def test_the_native_engine_refuses_what_the_other_refuses(bad):
    signal = noise(2000)
    signal[700] = bad
    with pytest.raises(FeatureError, match="would wrap"):
        functionals(signal, engine="native")
    with pytest.raises(FeatureError, match="959 samples are fewer than functionals need"):
        functionals(noise(959), engine="native")
