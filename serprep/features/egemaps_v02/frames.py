"""The 25 contours: of each frame, then smoothed over three frames.

Ten of the 20 ms spectrum are smoothed plainly; fifteen of voice and formants over the
frames that are not zero, and at the end as far as the pitch was decided.
"""

from typing import NamedTuple

import numpy as np

from serprep._typing import AnyArray, DoubleArray, FloatArray
from serprep.features.compare_2016.auditory import loudness_of
from serprep.features.compare_2016.cepstrum import mfcc
from serprep.features.compare_2016.compiled import compiled
from serprep.features.compare_2016.contours import smooth, smooth_known
from serprep.features.compare_2016.framing import HOP, LONG, SHORT, blocks_of, n_frames
from serprep.features.compare_2016.pitch import Tracker, track
from serprep.features.compare_2016.spectrum import long_spectra
from serprep.features.compare_2016.voice import voice_quality
from serprep.features.egemaps_v02.descriptors import descriptors
from serprep.features.egemaps_v02.formants import N_FORMANTS, formants, spectra_and_predictors
from serprep.features.egemaps_v02.harmonics import noise_ratio, partials

TRACKER = Tracker(lowest=55, highest=1000, memory=40, keeps_spectra=True)
SEARCH = (0.9, 1.1)  # where a period is looked for, times that of the pitch


class Frames(NamedTuple):
    """What each frame has, before it is smoothed."""

    n_frames: int  # of 60 ms
    n_decided: int  # of these, decided by the pitch tracker before the signal ended
    spectral: FloatArray  # (10, n_frames + 4)
    voice: FloatArray  # (15, n_frames)
    energy: DoubleArray  # (n_frames + 4,)


def frames_of(signal: FloatArray) -> Frames:
    """Frames of a signal of at least 960 samples."""
    n_long, n_short = n_frames(len(signal), LONG), n_frames(len(signal), SHORT)
    pitch = track(signal, n_long, TRACKER)
    quality = voice_quality(signal, pitch.f0, *SEARCH)
    spectral, voice, energy = np.empty((10, n_short), np.float32), np.empty((15, n_long), np.float32), np.empty(n_short)
    voice[0], voice[1] = _semitones(pitch.f0), quality[:, 0]
    voice[2] = _decibels(np.ascontiguousarray(quality[:, 2]))
    for first, last, samples in blocks_of(signal, n_short, LONG, HOP):
        before = min(first, 1)  # the spectral flux looks at the frame before
        own = samples[HOP * before :]
        magnitude, predictors, squares = spectra_and_predictors(samples, last - first + before)
        power = magnitude * magnitude
        bands, spectral[0, first:last] = loudness_of(power[before:])
        spectral[1:6, first:last] = descriptors(magnitude, power)[:, before:]
        spectral[6:, first:last] = mfcc(bands, 4).T
        energy[first:last] = squares[before:]
        if first < n_long:
            block = slice(first, min(last, n_long))
            n, f0 = block.stop - first, pitch.f0[block]
            resonances = formants(predictors[before : before + n])
            magnitude = pitch.magnitude[block] if len(pitch.magnitude) else long_spectra(own, n)
            levels = partials(magnitude, f0, resonances[:N_FORMANTS])
            voice[3, block], voice[4:6, block] = noise_ratio(magnitude, f0), levels[:2]
            voice[6::3, block], voice[7::3, block] = resonances[:N_FORMANTS], resonances[N_FORMANTS:]
            voice[8::3, block] = levels[2:]
    return Frames(n_long, pitch.n_decided, spectral, voice, energy)


def contours_of(frames: Frames) -> FloatArray:
    """The 25 smoothed contours, one a row, shape (25, n_frames + 1)."""
    n = frames.n_frames
    return np.concatenate(
        [smooth_plainly(frames.spectral)[:, : n + 1], smooth_known(frames.voice, readable(n, frames.n_decided))]
    )


def smooth_plainly(values: FloatArray) -> FloatArray:
    """As many smoothed frames as there are; the last is read twice at the end."""
    n = values.shape[1]
    smoothed: FloatArray = smooth(values, n - 1, np.full(len(values), n))
    return smoothed


def readable(n: int, n_decided: int) -> AnyArray:
    """How many frames each smoothed row of voice and formants could read, shape (n + 1,)."""
    limits = np.full(n + 1, n)
    if 0 < n_decided < n:
        limits[n_decided - 1 : n_decided + 1] = n_decided
    return limits


@compiled
def _semitones(f0):  # type: ignore[no-untyped-def]
    """Semitones above 27.5 Hz, 0 unvoiced."""
    semitones = np.zeros(len(f0), np.float32)
    for t in range(len(f0)):
        if f0[t] > np.float32(29.136):
            octaves = np.float32(12) * np.log(np.float32(f0[t] / np.float32(27.5)))
            semitones[t] = np.float32(octaves / np.log(np.float32(2)))
        elif f0[t] > 0:
            semitones[t] = 1
    return semitones


@compiled
def _decibels(shimmer):  # type: ignore[no-untyped-def]
    decibels = np.zeros(len(shimmer), np.float32)
    for t in range(len(shimmer)):
        decibels[t] = 20 * np.log(1 + np.float64(shimmer[t])) / np.log(10.0)
    return decibels
