"""The guarded signal itself: what end-to-end systems read, and ears.

One row per sample.  ``"float32"`` is what every extractor gets; ``"int16"`` is half of that on
the disk, and exactly what openSMILE computes from: amplitudes times 32768, truncated towards 0.
A recording of 16 bits at the signal's rate comes back as its own numbers.
"""

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from serprep._typing import FloatArray
from serprep.audio.signal import Signal
from serprep.config import check
from serprep.errors import FeatureError
from serprep.features.kind import Extractor, Kind


@dataclass(frozen=True, kw_only=True)
class Samples:
    """Configuration of ``[features.signal]``."""

    dtype: Literal["float32", "int16"] = "float32"

    def __post_init__(self) -> None:
        check(self, FeatureError, "features.signal")


def int16_codes(signal: FloatArray) -> FloatArray:
    """The int16 numbers that openSMILE makes of a guarded signal, as float32, which holds them exactly.

    Examples
    --------
    >>> int16_codes(np.array([0.5, -1, 32767 / 32768, -0.00004], np.float32)).tolist()
    [16384.0, -32768.0, 32767.0, -1.0]
    """
    codes: FloatArray = np.trunc(np.asarray(signal, np.float32) * np.float32(32768))
    return codes + np.float32(0)  # and no -0.0


class _Samples(Kind[Samples]):
    name = "signal"
    config = Samples
    shape = "contour"
    revision = 1
    dimensions = ("sample", "channel")

    def dtype(self, config: Samples) -> str:
        return config.dtype

    def names(self, config: Samples) -> tuple[str, ...]:
        return ("amplitude",)

    def n_rows(self, n_samples: int, config: Samples) -> int:
        return n_samples

    def hop(self, config: Samples, signal: Signal) -> float:
        return 1 / signal.sample_rate

    def extractor(self, config: Samples, signal: Signal) -> Extractor:
        codes = config.dtype == "int16"
        return lambda samples: (int16_codes(samples) if codes else np.array(samples, np.float32))[:, None]

    def settings(self, config: Samples) -> dict[str, Any]:
        return {"dtype": config.dtype}  # not under "signal", where keys name how recordings become samples


SIGNAL = _Samples()
