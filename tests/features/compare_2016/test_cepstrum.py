import numpy as np
import scipy

from serprep.features.compare_2016.cepstrum import mfcc


def test_coefficients_are_a_liftered_cosine_transform_of_log_energies():
    bands = np.random.default_rng(0).uniform(1e-6, 10, (50, 26)).astype(np.float32)
    logs = np.log(np.maximum(bands.astype(float) * 32767**2, 1))
    transformed = scipy.fft.dct(logs, type=2, axis=1)[:, 1:15] / 2 * np.sqrt(2 / 26)
    lifter = 1 + 11 * np.sin(np.pi * np.arange(1, 15) / 22)
    np.testing.assert_allclose(mfcc(bands), transformed * lifter, atol=3e-4)
    np.testing.assert_allclose(lifter[[0, 10]] * np.sqrt(2 / 26), [0.7115315, 3.3282013], rtol=1e-6)


def test_silence_has_none_and_level_does_not_matter():
    assert not mfcc(np.zeros((3, 26), np.float32)).any()
    bands = np.random.default_rng(0).uniform(1, 10, (5, 26)).astype(np.float32)
    np.testing.assert_allclose(mfcc(bands), mfcc(4 * bands), atol=2e-4)
