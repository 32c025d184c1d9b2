"""Log-mel frames of a signal (paper, section 4.2).

Frame ``t`` covers samples ``[t * hop_length, t * hop_length + win_length)`` and
nothing else: bit for bit, it does not depend on how many frames are computed
together or on how many threads.  So the mel bands are a sparse product, not a
BLAS call, whose bits change with the number of rows, threads and the processor.

Mel scale and area normalisation are Slaney's (Auditory Toolbox, 1998), as librosa's
default.
"""

from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

import numpy as np

from serprep._typing import DoubleArray, FloatArray
from serprep.audio.signal import Signal
from serprep.config import check, within
from serprep.errors import FeatureError
from serprep.features.framing import n_runs
from serprep.features.kind import Extractor, Kind
from serprep.features.libraries import minor, version

if TYPE_CHECKING:  # half a second that only those who compute need
    import scipy.sparse

REVISION = 1  # raised whenever a value changes
BLOCK = 48  # frames computed together: their spectra stay in the processor's cache


@dataclass(frozen=True, kw_only=True)
class LogMel:
    """Configuration; the defaults are the paper's."""

    sample_rate: int = within(1_000, 192_000, default=16_000, unit="Hz")
    win_length: int = 400  # samples, 25 ms
    hop_length: int = 160  # samples, 10 ms
    n_fft: int = 1024  # samples, zero-padded
    n_mels: int = within(1, 1024, default=40)
    fmin: float = 0.0  # Hz
    fmax: float = 8000.0  # Hz
    floor: float = within(1e-37, 1, below=True, default=1e-10)  # added to the power: log(0) is infinite

    def __post_init__(self) -> None:
        check(self, FeatureError, "features.logmel")
        if not 1 <= self.win_length <= self.n_fft <= 1 << 20:
            raise FeatureError(f"win_length {self.win_length}, n_fft {self.n_fft}: expected 1 <= win_length <= n_fft")
        if not 1 <= self.hop_length <= self.n_fft:
            raise FeatureError(f"hop_length is {self.hop_length}; expected 1 to n_fft ({self.n_fft})")
        if not 0 <= self.fmin < self.fmax <= self.sample_rate / 2:
            raise FeatureError(
                f"fmin {self.fmin}, fmax {self.fmax}: expected 0 <= fmin < fmax <= {self.sample_rate / 2} Hz"
            )


def log_mel(signal: FloatArray, config: LogMel | None = None) -> FloatArray:
    """Log-mel energies of a mono signal.

    ``n_frames = 1 + (n_samples - win_length) // hop_length``.

    Parameters
    ----------
    signal : ndarray, shape (n_samples,), float32
        Amplitudes in [-1, 1].
    config : LogMel

    Returns
    -------
    ndarray, shape (n_frames, n_mels), float32
        Natural log of (band power + floor), from log(floor) upwards.

    Raises
    ------
    FeatureError
        If `signal` is shorter than one window.

    Examples
    --------
    >>> log_mel(np.zeros(16_000, np.float32)).shape
    (98, 40)
    """
    import scipy.fft

    config = config or LogMel()
    n_frames = n_runs(len(signal), config.win_length, config.hop_length)
    if n_frames == 0:
        raise FeatureError(f"{len(signal)} samples are fewer than one window ({config.win_length}); drop it")
    signal = np.ascontiguousarray(signal, np.float32)
    window = _window(config.win_length)
    bands = _bands(config)
    frames = np.lib.stride_tricks.sliding_window_view(signal, config.win_length)[:: config.hop_length]
    result = np.empty((n_frames, config.n_mels), np.float32)
    # Columns are frames, as the band product wants them.  Padded here: scipy's own
    # zero-padding takes four times as long as the transform.
    padded = np.zeros((config.n_fft, min(BLOCK, n_frames)), np.float32)
    for first in range(0, n_frames, BLOCK):
        block = padded[:, : n_frames - first]
        np.multiply(frames[first : first + BLOCK].T, window, out=block[: config.win_length])
        spectrum = scipy.fft.rfft(block, axis=0, workers=1)
        power = np.square(spectrum.real)
        power += np.square(spectrum.imag)
        result[first : first + BLOCK] = np.log((bands @ power).T + config.floor, dtype=np.float64)
    return result


@lru_cache(maxsize=8)
def _window(length: int) -> FloatArray:
    """Periodic Hamming window, shape (length, 1)."""
    phase = 2 * np.pi * np.arange(length)[:, None] / length
    return (0.54 - 0.46 * np.cos(phase)).astype(np.float32)


@lru_cache(maxsize=8)
def _bands(config: LogMel) -> "scipy.sparse.csr_matrix":
    """Mel weights as a sparse matrix, shape (n_mels, n_fft // 2 + 1), float32."""
    import scipy.sparse

    return scipy.sparse.csr_matrix(mel_weights(config).astype(np.float32))


def mel_weights(config: LogMel) -> DoubleArray:
    """Triangular mel filters of unit area per hertz.

    Returns
    -------
    ndarray, shape (n_mels, n_fft // 2 + 1), float64
    """
    edges = band_edges(config)
    bins = np.arange(config.n_fft // 2 + 1) * config.sample_rate / config.n_fft
    rising = (bins - edges[:-2, None]) / np.diff(edges)[:-1, None]
    falling = (edges[2:, None] - bins) / np.diff(edges)[1:, None]
    weights: DoubleArray = np.maximum(0, np.minimum(rising, falling)) * (2 / (edges[2:] - edges[:-2]))[:, None]
    return weights


def band_edges(config: LogMel) -> DoubleArray:
    """Hertz, shape (n_mels + 2,): band b rises from edge b to b + 1 and falls to b + 2."""
    return _mel_to_hz(np.linspace(_hz_to_mel(config.fmin), _hz_to_mel(config.fmax), config.n_mels + 2))


# Slaney's scale: 200/3 Hz per mel up to 1 kHz (15 mel), then 27 mel per factor of 6.4.
_LOG_STEP = np.log(6.4) / 27


def _hz_to_mel(hz: float) -> float:
    return hz * 3 / 200 if hz < 1000 else float(15 + np.log(hz / 1000) / _LOG_STEP)


def _mel_to_hz(mel: DoubleArray) -> DoubleArray:
    return np.where(mel < 15, mel * 200 / 3, 1000 * np.exp(_LOG_STEP * (np.maximum(mel, 15) - 15)))


class _LogMel(Kind[LogMel]):
    name = "logmel"
    patience = 1.0
    config = LogMel
    shape = "contour"
    revision = REVISION
    whole = False
    dimensions = ("frame", "mel")
    on_by_default = True
    named_at_top = True
    slow_to_load = True

    def names(self, config: LogMel) -> tuple[str, ...]:
        return tuple(f"mel_{band}" for band in range(config.n_mels))

    def n_rows(self, n_samples: int, config: LogMel) -> int:
        return n_runs(n_samples, config.win_length, config.hop_length)

    def hop(self, config: LogMel, signal: Signal) -> float:
        return config.hop_length / config.sample_rate

    def extractor(self, config: LogMel, signal: Signal) -> Extractor:
        return lambda samples: log_mel(samples, config)

    def shortest(self, config: LogMel, signal: Signal) -> int:
        return config.win_length

    def sample_rate(self, config: LogMel) -> int:
        return config.sample_rate

    def identity(self, config: LogMel) -> dict[str, Any]:
        return {"scipy": minor(version("scipy"))}


LOGMEL = _LogMel()
