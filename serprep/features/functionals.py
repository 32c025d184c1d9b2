"""The 6373 ComParE functionals of a signal, by openSMILE (the paper's HSF).

Bit-identical to what the ``opensmile`` package returns for the same guarded
signal.  openSMILE is free for research only; a store that holds its values says so.
"""

import hashlib
import warnings
from dataclasses import dataclass
from functools import lru_cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

from serprep._typing import FloatArray
from serprep.errors import FeatureError
from serprep.features import opensmile_fork

REVISION = 1  # raised whenever a value changes
N_FEATURES = 6373
SHORTEST = 0.060  # seconds; openSMILE gives nothing below
LICENCE = "functionals: openSMILE (audEERING), free for research and personal use only"


@dataclass(frozen=True, kw_only=True)
class Functionals:
    """Configuration of ``[features.functionals]``."""

    enabled: bool = True
    feature_set: str = "ComParE_2016"
    engine: str = "opensmile"

    def __post_init__(self) -> None:
        if self.feature_set != "ComParE_2016":
            raise FeatureError(f"feature_set is {self.feature_set!r}; the only one is 'ComParE_2016'")
        if self.engine != "opensmile":
            raise FeatureError(f"engine is {self.engine!r}; the only one is 'opensmile'")


def shortest(sample_rate: int) -> int:
    """The fewest samples openSMILE computes functionals from: 960 at 16 kHz."""
    return round(SHORTEST * sample_rate)


def functionals(signal: FloatArray, *, sample_rate: int = 16_000) -> FloatArray:
    """ComParE_2016 functionals of a guarded signal.

    Parameters
    ----------
    signal : ndarray, shape (n_samples,), float32
        Amplitudes in [-1, 32767/32768], as `serprep.audio.decode` returns them.
    sample_rate : int
        Hz.

    Returns
    -------
    ndarray, shape (6373,), float32

    Raises
    ------
    FeatureError
        If `signal` is shorter than 60 ms, or would wrap in openSMILE's int16, or
        openSMILE gives anything but 6373 finite numbers.
    """
    check_signal(signal, sample_rate)
    if opensmile_fork.available():
        return checked(opensmile_fork.functionals(_smile(), signal, sample_rate))
    return checked(by_package(signal, sample_rate))


def by_package(signal: FloatArray, sample_rate: int) -> FloatArray:
    """What the ``opensmile`` package returns: slower, not contained, the same bytes."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # "segment too short", which `checked` turns into an error
        return np.asarray(_smile().process_signal(signal, sample_rate).to_numpy())


def check_signal(signal: FloatArray, sample_rate: int) -> None:
    """Raise unless openSMILE computes what it should from `signal`."""
    if len(signal) < shortest(sample_rate):
        raise FeatureError(
            f"{len(signal)} samples are fewer than openSMILE's least ({shortest(sample_rate)}, 60 ms); "
            "drop it or disable functionals"
        )
    if not (np.min(signal) >= -1 and np.max(signal) < 1):  # false for NaN as well
        raise FeatureError(
            "amplitudes outside [-1, 32767/32768] would wrap; pass the signal through serprep.audio.guard"
        )


def checked(values: FloatArray) -> FloatArray:
    """One row of finite functionals, or a FeatureError."""
    if values.size != N_FEATURES or not np.isfinite(values).all():
        raise FeatureError(
            f"openSMILE gave {np.count_nonzero(np.isfinite(values))} finite values, expected {N_FEATURES}"
        )
    return np.asarray(values, np.float32).reshape(N_FEATURES)


@lru_cache(maxsize=1)
def feature_names() -> tuple[str, ...]:
    """Names of the 6373 functionals, in order."""
    return tuple(_smile().feature_names)


@lru_cache(maxsize=1)
def _smile() -> Any:
    import opensmile

    return opensmile.Smile(opensmile.FeatureSet.ComParE_2016, opensmile.FeatureLevel.Functionals)


@lru_cache(maxsize=1)
def opensmile_version() -> str:
    """Version of the installed openSMILE package."""
    from importlib.metadata import version

    return version("opensmile")


@lru_cache(maxsize=1)
def library_digest() -> str:
    """SHA-256 over openSMILE's shared library and its configuration files.

    A package of the same version number may bring another library.
    """
    # found, not imported: that takes most of a second, and an unchanged corpus needs nothing else of it
    spec = find_spec("opensmile")
    if spec is None or spec.origin is None:
        raise FeatureError("the package opensmile is not installed; install it or disable functionals")
    root = Path(spec.origin).parent / "core"
    total = hashlib.sha256()
    files = [
        path for path in root.rglob("*") if path.is_file() and {"bin", "config"} & set(path.relative_to(root).parts)
    ]
    for path in sorted(files):
        total.update(path.relative_to(root).as_posix().encode() + b"\0")
        total.update(hashlib.sha256(path.read_bytes()).digest())
    return total.hexdigest()
