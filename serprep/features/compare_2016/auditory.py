"""Mel bands, auditory spectrum and RASTA-filtered auditory spectrum of the 20 ms frames.

Auditory spectrum: equal-loudness weighting and compression as in perceptual linear
prediction (Hermansky 1990); RASTA: Hermansky and Morgan 1994.
"""

import math
from functools import lru_cache

import numpy as np

from serprep._typing import AnyArray, FloatArray
from serprep.features.compare_2016.compiled import compiled
from serprep.features.compare_2016.spectrum import N_FFT_SHORT

N_BANDS = 26
COMPRESSION = np.float32(0.33)
FLOOR = np.float32(9.3e-10)
FIRST_BIN, LAST_BIN = 2, 255
_BIN = 31.25  # Hz


@lru_cache(maxsize=1)
def bank() -> tuple[AnyArray, FloatArray, FloatArray]:
    """Rising band and falling weight of each bin, shape (257,), and the equal-loudness weights, shape (26,)."""

    def mel(frequency: float) -> np.float32:
        return np.float32(1127 * math.log(1 + frequency / 700))

    low, high = mel(20), mel(8000)
    step = np.float32(np.float32(high - low) / np.float32(N_BANDS + 1))
    edges = low + np.arange(N_BANDS + 2, dtype=np.float32) * step
    bins = np.array([mel(_BIN * k) for k in range(N_FFT_SHORT // 2 + 1)])
    band = np.searchsorted(edges, bins, side="left") - 1  # edges[band] < bin <= edges[band + 1]
    band = np.clip(band, 0, N_BANDS)
    weight = (edges[band + 1] - bins) / (edges[band + 1] - edges[band])
    loudness = [_equal_loudness(700 * (math.exp(float(edge) / 1127) - 1)) for edge in edges[1:-1]]
    return band.astype(np.int64), weight.astype(np.float32), np.array(loudness, np.float32)


def _equal_loudness(frequency: float) -> float:
    w = 2 * math.pi * frequency
    return 1e32 * (w**2 + 56.8e6) * w**4 / ((w**2 + 6.3e6) ** 2 * (w**2 + 0.38e9) * (w**7 + 1.7e31))


def loudness_of(power: FloatArray) -> tuple[FloatArray, FloatArray]:
    """Mel bands and loudness, the mean of the auditory spectrum.

    Parameters
    ----------
    power : ndarray, shape (n_frames, 257), float32

    Returns
    -------
    bands : ndarray, shape (n_frames, 26)
    loudness : ndarray, shape (n_frames,)
    """
    band, weight, loudness = bank()
    bands, mean = np.zeros((len(power), N_BANDS), np.float32), np.empty(len(power), np.float32)
    _bands(power, band, weight, bands)
    _loudness(bands, loudness, mean)
    return bands, mean


def rasta_in_place(bands: FloatArray) -> FloatArray:
    """Make of mel bands, one a row, shape (26, n_frames), their RASTA-filtered auditory spectrum; returns its mean."""
    mean = np.zeros(bands.shape[1], np.float32)
    _rasta(bands, bank()[2], _rasta_constants(), mean)
    return mean


@lru_cache(maxsize=1)
def _rasta_constants() -> FloatArray:
    """Pole, and the taps of delays 0, 1, 3 and 4; band-pass from 1 to 29 Hz at 100 frames a second."""
    pole = np.float32(1 - math.sin(2 * math.pi * 0.01))
    omega = np.float32(math.cos(2 * math.pi * 0.29))
    norm = np.float32(math.sqrt(10 * (32 * float(omega) ** 2 + 8)))
    first, second = np.float32(2 / float(norm)), np.float32(-4 * float(omega) / float(norm))
    return np.array([pole, first, second, -second, -first], np.float32)


@compiled
def _bands(power, band, weight, bands):  # type: ignore[no-untyped-def]
    for t in range(len(power)):
        for k in range(FIRST_BIN, LAST_BIN + 1):
            b = band[k]
            falling = np.float32(power[t, k] * weight[k])
            if b > 0:
                bands[t, b - 1] += falling
            if b < N_BANDS:
                bands[t, b] += np.float32(power[t, k] - falling)


@compiled
def _loudness(bands, weights, loudness):  # type: ignore[no-untyped-def]
    for t in range(len(bands)):
        total = np.float32(0)
        for b in range(N_BANDS):
            value = np.float32(max(bands[t, b], FLOOR) * weights[b])
            total += np.float32(np.float64(value) ** np.float64(COMPRESSION))
        loudness[t] = total / np.float32(N_BANDS)


@compiled
def _rasta(bands, weights, constants, mean):  # type: ignore[no-untyped-def]
    pole, c0, c1, c3, c4 = constants
    n = bands.shape[1]
    for b in range(N_BANDS):
        row = bands[b]
        log_weight = np.float32(np.log(np.float64(weights[b])))
        rest = u1 = u2 = u3 = np.float32(0)
        for t in range(n):
            u = np.log(max(row[t], FLOOR))
            y = np.float32(c0 * u) + rest
            rest = np.float32(c1 * u) + (np.float32(c3 * u2) + np.float32(c4 * u3))
            v = np.float32(0)
            if t >= 5:
                rest = rest + np.float32(pole * y)
                v = y
            u3, u2, u1 = u2, u1, u
            row[t] = np.exp(np.float32(COMPRESSION * np.float32(v + log_weight)))
            mean[t] += row[t]
    for t in range(n):
        mean[t] /= np.float32(N_BANDS)
