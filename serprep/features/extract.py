"""Every feature of a signal, and the identity of whoever computes it.

The identity enters cache keys: name, our revision number, and major.minor of the
libraries that decide values.
"""

import ctypes
from collections.abc import Callable, Mapping
from contextlib import nullcontext, suppress
from copy import copy
from dataclasses import asdict
from functools import lru_cache, partial
from importlib.metadata import PackageNotFoundError
from typing import Any

from serprep._typing import FloatArray
from serprep.audio.signal import Signal
from serprep.config import configured
from serprep.errors import FeatureError, RecipeError, SerprepError, brief, one_line
from serprep.features.framing import SEGMENTS, Segment
from serprep.features.kind import Extractor, Kind, MissingKind
from serprep.features.kinds import KINDS, brought_by, kind_of
from serprep.features.libraries import decoder_libraries, minor, version
from serprep.features.sharing import sharing

LONG = 2**22  # samples, some minutes: memory is given back before the next kind of feature asks for its own


class Features:
    """Everything that decides what a store's arrays hold.

    Parameters
    ----------
    segments : mapping of str to Segment, optional
        By default the paper's two, if there is what they are cut from.
    missing : mapping of str to MissingKind, optional
        What a store holds and no installed package knows.
    **configs
        Kind of feature → its configuration; None leaves out one that is on by default.

    Examples
    --------
    >>> from serprep.features.logmel import LogMel
    >>> Features(logmel=LogMel(n_mels=64)).kinds
    ('logmel', 'functionals')
    """

    def __init__(
        self,
        segments: Mapping[str, Segment] | None = None,
        missing: Mapping[str, MissingKind] | None = None,
        **configs: Any,
    ) -> None:
        self.missing = dict(missing or {})
        given = {name: kind.config() for name, kind in KINDS.items() if kind.on_by_default} | configs
        order = [name for name in KINDS if name in given] + sorted(name for name in given if name not in KINDS)
        self.configs: dict[str, Any] = {name: given[name] for name in order if given[name] is not None}
        if segments is None:
            segments = {name: segment for name, segment in SEGMENTS.items() if segment.of in self.kinds}
        self.segments = dict(segments)
        self._check()

    def _check(self) -> None:
        if not self.kinds:
            raise FeatureError("[features] leaves nothing to compute; enable a kind of feature, such as logmel")
        by_place: dict[tuple[str, int], str] = {}
        for name, segment in self.segments.items():
            place = segment.of, segment.length
            if place in by_place:
                raise FeatureError(
                    f"segments {by_place[place]!r} and {name!r} have one length ({segment.length}); "
                    "arrays are named by length: remove one"
                )
            by_place[place] = name
            if segment.of not in self.kinds:
                raise FeatureError(
                    f"segments {name!r} are cut from {segment.of!r}, which is not enabled: "
                    f"add [features.{segment.of}] or remove them"
                )
            if self.kind(segment.of).shape_of(self.configs[segment.of]) != "contour":
                raise FeatureError(
                    f"segments {name!r} are cut from {segment.of!r}, one row per utterance; expected a contour"
                )
        cut = {segment.of for segment in self.segments.values()}
        for name in self.kinds:
            if not self.kind(name).whole and name not in cut:
                raise FeatureError(
                    f"[features.segments] has none of {name!r}, which is stored in segments only; "
                    "expected entries such as short = { length = 30, hop = 20 }"
                )
            self.kind(name).check(self.configs[name], self.signal)

    def settled(self) -> "Features":
        """The same features, with what every process that computes them must find."""
        settled = copy(self)
        settled.configs = {
            name: self.kind(name).settled(config) if name in self.kinds else config
            for name, config in self.configs.items()
        }
        return settled

    def replaced(self, **configs: Any) -> "Features":
        """The same with other configurations of some kinds."""
        return Features(self.segments, self.missing, **{**self.configs, **configs})

    def kind(self, name: str) -> Kind[Any]:
        """The kind of that name."""
        return self.missing.get(name) or kind_of(name)

    @property
    def kinds(self) -> tuple[str, ...]:
        """Names of what is computed of a signal."""
        return tuple(name for name, config in self.configs.items() if self.kind(name).enabled(config))

    def __getattr__(self, name: str) -> Any:
        """The configuration of a kind, such as ``features.logmel``."""
        if name.startswith("_") or name in ("configs", "missing"):  # not there yet, as in a copy
            raise AttributeError(name)
        if name in self.configs:
            return self.configs[name]
        if name in KINDS:
            return KINDS[name].config()
        raise AttributeError(f"these features have no kind {name!r}")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Features) and self.to_json() == other.to_json()

    def __hash__(self) -> int:
        return hash(repr(self.to_json()))

    def __repr__(self) -> str:
        return f"Features({self.to_json()})"

    @property
    def signal(self) -> Signal:
        """How recordings become samples; a FeatureError where kinds want several rates."""
        rates = {name: self.kind(name).sample_rate(self.configs[name]) for name in self.kinds}
        wanted = {rate for rate in rates.values() if rate is not None}
        if len(wanted) > 1:
            told = ", ".join(f"{name} {rate}" for name, rate in rates.items() if rate is not None)
            raise FeatureError(f"kinds of feature want signals of several rates, in Hz: {told}; name one for all")
        return Signal(sample_rate=wanted.pop()) if wanted else Signal()

    @property
    def shortest(self) -> int:
        """The fewest samples an utterance may have."""
        return max(self.kind(name).shortest(self.configs[name], self.signal) for name in self.kinds)

    @property
    def framed(self) -> str | None:
        """The contour whose rows a store counts as frames: what segments are cut from."""
        return next((segment.of for segment in self.segments.values()), None)

    @property
    def licences(self) -> list[str]:
        """What must be said of a store that holds them."""
        said = (self.kind(name).licence(self.configs[name]) for name in self.kinds)
        return [line for line in said if line]

    def to_json(self) -> dict[str, Any]:
        """The configuration as plain JSON values."""
        top: dict[str, Any] = {}
        others: dict[str, Any] = {}
        for name, config in self.configs.items():
            kind = self.kind(name)
            plain = kind.plain(config)
            if not kind.named_at_top:
                others[name] = plain
            elif kind.enabled(config) or kind.on_by_default:  # else versions of before there was such a kind stay
                top[name] = plain
        segments = {name: segment.to_json() for name, segment in sorted(self.segments.items())}
        whole = {name for name in top if self.kind(name).whole}
        return {  # the order is part of the bytes of a store's attributes
            "signal": asdict(self.signal),
            **{name: plain for name, plain in top.items() if name not in whole},
            "segments": segments,
            **{name: plain for name, plain in top.items() if name in whole},
            **({"kinds": others} if others else {}),
        }


def only(kind: Kind[Any], config: Any) -> Features:
    """One kind alone, ready to compute.

    Raises
    ------
    FeatureError
        If something that it needs is not there.
    """
    others = {name: None for name, other in KINDS.items() if other.on_by_default and other is not kind}
    features = Features(**{**others, kind.name: config}).settled()
    if missing := kind.missing(features.configs[kind.name]):
        raise FeatureError(missing)
    return features


def features_from_json(values: Mapping[str, Any], missing: Mapping[str, MissingKind] | None = None) -> Features:
    """The configuration that `Features.to_json` wrote.

    Parameters
    ----------
    values : mapping
    missing : mapping of str to MissingKind, optional
        What stands in for kinds that no installed package knows.

    Raises
    ------
    FeatureError
        If a field is missing, unknown, or impossible.
    """
    missing = missing or {}
    try:
        values["signal"]  # it follows from the kinds, but every configuration names it
        configs: dict[str, Any] = {}
        for name, kind in KINDS.items():
            if kind.named_at_top and (name in values or kind.on_by_default):
                configs[name] = config_from_json(name, values[name]) if name in values else None
        for name, config in values.get("kinds", {}).items():
            configs[name] = dict(config) if name in missing else config_from_json(name, config)
        segments = {str(name): _from_json(Segment, segment) for name, segment in values["segments"].items()}
        return Features(segments, missing, **configs)
    except (KeyError, TypeError, AttributeError) as error:
        raise FeatureError(f"feature configuration: {brief(error)}; expected what this serprep writes") from None


def config_from_json(name: str, values: Mapping[str, Any]) -> Any:
    """The configuration of one kind, as `Features.to_json` wrote it.

    Raises
    ------
    FeatureError
        As `features_from_json`.
    """
    return _from_json(kind_of(name).config, values)


def _from_json(kind: type[Any], values: Any) -> Any:
    try:
        return configured(kind, values, "")
    except (RecipeError, TypeError) as error:
        raise FeatureError(f"feature configuration: {brief(error)}; expected what this serprep writes") from None


def identities(features: Features) -> dict[str, dict[str, Any]]:
    """Kind of feature → identity of its extractor and the configuration it depends on."""
    return {
        name: {
            "extractor": {
                **_named(features, name),
                **features.kind(name).identity(features.configs[name]),
                **decoder_libraries(),
                **_distribution(name),
            },
            "signal": asdict(features.signal),
            **features.kind(name).settings(features.configs[name]),
        }
        for name in features.kinds
    }


def kind_libraries(features: Features) -> dict[str, str]:
    """Versions of the installed packages that the kinds in use name in their identity, or come from."""
    libraries = {}
    for name in features.kinds:
        for library, known in features.kind(name).identity(features.configs[name]).items():
            with suppress(PackageNotFoundError, ValueError):  # a digest or a device, and no package
                number = version(library)
                if known == minor(number):
                    libraries[library] = number
        package, _, number = brought_by(name).partition(" ")
        if package:
            libraries[package] = number
    return libraries


def extractors(features: Features) -> dict[str, dict[str, Any]]:
    """Names and revisions that enter the version of a store; no library versions but openSMILE's."""
    return {
        name: {
            **_named(features, name),
            **features.kind(name).version_identity(features.configs[name]),
            **_distribution(name),
        }
        for name in features.kinds
    }


def _named(features: Features, name: str) -> dict[str, Any]:
    kind, config = features.kind(name), features.configs[name]
    return {"name": kind.extractor_name(config), "revision": kind.extractor_revision(config)}


def _distribution(name: str) -> dict[str, str]:
    """The package outside serprep that brings a kind, with major.minor: its makers may not raise revisions."""
    package, _, number = brought_by(name).partition(" ")
    return {"distribution": f"{package} {minor(number)}"} if package else {}


def prepare(features: Features, kinds: tuple[str, ...], say: Callable[[str], None] | None = None) -> None:
    """Whatever must happen once before many processes compute those kinds, such as compiling."""
    for name in kinds:
        features.kind(name).prepare(features.configs[name], say)


@lru_cache(maxsize=16)
def _extractor(kind: Kind[Any], config: Any, signal: Signal) -> Extractor:
    """Made once per process: it may hold a model."""
    return kind.extractor(config, signal)


def _made(features: Features, name: str) -> Extractor:
    """What computes one kind; that of an unknown kind is not kept, and raises."""
    kind, config = features.kind(name), features.configs[name]
    make = kind.extractor if name in features.missing else partial(_extractor, kind)
    return make(config, features.signal)


def not_computable(features: Features) -> dict[str, str]:
    """Kinds that cannot be computed on this machine, and why: a package, a model or a source is not here."""
    lacking = {}
    for name in features.kinds:
        try:
            features.kind(name).identity(features.configs[name])  # asks for the libraries
            _made(features, name)
        except (SerprepError, ImportError, OSError) as error:
            lacking[name] = one_line(error)
    return lacking


def extract(
    signal: FloatArray, features: Features, kinds: tuple[str, ...], *, utterance: str = ""
) -> dict[str, FloatArray]:
    """The asked-for kinds of features of one signal.

    Parameters
    ----------
    signal : ndarray, shape (n_samples,), float32
        A guarded signal.
    features : Features
    kinds : tuple of str
        Some of ``features.kinds``.
    utterance : str
        Its id, for kinds that want it.

    Returns
    -------
    dict of ndarray
        Kind → (n_rows, n_columns), float32; one row where the kind's shape is "row".

    Raises
    ------
    FeatureError
        If the signal is too short, or an extractor returns anything else.
    """
    if len(signal) < features.shortest:
        raise FeatureError(
            f"too short: {len(signal)} samples ({1000 * len(signal) / features.signal.sample_rate:.0f} ms) are fewer "
            f"than {features.shortest}; leave it out"
        )
    several = sum(features.kind(name).shares for name in kinds) > 1
    # contours last: an hour's are kept while what follows is computed
    order = sorted(kinds, key=lambda name: features.kind(name).shape_of(features.configs[name]) != "row")
    with sharing() if several else nullcontext():
        computed = {}
        for name in order:
            computed[name] = _rows(signal, features, name, utterance)
            if len(signal) > LONG:
                give_back()
    return {name: computed[name] for name in kinds}


def give_back() -> None:
    """Let freed memory go: glibc keeps it, and what is allocated next, elsewhere, comes on top of it."""
    with suppress(OSError, AttributeError, TypeError):  # another C library
        ctypes.CDLL(None).malloc_trim(0)


def _rows(signal: FloatArray, features: Features, name: str, utterance: str) -> FloatArray:
    """One kind of features of one signal, checked."""
    kind, config = features.kind(name), features.configs[name]
    asked = (signal, utterance) if kind.wants == "utterance" else (signal,)
    rows = _made(features, name)(*asked)
    if kind.shape_of(config) == "row":
        rows = rows[None]
    width = kind.n_columns(config)
    if rows.ndim != 2 or rows.dtype != "float32" or rows.shape[1] != width or len(rows) == 0:
        raise FeatureError(f"{name} gave {rows.dtype} of shape {rows.shape}; expected float32, {width} columns")
    return rows
