"""Contours → 6373 functionals: which frames of which contour go into which block.

The statistics are taken while the signal still runs, so each block sees its contours a
few frames short of their full length.
"""

import numpy as np

from serprep._typing import FloatArray
from serprep.features.compare_2016.compiled import compiled
from serprep.features.compare_2016.contours import Contours
from serprep.features.compare_2016.names import CHANGE, COURSE, RUNS, SHAPE, VOICED
from serprep.features.compare_2016.peaks import peaks
from serprep.features.compare_2016.statistics import (
    extremes,
    lpc,
    mean_of,
    means,
    moments,
    percentiles,
    regression,
    runs,
    segments,
    times,
)

N_FUNCTIONALS = 6373


def functionals_of(found: Contours) -> FloatArray:
    """All functionals of one signal's contours, shape (6373,), float32."""
    n = found.n_frames
    decided = found.n_decided or n  # nothing decided before the end: statistics wait for the decisions
    energy, energy_delta, spectrum, spectrum_delta, voice, voice_delta = (
        *(found.energy, found.energy_delta, found.spectral, found.spectral_delta),
        *(found.voice, found.voice_delta),
    )
    parts = (
        _shapes(energy, max(1, n - 2), len(SHAPE)),
        _shapes(energy_delta, max(1, n - 2), len(SHAPE)),
        _shapes(spectrum, n + 2, len(SHAPE)),
        _shapes(spectrum_delta, n + 2, len(SHAPE)),
        _voiced(voice, max(1, decided - 2), len(VOICED)),
        _voiced(voice_delta, max(1, decided - 2), len(VOICED)),
        _runs(voice[0], decided, len(RUNS)),
        _courses(energy, n, len(COURSE)),
        _courses(spectrum, n, len(COURSE)),
        _changes(energy_delta, max(1, n - 2), len(CHANGE)),
        _changes(spectrum_delta, max(1, n - 2), len(CHANGE)),
    )
    return np.concatenate(parts)


@compiled
def _shapes(contours, n, width):  # type: ignore[no-untyped-def]
    found = np.zeros(len(contours) * width, np.float32)
    for c in range(len(contours)):
        x, out = contours[c, :n], found[c * width : (c + 1) * width]
        low, span = extremes(x, out)
        percentiles(x, out[3:])
        moments(x, mean_of(x), out[12:])
        segments(x, low, span, out[15:])
        times(x, low, span, out[19:])
        lpc(x, out[25:])
    return found


@compiled
def _voiced(contours, n, width):  # type: ignore[no-untyped-def]
    found = np.zeros(len(contours) * width, np.float32)
    kept = np.empty(n, np.float32)
    for c in range(len(contours)):
        count = 0
        for value in contours[c, :n]:
            if value != 0:
                kept[count] = value
                count += 1
        if count == 0:
            continue
        x, out = kept[:count], found[c * width : (c + 1) * width]
        mean = mean_of(x)
        out[0] = mean
        out[1], out[2], out[3] = means(x)
        low, span = extremes(x, out[4:])
        regression(x, mean, low, span, False, out[7:])
        percentiles(x, out[15:])
        moments(x, mean, out[24:])
        times(x, low, span, out[27:])
        lpc(x, out[33:])
    return found


@compiled
def _runs(contour, n, width):  # type: ignore[no-untyped-def]
    found = np.zeros(width, np.float32)
    runs(contour[:n], found)
    return found


@compiled
def _courses(contours, n, width):  # type: ignore[no-untyped-def]
    found = np.zeros(len(contours) * width, np.float32)
    place = np.empty(3, np.float32)
    for c in range(len(contours)):
        x, out = contours[c, :n], found[c * width : (c + 1) * width]
        mean = mean_of(x)
        low, span = extremes(x, place)
        out[0] = mean
        out[1], _, out[2] = means(x)
        peaks(x, mean, span, out[3:])
        regression(x, mean, low, span, True, out[15:])
    return found


@compiled
def _changes(contours, n, width):  # type: ignore[no-untyped-def]
    found = np.zeros(len(contours) * width, np.float32)
    place = np.empty(3, np.float32)
    for c in range(len(contours)):
        x, out = contours[c, :n], found[c * width : (c + 1) * width]
        out[0], out[1], out[2] = means(x)
        peaks(x, mean_of(x), extremes(x, place)[1], out[3:])
    return found
