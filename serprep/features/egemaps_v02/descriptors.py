"""Balance, slopes and flux of the magnitude spectrum of the 20 ms frames, up to 5000 Hz, in dB where they are levels.

Bin 0 takes part, and the slopes count one point less than they sum: so does the reference.
"""

import numpy as np

from serprep._typing import FloatArray
from serprep.features.compare_2016.compiled import compiled

_BIN = 31.25  # Hz
_FLOOR = np.float32(np.float32(1e-7) * np.float32(1e-7))
_LOWEST = np.float32(-140)  # dB, of power at the floor
_DECIBEL = np.float32(10 / np.log(10.0))
_BANDS = ((0, 16), (16, 48))  # bins of the slopes, first and last


def descriptors(magnitude: FloatArray, power: FloatArray) -> FloatArray:
    """Alpha ratio, Hammarberg index (dB), slopes 0-500 and 500-1500 Hz (dB/Hz), flux, shape (5, n_frames)."""
    contours: FloatArray = _descriptors(magnitude, power)
    return contours


@compiled
def _descriptors(magnitude, power):  # type: ignore[no-untyped-def]
    contours = np.zeros((5, len(power)), np.float32)
    level = np.empty(49)
    for t in range(len(power)):
        p = power[t]
        low = high = np.float32(0)
        for k in range(32):
            low += p[k]
        for k in range(32, 161):
            high += p[k]
        if low != 0:
            if high > _FLOOR:
                contours[0, t] = _decibels(np.log(np.float32(high / low)))
            else:
                contours[0, t] = _decibels(np.float32(np.log(_FLOOR) - np.log(low)))
        below, above = _highest(p[:64]), _highest(p[64:161])
        if above != 0:
            if below > _FLOOR:
                contours[1, t] = _decibels(np.log(np.float32(below / above)))
            else:
                contours[1, t] = _decibels(np.float32(np.log(_FLOOR) - np.log(above)))
        for k in range(len(level)):
            level[k] = _DECIBEL * np.log(p[k]) if p[k] > _FLOOR else _LOWEST
        for i in range(2):
            first, last = _BANDS[i]
            n = last - first
            f_sum = square_sum = level_sum = product_sum = 0.0
            for k in range(first, last + 1):
                f = _BIN * k
                f_sum += f
                square_sum += f * f
                level_sum += level[k]
                product_sum += f * level[k]
            contours[2 + i, t] = (n * product_sum - f_sum * level_sum) / (n * square_sum - f_sum * f_sum)
        if t > 0:
            flux = 0.0
            for k in range(160):
                change = np.float64(magnitude[t, k]) - np.float64(magnitude[t - 1, k])
                flux += change * change
            contours[4, t] = np.sqrt(flux / 160)
    return contours


@compiled
def _highest(values):  # type: ignore[no-untyped-def]
    highest = values[0]
    for value in values:
        highest = max(highest, value)
    return highest


@compiled
def _decibels(logarithm):  # type: ignore[no-untyped-def]
    return np.float32(10 * np.float64(logarithm) / np.log(10.0))
