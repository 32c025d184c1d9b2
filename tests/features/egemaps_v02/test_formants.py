import numpy as np
import pytest

from serprep.features.compare_2016.framing import samples_of
from serprep.features.compare_2016.spectrum import short_spectra
from serprep.features.egemaps_v02 import formants as f
from serprep.testing.signals import generated_signal


def test_magnitudes_are_those_of_the_other_set():
    samples = samples_of(generated_signal("cut speech", 6000, seed=3))
    magnitude, predictors, squares = f.spectra_and_predictors(samples, 36)
    other = short_spectra(samples, 36)
    np.testing.assert_array_equal(magnitude, other[0])
    np.testing.assert_array_equal(squares, other[1])
    assert predictors.shape == (36, 11)


def test_the_specified_frame_has_the_specified_prediction(stationary):
    predictors = f.spectra_and_predictors(samples_of(stationary[0]), 41)[1]
    expected = [-2.905511, 4.839338, -5.888902, 5.417717, -3.3344538, 0.709924]
    expected += [1.4018832, -2.190066, 1.8576503, -0.9862393, 0.29177946]
    assert predictors[40] == pytest.approx(expected, rel=1e-6)


def test_resampling_is_a_sum_of_waves():
    rng = np.random.default_rng(0)
    real, imaginary = rng.normal(size=(2, 257, f.LANES)).astype(np.float32)
    waves = np.empty((220, f.LANES), np.float32)
    f._resample(real, imaginary, *f._waves(), waves)
    angle = 2 * np.pi * np.outer(np.arange(220), np.arange(1, 110)) / 352
    expected = real[0] + np.cos(angle) @ real[1:110] + np.sin(angle) @ imaginary[1:110]
    np.testing.assert_allclose(waves, expected / 256, atol=1e-5)


def polynomial(roots):
    return -np.real(np.poly(roots))[1:].astype(np.float32)


def test_formants_are_the_angles_of_roots_and_bandwidths_their_distance_from_the_circle():
    hertz, width = np.array([700, 1500, 2500, 3300]), np.array([80, 120, 200, 150])
    z = np.exp(-np.pi * width / 11_000 + 2j * np.pi * hertz / 11_000)
    z[1] = 1 / z[1].conj()  # outside: mirrored
    found = f.formants(polynomial([*z, *z.conj(), 0.5, -0.5, 0.1])[None])
    assert found[:, 0] == pytest.approx([700, 1500, 2500, 80, 120, 200], rel=1e-3)
    (lone,) = f.formants(polynomial([z[0], z[0].conj(), *np.linspace(-0.9, 0.9, 9)])[None]).T
    assert lone == pytest.approx([700, 0, 0, 80, 0, 0], rel=1e-2)


def test_roots_are_those_of_another_solver():
    predictors = f.spectra_and_predictors(samples_of(generated_signal("cut speech", 16_000, seed=5)), 99)[1]
    expected = np.zeros((6, 99))
    for t, a in enumerate(predictors.astype(float)):
        z = np.roots([1, *-a])
        z = z[z.imag >= 0]
        hertz, width = np.abs(np.angle(z)) * 5500 / np.pi, np.abs(np.log(np.abs(z))) * 11_000 / np.pi
        order = [i for i in np.argsort(hertz) if 50 <= hertz[i] <= 5450][:3]
        expected[: len(order), t], expected[3 : 3 + len(order), t] = hertz[order], width[order]
    np.testing.assert_allclose(f.formants(predictors), expected, rtol=1e-7)


def test_frames_without_a_prediction_have_none_and_roots_that_coincide_are_found():
    z = 0.9 * np.exp(1j)
    double = polynomial([z, z, z.conj(), z.conj(), *np.linspace(-0.5, 0.5, 7)])
    predictors = np.stack([np.zeros(11, np.float32), np.full(11, np.nan, np.float32), double])
    found, open_ones = f._formants(predictors)
    assert open_ones.tolist() == [False, False, True]
    assert not found[:, :2].any()
    assert f.formants(predictors)[:2, 2] == pytest.approx([5500 / np.pi] * 2, rel=1e-2)
