import numpy as np
import pytest
import scipy

from serprep.features.compare_2016.pitch import track
from serprep.features.egemaps_v02 import harmonics
from serprep.features.egemaps_v02.frames import TRACKER
from serprep.testing.signals import generated_signal

F = 15.625 * np.arange(513)


def spectrum(peaks):
    """Magnitudes with triangular peaks of given heights at given bins."""
    m = np.full(513, 1e-3)
    for k, height in peaks.items():
        m[k - 1 : k + 2] = height / 2, height, height / 2
    return m.astype(np.float32)


def test_the_ratio_is_that_of_the_autocorrelation():
    pitch = track(generated_signal("cut speech", 16_000, seed=2), 95, TRACKER)
    found = harmonics.noise_ratio(pitch.magnitude, pitch.f0)
    assert (pitch.f0 > 0).sum() > 20 and not found[pitch.f0 == 0].any()
    for t in np.flatnonzero(pitch.f0):
        c = np.abs(scipy.fft.irfft(pitch.magnitude[t].astype(float) ** 2))[:513]
        peaks = [j for j in range(1, 512) if c[j] > c[j - 1] and c[j] > c[j + 1]]
        lag = min(peaks, key=lambda j: (abs(j - int(16_000 / float(pitch.f0[t]))), j))
        assert found[t] == pytest.approx(10 * np.log10(c[lag] / (c[0] - c[lag])), abs=1e-3)


def test_without_a_peak_the_ends_decide():
    def nearest(x, lag):
        return harmonics._nearest_peak(x[::2].copy(), x[1::2].copy(), np.arange(257), lag)

    x = np.linspace(1, 0, 513).astype(np.float32)
    assert nearest(x, 100) == 0
    assert nearest(x[::-1], 100) == 512
    assert nearest(np.ones(513, np.float32), 100) == 100
    valley = np.abs(np.linspace(-1, 1, 513)).astype(np.float32)
    assert nearest(valley, 100) == 0 and nearest(valley, 300) == 512


@pytest.mark.parametrize("start", [1, 7, 300])
def test_the_bin_of_a_frequency_is_the_nearest_from_a_start_on(start):
    for f in np.random.default_rng(0).uniform(20, 9000, 300).astype(np.float32):
        above = [k for k in range(start, 513) if F[k] > f]
        expected = 0
        if above:
            k = above[0]
            expected = k - 1 if F[k] - f > f - F[k - 1] else k
        assert harmonics._bin(f, start) == expected


def test_levels_of_partials_are_counted_from_f0():
    f0 = np.array([20 * 15.625], np.float32)
    m = spectrum({20: 1.0, 40: 0.5, 60: 0.25, 81: 0.1, 100: 0.01})[None]
    frequencies = np.array([[20 * 15.625], [80 * 15.625], [6000]], np.float32)
    first, second = 20 * np.log10([0.5, 0.25])
    h1_h2, h1_a3, *amplitudes = harmonics.partials(m, f0, frequencies)[:, 0].tolist()
    assert h1_h2 == pytest.approx(first - second, abs=1e-4)
    assert h1_a3 == pytest.approx(max(-201, first - 201), abs=1e-4)  # no partial is near the third formant
    assert amplitudes == pytest.approx([0, -20, 0], abs=1e-4)


def test_unvoiced_frames_and_those_without_a_partial_at_f0():
    frequencies = np.full((3, 2), 1000, np.float32)
    flat = np.ones((2, 513), np.float32)
    found = harmonics.partials(flat, np.array([0, 200], np.float32), frequencies)
    assert found[:, 0].tolist() == [0, 0, -201, -201, -201]
    assert found[:, 1].tolist() == [0, -201, 0, 0, 0]
