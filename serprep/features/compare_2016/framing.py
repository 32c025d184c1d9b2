"""Samples and frames: what everything else of the set starts from.

Hop 160 samples everywhere; frame ``t`` starts at sample ``160 * t``; only complete
frames exist.  Frames of 960 samples (60 ms) give pitch, voice quality and zero
crossings, frames of 320 samples (20 ms) everything else.
"""

import math
from collections.abc import Iterator
from functools import lru_cache

import numpy as np

from serprep._typing import FloatArray
from serprep.features.compare_2016.compiled import compiled

SAMPLE_RATE = 16_000  # Hz
HOP = 160  # samples
SHORT = 320  # samples, 20 ms
LONG = 960  # samples, 60 ms
FULL_SCALE = 32_767
BLOCK = 4096  # frames whose samples and spectra are there at a time


def samples_of(signal: FloatArray) -> FloatArray:
    """The signal as the set sees it: truncated to 16 bits, then divided by 32767.

    Parameters
    ----------
    signal : ndarray, shape (n_samples,), float32
        Amplitudes in [-1, 1); +1.0 wraps, as in 16-bit arithmetic.
    """
    samples = np.empty(len(signal), np.float32)
    _samples(signal, samples)
    return samples


def blocks_of(signal: FloatArray, count: int, length: int, margin: int = 0) -> Iterator[tuple[int, int, FloatArray]]:
    """First and last of `count` frames of `length` samples, block by block, and their samples.

    A block's samples begin `margin` before its first frame, or with the signal: an hour's would be 230 MB.
    """
    for first in range(0, count, BLOCK):
        last = min(first + BLOCK, count)
        yield first, last, samples_of(signal[max(0, HOP * first - margin) : HOP * (last - 1) + length])


@compiled
def _samples(signal, samples):  # type: ignore[no-untyped-def]
    for i in range(len(signal)):
        whole = np.int16(np.int32(signal[i] * np.float32(32_768)))
        samples[i] = np.float32(whole) / np.float32(FULL_SCALE)


def n_frames(n_samples: int, length: int) -> int:
    """Complete frames of `length` samples.

    Examples
    --------
    >>> n_frames(16_000, 960), n_frames(16_000, 320), n_frames(959, 960)
    (95, 99, 0)
    """
    return max(0, (n_samples - length) // HOP + 1)


@lru_cache(maxsize=1)
def hamming() -> FloatArray:
    """Hamming window of the 20 ms frames, shape (320,)."""
    # math, not numpy, whose vectorised functions may differ in the last digit
    return np.array([0.54 - 0.46 * math.cos(2 * math.pi * i / (SHORT - 1)) for i in range(SHORT)], np.float32)


@lru_cache(maxsize=1)
def gauss() -> FloatArray:
    """Gaussian window of the 60 ms frames, shape (960,); its deviation is 0.4 of half the frame."""
    middle = (LONG - 1) / 2
    places = [(i - middle) / (0.4 * middle) for i in range(LONG)]
    return np.array([math.exp(-0.5 * (v * v)) for v in places], np.float32)


def zero_crossings(samples: FloatArray, count: int) -> FloatArray:
    """Zero crossings per sample of the 60 ms frames; a zero counts unless its neighbours have one sign."""
    rates = np.empty(count, np.float32)
    _zero_crossings(samples, rates)
    return rates


@compiled
def _zero_crossings(samples, rates):  # type: ignore[no-untyped-def]
    crosses = np.zeros(len(samples) + 1, np.int64)
    last, here, following = samples, samples[1:], samples[2:]
    at = crosses[2:]
    for i in range(len(samples) - 2):  # without a branch, and apart from the sum: crossings cannot be predicted
        at[i] = (last[i] * here[i] < 0) | ((here[i] == 0) & (last[i] * following[i] <= 0))
    before = crosses  # crossings at samples below i
    for i in range(len(samples)):
        before[i + 1] += before[i]
    for t in range(len(rates)):
        first = t * HOP
        rates[t] = np.float32(before[first + LONG - 1] - before[first + 1]) / np.float32(LONG)
