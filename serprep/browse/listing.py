"""What the table shows: columns of plain values, one value an utterance."""

import math
from collections.abc import Iterable, Mapping, Sequence
from functools import partial
from itertools import islice
from typing import Any

import numpy as np

from serprep._typing import DoubleArray, FloatArray
from serprep.audio.levels import problems_of
from serprep.browse.plane import maps_of
from serprep.browse.subject import Subject
from serprep.card.heard import rms_db
from serprep.manifest.marks import COLUMNS, LEAVE_OUT, MARKS

_UNSEEN = ("path", "start", "end", "audio_digest", "n_samples", "n_frames")


def about(subject: Subject) -> dict[str, Any]:
    """What the page says once: title, labels, systems, kinds that can be mapped, marks."""
    store = subject.store
    corpus = store.attributes["provenance"]["corpus"]
    return {
        "title": str(corpus.get("corpus") or "store"),
        "version": store.version,
        "licences": list(store.attributes["licences"]),
        "n": len(store),
        "n_rows": len(subject),
        "hours": store.hours,
        "labels": list(store.labels),
        "systems": list(subject.probabilities),
        "maps": maps_of(store),
        "words": MARKS,
        "leave_out": LEAVE_OUT,
        "mark_columns": COLUMNS,
        "marks": [[mark.id, mark.mark, mark.emotion] for mark in subject.marks],
        "audio": subject.audio is not None,
        "notes": list(subject.notes),
    }


def listing(subject: Subject, *, most: int | None = None) -> list[dict[str, Any]]:
    """The columns of the table: of all rows, or of so many; the same columns either way.

    Returns
    -------
    list of dict
        ``name``, ``role`` (what the page filters by it, or "") and ``values``; a column of few different
        texts has them in ``words``, and their numbers in ``values``.
    """
    store, more = subject.store, len(subject.quarantined)
    blank, column = [None] * more, partial(_column, most=most)
    columns = [column("id", [*store.ids, *(entry.id for entry in subject.quarantined)], "id")]
    columns.append(column("emotion", [*store.emotions, *blank], "label"))
    for system, chances in subject.probabilities.items():
        predicted, certainty = _predicted(chances[:most], store.labels)
        columns.append(column(f"{system} says", [*predicted, *blank], "predicted"))
        columns.append(column(f"{system} is sure", [*certainty, *blank], "certainty"))
    if subject.margins:
        columns.append(column("margin", [*map(subject.margins.get, store.ids), *blank], "margin"))
    columns.append(column("speaker", [*store.speakers, *blank], "speaker"))
    if subject.sides:
        columns.append(column("split", [*subject.sides, *blank], "side"))
    columns.append(column("duration", [*store.column("duration"), *blank], "duration"))
    if subject.levels is not None:
        loudness = rms_db(subject.levels[:, 1].astype(np.float64))
        columns.append(column("level, dB", [*(float(value) for value in loudness.round(1)), *blank], ""))
        columns.append(column("quality", [*_quality(subject.levels), *blank], "quality"))
    if more:
        reasons = [entry.reason for entry in subject.quarantined]
        columns.append(column("quarantined", [*([None] * len(store)), *reasons], "quarantined"))
    named = {*_UNSEEN, "id", "emotion", "speaker", "duration"}
    rest = {name: store.column(name) for name in store.columns if name not in named}
    says = [name for name, values in rest.items() if any(_plain(value) not in (None, "") for value in values)]
    return columns + [column(name, [*rest[name], *blank], "") for name in says]


def _predicted(chances: DoubleArray, labels: Sequence[str]) -> tuple[list[str | None], list[float | None]]:
    """The likeliest label of each utterance, and its probability; None where nothing was predicted."""
    known = np.asarray(np.isfinite(chances).all(axis=1))
    best = np.where(known[:, None], chances, 0).argmax(axis=1)
    sure = chances[np.arange(len(chances)), best]
    return (
        [labels[place] if there else None for place, there in zip(best, known, strict=True)],
        [round(float(value), 4) if there else None for value, there in zip(sure, known, strict=True)],
    )


def _quality(levels: FloatArray) -> list[str | None]:
    """What is wrong with each recording; None where its levels are not known."""
    known = np.isfinite(levels[:, 0])
    problems = problems_of(np.nan_to_num(levels))
    says = [", ".join(name for name, which in problems.items() if which[row]) or "well" for row in range(len(levels))]
    return [word if there else None for word, there in zip(says, known, strict=True)]


def _column(name: str, values: Iterable[Any], role: str, *, most: int | None) -> dict[str, Any]:
    plain = [_plain(value) for value in islice(values, most)]
    words = list(dict.fromkeys(value for value in plain if isinstance(value, str)))
    if words and len(words) <= max(20, len(plain) // 4):
        places: Mapping[str, int] = {word: place for place, word in enumerate(words)}
        coded = [places[value] if isinstance(value, str) else None for value in plain]
        return {"name": name, "role": role, "words": words, "values": coded}
    return {"name": name, "role": role, "values": plain}


def _plain(value: Any) -> Any:
    """A cell as JSON has it; what is no number is null, and seconds are told in milliseconds."""
    if isinstance(value, float):
        return round(value, 3) if math.isfinite(value) else None
    return value
