"""The 65 low-level descriptors of a signal, smoothed over three frames, and their deltas.

Three groups of contours have their own lengths and rules: voice (pitch and voice
quality), energy, and spectral.  What a frame at the end reads depends on how far the
frames before it had come when the signal ended; `_limits` says so.
"""

from typing import NamedTuple

import numpy as np

from serprep._typing import FloatArray, IntArray
from serprep.features.compare_2016.auditory import N_BANDS, loudness_of, rasta_in_place
from serprep.features.compare_2016.cepstrum import N_COEFFICIENTS, mfcc
from serprep.features.compare_2016.compiled import compiled
from serprep.features.compare_2016.framing import HOP, LONG, SHORT, blocks_of, n_frames, zero_crossings
from serprep.features.compare_2016.pitch import track
from serprep.features.compare_2016.spectral import N_DESCRIPTORS, spectral
from serprep.features.compare_2016.spectrum import short_spectra
from serprep.features.compare_2016.voice import voice_quality
from serprep.features.sharing import once

_N_SPECTRAL = N_BANDS + N_DESCRIPTORS + N_COEFFICIENTS


class Contours(NamedTuple):
    """Smoothed contours and deltas of each group, one a row: what follows takes them one by one."""

    n_frames: int  # of 60 ms
    n_decided: int  # of these, decided by the pitch tracker before the signal ended
    voice: FloatArray  # (6, n_frames + 1)
    voice_delta: FloatArray  # (6, n_frames + 3)
    energy: FloatArray  # (4, n_frames + 1)
    energy_delta: FloatArray
    spectrum: FloatArray  # (55, n_frames + 4), of the 20 ms frames: an hour's are 80 MB, so neither smoothed nor deltas

    @property
    def spectral(self) -> FloatArray:
        """The spectral contours smoothed, shape (55, n_frames + 5)."""
        n, n_short = self.spectrum.shape
        return np.asarray(smooth(self.spectrum, n_short, np.full(n, n_short)))

    @property
    def spectral_delta(self) -> FloatArray:
        """Their deltas, shape (55, n_frames + 7)."""
        return np.asarray(delta(self.spectral, self.spectrum.shape[1]))


@once
def contours_of(signal: FloatArray) -> Contours:
    """Contours of a signal of at least 960 samples."""
    n_long, n_short = n_frames(len(signal), LONG), n_frames(len(signal), SHORT)
    pitch = track(signal, n_long)
    voice = np.empty((6, n_long), np.float32)
    voice[0], voice[1], voice[2:] = pitch.f0, pitch.voicing, voice_quality(signal, pitch.f0).T
    energy, spectrum = np.zeros((4, n_short), np.float32), np.empty((_N_SPECTRAL, n_short), np.float32)
    for first, last, samples in blocks_of(signal, n_short, LONG, HOP):
        before = min(first, 1)  # the spectral flux looks at the frame before
        if first < n_long:
            own = samples[HOP * before :]
            energy[3, first : min(last, n_long)] = zero_crossings(own, min(last, n_long) - first)
        magnitude, squares = short_spectra(samples, last - first + before)
        energy[2, first:last] = np.sqrt(squares[before:])
        power = magnitude * magnitude
        bands, energy[0, first:last] = loudness_of(power[before:])
        rows = spectrum[:, first:last]
        rows[:N_BANDS], rows[N_BANDS:-N_COEFFICIENTS] = bands.T, spectral(magnitude, power)[before:].T
        rows[-N_COEFFICIENTS:] = mfcc(bands).T
    energy[1] = rasta_in_place(spectrum[:N_BANDS])
    smoothed, voice_delta, energies, energy_delta = (
        np.zeros((n, n_long + more), np.float32) for n in (6, 4) for more in (1, 3)
    )
    _smoothed(voice, energy, n_long, pitch.n_decided, n_short, smoothed, voice_delta, energies, energy_delta)
    return Contours(n_long, pitch.n_decided, smoothed, voice_delta, energies, energy_delta, spectrum)


@compiled
def _smoothed(  # type: ignore[no-untyped-def]
    voice, energy, n_long, n_decided, n_short, smooth_voice, voice_delta, smooth_energy, energy_delta
):  # fmt: skip
    """Contours and deltas of voice and of energy, into arrays of 0."""
    smooth_limit, delta_limit = _limits(n_long, n_decided)
    always = np.full(n_long + 1, n_long)
    for c in range(6):
        smooth_known_row(voice[c], always if c < 2 else smooth_limit, smooth_voice[c])
    known = np.full(4, n_short)
    known[3] = n_long
    _delta_voice(smooth_voice, delta_limit, voice_delta)
    _smooth(energy, n_long, known, smooth_energy)
    _delta(smooth_energy, n_long, energy_delta)


@compiled
def _limits(count, decided):  # type: ignore[no-untyped-def]
    """How many frames each smoothed (of voice quality) and each delta row of the voice group could read."""
    smooth = np.full(count + 1, count)
    delta = np.full(count + 3, count + 1)
    n_smooth = n_delta = 0
    for length in (decided, count):
        if length == 0 or (length == count and decided == count and n_smooth > 0):
            continue
        n_smooth = max(n_smooth, length - 1)
        first = max(n_delta, n_smooth - 2)
        for t in range(n_smooth, length + 1):
            smooth[t] = length
        for i in range(1, length + 3 - first + 1):
            delta[first + i - 1] = min(n_smooth + i, length + 1)
        n_smooth, n_delta = length + 1, length + 3
    return smooth, delta


@compiled
def _read(values, t, i, limit, half):  # type: ignore[no-untyped-def]
    """Value ``i`` of a column as output frame ``t`` sees it, of which `limit` values exist."""
    if i < 0:
        return values[0]
    if i >= limit:
        return values[limit - 1] if t >= half else np.float32(0)
    return values[i]


@compiled
def smooth_known(values, limits):  # type: ignore[no-untyped-def]
    """Mean of three frames, of those that are not zero; zero stays zero.  Row t can read ``limits[t]`` frames."""
    smoothed = np.zeros((len(values), len(limits)), np.float32)
    for c in range(len(values)):
        smooth_known_row(values[c], limits, smoothed[c])
    return smoothed


@compiled
def smooth_known_row(column, limits, out):  # type: ignore[no-untyped-def]
    """One contour smoothed so, into `out`, which is 0."""
    for t in range(len(limits)):
        limit = limits[t]
        here = _read(column, t, t, limit, 1)
        if here == 0:
            continue
        total, n = here, 1
        for i in (t - 1, t + 1):
            value = _read(column, t, i, limit, 1)
            if value != 0:
                total += value
                n += 1
        out[t] = total / np.float32(n)


@compiled
def _delta_voice(values, limits, deltas):  # type: ignore[no-untyped-def]
    """Regression over pairs of frames that are both not zero; the divisor grows with every pair of any contour."""
    count = values.shape[1] + 2
    divisor = np.float32(10)
    for t in range(count):
        for c in range(6):
            column = values[c]
            total = np.float32(0)
            for w in (1, 2):
                before = _read(column, t, t - w, limits[t], 2)
                after = _read(column, t, t + w, limits[t], 2)
                if before != 0 and after != 0:
                    total += np.float32(w) * np.float32(after - before)
                    divisor += np.float32(w * w)
            deltas[c, t] = total / divisor


def smooth(values: FloatArray, count: int, known: IntArray) -> FloatArray:
    """Three-frame mean, shape (n, count + 1); of each contour `known` frames exist."""
    smoothed = np.empty((len(values), count + 1), np.float32)
    _smooth(values, count, known, smoothed)
    return smoothed


@compiled
def _smooth(values, count, known, smoothed):  # type: ignore[no-untyped-def]
    for c in range(len(values)):
        smooth_row(values[c], count, known[c], smoothed[c])


@compiled
def smooth_row(x, count, known, y):  # type: ignore[no-untyped-def]
    """One contour smoothed, into `y`."""
    three = np.float32(3)
    inner = min(count, known - 2)
    for t in range(1, inner + 1):
        y[t] = ((x[t] + x[t - 1]) + x[t + 1]) / three
    for t in range(count + 1):
        if t < 1 or t > inner:
            total = _read(x, t, t, known, 1) + _read(x, t, t - 1, known, 1)
            y[t] = (total + _read(x, t, t + 1, known, 1)) / three


def delta(values: FloatArray, count: int) -> FloatArray:
    """Five-frame regression, shape (n, count + 3)."""
    deltas = np.empty((len(values), count + 3), np.float32)
    _delta(values, count, deltas)
    return deltas


@compiled
def _delta(values, count, deltas):  # type: ignore[no-untyped-def]
    for c in range(len(values)):
        delta_row(values[c], count, deltas[c])


@compiled
def delta_row(x, count, y):  # type: ignore[no-untyped-def]
    """One contour's delta, into `y`."""
    two, ten = np.float32(2), np.float32(10)
    n_smooth = max(0, count - 1)
    first = max(0, n_smooth - 2)
    for t in range(2, first):
        y[t] = ((x[t + 1] - x[t - 1]) + two * (x[t + 2] - x[t - 2])) / ten
    for t in range(count + 3):
        if t < 2 or t >= first:
            limit = count + 1
            if t >= first:
                limit = min(n_smooth + t - first + 1, count + 1)
            near = _read(x, t, t + 1, limit, 2) - _read(x, t, t - 1, limit, 2)
            far = _read(x, t, t + 2, limit, 2) - _read(x, t, t - 2, limit, 2)
            y[t] = (near + two * far) / ten
