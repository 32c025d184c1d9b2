"""Lines and codecs: the telephone's 8 kHz and mu-law (ITU-T G.711), and MP3."""

import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from serprep._typing import FloatArray
from serprep.conditions.condition import Condition
from serprep.config import within
from serprep.errors import FeatureError


@dataclass(frozen=True, kw_only=True)
class Nothing:
    """There is nothing to choose."""


def mu_law(signal: FloatArray) -> FloatArray:
    """A signal after 8 bits of mu-law, 255: 256 levels, finer near 0 (the continuous law, rounded)."""
    squeezed = np.sign(signal) * np.log1p(255 * np.abs(signal)) / np.log(256)
    codes = np.round(squeezed * 127) / 127
    return np.asarray(np.sign(codes) * np.expm1(np.abs(codes) * np.log(256)) / 255, np.float32)


def fitted(signal: FloatArray, n_samples: int) -> FloatArray:
    """So many samples: cut, or followed by silence."""
    return np.pad(signal[:n_samples], (0, max(0, n_samples - len(signal))))


class _Telephone(Condition[Nothing]):
    name, config, libraries = "telephone", Nothing, ("numpy", "soxr")

    def apply(
        self, signal: FloatArray, config: Nothing, *, rate: int, rng: np.random.Generator, others: Sequence[FloatArray]
    ) -> FloatArray:
        import soxr

        narrow = np.clip(soxr.resample(signal, rate, 8000, quality="HQ"), -1, 1)
        return fitted(soxr.resample(mu_law(narrow), 8000, rate, quality="HQ").astype(np.float32), len(signal))


@dataclass(frozen=True, kw_only=True)
class Bits:
    """How many bits."""

    kbits: int = within(8, 160, default=32, unit="kbit/s")


class _MP3(Condition[Bits]):
    """Encoded and decoded by libsndfile, which writes MPEG-2 layer III at 16 kHz at 8 to 160 kbit/s."""

    name, config, libraries = "mp3", Bits, ("soundfile",)

    def apply(
        self, signal: FloatArray, config: Bits, *, rate: int, rng: np.random.Generator, others: Sequence[FloatArray]
    ) -> FloatArray:
        import soundfile

        if rate not in (16_000, 22_050, 24_000):
            raise FeatureError(f"mp3 is of signals of 16000, 22050 or 24000 Hz, not {rate}; leave it out")
        file, delay = io.BytesIO(), 1105  # samples: of encoder and decoder
        level = (160 - config.kbits) / (160 - 8)
        how = {"bitrate_mode": "CONSTANT", "compression_level": level}
        padded = fitted(signal, len(signal) + delay)
        soundfile.write(file, padded, rate, format="MP3", subtype="MPEG_LAYER_III", **how)
        file.seek(0)
        return fitted(soundfile.read(file, dtype="float32")[0][delay:], len(signal))


TELEPHONE, MP3 = _Telephone(), _MP3()
