"""Fifteen descriptors of the magnitude spectrum of the 20 ms frames, bins 1 to 256."""

from functools import lru_cache

import numpy as np

from serprep._typing import DoubleArray, FloatArray
from serprep.features.compare_2016.compiled import compiled
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
    descriptors: FloatArray = _spectral(magnitude, power, _sharpness())
    return descriptors


@compiled
def _spectral(magnitude, power, sharpness):  # type: ignore[no-untyped-def]
    descriptors = np.empty((len(power), N_DESCRIPTORS), np.float32)
    for t in range(len(power)):
        p, out = power[t], descriptors[t]
        before, here = magnitude[max(t - 1, 0)], magnitude[t]
        total = weighted = low = high = flux = 0.0
        sharp = np.float32(0)
        for k in range(1, _N + 1):  # sums that wait for themselves alone run side by side
            value = np.float64(p[k])
            total += value
            weighted += _BIN * k * value
            low += value if 8 <= k < 20 else 0.0
            high += value if 32 <= k < 129 else 0.0
            change = np.float64(here[k]) - np.float64(before[k])
            flux += change * change
            sharp += np.float32(sharpness[k] * value)
        out[0] = (low + 0.8 * np.float64(p[20])) / _N
        out[1] = high / _N
        out[6] = np.sqrt(flux / _N)
        out[7] = np.float32(weighted / total) if total != 0 else np.float32(0)
        out[8] = _entropy(p, total)
        _moments(out, p, total, np.float64(out[7]))
        _roll_off(out, p, total)
        out[12] = 255 * (_N * weighted - _SUM * total) / (_N * _SQUARES - _SUM * _SUM)
        out[13] = 0.11 * np.float64(np.float32(np.float64(sharp) / total)) if total != 0 else 0.0
        out[14] = _harmonicity(p)
    return descriptors


@compiled
def _roll_off(out, p, total):  # type: ignore[no-untyped-def]
    number, running = 0, 0.0
    for k in range(1, _N + 1):
        running += np.float64(p[k])
        while number < 4 and running >= (0.25, 0.5, 0.75, 0.9)[number] * total:
            out[2 + number] = _BIN * k
            number += 1
        if number == 4:
            break


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
def _moments(out, p, total, centroid):  # type: ignore[no-untyped-def]
    second = third = fourth = 0.0
    for k in range(1, _N + 1):
        d = _BIN * k - centroid
        m = d * d * np.float64(p[k])
        second += m
        m *= d
        third += m
        m *= d
        fourth += m
    variance = second / total if total != 0 else 0.0
    out[9] = variance
    out[10] = third / (total * variance * np.sqrt(variance)) if variance > 0 else 0
    out[11] = fourth / (total * variance * variance) if variance != 0 else 0


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
