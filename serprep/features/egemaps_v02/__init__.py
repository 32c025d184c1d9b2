"""The eGeMAPSv02 feature set, natively: 25 contours, 88 functionals.

A signal's way: what it shares with `compare_2016` (framing, spectra, pitch, jitter, mel bands)
→ `descriptors`, `formants`, `harmonics` → `frames` → `blocks` → values in the order of `names`.

Signals are mono, 16 kHz, float32, of 60 ms or more, with amplitudes in [-1, 32767/32768].
"""

import numpy as np

from serprep._typing import FloatArray
from serprep.features.compare_2016 import checked
from serprep.features.egemaps_v02.names import contour_meanings, contour_names, functional_meanings, functional_names

__all__ = [
    "contour_meanings",
    "contour_names",
    "contours",
    "functional_meanings",
    "functional_names",
    "functionals",
]

REVISION = 1  # raised whenever a value changes


def functionals(signal: FloatArray) -> FloatArray:
    """The 88 functionals of a signal, named by `functional_names`.

    Parameters
    ----------
    signal : ndarray, shape (n_samples,), float32

    Returns
    -------
    ndarray, shape (88,), float32

    Raises
    ------
    FeatureError
        If `signal` is shorter than 60 ms, or has amplitudes outside [-1, 1).

    Examples
    --------
    >>> functionals(np.zeros(16_000, np.float32)).shape
    (88,)
    """
    from serprep.features.egemaps_v02.blocks import functionals_of
    from serprep.features.egemaps_v02.frames import frames_of

    return functionals_of(frames_of(checked(signal)))


def contours(signal: FloatArray) -> FloatArray:
    """The 25 low-level descriptors of a signal, named by `contour_names`, one row per 10 ms.

    Row ``t`` belongs to the frames from sample ``160 * t`` on; smoothing gives one row more than there are frames.

    Parameters
    ----------
    signal : ndarray, shape (n_samples,), float32

    Returns
    -------
    ndarray, shape (n_frames + 1, 25), float32
        ``n_frames = 1 + (n_samples - 960) // 160``.

    Raises
    ------
    FeatureError
        If `signal` is shorter than 60 ms, or has amplitudes outside [-1, 1).

    Examples
    --------
    >>> contours(np.zeros(16_000, np.float32)).shape
    (96, 25)
    """
    from serprep.features.egemaps_v02.frames import contours_of, frames_of

    return np.ascontiguousarray(contours_of(frames_of(checked(signal))).T)
