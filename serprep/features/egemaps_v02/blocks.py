"""Frames → 88 functionals: which frames of which contour go into which value.

Pitch sees all frames that were decided before the signal ended, loudness and MFCC all 20 ms
frames; the rest is taken over voiced or over unvoiced frames, smoothed among their own kind.
"""

import numpy as np

from serprep._typing import AnyArray, FloatArray
from serprep.features.compare_2016.compiled import compiled
from serprep.features.compare_2016.contours import smooth_known
from serprep.features.compare_2016.peaks import slopes, turns
from serprep.features.compare_2016.statistics import PERIOD, extremes, lengths_of, mean_of, percentile, run_lengths
from serprep.features.egemaps_v02.frames import Frames, readable, smooth_plainly

_MOST_RUNS = 1000
_FORMANT_ROWS = [5, 6, 8, 9, 11, 12]  # frequencies and bandwidths, among what follows pitch


def functionals_of(frames: Frames) -> FloatArray:
    """All functionals of one signal, shape (88,), float32."""
    n, decided = frames.n_frames, frames.n_decided
    voiced = frames.voice[0] > np.float32(1e-6)
    rows = np.arange(n)
    if decided:
        limits = np.full(decided, n)
        pitch_limits = unvoiced_limits = voiced_limits = limits
        quality_limits = readable(n, decided)[:decided]
    else:  # nothing was decided before the end: each part has its own way to begin
        pitch_limits = unvoiced_limits = np.ones(1, np.int64)
        voiced_limits, quality_limits = rows + 1, np.full(n, n)
    # each group is summed up before the next is made: of an hour each takes 20 MB
    quality = frames.voice[1:].copy()
    for row in _FORMANT_ROWS:
        quality[row, ~voiced] = 0
    of_quality = _spreads(smooth_known(quality, quality_limits), True)
    del quality
    spectral = frames.spectral[1:, :n]
    in_voice = _spreads(smooth_known(_where(voiced, spectral), voiced_limits), True)
    outside = _spreads(smooth_known(_where(~voiced, spectral[:5]), unvoiced_limits), True)
    pitch = smooth_known(frames.voice[:1], pitch_limits)[0]
    all_frames = smooth_plainly(frames.spectral)
    course, n_peaks = _course_of(all_frames[0])
    seconds = np.float32(len(all_frames[0])) * PERIOD
    return np.concatenate(
        [
            _course_of(pitch[pitch != 0])[0],
            course,
            _spreads(all_frames[5:], False),
            of_quality,
            in_voice,
            outside[::2],
            np.array([np.float32(n_peaks) / seconds], np.float32),
            _segments(pitch),
            np.array([_level(frames.energy)], np.float32),
        ]
    )


def _where(chosen: AnyArray, values: FloatArray) -> FloatArray:
    return np.where(chosen, values, np.float32(0))


@compiled
def _spread(x, out):  # type: ignore[no-untyped-def]
    """Mean, and deviation over it."""
    mean = mean_of(x)
    total = 0.0
    for value in x:
        d = np.float64(value) - np.float64(mean)
        total += d * d
    deviation = np.sqrt(total / len(x))
    out[0] = mean
    out[1] = deviation / np.float64(mean) if deviation != 0 and mean != 0 else deviation


@compiled
def _spreads(contours, known_only):  # type: ignore[no-untyped-def]
    spreads = np.zeros(2 * len(contours), np.float32)
    kept = np.empty(contours.shape[1], np.float32)
    for c in range(len(contours)):
        count = 0
        for value in contours[c]:
            if value != 0 or not known_only:
                kept[count] = value
                count += 1
        if count > 0:
            _spread(kept[:count], spreads[2 * c :])
    return spreads


def _course_of(x: FloatArray) -> tuple[FloatArray, int]:
    course: tuple[FloatArray, int] = _course(x, np.sort(x))
    return course


@compiled
def _course(x, ordered):  # type: ignore[no-untyped-def]
    """The ten values of pitch and loudness, and the number of peaks."""
    values = np.zeros(10, np.float32)
    if len(x) == 0:
        return values, 0
    _spread(x, values)
    for i in range(3):
        values[2 + i] = percentile(ordered, (0.2, 0.5, 0.8)[i])
    values[5] = abs(np.float32(values[4] - values[2]))
    _, span = extremes(x, np.empty(3, np.float32))
    places, is_peak, count = turns(x, np.float32(np.float32(0.1) * span))
    slopes(x, places, is_peak, count, values[6:])
    n_peaks = 0
    for i in range(count):
        n_peaks += is_peak[i]
    return values, n_peaks


@compiled
def _segments(pitch):  # type: ignore[no-untyped-def]
    """Voiced stretches per second, mean and deviation of their lengths, and of the lengths of unvoiced ones (s)."""
    segments, values = np.zeros(5, np.float32), np.zeros(4, np.float32)
    lengths = np.empty(_MOST_RUNS, np.int64)
    _, count = run_lengths(pitch, lengths)
    segments[0] = np.float32(count) / np.float32(PERIOD * np.float32(len(pitch)))
    lengths_of(lengths, count, values)
    segments[1], segments[2] = values[0], values[3]
    _, count = run_lengths((pitch == 0).astype(np.float32), lengths)
    lengths_of(lengths, count, values)
    segments[3], segments[4] = values[0], values[3]
    return segments


@compiled
def _level(energy):  # type: ignore[no-untyped-def]
    """Equivalent sound level in dB over full scale."""
    mean = max(mean_of(energy.astype(np.float32)), np.float32(1e-12))
    return np.float32(10 / np.log(10.0)) * np.log(mean)
