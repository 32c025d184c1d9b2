"""Contours → 6373 functionals: which frames of which contour go into which block.

The statistics are taken while the signal still runs, so each block sees its contours a
few frames short of their full length.
"""

import numpy as np

from serprep._typing import FloatArray
from serprep.features.compare_2016.compiled import compiled
from serprep.features.compare_2016.contours import Contours, delta_row, smooth_row
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
_SHAPE, _VOICED, _RUNS, _COURSE, _CHANGE = map(len, (SHAPE, VOICED, RUNS, COURSE, CHANGE))


def functionals_of(found: Contours) -> FloatArray:
    """All functionals of one signal's contours, shape (6373,), float32."""
    decided = found.n_decided or found.n_frames  # nothing decided before the end: statistics wait for the decisions
    values: FloatArray = _functionals(found.n_frames, decided, *found[2:])
    return values


@compiled
def _functionals(n, decided, voice, voice_delta, energy, energy_delta, spectrum):  # type: ignore[no-untyped-def]
    out = np.zeros(N_FUNCTIONALS, np.float32)
    n_voice, n_energy, n_spectral, n_short = len(voice), len(energy), len(spectrum), spectrum.shape[1]
    shapes = out  # of energy, its deltas, the spectrum and its deltas
    voiced = shapes[2 * (n_energy + n_spectral) * _SHAPE :]
    of_runs = voiced[2 * n_voice * _VOICED :]
    courses = of_runs[_RUNS:]  # of energy and spectrum
    changes = courses[(n_energy + n_spectral) * _COURSE :]
    shorter = max(1, n - 2)
    for c in range(n_energy):
        _shape(energy[c, :shorter], shapes[c * _SHAPE :])
        _shape(energy_delta[c, :shorter], shapes[(n_energy + c) * _SHAPE :])
        _course(energy[c, :n], courses[c * _COURSE :])
        _change(energy_delta[c, :shorter], changes[c * _CHANGE :])
    smoothed, delta = np.empty(n_short + 1, np.float32), np.empty(n_short + 3, np.float32)
    for c in range(n_spectral):
        smooth_row(spectrum[c], n_short, n_short, smoothed)
        delta_row(smoothed, n_short, delta)
        _shape(smoothed[: n + 2], shapes[(2 * n_energy + c) * _SHAPE :])
        _shape(delta[: n + 2], shapes[(2 * n_energy + n_spectral + c) * _SHAPE :])
        _course(smoothed[:n], courses[(n_energy + c) * _COURSE :])
        _change(delta[:shorter], changes[(n_energy + c) * _CHANGE :])
    for c in range(n_voice):
        _voiced(voice[c, : max(1, decided - 2)], voiced[c * _VOICED :])
        _voiced(voice_delta[c, : max(1, decided - 2)], voiced[(n_voice + c) * _VOICED :])
    runs(voice[0, :decided], of_runs)
    return out


@compiled
def _shape(x, out):  # type: ignore[no-untyped-def]
    low, span = extremes(x, out)
    percentiles(x, out[3:])
    moments(x, mean_of(x), out[12:])
    segments(x, low, span, out[15:])
    times(x, low, span, out[19:])
    lpc(x, out[25:])


@compiled
def _voiced(contour, out):  # type: ignore[no-untyped-def]
    kept = np.empty(len(contour), np.float32)
    count = 0
    for value in contour:
        if value != 0:
            kept[count] = value
            count += 1
    if count == 0:
        return
    x = kept[:count]
    mean = mean_of(x)
    out[0] = mean
    out[1], out[2], out[3] = means(x)
    low, span = extremes(x, out[4:])
    regression(x, mean, low, span, False, out[7:])
    percentiles(x, out[15:])
    moments(x, mean, out[24:])
    times(x, low, span, out[27:])
    lpc(x, out[33:])


@compiled
def _course(x, out):  # type: ignore[no-untyped-def]
    place = np.empty(3, np.float32)
    mean = mean_of(x)
    low, span = extremes(x, place)
    out[0] = mean
    out[1], _, out[2] = means(x)
    peaks(x, mean, span, out[3:])
    regression(x, mean, low, span, True, out[15:])


@compiled
def _change(x, out):  # type: ignore[no-untyped-def]
    place = np.empty(3, np.float32)
    out[0], out[1], out[2] = means(x)
    peaks(x, mean_of(x), extremes(x, place)[1], out[3:])
