"""Noise at a signal-to-noise ratio over the whole utterance: white, and babble of other speakers of the corpus."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from serprep._typing import FloatArray
from serprep.conditions.condition import Condition
from serprep.config import within


@dataclass(frozen=True, kw_only=True)
class Ratio:
    """How loud the noise is."""

    snr: float = within(-50, 100, default=10.0, unit="dB")


def mixed(signal: FloatArray, noise: FloatArray, snr: float) -> FloatArray:
    """The sum, noise scaled so that the mean powers have this ratio (dB); without sound or noise the signal itself."""
    power, level = np.mean(np.square(signal, dtype=np.float64)), np.mean(np.square(noise, dtype=np.float64))
    if not power or not level:
        return signal
    return np.asarray(signal + noise * np.sqrt(power / level / 10 ** (snr / 10)), np.float32)


class _White(Condition[Ratio]):
    name, config = "white", Ratio

    def apply(
        self, signal: FloatArray, config: Ratio, *, rate: int, rng: np.random.Generator, others: Sequence[FloatArray]
    ) -> FloatArray:
        return mixed(signal, rng.standard_normal(len(signal)).astype(np.float32), config.snr)


class _Babble(Condition[Ratio]):
    """Voices of equal power, each begun anew where it ends, from a place of its own."""

    name, config, n_others = "babble", Ratio, 6

    def apply(
        self, signal: FloatArray, config: Ratio, *, rate: int, rng: np.random.Generator, others: Sequence[FloatArray]
    ) -> FloatArray:
        noise = np.zeros(len(signal), np.float32)
        for voice in others:
            power = np.mean(np.square(voice, dtype=np.float64))
            if power:
                begun = np.roll(voice, -int(rng.integers(len(voice))))
                noise += np.resize(begun, len(signal)) / np.float32(np.sqrt(power))
        return mixed(signal, noise, config.snr)


WHITE, BABBLE = _White(), _Babble()
