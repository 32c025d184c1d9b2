"""A kind of feature: where a frame's spectrum lies, and how much it changes from frame to frame."""

from dataclasses import dataclass

import numpy as np

from serprep.config import within
from serprep.features.kind import Kind


@dataclass(frozen=True, kw_only=True)
class Spectrum:
    """``[features.spectrum]``."""

    win_length: int = within(2, 65_536, default=400, unit="samples")
    hop_length: int = within(1, 65_536, default=160, unit="samples")


class _Spectrum(Kind[Spectrum]):
    name = "spectrum"
    config = Spectrum
    shape = "contour"
    revision = 1  # raise it whenever a value changes

    def names(self, config):
        return "centroid", "flux"

    def hop(self, config, signal):
        return config.hop_length / signal.sample_rate

    def shortest(self, config, signal):
        return config.win_length

    def extractor(self, config, signal):
        def extract(samples):
            frames = np.lib.stride_tricks.sliding_window_view(samples, config.win_length)[:: config.hop_length]
            energy = np.abs(np.fft.rfft(frames * np.hanning(config.win_length))) ** 2 + 1e-12
            shares = energy / energy.sum(1, keepdims=True)
            flux = np.abs(np.diff(shares, axis=0, prepend=shares[:1])).sum(1)  # 0 of the first frame, up to 2
            hertz = np.fft.rfftfreq(config.win_length, 1 / signal.sample_rate)
            return np.stack([(shares * hertz).sum(1), flux], 1).astype(np.float32)

        return extract


SPECTRUM = _Spectrum()
