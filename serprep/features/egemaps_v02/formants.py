"""Formants of the 20 ms frames: linear prediction of order 11 on the frame resampled to 11 kHz.

The prediction is ill-conditioned (the spectrum ends at 3.4 kHz, the signal at 5.5 kHz), so
the order of its sums decides the values; lanes lie across frames, which keeps it.
"""

import math
from functools import lru_cache

import numpy as np

from serprep._typing import DoubleArray, FloatArray
from serprep.features.compare_2016.compiled import compiled
from serprep.features.compare_2016.fourier import plan, spectra_into
from serprep.features.compare_2016.framing import HOP, hamming
from serprep.features.compare_2016.lanes import LANES, at, put, root, spread
from serprep.features.compare_2016.spectrum import N_FFT_SHORT, N_HOPS, ONES, lay_out, load_frames, squares_into
from serprep.features.compare_2016.statistics import prediction

N_FORMANTS = 3
ORDER = 11
_RATE = 11_000  # Hz
_N = 220  # samples of a resampled frame
_LAST = 109  # bin
_PERIOD = 352  # samples of 11 kHz in 512 of 16 kHz
_LOWEST, _HIGHEST = 50, 5450  # Hz
_MOST_STEPS = 40
_CLOSE = 1e-20  # squared: the step after it is exact


@lru_cache(maxsize=1)
def _waves() -> tuple[FloatArray, FloatArray]:
    """Cosine and sine of each bin at each resampled place, shape (110, 220)."""
    angles = [[2 * math.pi * (k * i) / _PERIOD for i in range(_N)] for k in range(_LAST + 1)]
    cosine, sine = (np.array([[f(a) for a in row] for row in angles], np.float32) for f in (math.cos, math.sin))
    return cosine, sine


def spectra_and_predictors(samples: FloatArray, count: int) -> tuple[FloatArray, FloatArray, DoubleArray]:
    """Of `count` 20 ms frames magnitudes, shape (count, 257), prediction coefficients, (count, 11), mean squares."""
    magnitude, predictors, squares = _analyse(samples, hamming(), ONES, count, *_waves(), *plan(N_FFT_SHORT))
    return magnitude, predictors, squares


@compiled
def _analyse(samples, window, weights, count, cosine, sine, sizes, kinds, plain, twisted, order, split, half):  # type: ignore[no-untyped-def]
    n_points = len(order)
    magnitude, squares = np.empty((count, n_points + 1), np.float32), np.empty(count)
    predictors = np.zeros((count, ORDER), np.float32)
    re, im = np.empty((n_points, LANES), np.float32), np.empty((n_points, LANES), np.float32)
    real, imaginary = np.empty((n_points + 1, LANES), np.float32), np.empty((n_points + 1, LANES), np.float32)
    waves = np.empty((_N, LANES), np.float32)
    lagged, grid = np.empty((ORDER + 1, LANES), np.float32), np.zeros((HOP, N_HOPS), np.float32)
    a = np.empty(ORDER + 1, np.float32)
    for first in range(0, count, LANES):
        lay_out(samples, first, grid)
        load_frames(re, im, grid, window)
        squares_into(squares[first:], grid, weights)
        spectra_into(real, imaginary, re, im, sizes, kinds, plain, twisted, order, split, half)
        _resample(real, imaginary, cosine, sine, waves)
        _correlate(waves, lagged)
        for k in range(n_points + 1):
            x, y = at(real, k * LANES), at(imaginary, k * LANES)
            put(imaginary, k * LANES, root(x * x + y * y))
        for t in range(min(LANES, count - first)):
            for k in range(n_points + 1):
                magnitude[first + t, k] = imaginary[k, t]
            magnitude[first + t, 0], magnitude[first + t, n_points] = abs(real[0, t]), abs(real[n_points, t])
            prediction(np.ascontiguousarray(lagged[:, t]), a)
            for i in range(ORDER):
                predictors[first + t, i] = a[1 + i]
    return magnitude, predictors, squares


@compiled
def _resample(real, imaginary, cosine, sine, waves):  # type: ignore[no-untyped-def]
    """220 samples of each lane's frame, (place, lane); sums run over bins, those of five places side by side."""
    share, mean = spread(np.float32(1 / 256)), at(real, 0)
    for i in range(0, _N, 5):
        a = b = c = d = e = mean
        for k in range(1, _LAST + 1):
            x, y, cos, sin = at(real, k * LANES), at(imaginary, k * LANES), cosine[k], sine[k]
            a = (a + x * spread(cos[i])) + y * spread(sin[i])
            b = (b + x * spread(cos[i + 1])) + y * spread(sin[i + 1])
            c = (c + x * spread(cos[i + 2])) + y * spread(sin[i + 2])
            d = (d + x * spread(cos[i + 3])) + y * spread(sin[i + 3])
            e = (e + x * spread(cos[i + 4])) + y * spread(sin[i + 4])
        put(waves, i * LANES, a * share)
        put(waves, (i + 1) * LANES, b * share)
        put(waves, (i + 2) * LANES, c * share)
        put(waves, (i + 3) * LANES, d * share)
        put(waves, (i + 4) * LANES, e * share)


@compiled
def _correlate(waves, correlations):  # type: ignore[no-untyped-def]
    """Autocorrelations, (lag, lane), of waves, (place, lane); sums run over places."""
    for lag in range(0, ORDER + 1, 2):
        odd = spread(np.float32(0))  # a sum alone waits for itself
        even = odd + at(waves, lag * LANES) * at(waves, 0)
        for i in range(lag + 1, _N):
            here = at(waves, i * LANES)
            even = even + here * at(waves, (i - lag) * LANES)
            odd = odd + here * at(waves, (i - lag - 1) * LANES)
        put(correlations, lag * LANES, even)
        put(correlations, (lag + 1) * LANES, odd)


def formants(predictors: FloatArray) -> FloatArray:
    """Frequencies (Hz) of the lowest three formants and their bandwidths (Hz), shape (6, n_frames); 0 where none is."""
    resonances, open_ones = _formants(predictors)
    if open_ones.any():  # roots that nearly coincide
        matrices = np.zeros((np.count_nonzero(open_ones), ORDER, ORDER))
        matrices[:, 0] = predictors[open_ones]
        matrices[:, range(1, ORDER), range(ORDER - 1)] = 1
        roots = np.linalg.eigvals(matrices)
        resonances[:, open_ones] = _lowest(np.ascontiguousarray(roots.real.T), np.ascontiguousarray(roots.imag.T))
    return np.asarray(resonances)


@compiled
def _formants(predictors):  # type: ignore[no-untyped-def]
    """Formants of the frames, and of which frames the roots did not converge."""
    count = len(predictors)
    resonances, open_ones = np.zeros((2 * N_FORMANTS, count), np.float32), np.zeros(count, np.bool_)
    real, imaginary, a = np.empty((ORDER, LANES)), np.empty((ORDER, LANES)), np.empty((ORDER, LANES))
    for first in range(0, count, LANES):
        n = min(LANES, count - first)
        a[:] = 0
        a[ORDER - 1] = 1  # of lanes without a prediction
        known = np.zeros(n, np.bool_)
        for t in range(n):
            known[t] = _is_known(predictors[first + t])
            if known[t]:
                for i in range(ORDER):
                    a[i, t] = predictors[first + t, i]
        change = _roots(a, real, imaginary)
        block = _lowest(real, imaginary)
        for t in range(n):
            if known[t]:
                for i in range(2 * N_FORMANTS):
                    resonances[i, first + t] = block[i, t]
                open_ones[first + t] = not change[t] < _CLOSE
    return resonances, open_ones


@compiled
def _is_known(a):  # type: ignore[no-untyped-def]
    """Whether there is a prediction, and a finite one."""
    n_known = 0
    for value in a:
        if not np.isfinite(value):
            return False
        n_known += value != 0
    return n_known > 0


@compiled
def _roots(a, real, imaginary):  # type: ignore[no-untyped-def]
    """Roots of ``z**11 - a[0] * z**10 - … - a[10]`` of each lane, all at once (Ehrlich and Aberth).

    Returns the largest squared relative change of the last step: it triples its digits with every step.
    """
    sum_r, sum_i = np.empty(LANES), np.empty(LANES)
    p_r, p_i, d_r, d_i = np.empty(LANES), np.empty(LANES), np.empty(LANES), np.empty(LANES)
    change = np.empty(LANES)
    for t in range(LANES):
        radius = abs(a[ORDER - 1, t]) ** (1 / ORDER)
        for j in range(ORDER):
            angle = 2 * np.pi * j / ORDER + 0.4
            real[j, t], imaginary[j, t] = radius * np.cos(angle), radius * np.sin(angle)
    for _ in range(_MOST_STEPS):
        change[:] = 0
        for j in range(ORDER):
            sum_r[:], sum_i[:] = 0, 0
            for m in range(ORDER):
                if m != j:
                    for t in range(LANES):
                        x, y = real[j, t] - real[m, t], imaginary[j, t] - imaginary[m, t]
                        inverse = 1 / (x * x + y * y)
                        sum_r[t] += x * inverse
                        sum_i[t] -= y * inverse
            p_r[:], p_i[:], d_r[:], d_i[:] = 1, 0, 0, 0
            for k in range(ORDER):
                for t in range(LANES):
                    x, y = real[j, t], imaginary[j, t]
                    pr, pi, dr, di = p_r[t], p_i[t], d_r[t], d_i[t]
                    d_r[t], d_i[t] = dr * x - di * y + pr, dr * y + di * x + pi
                    p_r[t], p_i[t] = pr * x - pi * y - a[k, t], pr * y + pi * x
            for t in range(LANES):
                pr, pi = p_r[t], p_i[t]
                er, ei = d_r[t] - (pr * sum_r[t] - pi * sum_i[t]), d_i[t] - (pr * sum_i[t] + pi * sum_r[t])
                inverse = 1 / (er * er + ei * ei)
                x, y = (pr * er + pi * ei) * inverse, (pi * er - pr * ei) * inverse
                real[j, t] -= x
                imaginary[j, t] -= y
                relative = (x * x + y * y) / (real[j, t] * real[j, t] + imaginary[j, t] * imaginary[j, t])
                change[t] = change[t] if relative <= change[t] else relative
        n_open = 0
        for t in range(LANES):
            n_open += not change[t] < _CLOSE  # not a number is open
        if n_open == 0:
            break
    return change


@compiled
def _lowest(real, imaginary):  # type: ignore[no-untyped-def]
    """Formants of the roots of each lane, shape (6, n_lanes)."""
    resonances = np.zeros((2 * N_FORMANTS, real.shape[1]), np.float32)
    frequencies, bandwidths = np.empty(ORDER), np.empty(ORDER)
    for t in range(real.shape[1]):
        n = 0
        for j in range(ORDER):
            x, y = real[j, t], imaginary[j, t]
            if not y >= 0:
                continue
            frequency = abs(np.arctan2(y, x)) / (2 * np.pi / _RATE)
            if not _LOWEST <= frequency <= _HIGHEST:
                continue
            bandwidth = abs(np.log(np.hypot(x, y))) / (np.pi / _RATE)  # a root outside the circle is mirrored
            i = n
            while i > 0 and frequencies[i - 1] > frequency:
                frequencies[i], bandwidths[i] = frequencies[i - 1], bandwidths[i - 1]
                i -= 1
            frequencies[i], bandwidths[i] = frequency, bandwidth
            n += 1
        for i in range(min(n, N_FORMANTS)):
            resonances[i, t], resonances[N_FORMANTS + i, t] = frequencies[i], bandwidths[i]
    return resonances
