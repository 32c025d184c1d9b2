"""Samples → how loud they are, and what is wrong with that.

A level is measured on the samples as the file holds them, before they are mixed,
resampled and clipped.  Nothing here refuses a recording: it is counted and told, and a
recipe may leave out what holds no sound (``[corpus] silent = "quarantine"``).
"""

from collections.abc import Mapping

import numpy as np

from serprep._typing import AnyArray, FloatArray

COLUMNS = ("peak", "rms", "mean", "channel", "clipped")

_PEAK = 1 / 256  # below −48 dB: what 16 bits are that were stored as 24 without being shifted
_RMS = 1e-4  # −80 dB; RAVDESS' quietest recording has −64
_CANCELLED = 0.1  # of a channel's loudness that is left in the mean of all; unrelated channels leave more than half
_CONSTANT = 0.1  # of the mean that the sound about it has
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
    mono = samples.mean(axis=1, dtype=np.float64)
    return np.array(
        [
            np.abs(samples).max(),
            mono.std(),
            mono.mean(),
            samples.std(axis=0, dtype=np.float64).max(),
            (np.abs(samples) >= _FULL).mean(axis=0).max(),
        ],
        np.float32,
    )


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
    >>> found = problems_of(np.array([[0, 0, 0, 0, 0]], np.float32))
    >>> [name for name, which in found.items() if which.any()]
    ['silent']
    """
    peak, rms, mean, channel, clipped = np.asarray(levels, np.float64).reshape(-1, len(COLUMNS)).T
    found = {
        "silent": peak == 0,
        "cancelling": (channel >= _RMS) & (rms < _CANCELLED * channel),
        "constant": (np.abs(mean) >= _RMS) & (rms < _CONSTANT * np.abs(mean)),
        "faint": (peak < _PEAK) | (rms < _RMS),
    }
    taken = np.zeros(len(peak), bool)
    for name in SILENT:
        found[name] &= ~taken
        taken |= found[name]
    return {**found, "clipped": clipped > _CLIPPED}
