"""Harmonics-to-noise ratio and levels of the partials, from the magnitude spectrum of the 60 ms frames.

The ratio is that of the autocorrelation at the period to the rest; partials are peaks near
the multiples of F0, counted from 0, so that "H1" and "H2" are those at 2 F0 and 3 F0.
"""

import numpy as np

from serprep._typing import FloatArray
from serprep.features.compare_2016.compiled import compiled
from serprep.features.compare_2016.fourier import plan, transform
from serprep.features.compare_2016.lanes import LANES, at, put, spread
from serprep.features.compare_2016.pitch import vertex
from serprep.features.compare_2016.spectrum import N_FFT_LONG

_N = 512  # bins but one
_BIN = 15.625  # Hz
_N_PARTIALS = 100
_NONE = np.float32(-201)  # dB, of a partial that is not there


def noise_ratio(magnitude: FloatArray, f0: FloatArray) -> FloatArray:
    """Harmonics-to-noise ratio by autocorrelation (dB, 0 unvoiced), shape (n_frames,)."""
    ratios: FloatArray = _noise_ratio(magnitude, f0, np.flatnonzero(f0 > 0), *plan(N_FFT_LONG))
    return ratios


@compiled
def _noise_ratio(magnitude, f0, voiced, sizes, kinds, plain, twisted, order, split, half):  # type: ignore[no-untyped-def]
    ratios = np.zeros(len(f0), np.float32)
    re, im = np.zeros((_N, LANES), np.float32), np.zeros((_N, LANES), np.float32)
    power = np.zeros((_N + 1, LANES), np.float32)
    for begin in range(0, len(voiced), LANES):
        n_lanes = min(LANES, len(voiced) - begin)
        for t in range(n_lanes):
            for k in range(_N + 1):
                power[k, t] = magnitude[voiced[begin + t], k] * magnitude[voiced[begin + t], k]
        _load_power(power, split, re, im)
        transform(re, im, sizes, kinds, plain, twisted, half)
        for t in range(n_lanes):
            frame = voiced[begin + t]
            lag = _nearest_peak(re[:, t], im[:, t], order, int(16_000 / np.float64(f0[frame])))
            if lag > 0:
                here = _lagged(re[:, t], im[:, t], order, lag)
                rest = np.float64(np.float32(_lagged(re[:, t], im[:, t], order, 0) - here))
                ratio = np.float64(here) / rest if rest != 0 else 1e11
                ratios[frame] = 10 * np.log10(min(max(ratio, 1e-9), 1e11))
    return ratios


@compiled
def _load_power(power, split, re, im):  # type: ignore[no-untyped-def]
    """Power as the complex points whose forward transform is the backward one of a real spectrum, conjugated."""
    first, middle, last = at(power, 0), _N // 2, at(power, _N * LANES)
    h = spread(np.float32(0.5)) * (first - last)
    put(re, 0, first - h)
    put(im, 0, -h)
    put(re, middle * LANES, at(power, middle * LANES))
    put(im, middle * LANES, spread(np.float32(0)))
    for k in range(1, middle):
        low, high = at(power, k * LANES), at(power, (_N - k) * LANES)
        d = low - high
        u, w = spread(split[0, k]) * d, -(spread(split[1, k]) * d)
        put(re, k * LANES, low - u)
        put(re, (_N - k) * LANES, high + u)
        put(im, k * LANES, w)
        put(im, (_N - k) * LANES, w)


@compiled
def _lagged(re, im, order, lag):  # type: ignore[no-untyped-def]
    """Autocorrelation at a lag: even ones are real parts, odd ones imaginary parts."""
    value = re[order[lag // 2]] if lag % 2 == 0 else im[order[lag // 2]]
    return abs(value) / np.float32(_N + 1)


@compiled
def _is_highest(re, im, order, lag):  # type: ignore[no-untyped-def]
    """Whether a lag inside the ends is a peak of the autocorrelation."""
    here = _lagged(re, im, order, lag)
    return here > _lagged(re, im, order, lag - 1) and here > _lagged(re, im, order, lag + 1)


@compiled
def _nearest_peak(re, im, order, lag):  # type: ignore[no-untyped-def]
    """The peak nearest to `lag`, the lower one first; the ends decide where there is none."""
    here = _lagged(re, im, order, lag)
    at_start, at_end = _lagged(re, im, order, 0) > here, _lagged(re, im, order, _N) > here
    if 0 < lag < _N and _is_highest(re, im, order, lag):
        return lag
    if lag == _N and here > _lagged(re, im, order, lag - 1):
        return lag
    for o in range(1, _N):
        if lag - o > 0 and _is_highest(re, im, order, lag - o):
            return lag - o
        if lag + o < _N and _is_highest(re, im, order, lag + o):
            return lag + o
    if at_start and at_end:
        return 0 if lag < _N // 2 else _N
    if at_start:
        return 0
    return _N if at_end else lag


def partials(magnitude: FloatArray, f0: FloatArray, frequencies: FloatArray) -> FloatArray:
    """Levels in dB: H1-H2, H1-A3, and of the partials at three formants over that at F0, shape (5, n_frames).

    Parameters
    ----------
    magnitude : ndarray, shape (n_frames, 513)
    f0 : ndarray, shape (n_frames,)
        Hz, 0 unvoiced.
    frequencies : ndarray, shape (3, n_frames)
        Formants, Hz.
    """
    levels: FloatArray = _partials(magnitude, f0, frequencies)
    return levels


@compiled
def _partials(magnitude, f0, frequencies):  # type: ignore[no-untyped-def]
    levels = np.zeros((5, len(f0)), np.float32)
    bins = np.empty(_N_PARTIALS + 1, np.int64)
    height, top = np.empty(_N_PARTIALS + 1, np.float32), np.empty(_N_PARTIALS + 1, np.float32)
    low, high = np.float32(0.8), np.float32(1.2)
    height[0] = 0  # of none
    for t in range(len(f0)):
        if not f0[t] > 0:
            levels[2:, t] = _NONE
            continue
        m = magnitude[t]
        count = _search(m, f0[t], bins, height, top)
        for i in (2, 3):
            if height[i] > 0:
                _, top[i] = _vertex(m, bins[i])
        second = _level(height, top, 2)
        levels[0, t] = min(max(np.float32(second - _level(height, top, 3)), _NONE), -_NONE)
        best = 0
        for j in range(3):
            f = np.float32(frequencies[j, t])
            above, below = np.float32(low * f), np.float32(high * f)
            best = 0
            first, last = above / _BIN - 1, below / _BIN + 1  # a vertex is within half a bin of its peak
            for i in range(1, count + 1):
                if height[i] > height[best] and first <= bins[i] and bins[i] <= last:
                    place, top[i] = _vertex(m, bins[i])
                    if above <= place and place <= below:
                        best = i
            levels[2 + j, t] = _level(height, top, best) if best > 0 else np.float32(0)
        rest = levels[4, t] if best > 0 else -_NONE
        levels[1, t] = min(max(np.float32(second - rest), _NONE), -_NONE)
    return levels


@compiled
def _search(m, f0, bins, height, top):  # type: ignore[no-untyped-def]
    """Bin and height of the partials, from index 1 on; how many there are.

    One that is no peak has no height and a `top` of 0, one that coincides with its neighbour of minus infinity.
    """
    lowest = _bin(np.float32(np.float32(0.5) * f0), 1)
    c = lowest
    count = _N_PARTIALS
    for i in range(1, _N_PARTIALS + 1):
        before = c
        c = _bin(np.float32(np.float32(i) * f0), before)
        bins[i], height[i], top[i] = c, 0, 0
        if c == 0:  # above the last bin, as all that follow
            count = i
            break
        p = c
        if not _is_peak(m, c):
            p = -1
            left = _bin(np.float32(np.float32(i - 0.5) * f0), before)
            right = _bin(np.float32(np.float32(i + 0.5) * f0), c)
            for o in range(1, _N):
                if c + o > right and c - o < left:
                    break
                if c + o <= right and _is_peak(m, c + o):
                    p = c + o
                    break
                if c - o >= left and _is_peak(m, c - o):
                    p = c - o
                    break
        if p >= lowest and 0 < p < _N:
            bins[i], height[i] = p, m[p]
    for i in range(2, count + 1):
        if bins[i] == bins[i - 1]:
            bins[i], height[i], top[i] = 0, 0, -np.inf
    return count


@compiled
def _vertex(m, p):  # type: ignore[no-untyped-def]
    """Place (Hz) and height of the vertex above a peak."""
    before, here, after = np.float64(m[p - 1]), np.float64(m[p]), np.float64(m[p + 1])
    x, y = vertex(_BIN * (p - 1), before, _BIN * p, here, _BIN * (p + 1), after)
    return np.float32(x), np.float32(y)


@compiled
def _level(height, top, i):  # type: ignore[no-untyped-def]
    """Level of a partial over the first one, dB."""
    if height[1] == 0 or top[i] == -np.inf:
        return _NONE
    if i == 1:
        return np.float32(0)
    if not top[i] > 0:
        return np.float32(-200)
    base = np.float64(np.log10(height[1]))
    return max(np.float32(20 * (np.float64(np.log10(top[i])) - base)), np.float32(-200))


@compiled
def _is_peak(m, k):  # type: ignore[no-untyped-def]
    return (k == 0 or m[k] > m[k - 1]) and (k == _N or m[k] > m[k + 1])


@compiled
def _bin(frequency, start):  # type: ignore[no-untyped-def]
    """The bin nearest to a frequency, from bin ``start - 1`` on; 0 above the last."""
    f = np.float64(frequency)
    k = max(int(f / _BIN) + 1, start)
    if k > _N:
        return 0
    return k - 1 if _BIN * k - f > f - _BIN * (k - 1) else k
