import numpy as np
import pytest
import scipy

from serprep.features.compare_2016.fourier import plan
from serprep.features.compare_2016.framing import gauss, hamming, samples_of
from serprep.features.compare_2016.spectrum import _spectra, short_spectra


def test_frames_are_windowed_and_padded_on_both_sides():
    x = np.random.default_rng(0).uniform(-1, 1, 160 * 18 + 320).astype(np.float32)
    found, _ = short_spectra(x, 19)  # one lane block and a part of another
    frames = np.stack([x[160 * t : 160 * t + 320] for t in range(19)]) * hamming()
    expected = np.abs(scipy.fft.rfft(np.pad(frames, ((0, 0), (96, 96))).astype(np.float64), axis=1))
    assert found.shape == (19, 257)
    np.testing.assert_allclose(found, expected, atol=3e-5)


def test_a_frame_depends_on_its_samples_alone():
    x = np.random.default_rng(0).uniform(-1, 1, 160 * 20 + 320).astype(np.float32)
    np.testing.assert_array_equal(short_spectra(x, 21)[0][5:], short_spectra(x[800:], 16)[0])


def test_energy_of_a_constant_and_of_an_impulse():
    constant = samples_of(np.full(960, 1000 / 32768, np.float32))
    np.testing.assert_allclose(np.sqrt(short_spectra(constant, 5)[1]), 1000 / 32767, rtol=1e-7)
    impulse = np.zeros(16_000, np.float32)
    impulse[8000] = 30_000 / 32768
    _, squares = short_spectra(samples_of(impulse), 99)
    assert np.flatnonzero(squares).tolist() == [49, 50]
    assert squares[49] == pytest.approx((30_000 / 32767) ** 2 / 320, rel=1e-7)


def test_squares_are_summed_in_order():
    x = np.random.default_rng(0).uniform(-1, 1, 160 * 18 + 960).astype(np.float32)
    squares = np.empty(19)
    _spectra(x, gauss(), gauss(), np.empty((19, 513), np.float32), squares, *plan(1024))
    for t, value in enumerate(squares):
        total = 0.0
        for square in ((x[160 * t : 160 * t + 960] * gauss()) ** 2).tolist():
            total += square  # since Python 3.12, `sum` of floats carries what is rounded off
        assert value == total / 960
