"""The ComParE 2016 feature set, natively: 65 contours, their deltas, 6373 functionals.

A signal's way: `framing` → `spectrum` (`fourier`, in `lanes`) → `auditory`, `cepstrum`, `spectral`; `pitch` →
`voice`; all of them → `contours` (smoothing, deltas) → `blocks` (`statistics`, `peaks`) → values
in the order of `names`.  ``docs/compare_2016.md`` says what it was made from and how close it is.

Signals are mono, 16 kHz, float32, of 60 ms or more, with amplitudes in [-1, 32767/32768].  Everything
that is compiled is imported by the first call only.
"""

import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from serprep._typing import FloatArray
from serprep.errors import FeatureError
from serprep.features.compare_2016.names import contour_names, functional_names

__all__ = ["LLD", "contour_names", "functional_names", "functionals", "lld", "lld_names", "n_rows", "prepare"]

NAME = "serprep.compare_2016"  # of the extractor, in keys and versions
REVISION = 2  # raised whenever a value changes
SAMPLE_RATE = 16_000  # Hz, the only one
HOP = 160  # samples from one row of a contour to the next
SHORTEST = 960  # samples, one frame of 60 ms
_KEPT = "compiling the native features, once (about 10 s)"
_NOT_KEPT = (
    "compiling the native features, for this process alone (about 20 s): no folder can be written; "
    "set NUMBA_CACHE_DIR to one that can"
)


@dataclass(frozen=True, kw_only=True)
class LLD:
    """Configuration of ``[features.lld]``: the low-level descriptors as contours, always computed natively."""

    enabled: bool = False
    feature_set: str = "ComParE_2016"

    def __post_init__(self) -> None:
        if self.feature_set != "ComParE_2016":
            raise FeatureError(f"[features.lld] feature_set is {self.feature_set!r}; the only one is 'ComParE_2016'")


def functionals(signal: FloatArray) -> FloatArray:
    """The 6373 functionals of a signal, named by `functional_names`.

    Parameters
    ----------
    signal : ndarray, shape (n_samples,), float32

    Returns
    -------
    ndarray, shape (6373,), float32

    Raises
    ------
    FeatureError
        If `signal` is shorter than 60 ms, or has amplitudes outside [-1, 1).

    Examples
    --------
    >>> functionals(np.zeros(16_000, np.float32)).shape
    (6373,)
    """
    from serprep.features.compare_2016.blocks import functionals_of
    from serprep.features.compare_2016.contours import contours_of

    return functionals_of(contours_of(checked(signal)))


def lld(signal: FloatArray) -> FloatArray:
    """The 65 low-level descriptors of a signal and their 65 deltas, as contours.

    Row ``t`` belongs to the 60 ms from sample ``160 * t`` on, the last but one also; smoothing gives one row
    more than there are frames.  The reference prints two rows more of the deltas, which are left out.

    Parameters
    ----------
    signal : ndarray, shape (n_samples,), float32

    Returns
    -------
    ndarray, shape (n_frames + 1, 130), float32
        Columns are ``contour_names()``, then ``contour_names(delta=True)``;
        ``n_frames = 1 + (n_samples - 960) // 160``.

    Raises
    ------
    FeatureError
        If `signal` is shorter than 60 ms, or has amplitudes outside [-1, 1).

    Examples
    --------
    >>> lld(np.zeros(16_000, np.float32)).shape
    (96, 130)
    """
    from serprep.features.compare_2016.contours import contours_of

    contours = contours_of(checked(signal))
    groups = (
        contours.voice,
        contours.energy,
        contours.spectral,
        contours.voice_delta,
        contours.energy_delta,
        contours.spectral_delta,
    )
    return np.concatenate([group[:, : contours.n_frames + 1] for group in groups]).T


def n_rows(n_samples: int) -> int:
    """Rows that `lld` gives of so many samples.

    Examples
    --------
    >>> n_rows(16_000)
    96
    """
    return 2 + (n_samples - SHORTEST) // 160


def lld_names() -> tuple[str, ...]:
    """Names of the 130 columns of `lld`."""
    return (*contour_names(), *contour_names(delta=True))


def checked(signal: FloatArray) -> FloatArray:
    """The signal, shape (n_samples,), contiguous and float32.

    Raises
    ------
    FeatureError
        If it is not mono, shorter than 60 ms, or not within [-1, 1).
    """
    signal = np.ascontiguousarray(signal, np.float32)
    if signal.ndim != 1 or len(signal) < SHORTEST:
        raise FeatureError(f"a signal of shape {signal.shape}; expected mono, {SHORTEST} samples (60 ms) or more")
    if not (signal.min() >= -1 and signal.max() < 1):  # false for NaN as well
        raise FeatureError("amplitudes outside [-1, 1); pass the signal through serprep.audio.guard")
    return signal


def prepare(
    say: Callable[[str], None] | None = None, compute: Callable[[FloatArray], FloatArray] = functionals
) -> None:
    """Compile everything, if no earlier process of this installation has; a second process takes its half.

    Parameters
    ----------
    say : function of a line
        Told before it begins to compile; the default prints to standard error.
    compute : function of a signal
        Everything that it needs is compiled.
    """
    from serprep.features.compare_2016.compiled import LISTENERS
    from serprep.features.compare_2016.contours import contours_of

    silence = np.zeros(SHORTEST, np.float32)
    helpers: list[subprocess.Popen[bytes]] = []

    def compiling(kept: bool) -> None:
        LISTENERS.remove(compiling)
        (say or _print)(_KEPT if kept else _NOT_KEPT)
        if kept:
            code = f"import sys; sys.path[:] = {sys.path!r}; from {__name__} import prepare_half as half; half()"
            helpers.append(subprocess.Popen([sys.executable, "-c", code], stderr=subprocess.DEVNULL))

    LISTENERS.append(compiling)
    try:
        for step in (contours_of, compute):
            try:
                step(silence)
            finally:
                while helpers:  # whatever happens; an interruption reaches them, too
                    helpers.pop().wait()
    finally:
        if compiling in LISTENERS:
            LISTENERS.remove(compiling)


def prepare_half() -> None:
    """Compile what is done with contours, and some of what makes them, while another process compiles the rest."""
    from serprep.features.compare_2016.blocks import functionals_of
    from serprep.features.compare_2016.contours import Contours
    from serprep.features.compare_2016.voice import voice_quality

    voice_quality(np.zeros(SHORTEST, np.float32), np.zeros(1, np.float32))
    groups = (np.zeros((n, 99), np.float32) for n in (6, 6, 4, 4, 55))
    functionals_of(Contours(95, 95, *groups))


def _print(line: str) -> None:
    print(line, file=sys.stderr, flush=True)
