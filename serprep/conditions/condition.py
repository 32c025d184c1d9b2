"""One transformation of a signal: its configuration, what it does, and its identity in cache keys.

A new one is a subclass of `Condition` in one file and one instance of it, inside serprep a line in
`serprep.conditions.registry`, outside an entry point of the group ``serprep.conditions``.
What is random is drawn from a generator that the recording and the configuration seed: the same utterance is
transformed in the same way wherever and whenever that happens.
"""

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from typing import Any, Generic, TypeVar

import numpy as np

from serprep._json import canonical_json
from serprep._typing import FloatArray
from serprep.utterance import Utterances

Config = TypeVar("Config")
_HIGHEST = np.float32(32767 / 32768)  # amplitude of a guarded signal


@dataclass(frozen=True)
class Other:
    """A recording that is mixed in."""

    path: str  # relative to the corpus
    start: float | None
    end: float | None
    digest: str


class Condition(ABC, Generic[Config]):
    """A transformation; subclasses say what it does.

    Attributes
    ----------
    name : str
    config : type
        A frozen dataclass whose defaults are the documented ones.
    revision : int
        Raised whenever a value changes.
    libraries : tuple of str
        Distributions that decide values; their major.minor enters keys.
    n_others : int
        How many utterances of other speakers it is given.
    """

    name: str
    config: type[Config]
    revision = 1
    libraries: tuple[str, ...] = ("numpy",)
    n_others = 0

    @abstractmethod
    def apply(
        self, signal: FloatArray, config: Config, *, rate: int, rng: np.random.Generator, others: Sequence[FloatArray]
    ) -> FloatArray:
        """The transformed signal, of the same length; it may be of any level, and is clipped afterwards."""


@dataclass(frozen=True)
class Applied:
    """A transformation with its configuration, under a recipe's name."""

    name: str
    condition: Condition[Any]
    config: Any

    def to_json(self) -> dict[str, Any]:
        """What a store says of it."""
        return {"name": self.condition.name, "revision": self.condition.revision, **asdict(self.config)}

    def identity(self, others: Sequence[Other]) -> dict[str, Any]:
        """What enters the cache key of an utterance."""
        minors = {name: ".".join(version(name).split(".")[:2]) for name in self.condition.libraries}
        mixed = [[other.digest, other.start, other.end] for other in others]
        return {"condition": self.to_json() | {"libraries": minors, "others": mixed}}

    def others(self, utterances: Utterances) -> list[tuple[Other, ...]]:
        """What is mixed into each utterance: recordings of other speakers, drawn by the utterance's own digest."""
        wanted = self.condition.n_others
        if not wanted:
            return [()] * len(utterances)
        names = ("path", "start", "end", "audio_digest", "speaker")
        rows = list(zip(*(utterances.column(name) for name in names), strict=True))
        rows.sort(key=lambda row: (row[3], row[1] or 0.0))
        chosen = []
        for digest, speaker in zip(utterances.column("audio_digest"), utterances.column("speaker"), strict=True):
            order = _generator("others", digest, wanted).permutation(len(rows))
            strangers = (rows[i] for i in order if speaker and rows[i][4] not in ("", speaker))
            chosen.append(tuple(Other(*row[:4]) for row, _ in zip(strangers, range(wanted), strict=False)))
        return chosen

    def __call__(
        self, signal: FloatArray, *, rate: int, digest: str, start: float | None, others: Sequence[FloatArray] = ()
    ) -> FloatArray:
        """A guarded signal, transformed and guarded again."""
        rng = _generator(digest, start, self.to_json())
        made = self.condition.apply(signal, self.config, rate=rate, rng=rng, others=others)
        return np.clip(np.asarray(made, np.float32), np.float32(-1), _HIGHEST)


def _generator(*seed: Any) -> np.random.Generator:
    return np.random.default_rng(np.frombuffer(hashlib.sha256(canonical_json(list(seed))).digest(), np.uint32))


def settings(values: Mapping[str, Any]) -> dict[str, Any]:
    """A recipe's entry without the name of its transformation."""
    return {key: value for key, value in values.items() if key != "of"}
