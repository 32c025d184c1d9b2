"""Samples of any rate and channel count → guarded signals.

A guarded signal is mono, at the configured rate, float32, finite and within
[-1, 32767/32768].  The upper bound is openSMILE's: its Python wrapper multiplies
by 32768 and casts to int16 without clipping, so a sample at +1.0 would wrap to
-32768 and move a sixth of the functionals.
"""

from typing import Any

import numpy as np
import soxr
from numpy.typing import NDArray

from serprep._typing import FloatArray
from serprep.audio.signal import Signal
from serprep.errors import AudioError

PEAK = np.float32(32767 / 32768)  # largest amplitude that int16 can hold

LOUDEST = 16.0  # recordings of floating point overshoot full scale, but not by so much

BLOCK = 1 << 18  # samples guarded at a time
_LARGEST = np.float32(1e30)  # the mean of channels and the resampler overflow beyond


def guard(samples: FloatArray, rate: int, config: Signal | None = None) -> FloatArray:
    """Samples of any rate and channel count → a guarded signal.

    Parameters
    ----------
    samples : ndarray, shape (n_samples,) or (n_samples, n_channels)
        Amplitudes: floating point with full scale 1, or integers with the full scale of their type.
    rate : int
        Hz.
    config : Signal

    Returns
    -------
    ndarray, shape (n_samples,), float32

    Raises
    ------
    AudioError
        If a sample is NaN or infinite, or there is none, or the rate is impossible, or the
        full scale is not 1: clipping would make a square wave of it.

    Examples
    --------
    >>> guard(np.array([0.0, 1.0, -2.0], np.float32), 16_000).tolist()
    [0.0, 0.999969482421875, -1.0]
    >>> guard(np.array([0, 16384, -32768], np.int16), 16_000).tolist()
    [0.0, 0.5, -1.0]
    """
    samples = np.asarray(samples)
    if samples.ndim > 2 or samples.ndim < 1:
        raise AudioError(f"samples have the shape {samples.shape}; expected (n_samples,) or (n_samples, n_channels)")
    if samples.size == 0:
        raise AudioError("no samples")
    guarding = Guard(len(samples), rate, config)
    for first in range(0, len(samples), BLOCK):
        guarding.add(samples[first : first + BLOCK])
    return guarding.signal()


class Guard:
    """A signal that is guarded block by block, so that nothing of the recording is there twice.

    Parameters
    ----------
    n_samples : int
        Of all blocks.
    rate, config
        As for `guard`.
    """

    def __init__(self, n_samples: int, rate: int, config: Signal | None = None) -> None:
        config = config or Signal()
        if not 1_000 <= rate <= 1_000_000:
            raise AudioError(f"the sample rate is {rate} Hz; expected 1000 to 1000000")
        self._n_left = n_samples
        self._stream = None
        if rate != config.sample_rate:
            self._stream = soxr.ResampleStream(rate, config.sample_rate, 1, dtype="float32", quality="HQ")
        # a little more than there will be; memory that is not written is not there
        self._signal = np.empty(2 + -(-n_samples * config.sample_rate // rate), np.float32)
        self._n = self._n_bad = self._size = 0
        self._peak = 0.0

    def add(self, block: NDArray[Any]) -> bool:
        """Take the next samples, as `guard` does; whether all so far can be used."""
        self._n_left -= len(block)
        block = _amplitudes(block)
        levels = np.abs(block)
        usable = levels < _LARGEST  # false for NaN as well
        self._size += block.size
        self._n_bad += int(block.size - np.count_nonzero(usable))
        self._peak = max(self._peak, float(levels.max(initial=0, where=usable)))
        if self._n_bad or self._peak > LOUDEST:  # it is refused in the end
            return False
        if block.ndim == 2:
            block = block[:, 0] if block.shape[1] == 1 else block.mean(axis=1, dtype=np.float32)
        if self._stream is not None:
            block = self._stream.resample_chunk(np.ascontiguousarray(block), last=self._n_left == 0)
        np.clip(block, np.float32(-1), PEAK, out=self._signal[self._n : self._n + len(block)])
        self._n += len(block)
        return True

    def signal(self) -> FloatArray:
        """The guarded signal of all blocks; the errors are those of `guard`."""
        if self._n_bad:
            raise AudioError(f"{self._n_bad} of {self._size} samples are NaN or infinite (or beyond {_LARGEST:.0e})")
        refuse_peak(self._peak)
        if self._n == 0:
            raise AudioError("no samples are left after resampling")
        return self._signal[: self._n]


def refuse_peak(peak: float) -> None:
    """Raise if the largest amplitude of floating-point samples tells of another full scale than 1."""
    if LOUDEST < peak < _LARGEST:
        raise AudioError(
            f"the largest sample is {peak:g}; expected a full scale of 1: divide samples of 16 bits by 32768"
        )


def _amplitudes(samples: NDArray[Any]) -> FloatArray:
    """Samples as float32; those of integers by the full scale of their type."""
    if np.issubdtype(samples.dtype, np.integer):
        if samples.dtype.itemsize > 4:  # what lists of whole numbers become: their full scale could be any
            raise AudioError(f"samples are {samples.dtype}; expected int16, int32 or uint8, or full scale 1")
        half = float(1 << (8 * samples.dtype.itemsize - 1))
        middle = half if np.issubdtype(samples.dtype, np.unsignedinteger) else 0.0
        return ((samples.astype(np.float64) - middle) / half).astype(np.float32)
    if not np.issubdtype(samples.dtype, np.floating):
        raise AudioError(f"samples are {samples.dtype}; expected floating point or integers")
    return samples.astype(np.float32, copy=False)
