import numpy as np
import scipy

from serprep.features.compare_2016.framing import hamming
from serprep.features.compare_2016.spectrum import short_spectra


def test_frames_are_windowed_and_padded_on_both_sides():
    x = np.random.default_rng(0).uniform(-1, 1, 160 * 18 + 320).astype(np.float32)
    found = short_spectra(x, 19)  # one lane block and a part of another
    frames = np.stack([x[160 * t : 160 * t + 320] for t in range(19)]) * hamming()
    expected = np.abs(scipy.fft.rfft(np.pad(frames, ((0, 0), (96, 96))).astype(np.float64), axis=1))
    assert found.shape == (19, 257)
    np.testing.assert_allclose(found, expected, atol=3e-5)


def test_a_frame_depends_on_its_samples_alone():
    x = np.random.default_rng(0).uniform(-1, 1, 160 * 20 + 320).astype(np.float32)
    np.testing.assert_array_equal(short_spectra(x, 21)[5:], short_spectra(x[800:], 16))
