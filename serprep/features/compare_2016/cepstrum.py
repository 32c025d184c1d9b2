"""MFCC 1 to 14 of the 20 ms frames, liftered with length 22, from unnormalised 16-bit energies."""

import math
from functools import lru_cache

import numpy as np

from serprep._typing import FloatArray
from serprep.features.compare_2016.auditory import N_BANDS
from serprep.features.compare_2016.compiled import compiled
from serprep.features.compare_2016.framing import FULL_SCALE

N_COEFFICIENTS = 14
LIFTER = 22


@lru_cache(maxsize=1)
def _tables() -> tuple[FloatArray, FloatArray]:
    """Cosines, shape (14, 26), and lifters, shape (14,)."""
    order = range(1, N_COEFFICIENTS + 1)
    cosines = np.array(
        [[math.cos(math.pi * (i / N_BANDS) * (b + 0.5)) for b in range(N_BANDS)] for i in order], np.float32
    )
    angles = np.float32(np.pi) * np.array(order, np.float32) / np.float32(LIFTER)
    sine = np.array([math.sin(angle) for angle in angles], np.float32)
    lifter = np.float32(1) + np.float32(LIFTER / 2) * sine
    return cosines, (lifter * np.float32(np.sqrt(2 / N_BANDS))).astype(np.float32)


def mfcc(bands: FloatArray, n: int = N_COEFFICIENTS) -> FloatArray:
    """The first coefficients of mel bands, from 1 on, shape (n_frames, n)."""
    cosines, lifters = _tables()
    coefficients = np.empty((len(bands), n), np.float32)
    _mfcc(bands, cosines, lifters, coefficients)
    return coefficients


@compiled
def _mfcc(bands, cosines, lifters, coefficients):  # type: ignore[no-untyped-def]
    scale = np.float32(np.float64(FULL_SCALE) * np.float64(FULL_SCALE))
    logs = np.empty(N_BANDS, np.float32)
    for t in range(len(bands)):
        for b in range(N_BANDS):
            logs[b] = np.log(max(np.float32(bands[t, b] * scale), np.float32(1)))
        for i in range(coefficients.shape[1]):
            total = np.float32(0)
            for b in range(N_BANDS):
                total += np.float32(logs[b] * cosines[i, b])
            coefficients[t, i] = total * lifters[i]
