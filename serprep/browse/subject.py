"""What is browsed: a store, and what is known about its utterances besides."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from serprep._typing import DoubleArray, FloatArray
from serprep.corpora.corpus import Rating
from serprep.errors import CorpusError, one_line
from serprep.manifest.marks import Mark
from serprep.pipeline.gather import Quarantined
from serprep.store.store import Store


@dataclass(frozen=True, kw_only=True)
class Subject:
    """A store and what is known besides.

    Utterances are numbered: those of the store, then those that its build quarantined.
    """

    store: Store
    audio: Path | None = None  # the folder of the recordings; None: nothing is played
    quarantined: tuple[Quarantined, ...] = ()
    sides: tuple[str, ...] = ()  # of the split, one an utterance of the store; () where none is known
    probabilities: Mapping[str, DoubleArray] = field(default_factory=dict)  # system → (n, n_labels); NaN: not predicted
    margins: Mapping[str, float] = field(default_factory=dict)  # id → given label less likeliest other; below 0: doubt
    levels: FloatArray | None = None  # (n, 5) of `serprep.audio.levels`; NaN: not known
    ratings: tuple[Rating, ...] = ()
    marks: tuple[Mark, ...] = ()
    notes: tuple[str, ...] = ()  # what a viewer must know

    def __post_init__(self) -> None:
        if self.audio is not None and not self.audio.is_dir():
            raise CorpusError(f"{one_line(self.audio)}: no such folder; expected the root of the store's recordings")

    def __len__(self) -> int:
        return len(self.store) + len(self.quarantined)
