import numpy as np
import pytest

from serprep.conditions.noise import mixed


def test_noise_has_the_ratio_that_is_asked_for():
    rng = np.random.default_rng(0)
    signal, noise = rng.standard_normal((2, 4000)).astype(np.float32)
    added = mixed(signal, 7 * noise, 5.0).astype(float) - signal
    assert 10 * np.log10((signal.astype(float) ** 2).mean() / (added**2).mean()) == pytest.approx(5, abs=1e-3)
    assert np.array_equal(mixed(signal, 0 * noise, 5.0), signal)
