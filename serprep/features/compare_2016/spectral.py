"""Fifteen descriptors of the magnitude spectrum of the 20 ms frames, bins 1 to 256."""

from functools import lru_cache

import numpy as np

from serprep._typing import DoubleArray, FloatArray
from serprep.features.compare_2016.compiled import compiled
from serprep.features.compare_2016.lanes import LANES, at, narrow, put, spread, wide
from serprep.features.compare_2016.logarithm import binary_logarithms, is_settled, product_sum

N_DESCRIPTORS = 15
_BIN = 31.25  # Hz
_N = 256  # bins
_SUM = _BIN * (_N * (_N + 1) // 2)  # of the frequencies, Hz
_SQUARES = _BIN**2 * (_N * (_N + 1) * (2 * _N + 1) // 6)  # of their squares


@lru_cache(maxsize=1)
def _sharpness() -> DoubleArray:
    """Zwicker's weight of each bin, shape (257,): Bark times its growth above 16 Bark."""
    frequency = _BIN * np.arange(1, _N + 1)
    bark = 26.81 / (1 + 1960 / frequency) - 0.53
    bark = np.where(bark < 2, 0.85 * bark + 0.3, np.where(bark > 20.1, 1.22 * bark - 0.22 * 20.1, bark))
    growth = np.where(bark <= 16, 1.0, (np.maximum(bark - 16, 0) / 4) ** 1.5849625 + 1)
    return np.concatenate([[0], bark * growth])


def spectral(magnitude: FloatArray, power: FloatArray) -> FloatArray:
    """Descriptors in the set's order, shape (n_frames, 15).

    Energies 250-650 and 1000-4000 Hz, roll-off points 25, 50, 75, 90 %, flux, centroid,
    entropy, variance, skewness, kurtosis, slope, sharpness, harmonicity.
    """
    descriptors = np.empty((len(power), N_DESCRIPTORS), np.float32)
    _spectral(magnitude, power, _sharpness(), descriptors)
    return descriptors


@compiled
def _spectral(magnitude, power, sharpness, descriptors):  # type: ignore[no-untyped-def]
    p, m, sums = np.zeros((_N + 1, LANES), np.float32), np.zeros((_N + 1, LANES + 1), np.float32), np.zeros((10, LANES))
    running = np.empty((_N + 1, LANES))
    for first in range(0, len(power), LANES):
        n = min(LANES, len(power) - first)
        for t in range(n):
            for k in range(1, _N + 1):
                p[k, t], m[k, t] = power[first + t, k], magnitude[max(first + t - 1, 0), k]
        for k in range(1, _N + 1):
            m[k, n] = magnitude[first + n - 1, k]
        _sums(p, m, sharpness, sums, running)
        for t in range(n):
            out, total, weighted = descriptors[first + t], sums[0, t], sums[1, t]
            out[0] = (sums[2, t] + 0.8 * np.float64(p[20, t])) / _N
            out[1] = sums[3, t] / _N
            out[6] = np.sqrt(sums[4, t] / _N)
            out[7] = np.float32(weighted / total) if total != 0 else np.float32(0)
            out[12] = 255 * (_N * weighted - _SUM * total) / (_N * _SQUARES - _SUM * _SUM)
            out[13] = 0.11 * np.float64(np.float32(sums[5, t] / total)) if total != 0 else 0.0
            sums[6, t] = np.float64(out[7])
            _roll_off(out, running[:, t], total)
            out[8] = _entropy(power[first + t], total)
            out[14] = _harmonicity(power[first + t])
        _powers(p, sums)
        for t in range(n):
            out, total = descriptors[first + t], sums[0, t]
            variance = sums[7, t] / total if total != 0 else 0.0
            out[9] = variance
            out[10] = sums[8, t] / (total * variance * np.sqrt(variance)) if variance > 0 else 0
            out[11] = sums[9, t] / (total * variance * variance) if variance != 0 else 0


@compiled
def _sums(p, m, sharpness, sums, running):  # type: ignore[no-untyped-def]
    """Of a lane's frame, over bins in order: power, by frequency too, of two ranges; flux; sharpness, in float32."""
    total, weighted, low, high = spread(0.0), spread(0.0), spread(0.0), spread(0.0)
    for k in range(1, _N + 1):
        value = wide(at(p, k * LANES))
        total = total + value
        weighted = weighted + spread(_BIN * k) * value
        put(running, k * LANES, total)
    for k in range(8, 20):
        low = low + wide(at(p, k * LANES))
    for k in range(32, 129):
        high = high + wide(at(p, k * LANES))
    flux, sharp = spread(0.0), spread(np.float32(0))
    for k in range(1, _N + 1):
        change = wide(at(m, k * (LANES + 1) + 1)) - wide(at(m, k * (LANES + 1)))
        flux = flux + change * change
        sharp = sharp + narrow(spread(sharpness[k]) * wide(at(p, k * LANES)))
    put(sums, 0, total)
    put(sums, LANES, weighted)
    put(sums, 2 * LANES, low)
    put(sums, 3 * LANES, high)
    put(sums, 4 * LANES, flux)
    put(sums, 5 * LANES, wide(sharp))


@compiled
def _powers(p, sums):  # type: ignore[no-untyped-def]
    """Of a lane's frame: power times the second, third and fourth power of the distance from the centroid."""
    second, third, fourth, centroid = spread(0.0), spread(0.0), spread(0.0), at(sums, 6 * LANES)
    for k in range(1, _N + 1):
        d = spread(_BIN * k) - centroid
        m = d * d * wide(at(p, k * LANES))
        second = second + m
        m = m * d
        third = third + m
        m = m * d
        fourth = fourth + m
    put(sums, 7 * LANES, second)
    put(sums, 8 * LANES, third)
    put(sums, 9 * LANES, fourth)


@compiled
def _roll_off(out, running, total):  # type: ignore[no-untyped-def]
    """The first bins at which sums that do not fall reach four shares of the total."""
    for number in range(4):
        wanted = (0.25, 0.5, 0.75, 0.9)[number] * total
        below, reached = 0, _N
        while reached - below > 1:
            middle = (below + reached) // 2
            if running[middle] >= wanted:
                reached = middle
            else:
                below = middle
        out[2 + number] = _BIN * reached


@compiled
def _entropy(p, total):  # type: ignore[no-untyped-def]
    below = max(total, np.float64(np.float32(1e-7)))
    shares, factor = np.empty(_N), 1 / below
    for k in range(_N):
        shares[k] = max(np.float64(p[k + 1]), 1e-7) * factor
    near = product_sum(shares, binary_logarithms(shares))
    if is_settled(near, 1e-12 - 1e-11 * near):
        return -near
    entropy = 0.0
    for k in range(1, _N + 1):
        share = max(np.float64(p[k]), 1e-7) / below
        entropy += share * (np.log(share) / np.log(2.0))
    return -entropy


@compiled
def _harmonicity(p):  # type: ignore[no-untyped-def]
    is_extreme = np.empty(_N, np.uint8)
    before, last, following, after = p[1:], p[2:], p[4:], p[5:]
    for k in range(3, 255):
        x, i = p[k], k - 3
        high = (x > before[i]) & (x > last[i]) & (x > following[i]) & (x > after[i])
        low = (x < before[i]) & (x < last[i]) & (x < following[i]) & (x < after[i])
        is_extreme[k] = high | low
    extremes = np.empty(_N, np.float32)
    n = 0
    for k in range(3, 255):  # without a branch: extremes cannot be predicted
        extremes[n] = p[k]
        n += is_extreme[k]
    total = np.float32(0)
    for i in range(1, n):
        total += abs(np.float32(extremes[i] - extremes[i - 1]))
    return total / np.float32(2) / np.float32(_N)
