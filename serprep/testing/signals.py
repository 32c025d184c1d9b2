"""Signals that an extractor of features must survive: silence, tones, clicks, noise, speech cut anywhere.

Mono, 16 kHz, float32, amplitudes in [-1, 32767/32768]; seeded, so the same arguments give the same bytes.
"""

from collections.abc import Callable

import numpy as np

from serprep._typing import DoubleArray, FloatArray
from serprep.testing.voice import synthetic_utterance

RATE = 16_000  # Hz
Rng = np.random.Generator


def _tone(frequency: float) -> Callable[[int, Rng], DoubleArray]:
    def signal(n: int, rng: Rng) -> DoubleArray:
        return 0.5 * np.sin(2 * np.pi * frequency * np.arange(n) / RATE + rng.uniform(0, 6))

    return signal


def _impulses(n: int, rng: Rng) -> DoubleArray:
    x = np.zeros(n)
    x[rng.integers(0, n, 3)] = 0.9
    return x


def _chirp(n: int, rng: Rng) -> DoubleArray:
    t = np.arange(n) / RATE
    return 0.5 * np.sin(2 * np.pi * (60 * t + 270 * t * t / (n / RATE)))


def _speech(n: int, rng: Rng) -> DoubleArray:
    """Synthetic utterances one after the other, cut at random places."""
    parts = [np.zeros(0)]
    while sum(map(len, parts)) < n:
        speaker, text = (int(value) for value in rng.integers(1, 9, 2))
        emotion = ("angry", "sad", "happy", "neutral")[int(rng.integers(4))]
        whole = synthetic_utterance(speaker=speaker, emotion=emotion, text=text).astype(np.float64)
        parts.append(whole[int(rng.integers(0, len(whole) // 2)) :])
    return np.concatenate(parts)[:n]


def _interrupted(n: int, rng: Rng) -> DoubleArray:
    x = _speech(n, rng)
    first, last = sorted(rng.integers(0, n, 2))
    x[first:last] = 0
    return x


def _in_silence(n: int, rng: Rng) -> DoubleArray:
    x = _speech(n, rng)
    x[: n // 4] = 0
    x[3 * n // 4 :] = 0
    return x


SIGNALS: dict[str, Callable[[int, Rng], DoubleArray]] = {
    "silence": lambda n, rng: np.zeros(n),
    "constant": lambda n, rng: np.full(n, rng.uniform(-0.9, 0.9)),
    "impulses": _impulses,
    "tone of 60 Hz": _tone(60),
    "tone of 200 Hz": _tone(200),
    "tone of 610 Hz": _tone(610),
    "noise": lambda n, rng: rng.normal(0, 0.1, n),
    "noise of one bit": lambda n, rng: rng.integers(-1, 2, n) / 32768,
    "chirp": _chirp,
    "clipped speech": lambda n, rng: 5 * _speech(n, rng),
    "cut speech": _speech,
    "interrupted speech": _interrupted,
    "speech in silence": _in_silence,
}


def generated_signal(kind: str, n_samples: int, *, seed: int = 0) -> FloatArray:
    """A signal of one of the kinds in `SIGNALS`, shape (n_samples,).

    Examples
    --------
    >>> generated_signal("chirp", 960).shape
    (960,)
    """
    values = SIGNALS[kind](n_samples, np.random.default_rng(seed))
    return np.clip(values, -1, 32767 / 32768).astype(np.float32)
