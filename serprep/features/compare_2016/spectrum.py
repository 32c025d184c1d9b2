"""Magnitude spectra of windowed frames, zero-padded on both sides, LANES frames at a time.

Frames begin a hop apart.  Samples are put in order once for LANES frames, by their place after the hop that they belong
to: what several frames see at one place then lies side by side.
"""

import numpy as np

from serprep._typing import DoubleArray, FloatArray
from serprep.features.compare_2016.compiled import compiled
from serprep.features.compare_2016.fourier import magnitudes_into, plan
from serprep.features.compare_2016.framing import HOP, SHORT, gauss, hamming
from serprep.features.compare_2016.lanes import LANES, at, put, spread, wide

N_FFT_SHORT = 512  # 31.25 Hz a bin
N_FFT_LONG = 1024  # 15.625 Hz a bin
N_HOPS = 24  # of a grid: LANES frames of 60 ms reach over 21
ONES = np.ones(SHORT, np.float32)


def short_spectra(samples: FloatArray, count: int) -> tuple[FloatArray, DoubleArray]:
    """Magnitudes of the Hamming-windowed 20 ms frames, shape (count, 257), and mean squares without the window."""
    spectra, squares = np.empty((count, N_FFT_SHORT // 2 + 1), np.float32), np.empty(count)
    _spectra(samples, hamming(), ONES, spectra, squares, *plan(N_FFT_SHORT))
    return spectra, squares


def long_spectra(samples: FloatArray, count: int) -> FloatArray:
    """Magnitudes of the Gaussian-windowed 60 ms frames, shape (count, 513)."""
    spectra = np.empty((count, N_FFT_LONG // 2 + 1), np.float32)
    _spectra(samples, gauss(), gauss(), spectra, np.empty(count), *plan(N_FFT_LONG))
    return spectra


@compiled
def _spectra(  # type: ignore[no-untyped-def]
    samples, window, weights, spectra, squares, sizes, kinds, plain, twisted, order, split, half
):  # fmt: skip
    n_points, count = len(order), len(squares)
    re, im = np.empty((n_points, LANES), np.float32), np.empty((n_points, LANES), np.float32)
    block, grid = np.empty((n_points + 1, LANES), np.float32), np.zeros((HOP, N_HOPS), np.float32)
    for first in range(0, count, LANES):
        lay_out(samples, first, grid)
        load_frames(re, im, grid, window)
        squares_into(squares[first:], grid, weights)
        magnitudes_into(block, re, im, sizes, kinds, plain, twisted, order, split, half)
        for t in range(min(LANES, count - first)):
            for k in range(n_points + 1):
                spectra[first + t, k] = block[k, t]


@compiled
def lay_out(samples, first, grid):  # type: ignore[no-untyped-def]
    """Samples from frame number `first` on, shape (HOP, N_HOPS), a hop a column; 0 behind the last."""
    for hop in range(N_HOPS):
        begin = (first + hop) * HOP
        n = min(max(len(samples) - begin, 0), HOP)
        for i in range(n):
            grid[i, hop] = samples[begin + i]
        for i in range(n, HOP):
            grid[i, hop] = 0


@compiled
def load_frames(re, im, grid, window):  # type: ignore[no-untyped-def]
    """Even and odd samples of windowed frames, each in the middle of zeros, one a lane."""
    n = len(window) // 2
    margin = (len(re) - n) // 2
    re[:margin], im[:margin], re[margin + n :], im[margin + n :] = 0, 0, 0, 0
    for i in range(n):
        hop, place = 2 * i // HOP, 2 * i % HOP
        put(re, (margin + i) * LANES, at(grid, place * N_HOPS + hop) * spread(window[2 * i]))
        put(im, (margin + i) * LANES, at(grid, (place + 1) * N_HOPS + hop) * spread(window[2 * i + 1]))


@compiled
def squares_into(squares, grid, window):  # type: ignore[no-untyped-def]
    """Mean squares of windowed frames, float64, of as many as fit; squares are rounded to float32 first."""
    total, totals = spread(0.0), np.empty(LANES)
    for i in range(len(window)):
        value = at(grid, i % HOP * N_HOPS + i // HOP) * spread(window[i])
        total = total + wide(value * value)
    put(totals, 0, total)
    for t in range(min(LANES, len(squares))):
        squares[t] = totals[t] / len(window)
