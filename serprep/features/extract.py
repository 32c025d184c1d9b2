"""Every feature of a signal, and the identity of whoever computes it.

The identity enters cache keys: name, our revision number, and major.minor of the
libraries that decide values.
"""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field, fields
from functools import lru_cache
from importlib.metadata import PackageNotFoundError, version
from typing import Any, TypeVar

import numpy as np
import scipy
import soundfile
import soxr

from serprep._typing import FloatArray
from serprep.audio.signal import Signal
from serprep.errors import FeatureError
from serprep.features import compare_2016, logmel
from serprep.features import functionals as compare
from serprep.features.compare_2016 import LLD
from serprep.features.framing import SEGMENTS, Segment
from serprep.features.functionals import Functionals
from serprep.features.logmel import LogMel

Configuration = TypeVar("Configuration")

NATIVE = "serprep.compare_2016"  # name of the native engine in keys and versions


@dataclass(frozen=True, kw_only=True)
class Features:
    """Everything that decides what a store's arrays hold."""

    logmel: LogMel = field(default_factory=LogMel)
    segments: Mapping[str, Segment] = field(default_factory=lambda: dict(SEGMENTS))
    functionals: Functionals = field(default_factory=Functionals)
    lld: LLD = field(default_factory=LLD)

    def __post_init__(self) -> None:
        if not self.segments:
            raise FeatureError(
                "[features.segments] is empty; expected entries such as short = { length = 30, hop = 20 }"
            )
        by_length: dict[int, str] = {}
        for name, segment in self.segments.items():
            if segment.length in by_length:
                raise FeatureError(
                    f"segments {by_length[segment.length]!r} and {name!r} have one length ({segment.length}); "
                    "arrays are named by length: remove one"
                )
            by_length[segment.length] = name
        if self.functionals.enabled and self.functionals.engine == "native":
            compare.check_rate(self.logmel.sample_rate)
        if self.lld.enabled:
            compare.check_rate(self.logmel.sample_rate, "[features.lld] gives contours")

    @property
    def signal(self) -> Signal:
        """How recordings become samples."""
        return Signal(sample_rate=self.logmel.sample_rate)

    @property
    def shortest(self) -> int:
        """The fewest samples an utterance may have."""
        if self.functionals.enabled or self.lld.enabled:
            return max(self.logmel.win_length, compare.shortest(self.logmel.sample_rate))
        return self.logmel.win_length

    def to_json(self) -> dict[str, Any]:
        """The configuration as plain JSON values."""
        found = {
            "signal": asdict(self.signal),
            "logmel": asdict(self.logmel),
            "segments": {name: asdict(segment) for name, segment in sorted(self.segments.items())},
            "functionals": asdict(self.functionals),
        }
        if self.lld.enabled:  # else not named: versions of stores from before there were contours stay
            found["lld"] = asdict(self.lld)
        return found

    @property
    def kinds(self) -> tuple[str, ...]:
        """What is computed of a signal: "logmel", "functionals", "lld"."""
        wanted = {"logmel": True, "functionals": self.functionals.enabled, "lld": self.lld.enabled}
        return tuple(kind for kind, enabled in wanted.items() if enabled)


def features_from_json(values: Mapping[str, Any]) -> Features:
    """The configuration that `Features.to_json` wrote.

    Raises
    ------
    FeatureError
        If a field is missing, unknown, or impossible.
    """
    try:
        return Features(
            logmel=_typed(LogMel, values["logmel"]),
            segments={str(name): _typed(Segment, segment) for name, segment in values["segments"].items()},
            functionals=_typed(Functionals, values["functionals"]),
            lld=_typed(LLD, values.get("lld", {})),
        )
    except (KeyError, TypeError, AttributeError) as error:
        raise FeatureError(f"feature configuration: {error}; expected what this serprep writes") from None


def _typed(kind: Callable[..., Configuration], values: Mapping[str, Any]) -> Configuration:
    """A configuration whose values have the types it declares; a whole number will do for a fraction."""
    found = kind(**values)
    for one in fields(found):  # type: ignore[arg-type]
        value = getattr(found, one.name)
        if type(value) is not one.type and (one.type, type(value)) != (float, int):
            raise TypeError(f"{one.name} is {value!r}")
    return found


def identities(features: Features) -> dict[str, dict[str, Any]]:
    """Kind of feature → identity of its extractor and the configuration it depends on."""
    decoder = {"soxr": _minor(soxr.__version__), "libsndfile": _minor(soundfile.__libsndfile_version__)}
    found: dict[str, dict[str, Any]] = {
        "logmel": {
            "extractor": {
                "name": "serprep.logmel",
                "revision": logmel.REVISION,
                "scipy": _minor(scipy.__version__),
                **decoder,
            },
            "signal": asdict(features.signal),
            "logmel": asdict(features.logmel),
        }
    }
    if features.functionals.enabled:
        found["functionals"] = {
            "extractor": {**_compare_identity(features.functionals.engine), **decoder},
            "signal": asdict(features.signal),
            "feature_set": features.functionals.feature_set,
        }
    if features.lld.enabled:
        found["lld"] = {
            "extractor": {**_compare_identity("native"), **decoder},
            "signal": asdict(features.signal),
            "lld": features.lld.feature_set,
        }
    return found


def _compare_identity(engine: str) -> dict[str, Any]:
    """Who computes functionals: our revision, and what else decides values."""
    if engine == "native":
        libraries = {"numba": _minor(version("numba")), "numpy": _minor(np.__version__)}
        return {"name": NATIVE, "revision": compare_2016.REVISION, **libraries}
    return {"name": engine, "revision": compare.REVISION, "library": compare.library_digest()}


def extractors(features: Features) -> dict[str, dict[str, Any]]:
    """Names and revisions that enter the version of a store; no library versions but openSMILE's."""
    found: dict[str, dict[str, Any]] = {"logmel": {"name": "serprep.logmel", "revision": logmel.REVISION}}
    if features.functionals.enabled and features.functionals.engine == "native":
        found["functionals"] = {"name": NATIVE, "revision": compare_2016.REVISION}
    elif features.functionals.enabled:
        found["functionals"] = {
            "name": features.functionals.engine,
            "revision": compare.REVISION,
            "opensmile": compare.opensmile_version(),
        }
    if features.lld.enabled:
        found["lld"] = {"name": NATIVE, "revision": compare_2016.REVISION}
    return found


def prepare(features: Features, say: Callable[[str], None] | None = None) -> None:
    """What must happen once before many processes compute `features`: compile the native engine, try openSMILE."""
    if features.lld.enabled or (features.functionals.enabled and features.functionals.engine == "native"):
        compare_2016.prepare(say)
    if features.functionals.uses_opensmile:
        compare.prepare(say or (lambda line: None))


@lru_cache(maxsize=1)
def library_versions() -> dict[str, str]:
    """Versions of everything that takes part in a build and is installed, for ``build.json``."""
    names = ("dask", "h5py", "numba", "numpy", "opensmile", "pandas", "scipy", "soundfile", "soxr", "zarr")
    found = {"serprep": version("serprep"), "libsndfile": soundfile.__libsndfile_version__}
    for name in names:
        with suppress(PackageNotFoundError):  # openSMILE may be left out
            found[name] = version(name)
    return found


def extract(signal: FloatArray, features: Features, kinds: tuple[str, ...]) -> dict[str, FloatArray]:
    """The asked-for kinds of features of one signal.

    Parameters
    ----------
    signal : ndarray, shape (n_samples,), float32
        A guarded signal.
    features : Features
    kinds : tuple of str
        Some of "logmel", "functionals" and "lld".

    Returns
    -------
    dict of ndarray
        "logmel" → (n_frames, n_mels); "functionals" → (1, 6373); "lld" → (n_rows, 130); float32.

    Raises
    ------
    FeatureError
        If the signal is too short.
    """
    if len(signal) < features.shortest:
        raise FeatureError(
            f"too short: {len(signal)} samples ({1000 * len(signal) / features.logmel.sample_rate:.0f} ms) are fewer "
            f"than {features.shortest}; leave it out"
        )
    found = {}
    if "logmel" in kinds:
        found["logmel"] = logmel.log_mel(signal, features.logmel)
    if "functionals" in kinds:
        found["functionals"] = compare.functionals(
            signal, sample_rate=features.logmel.sample_rate, engine=features.functionals.engine
        )[None]
    if "lld" in kinds:
        found["lld"] = compare_2016.lld(signal)
    return found


def _minor(text: str) -> str:
    """major.minor of a version."""
    return ".".join(text.split(".")[:2])
