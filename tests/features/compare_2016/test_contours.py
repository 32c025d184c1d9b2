import numpy as np
import pytest
import soundfile

from serprep.errors import FeatureError
from serprep.features.compare_2016 import lld
from serprep.features.compare_2016.contours import contours_of
from serprep.features.compare_2016.names import contour_names
from serprep.testing.signals import SIGNALS, generated_signal

CUTS = [(kind, n, seed) for seed, n in enumerate((960, 1130, 1700, 3000, 5000, 12_345)) for kind in SIGNALS]


def printed(signal):
    """Contours and deltas as the package prints them: one and three frames more than there are."""
    found = contours_of(signal)
    n = found.n_frames
    plain = [group[:, : n + 1] for group in (found.voice, found.energy, found.spectral)]
    deltas = [group[:, : n + 3] for group in (found.voice_delta, found.energy_delta, found.spectral_delta)]
    return np.concatenate(plain).T, np.concatenate(deltas).T


@pytest.mark.parametrize(("kind", "n", "seed"), CUTS)
def test_contours_are_the_package_s(package, same_contours, kind, n, seed):
    signal = generated_signal(kind, n, seed=seed)
    plain, deltas = printed(signal)
    same_contours(plain, package("LowLevelDescriptors", signal))
    same_contours(deltas, package("LowLevelDescriptors_Deltas", signal))


def test_contours_of_speech_are_the_package_s(package, same_contours, speech):
    plain, deltas = printed(speech)
    same_contours(plain, package("LowLevelDescriptors", speech))
    same_contours(deltas, package("LowLevelDescriptors_Deltas", speech))


@pytest.mark.parametrize("name", ["1.wav", "2.wav", "3.wav"])
def test_contours_of_old_faults_are_the_package_s(package, same_contours, faults, name):
    signal, _ = soundfile.read(faults / name, dtype="float32")
    plain, deltas = printed(signal)
    same_contours(plain, package("LowLevelDescriptors", signal))
    same_contours(deltas, package("LowLevelDescriptors_Deltas", signal))


def test_silence_has_its_fixed_points():
    found = dict(zip((*contour_names(), *contour_names(delta=True)), lld(np.zeros(8000, np.float32)).T, strict=True))
    assert (found.pop("logHNR_sma") == -100).all()
    np.testing.assert_allclose(found.pop("pcm_zcr_sma"), 958 / 960, rtol=1e-6)
    np.testing.assert_allclose(found.pop("audspec_lengthL1norm_sma"), 0.001034, atol=5e-7)
    np.testing.assert_allclose(found.pop("audspecRasta_lengthL1norm_sma"), 0.988341, rtol=1e-6)
    np.testing.assert_allclose(found.pop("pcm_fftMag_spectralEntropy_sma"), 4.316e-6, rtol=1e-3)
    np.testing.assert_allclose(found.pop("audSpec_Rfilt_sma[2]"), 0.419528, rtol=1e-5)
    for share in (25, 50, 75, 90):
        assert (found.pop(f"pcm_fftMag_spectralRollOff{share}.0_sma") == 31.25).all()
    rest = [values for name, values in found.items() if not name.startswith("audSpec_Rfilt")]
    assert np.abs(rest).max() < 1e-6


def test_an_impulse_is_smoothed_over_three_frames():
    signal = np.zeros(16_000, np.float32)
    signal[8000] = 30_000 / 32768
    energy = lld(signal)[:, contour_names().index("pcm_RMSenergy_sma")]
    assert np.flatnonzero(energy).tolist() == [48, 49, 50, 51]
    np.testing.assert_allclose(energy[48:52], np.array([1, 2, 2, 1]) / 3 * 0.0511811, rtol=2e-6)


def test_deltas_are_the_regression_over_five_frames(speech):
    found = contours_of(speech)
    y = found.spectral.astype(float)
    expected = ((y[:, 3:-1] - y[:, 1:-3]) + 2 * (y[:, 4:] - y[:, :-4])) / 10
    n = expected.shape[1]
    np.testing.assert_allclose(
        found.spectral_delta[:, 2 : n + 2], expected, atol=1e-5 * np.ptp(y, axis=1, keepdims=True).max()
    )


def test_contours_are_rows_of_frames_with_a_name_a_column(speech):
    found = lld(speech)
    n = 1 + (len(speech) - 960) // 160
    assert found.shape == (n + 1, 130)
    assert found.dtype == np.float32
    plain, deltas = printed(speech)
    np.testing.assert_array_equal(found, np.hstack([plain, deltas[: n + 1]]))


@pytest.mark.parametrize(
    ("signal", "message"),
    [
        (np.zeros(959), r"a signal of shape \(959,\); expected mono, 960 samples \(60 ms\) or more"),
        (np.zeros((2, 16_000)), r"a signal of shape \(2, 16000\); expected mono"),
        (np.ones(2000), r"amplitudes outside \[-1, 1\)"),
        (np.full(2000, np.nan), r"amplitudes outside \[-1, 1\)"),
    ],
)
def test_signals_that_have_no_contours_are_refused(signal, message):
    with pytest.raises(FeatureError, match=message):
        lld(signal)


@pytest.mark.parametrize("block", [1, 7, 16, 50])
def test_contours_do_not_depend_on_how_many_spectra_are_there_at_a_time(monkeypatch, block):
    signal = np.random.default_rng(0).uniform(-0.3, 0.3, 16_123).astype(np.float32)
    signal[4000:5000] = 0
    expected = contours_of(signal)
    monkeypatch.setattr("serprep.features.compare_2016.framing.BLOCK", block)
    for found, whole in zip(contours_of(signal), expected, strict=True):
        np.testing.assert_array_equal(found, whole)
