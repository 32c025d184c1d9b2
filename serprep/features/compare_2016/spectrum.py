"""Magnitude spectra of windowed frames, zero-padded on both sides."""

import numpy as np

from serprep._typing import FloatArray
from serprep.features.compare_2016.compiled import compiled
from serprep.features.compare_2016.fourier import magnitudes_into, plan
from serprep.features.compare_2016.framing import HOP, SHORT, hamming

N_FFT_SHORT = 512  # 31.25 Hz a bin
N_FFT_LONG = 1024  # 15.625 Hz a bin


def short_spectra(samples: FloatArray, count: int) -> FloatArray:
    """Magnitudes of the Hamming-windowed 20 ms frames, shape (count, 257)."""
    found: FloatArray = _spectra(samples, hamming(), SHORT, count, *plan(N_FFT_SHORT))
    return found


@compiled
def _spectra(samples, window, length, count, sizes, kinds, plain, twisted, order, split, half):  # type: ignore[no-untyped-def]
    n_points = len(order)
    found = np.empty((count, n_points + 1), np.float32)
    re, im = np.empty(n_points, np.float32), np.empty(n_points, np.float32)
    for t in range(count):
        load_frame(re, im, samples, window, t * HOP, length)
        magnitudes_into(found[t], re, im, sizes, kinds, plain, twisted, order, split, half)
    return found


@compiled
def load_frame(re, im, samples, window, first, length):  # type: ignore[no-untyped-def]
    """Even and odd samples of a windowed frame, in the middle of zeros."""
    re[:] = 0
    im[:] = 0
    margin = (len(re) - length // 2) // 2
    for i in range(length // 2):
        re[margin + i] = samples[first + 2 * i] * window[2 * i]
        im[margin + i] = samples[first + 2 * i + 1] * window[2 * i + 1]
