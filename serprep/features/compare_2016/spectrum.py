"""Magnitude spectra of windowed frames, zero-padded on both sides, LANES frames at a time."""

import numpy as np

from serprep._typing import FloatArray
from serprep.features.compare_2016.compiled import compiled
from serprep.features.compare_2016.fourier import LANES, magnitudes_into, plan
from serprep.features.compare_2016.framing import HOP, gauss, hamming

N_FFT_SHORT = 512  # 31.25 Hz a bin
N_FFT_LONG = 1024  # 15.625 Hz a bin
_TILE = 32  # points whose rows stay in the nearest cache while all lanes are written


def short_spectra(samples: FloatArray, count: int) -> FloatArray:
    """Magnitudes of the Hamming-windowed 20 ms frames, shape (count, 257)."""
    spectra: FloatArray = _spectra(samples, hamming(), count, *plan(N_FFT_SHORT))
    return spectra


def long_spectra(samples: FloatArray, count: int) -> FloatArray:
    """Magnitudes of the Gaussian-windowed 60 ms frames, shape (count, 513)."""
    spectra: FloatArray = _spectra(samples, gauss(), count, *plan(N_FFT_LONG))
    return spectra


@compiled
def _spectra(samples, window, count, sizes, kinds, plain, twisted, order, split, half):  # type: ignore[no-untyped-def]
    n_points = len(order)
    spectra = np.empty((count, n_points + 1), np.float32)
    re, im = np.empty((n_points, LANES), np.float32), np.empty((n_points, LANES), np.float32)
    block = np.empty((n_points + 1, LANES), np.float32)
    for first in range(0, count, LANES):
        load_frames(re, im, samples, window, first, count)
        magnitudes_into(block, re, im, sizes, kinds, plain, twisted, order, split, half)
        for t in range(min(LANES, count - first)):
            for k in range(n_points + 1):
                spectra[first + t, k] = block[k, t]
    return spectra


@compiled
def load_frames(re, im, samples, window, first, count):  # type: ignore[no-untyped-def]
    """Even and odd samples of windowed frames from number `first` on, each in the middle of zeros, one a lane."""
    n_points, n_lanes = re.shape
    n = len(window) // 2
    margin = (n_points - n) // 2
    re[:margin], im[:margin], re[margin + n :], im[margin + n :] = 0, 0, 0, 0
    for begin in range(0, n, _TILE):
        for t in range(n_lanes):
            start = (first + t) * HOP
            if first + t < count:
                for i in range(begin, min(begin + _TILE, n)):
                    re[margin + i, t] = samples[start + 2 * i] * window[2 * i]
                    im[margin + i, t] = samples[start + 2 * i + 1] * window[2 * i + 1]
            else:
                for i in range(begin, min(begin + _TILE, n)):
                    re[margin + i, t], im[margin + i, t] = 0, 0
