"""Contours → 6373 functionals: which frames of which contour go into which block.

The statistics are taken while the signal still runs, so each block sees its contours a
few frames short of their full length.
"""

import numpy as np

from serprep._typing import FloatArray
from serprep.features.compare_2016.compiled import compiled
from serprep.features.compare_2016.contours import Contours, delta, smooth
from serprep.features.compare_2016.names import CHANGE, COURSE, RUNS, SHAPE, VOICED
from serprep.features.compare_2016.peaks import peaks
from serprep.features.compare_2016.statistics import (
    extremes,
    lpc,
    mean_of,
    means,
    moments,
    percentiles,
    places_of,
    powers,
    regression,
    runs,
    segments,
    summary,
    times,
)

N_FUNCTIONALS = 6373
_SHAPE, _VOICED, _RUNS, _COURSE, _CHANGE = map(len, (SHAPE, VOICED, RUNS, COURSE, CHANGE))
_ENDS = np.cumsum([2 * 59 * _SHAPE, 2 * 6 * _VOICED, _RUNS, 59 * _COURSE]).tolist()  # of the blocks, but for the last
_AT_ONCE = 2**19  # values of contours that are smoothed and put in order at a time: of an hour one contour's


def functionals_of(contours: Contours) -> FloatArray:
    """All functionals of one signal's contours, shape (6373,), float32."""
    n, n_energy, n_both = contours.n_frames, len(contours.energy), len(contours.energy) + len(contours.spectrum)
    decided = contours.n_decided or n  # nothing decided before the end: statistics wait for the decisions
    out = np.zeros(N_FUNCTIONALS, np.float32)
    shapes, voiced, of_runs, courses, changes = map(out.__getitem__, map(slice, [0, *_ENDS], [*_ENDS, N_FUNCTIONALS]))
    n_short = contours.spectrum.shape[1]
    n_group = max(1, _AT_ONCE // n_short)
    for c in range(0, n_energy, n_group):
        rows, deltas = contours.energy[c:][:n_group], contours.energy_delta[c:][:n_group]
        _of_group(
            rows, deltas, max(1, n - 2), n, c, shapes[c * _SHAPE :], shapes[(n_energy + c) * _SHAPE :], courses, changes
        )
    for c in range(n_energy, n_both, n_group):
        rows = contours.spectrum[c - n_energy :][:n_group]
        smoothed = smooth(rows, n_short, np.full(len(rows), n_short))
        of_rows, of_deltas = shapes[(n_energy + c) * _SHAPE :], shapes[(n_both + c) * _SHAPE :]
        _of_group(smoothed, delta(smoothed, n_short), n + 2, n, c, of_rows, of_deltas, courses, changes)
    n_seen = max(1, decided - 2)
    for rows in (contours.voice, contours.voice_delta):
        for c in range(0, len(rows), n_group):
            seen = rows[c:, :n_seen][:n_group].copy()
            ordered = np.where(seen == 0, np.float32(np.inf), seen)
            ordered.sort()
            _of_voices(seen, ordered, voiced[c * _VOICED :])
        voiced = voiced[len(rows) * _VOICED :]
    runs(contours.voice[0, :decided], of_runs)
    return out


def _of_group(
    contours: FloatArray, deltas: FloatArray, n_seen: int, n: int, first: int,
    shapes: FloatArray, of_deltas: FloatArray, courses: FloatArray, changes: FloatArray,
) -> None:  # fmt: skip
    """Functionals of contours from number `first` on and of their deltas, of whose shape `n_seen` frames are seen."""
    ordered, ordered_deltas = contours[:, :n_seen].copy(), deltas[:, :n_seen].copy()
    ordered.sort()
    ordered_deltas.sort()
    courses, changes = courses[first * _COURSE :], changes[first * _CHANGE :]
    _of_rows(contours, deltas, ordered, ordered_deltas, n, shapes, of_deltas, courses, changes)


@compiled
def _of_rows(contours, deltas, ordered, ordered_deltas, n, shapes, of_deltas, courses, changes):  # type: ignore[no-untyped-def]
    n_seen, n_change = ordered.shape[1], max(1, n - 2)
    running = np.empty(n_seen, np.float32)
    for c in range(len(contours)):
        x, delta = contours[c], deltas[c]
        seen, whole = summary(x, n_seen, n)
        _shape(x[:n_seen], ordered[c], *seen, running, shapes[c * _SHAPE :])
        _course(x[:n], *whole, courses[c * _COURSE :])
        seen, whole = summary(delta, n_seen, n_change)
        _shape(delta[:n_seen], ordered_deltas[c], *seen, running, of_deltas[c * _SHAPE :])
        _change(delta[:n_change], *whole, changes[c * _CHANGE :])


@compiled
def _of_voices(contours, ordered, out):  # type: ignore[no-untyped-def]
    for c in range(len(contours)):
        _voiced(contours[c], ordered[c], out[c * _VOICED :])


@compiled
def _shape(x, ordered, mean, high, low_at, running, out):  # type: ignore[no-untyped-def]
    r = np.empty(6, np.float32)
    low, span = places_of(x, high, low_at, out)
    percentiles(ordered, out[3:])
    moments(len(x), *powers(x, mean, r, running), out[12:])
    segments(running, low, span, out[15:])
    times(x, low, span, out[19:])
    lpc(r, len(x), out[25:])


@compiled
def _voiced(contour, ordered, out):  # type: ignore[no-untyped-def]
    """Of the frames that are not 0, which come first in `ordered`."""
    kept, running, r = np.empty(len(contour), np.float32), np.empty(len(contour), np.float32), np.empty(6, np.float32)
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
    percentiles(ordered[:count], out[15:])
    moments(count, *powers(x, mean, r, running), out[24:])
    times(x, low, span, out[27:])
    lpc(r, count, out[33:])


@compiled
def _course(x, mean, high, low_at, out):  # type: ignore[no-untyped-def]
    low, span = x[low_at], x[high] - x[low_at]
    out[0] = mean
    out[1], _, out[2] = means(x)
    peaks(x, mean, span, out[3:])
    regression(x, mean, low, span, True, out[15:])


@compiled
def _change(x, mean, high, low_at, out):  # type: ignore[no-untyped-def]
    out[0], out[1], out[2] = means(x)
    peaks(x, mean, x[high] - x[low_at], out[3:])
