"""Samples → how loud they are, and what is wrong with that.

A level is measured on the samples as the file holds them, before they are mixed,
resampled and clipped.  Nothing here refuses a recording: it is counted and told, and a
recipe may leave out what holds no sound (``[corpus] silent = "quarantine"``).
"""

from collections.abc import Mapping

import numpy as np

from serprep._typing import AnyArray, DoubleArray, FloatArray

COLUMNS = ("peak", "rms", "mean", "channel", "clipped")

_PEAK = 1 / 256  # below −48 dB: what 16 bits are that were stored as 24 without being shifted
_RMS = 1e-4  # −80 dB; RAVDESS' quietest recording has −64
_CANCELLED = 0.1  # of a channel's loudness that is left in the mean of all; unrelated channels leave more than half
_CONSTANT = 0.1  # of the mean that the sound about it has
BLOCK = 1 << 16  # samples: half a megabyte as float64
_CLIPPED = 0.01  # of the samples at full scale; a full sine has 0.0035
_FULL = np.float32(32767 / 32768)

PROBLEMS: Mapping[str, str] = {  # in the order in which they are looked for
    "silent": "digital silence",
    "cancelling": "channels that cancel one another: their mean is silence",
    "constant": "a constant, and hardly any sound about it",
    "faint": "hardly above silence: a peak below -48 dB or a loudness below -80 dB; is the full scale right?",
    "clipped": "clipped: more than 1 % of the samples are at full scale",
}
SILENT = ("silent", "cancelling", "constant", "faint")  # what holds no sound


def levels_of(samples: FloatArray) -> FloatArray:
    """Levels of a recording.

    Parameters
    ----------
    samples : ndarray, shape (n_samples, n_channels)
        Amplitudes, full scale 1; at least one sample.

    Returns
    -------
    ndarray, shape (5,), float32
        In the order of `COLUMNS`: the largest amplitude of any channel; of the mean of the
        channels the root mean square about its own mean, and that mean; the largest root
        mean square of a channel about its mean; the largest share of a channel at full scale.

    Examples
    --------
    >>> levels_of(np.array([[0.5, -0.5], [-0.5, 0.5]], np.float32)).tolist()
    [0.5, 0.0, 0.0, 0.5, 0.0]
    """
    levels = Levels()
    levels.add(samples)
    return levels.values()


class Levels:
    """Levels of a recording in blocks, whose means, and squares about them, are merged (Chan et al. 1979)."""

    def __init__(self) -> None:
        self._n, self._peak = 0, np.float32(0)
        self._n_full = self._mean = self._squares = np.zeros(1)  # of the mean of the channels, and of each

    def add(self, samples: FloatArray) -> None:
        """The next samples, as `levels_of` takes them."""
        n = len(samples)
        for first in range(0, n, BLOCK):
            self._add(samples[first : first + BLOCK])

    def _add(self, samples: FloatArray) -> None:
        n, n_channels = samples.shape
        channels = [samples[:, k].astype(np.float64) for k in range(n_channels)]
        of_mean = [] if n_channels == 1 else [_about_mean(sum(channels[1:], start=channels[0]) / n_channels)]
        each = [*of_mean, *map(_about_mean, channels)]
        mean, squares = np.array(each if of_mean else each * 2).T  # a single channel is the mean
        off, total = mean - self._mean, self._n + n
        self._squares = self._squares + squares + off * off * (self._n * n / total)
        self._mean = self._mean + off * (n / total)
        peak = max(samples.max(), -samples.min())
        self._peak = max(self._peak, peak)
        if peak >= _FULL:
            self._n_full = self._n_full + np.count_nonzero(np.abs(samples) >= _FULL, axis=0)
        self._n = total

    def values(self) -> FloatArray:
        """What `levels_of` gives of all blocks."""
        deviations = np.sqrt(self._squares / self._n)
        loud = deviations[1:].max()
        return np.array([self._peak, deviations[0], self._mean[0], loud, self._n_full.max() / self._n], np.float32)


def _about_mean(values: DoubleArray) -> tuple[float, float]:
    """Mean, and sum of the squares about it; `values` are overwritten."""
    mean = values.mean()
    values -= mean
    values *= values
    return mean, values.sum()


def problems_of(levels: FloatArray) -> dict[str, AnyArray]:
    """Which recordings have which problem; of those of `SILENT` a recording has the first only.

    Parameters
    ----------
    levels : ndarray, shape (n, 5)

    Returns
    -------
    dict of str to ndarray, shape (n,), bool
        By the names of `PROBLEMS`.

    Examples
    --------
    >>> masks = problems_of(np.array([[0, 0, 0, 0, 0]], np.float32))
    >>> [name for name, which in masks.items() if which.any()]
    ['silent']
    """
    peak, rms, mean, channel, clipped = np.asarray(levels, np.float64).reshape(-1, len(COLUMNS)).T
    masks = {
        "silent": peak == 0,
        "cancelling": (channel >= _RMS) & (rms < _CANCELLED * channel),
        "constant": (np.abs(mean) >= _RMS) & (rms < _CONSTANT * np.abs(mean)),
        "faint": (peak < _PEAK) | (rms < _RMS),
    }
    taken = np.zeros(len(peak), bool)
    for name in SILENT:
        masks[name] &= ~taken
        taken |= masks[name]
    return {**masks, "clipped": clipped > _CLIPPED}
