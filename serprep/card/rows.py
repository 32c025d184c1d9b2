"""The utterance table of a store or a manifest, and what can be counted in it."""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

import numpy as np

from serprep._typing import AnyArray, DoubleArray
from serprep.columns import DIMENSIONS, FIRST, LAST
from serprep.manifest.table import Manifest
from serprep.store.store import Store

MOST_VALUES = 40  # of a column that is shown value by value
UNKNOWN = "(not told)"


@dataclass(frozen=True, kw_only=True)
class Rows:
    """Utterances by column; what is missing is "" or NaN."""

    ids: Sequence[str]
    columns: Mapping[str, Sequence[str]]  # path, speaker, emotion, audio_digest, then the corpus's own
    numbers: Mapping[str, DoubleArray]  # start, end, duration, sample_rate
    labels: tuple[str, ...]  # the declared ones, or those that occur

    def __len__(self) -> int:
        return len(self.ids)

    @property
    def seconds(self) -> DoubleArray:
        """Durations; NaN where not known."""
        return self.numbers["duration"]

    @property
    def speakers(self) -> list[str]:
        """Known speakers, in natural order."""
        return natural(set(self.columns["speaker"]) - {""})

    @property
    def groups(self) -> list[str]:
        """Columns of the corpus with a few values each."""
        own = [name for name in self.columns if name not in ("path", "speaker", "emotion", "audio_digest")]
        return [name for name in own if 2 <= len(set(self.columns[name]) - {""}) <= MOST_VALUES]

    def repeated(self) -> list[list[int]]:
        """Rows that share their bytes and times."""
        times = (self.numbers[name].tolist() for name in ("start", "end"))
        keys = zip(self.columns["audio_digest"], *times, strict=True)
        return alike([(digest, str(a), str(b)) if digest else None for digest, a, b in keys])


def alike(keys: Sequence[object]) -> list[list[int]]:
    """Groups of places that hold one value; None is no value."""
    places: dict[object, list[int]] = {}
    for i, key in enumerate(keys):
        if key is not None:
            places.setdefault(key, []).append(i)
    return [group for group in places.values() if len(group) > 1]


def rows_of(source: Store | Manifest) -> Rows:
    """The rows of a store or a manifest."""
    names = [name for name in (*FIRST, *LAST) if name != "id"]
    if isinstance(source, Store):
        names += [name for name in source.columns if name not in (*FIRST, *LAST, *DIMENSIONS, "n_samples", "n_frames")]
        cells = {name: source.column(name) for name in names}
        ids, labels = source.ids, source.labels
    else:
        names += [name for name in source.utterances.extra if name not in DIMENSIONS]
        cells = {name: list(source.utterances.column(name)) for name in names}
        ids, labels = list(source.utterances.column("id")), tuple(natural(set(cells["emotion"]) - {""}))
    numeric = ("start", "end", "duration", "sample_rate")
    return Rows(
        ids=ids,
        columns={name: [_text(value) for value in cells[name]] for name in names if name not in numeric},
        numbers={name: np.array([_number(value) for value in cells[name]], np.float64) for name in numeric},
        labels=tuple(labels),
    )


def _text(value: object) -> str:
    return "" if value is None or value != value else str(value)


def _number(value: object) -> float:
    return math.nan if not isinstance(value, int | float) or (isinstance(value, int) and value < 0) else float(value)


def natural(names: set[str] | Sequence[str]) -> list[str]:
    """Sorted, "2" before "10".

    Examples
    --------
    >>> natural(["10", "2", "b"])
    ['2', '10', 'b']
    """
    import re

    return sorted(names, key=lambda name: re.sub(r"\d+", lambda digits: digits[0].zfill(20), name))


@dataclass(frozen=True)
class Share:
    """One value of a column: how much there is of it."""

    name: str
    n: int
    seconds: float
    n_speakers: int


def shares(rows: Rows, column: str, order: Sequence[str] = ()) -> list[Share]:
    """Utterances, seconds and speakers of each value of a column, `order` first."""
    values = rows.columns[column]
    counts = Counter(values)
    names = [*order, *natural(set(counts) - set(order) - {""}), *([""] if "" in counts else [])]
    numbers = {name: i for i, name in enumerate(names)}
    which = np.array([numbers[value] for value in values], np.int64)
    seconds = np.bincount(which, np.nan_to_num(rows.seconds), minlength=len(names))
    heard: dict[str, set[str]] = {}
    for value, speaker in zip(values, rows.columns["speaker"], strict=True):
        if speaker:
            heard.setdefault(value, set()).add(speaker)
    return [
        Share(name or UNKNOWN, counts[name], float(seconds[i]), len(heard.get(name, ())))
        for i, name in enumerate(names)
    ]


def crossed(rows: Rows) -> tuple[list[str], list[str], AnyArray]:
    """Speakers, classes and how many utterances there are of each pair."""
    speakers, classes = rows.speakers, [*rows.labels, *natural(set(rows.columns["emotion"]) - {*rows.labels, ""})]
    row = {name: i for i, name in enumerate(speakers)}
    column = {name: i for i, name in enumerate(classes)}
    table = np.zeros((len(speakers), len(classes)), np.int64)
    for speaker, emotion in zip(rows.columns["speaker"], rows.columns["emotion"], strict=True):
        if speaker and emotion:
            table[row[speaker], column[emotion]] += 1
    return speakers, classes, table


def formats(rows: Rows) -> list[tuple[str, int]]:
    """What kinds of file, and at which rates, with their number of utterances; the commonest first."""
    counts: Counter[str] = Counter()
    for path, rate in zip(rows.columns["path"], rows.numbers["sample_rate"].tolist(), strict=True):
        suffix = PurePosixPath(path).suffix.removeprefix(".").lower() or "no suffix"
        counts[f"{suffix}, {rate / 1000:g} kHz" if rate == rate else f"{suffix}, rate not known"] += 1
    return counts.most_common()
