"""The 6373 ComParE functionals of a signal (the paper's HSF), natively or by openSMILE.

Engine "native", the default, is `compare_2016`, which needs no openSMILE; ``docs/compare_2016.md``
says how close it comes.
Engine "opensmile", the reference, is bit-identical to what the ``opensmile`` package returns for
the same guarded signal.  openSMILE is free for research only; a store that holds its values says so.
"""

import hashlib
from collections.abc import Callable
from dataclasses import asdict, dataclass, replace
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

import numpy as np

from serprep._typing import FloatArray
from serprep.audio.signal import Signal
from serprep.config import check
from serprep.errors import FeatureError, one_line
from serprep.features import compare_2016, opensmile_fork
from serprep.features.kind import Extractor, Kind, Say
from serprep.features.libraries import native_libraries
from serprep.features.prepared import prepare_once

REVISION = 1  # of engine "opensmile", raised whenever a value changes
N_FEATURES = 6373
SHORTEST = 0.060  # seconds; openSMILE gives nothing below
LICENCE = "functionals: openSMILE (audEERING), free for research and personal use only"

NO_OPENSMILE = 'install it, set [features.functionals] engine = "native", or disable functionals'


@dataclass(frozen=True, kw_only=True)
class Functionals:
    """Configuration of ``[features.functionals]``."""

    enabled: bool = True
    feature_set: Literal["ComParE_2016"] = "ComParE_2016"
    engine: Literal["native", "opensmile"] = "native"

    def __post_init__(self) -> None:
        check(self, FeatureError, "features.functionals")

    @property
    def uses_opensmile(self) -> bool:
        """Whether openSMILE computes them, and its licence holds for a store."""
        return self.enabled and self.engine == "opensmile"


def prepare(say: Callable[[str], None]) -> None:
    """Find out, once, how openSMILE can be run here."""
    opensmile_fork.check(_smile, say)


def shortest(sample_rate: int) -> int:
    """The fewest samples that functionals are computed from: 960 at 16 kHz."""
    return round(SHORTEST * sample_rate)


def functionals(signal: FloatArray, *, sample_rate: int = 16_000, engine: str = "native") -> FloatArray:
    """ComParE_2016 functionals of a guarded signal.

    Parameters
    ----------
    signal : ndarray, shape (n_samples,), float32
        Amplitudes in [-1, 32767/32768], as `serprep.audio.decode` returns them.
    sample_rate : int
        Hz; 16000 for engine "native".
    engine : {"native", "opensmile"}

    Returns
    -------
    ndarray, shape (6373,), float32

    Raises
    ------
    FeatureError
        If `signal` is shorter than 60 ms, or would wrap in openSMILE's int16, or
        the engine gives anything but 6373 finite numbers.
    """
    check_signal(signal, sample_rate)
    if engine == "native":
        check_rate(sample_rate)
        return checked(compare_2016.functionals(signal), "the native engine")
    if opensmile_fork.available():
        return checked(opensmile_fork.functionals(_smile, signal, sample_rate))
    return checked(by_package(signal, sample_rate))


def by_package(signal: FloatArray, sample_rate: int) -> FloatArray:
    """What the ``opensmile`` package returns: slower, not contained, the same bytes."""
    return opensmile_fork.by_package(_smile, signal, sample_rate)


def check_rate(sample_rate: int, what: str = "engine 'native' computes functionals") -> None:
    """Raise unless the native engine is made for `sample_rate`."""
    if sample_rate != compare_2016.SAMPLE_RATE:
        remedy = "use that rate or engine 'opensmile'" if "engine" in what else "use that rate or leave it out"
        raise FeatureError(f"sample_rate is {sample_rate}; {what} at {compare_2016.SAMPLE_RATE} Hz only: {remedy}")


def check_signal(signal: FloatArray, sample_rate: int) -> None:
    """Raise unless openSMILE computes what it should from `signal`."""
    if len(signal) < shortest(sample_rate):
        raise FeatureError(
            f"{len(signal)} samples are fewer than functionals need ({shortest(sample_rate)}, 60 ms); "
            "drop it or disable functionals"
        )
    if not (np.min(signal) >= -1 and np.max(signal) < 1):  # false for NaN as well
        raise FeatureError(
            "amplitudes outside [-1, 32767/32768] would wrap; pass the signal through serprep.audio.guard"
        )


def checked(values: FloatArray, by: str = "openSMILE") -> FloatArray:
    """One row of finite functionals, or a FeatureError."""
    if values.size != N_FEATURES or not np.isfinite(values).all():
        raise FeatureError(f"{by} gave {np.count_nonzero(np.isfinite(values))} finite values, expected {N_FEATURES}")
    return np.asarray(values, np.float32).reshape(N_FEATURES)


def feature_names() -> tuple[str, ...]:
    """Names of the 6373 functionals, in order, whatever the engine."""
    return compare_2016.functional_names()


@lru_cache(maxsize=1)
def _smile() -> Any:
    try:
        import opensmile
    except ImportError as error:
        raise FeatureError(f"openSMILE cannot be used ({one_line(error)}); {NO_OPENSMILE}") from None
    return opensmile.Smile(opensmile.FeatureSet.ComParE_2016, opensmile.FeatureLevel.Functionals)


@lru_cache(maxsize=1)
def opensmile_version() -> str:
    """Version of the installed package opensmile; a FeatureError where there is none."""
    try:
        return version("opensmile")
    except PackageNotFoundError:
        raise FeatureError(f"the package opensmile is not installed; {NO_OPENSMILE}") from None


@lru_cache(maxsize=1)
def library_digest() -> str:
    """SHA-256 over openSMILE's shared library and its configuration files.

    A package of the same version number may bring another library; where there is none, that is a FeatureError.
    """
    # found, not imported: that takes most of a second, and an unchanged corpus needs nothing else of it
    spec = find_spec("opensmile")
    if spec is None or spec.origin is None:
        raise FeatureError(f"the package opensmile is not installed; {NO_OPENSMILE}")
    root = Path(spec.origin).parent / "core"
    total = hashlib.sha256()
    files = [
        path for path in root.rglob("*") if path.is_file() and {"bin", "config"} & set(path.relative_to(root).parts)
    ]
    for path in sorted(files):
        total.update(path.relative_to(root).as_posix().encode() + b"\0")
        total.update(hashlib.sha256(path.read_bytes()).digest())
    return total.hexdigest()


class _Functionals(Kind[Functionals]):
    name = "functionals"
    config = Functionals
    shape = "row"
    revision = REVISION
    array = "compare_2016"
    dimensions = ("utterance", "functional")
    on_by_default = True
    named_at_top = True
    slow_to_load = True
    set_name = "compare_2016"
    shares = True
    patience = 1.0

    def plain(self, config: Functionals) -> dict[str, Any]:
        # a store without functionals names the engine that was the default when there was no other
        return asdict(config if config.enabled else replace(config, engine="opensmile"))

    def reference(self, config: Functionals) -> Functionals:
        return replace(config, engine="opensmile")

    def at_level(self, level: str) -> Functionals | None:
        return Functionals(engine="native") if level in ("", "functionals") else None

    def names(self, config: Functionals) -> tuple[str, ...]:
        return feature_names()

    def extractor(self, config: Functionals, signal: Signal) -> Extractor:
        return lambda samples: functionals(samples, sample_rate=signal.sample_rate, engine=config.engine)

    def prepare(self, config: Functionals, say: Say | None) -> None:
        if config.engine == "native":
            prepare_once(compare_2016.__name__, compare_2016.prepare, say)
        else:
            prepare(say or (lambda line: None))

    def memory(self, config: Functionals, n_samples: int) -> int:
        # measured: 19 bytes a sample at ten minutes, the signal included (docs/cluster.md)
        return (64 << 20) + 32 * n_samples if config.engine == "native" else 0

    def shortest(self, config: Functionals, signal: Signal) -> int:
        return shortest(signal.sample_rate)

    def check(self, config: Functionals, signal: Signal) -> None:
        if config.engine == "native":
            check_rate(signal.sample_rate)

    def licence(self, config: Functionals) -> str:
        return LICENCE if config.engine == "opensmile" else ""

    def identity(self, config: Functionals) -> dict[str, Any]:
        return native_libraries() if config.engine == "native" else {"library": library_digest()}

    def version_identity(self, config: Functionals) -> dict[str, Any]:
        return {} if config.engine == "native" else {"opensmile": opensmile_version()}

    def extractor_name(self, config: Functionals) -> str:
        return compare_2016.NAME if config.engine == "native" else config.engine

    def extractor_revision(self, config: Functionals) -> int:
        return compare_2016.REVISION if config.engine == "native" else REVISION

    def settings(self, config: Functionals) -> dict[str, Any]:
        return {"feature_set": config.feature_set}


FUNCTIONALS = _Functionals()
