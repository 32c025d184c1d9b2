"""Rooms and levels: reverberation of exponential decay, gain, and clipping."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from serprep._typing import FloatArray
from serprep.conditions.condition import Condition
from serprep.config import within


@dataclass(frozen=True, kw_only=True)
class Decay:
    """A room."""

    rt60: float = within(0.01, 10, default=0.3, unit="s")  # until the decay has lost 60 dB
    direct: float = within(-60, 60, default=0.0, unit="dB")  # energy of the direct sound over that of the room


def impulse_response(config: Decay, rate: int, rng: np.random.Generator) -> FloatArray:
    """The direct sound, 1 at sample 0, and white noise that decays by 60 dB in `rt60` seconds."""
    n = max(2, int(config.rt60 * rate))
    response = rng.standard_normal(n) * 10 ** (-3 * np.arange(n) / n)
    response[0] = 0
    response *= np.sqrt(10 ** (-config.direct / 10) / np.sum(response**2))
    response[0] = 1
    return np.asarray(response, np.float32)


class _Reverberation(Condition[Decay]):
    name, config, libraries = "reverberation", Decay, ("numpy", "scipy")

    def apply(
        self, signal: FloatArray, config: Decay, *, rate: int, rng: np.random.Generator, others: Sequence[FloatArray]
    ) -> FloatArray:
        from scipy.signal import fftconvolve

        heard = fftconvolve(signal.astype(np.float64), impulse_response(config, rate, rng))[: len(signal)]
        power = np.mean(heard**2)  # as loud as before: it is the room that differs
        return np.asarray(heard * np.sqrt(np.mean(np.square(signal, dtype=np.float64)) / power) if power else heard)


@dataclass(frozen=True, kw_only=True)
class Level:
    """A factor."""

    db: float = within(-100, 100, default=12.0, unit="dB")


class _Gain(Condition[Level]):
    name, config = "gain", Level

    def apply(
        self, signal: FloatArray, config: Level, *, rate: int, rng: np.random.Generator, others: Sequence[FloatArray]
    ) -> FloatArray:
        return signal * np.float32(10 ** (config.db / 20))


@dataclass(frozen=True, kw_only=True)
class Over:
    """How far the signal is driven."""

    db: float = within(0, 100, default=12.0, unit="dB")  # peak over the level at which it is cut


class _Clipping(Condition[Over]):
    """Cut at so far below its peak; the level of what is left stays."""

    name, config = "clipping", Over

    def apply(
        self, signal: FloatArray, config: Over, *, rate: int, rng: np.random.Generator, others: Sequence[FloatArray]
    ) -> FloatArray:
        top = np.abs(signal).max() * np.float32(10 ** (-config.db / 20))
        return np.clip(signal, -top, top)


REVERBERATION, GAIN, CLIPPING = _Reverberation(), _Gain(), _Clipping()
