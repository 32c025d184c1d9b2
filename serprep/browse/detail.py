"""Everything that is known about one utterance."""

import base64
import math
import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from serprep._typing import AnyArray
from serprep.browse.plane import Plane
from serprep.browse.sound import sound_of
from serprep.browse.subject import Subject
from serprep.errors import SerprepError
from serprep.store.layout import Table
from serprep.store.store import Store

N_FEATURES = 8  # furthest from the corpus
_N_POINTS = 600  # of a contour
_LONGEST = 6000  # frames of a picture: a minute
_CONTOURS = re.compile(r"(?i)(^f0|pitch|loudness|rmsenergy)(?!.*(_de$|_de_|delta))")  # pitch and energy, no deltas


def detail(subject: Subject, number: int, planes: dict[str, Plane]) -> dict[str, Any]:
    """What the page shows of an utterance.

    Parameters
    ----------
    subject : Subject
    number : int
        As `Subject` counts.
    planes : dict of str to Plane
        Of the kinds whose rows are compared with the corpus.
    """
    store = subject.store
    if number >= len(store):
        entry = subject.quarantined[number - len(store)]
        return {"id": entry.id, "facts": [["quarantined", entry.reason]], "sound": _sound(subject, number)}
    values = ((name, store.column(name)[number]) for name in store.columns if name != "audio_digest")
    facts = [
        [name, round(value, 4) if isinstance(value, float) else value]
        for name, value in values
        if value != "" and value == value
    ]
    if subject.sides:
        facts.append(["split", subject.sides[number]])
    id_ = store.ids[number]
    return {
        "id": id_,
        "facts": facts,
        "sound": _sound(subject, number),
        "picture": picture(store, number),
        "contours": _contours(store, number),
        "furthest": [entry for kind, plane in planes.items() for entry in furthest(store, number, kind, plane)],
        "compared_with": max((plane.n_sample for plane in planes.values()), default=0),
        "probabilities": {
            system: [round(float(value), 4) for value in chances[number]]
            for system, chances in subject.probabilities.items()
            if np.isfinite(chances[number]).all()
        },
        "ratings": [
            [rating.rater, ", ".join(rating.emotions), *(_rounded(getattr(rating, name)) for name in _DIMENSIONS)]
            for rating in subject.ratings
            if rating.id == id_
        ],
    }


_DIMENSIONS = ("valence", "arousal", "dominance")


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 3)


def _sound(subject: Subject, number: int) -> dict[str, Any]:
    """Waveform and length, or why there is nothing to hear."""
    try:
        sound = sound_of(subject, number)
    except SerprepError as error:
        return {"reason": str(error)}
    return {"peaks": sound.peaks(), "seconds": round(sound.seconds, 4)}


def picture(store: Store, number: int) -> dict[str, Any] | None:
    """Log-mel frames as bytes from low to high, frame by frame, and the segments cut from them.

    A tail that is in no segment is in no store, and blank.
    """
    cut = [table for table in store.tables if table.segment is not None and table.kind == "logmel"]
    if not cut:
        return None
    frames = _frames(store, number, cut)[:_LONGEST]
    n_frames = min(int(store.column("n_frames")[number]), _LONGEST)
    config = store.features.configs["logmel"]
    low, high = float(frames.min()), float(frames.max())
    scaled = np.round((frames - low) / max(high - low, 1e-9) * 255).astype(np.uint8)
    return {
        "n_frames": n_frames,
        "n_known": len(frames),
        "n_bands": frames.shape[1],
        "bytes": base64.b64encode(scaled.tobytes()).decode(),
        "hop": config.hop_length / config.sample_rate,
        "segments": [
            {"length": table.segment.length, "hop": table.segment.hop, "n": len(_rows(store, number, table))}
            for table in sorted(cut, key=lambda table: table.row)
            if table.segment
        ],
    }


def _rows(store: Store, number: int, table: Table) -> AnyArray:
    return store.read_table(table, [number])[0]


def _frames(store: Store, number: int, tables: Sequence[Table]) -> AnyArray:
    """Frames of an utterance, put together from all its segments, up to the last that is in one."""
    n_frames, known = int(store.column("n_frames")[number]), 0
    frames = np.full((n_frames, store.features.configs["logmel"].n_mels), np.nan, np.float32)
    for table in tables:
        for place, segment in enumerate(_rows(store, number, table)):
            begin = place * (table.segment.hop if table.segment else 1)
            known = max(known, end := min(begin + len(segment), n_frames))
            frames[begin:end] = segment[: end - begin]
    frames = frames[:known]
    return np.where(np.isnan(frames), np.nanmin(frames), frames)


def furthest(store: Store, number: int, kind: str, plane: Plane) -> list[list[Any]]:
    """Kind, name, value and deviations from the mean of the values that lie furthest from the corpus's."""
    row = store.read(kind, [number])[0][0].astype(np.float64)
    away = plane.scaled(row[None])[0]
    names = store.names(kind) if store.table(kind).names else [f"column {place + 1}" for place in range(len(row))]
    order = np.argsort(-np.abs(away), kind="stable")[:N_FEATURES]
    return [[kind, names[place], float(f"{row[place]:.4g}"), round(float(away[place]), 2)] for place in order]


def _contours(store: Store, number: int) -> list[dict[str, Any]]:
    """Contours of pitch and energy, where the store has such."""
    contours = []
    for table in store.tables:
        if table.per_utterance or table.segment is not None or not table.names:
            continue
        chosen = [place for place, name in enumerate(table.names) if _CONTOURS.search(name)][:3]
        rows = _rows(store, number, table)
        step = math.ceil(len(rows) / _N_POINTS) or 1
        for place in chosen:
            values = [round(float(value), 4) if np.isfinite(value) else None for value in rows[::step, place]]
            contours.append({"name": f"{table.kind}: {table.names[place]}", "values": values})
    return contours
