"""Utterances that stand apart from the rest, each with the reason."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from serprep._typing import AnyArray, DoubleArray, FloatArray
from serprep.card.heard import TELEPHONE, Heard, rms_db
from serprep.card.rows import Rows
from serprep.store.store import Store

FAR = 5.0  # robust standard deviations from the median
_FEWEST = 20  # utterances that tell what is usual
_BLOCK_BYTES = 1 << 22  # fresh memory costs more than what is computed in it
_CLIP = 10.0


@dataclass(frozen=True)
class Outlier:
    """One reason to listen to an utterance."""

    row: int
    id: str
    reason: str
    by: str  # "duration", "level", "functionals", "sound"
    size: float  # robust standard deviations, or what it is sorted by


def robust(values: FloatArray | DoubleArray) -> DoubleArray:
    """How many standard deviations each lies from the median, the deviation taken from the median one.

    Examples
    --------
    >>> robust(np.array([1.0, 2.0, 3.0, 4.0, 100.0]))[-1] > 50
    np.True_
    """
    known = np.asarray(values, np.float64)
    finite = known[np.isfinite(known)]
    if not len(finite):
        return np.zeros(len(known))
    middle = np.median(finite)
    spread = 1.4826 * np.median(np.abs(finite - middle))
    return np.nan_to_num((known - middle) / spread) if spread > 0 else np.zeros(len(known))


def find_outliers(rows: Rows, *, levels: FloatArray | None, heard: Heard | None, far: "Far | None") -> list[Outlier]:
    """What stands apart by duration, level, bandwidth, silence and functionals; the furthest of each first."""
    if len(rows) < _FEWEST:
        return []
    outliers: list[Outlier] = []

    def add(by: str, sizes: DoubleArray, say: Callable[[int], str], at: AnyArray) -> None:
        order = at[np.argsort(-np.abs(sizes[at]), kind="stable")].tolist()
        outliers.extend(Outlier(i, rows.ids[i], say(i), by, float(sizes[i])) for i in order)

    seconds = rows.seconds
    known = np.isfinite(seconds) & (seconds > 0)
    sizes = robust(np.log(np.where(known, seconds, np.nan)))
    usual = float(np.nanmedian(seconds)) if known.any() else 0.0
    add(
        "duration",
        sizes,
        lambda i: f"lasts {seconds[i]:.2f} s, the median is {usual:.2f} s",
        np.flatnonzero(np.abs(sizes) > FAR),
    )
    if levels is not None:
        loud = rms_db(levels[:, 1].astype(np.float64))
        sizes = robust(np.where(np.isfinite(levels[:, 1]), loud, np.nan))
        middle = float(np.nanmedian(loud))
        add(
            "level",
            sizes,
            lambda i: f"its level is {loud[i]:.1f} dB, the median is {middle:.1f} dB",
            np.flatnonzero(np.abs(sizes) > FAR),
        )
    if heard is not None:
        rates = rows.numbers["sample_rate"]
        narrow = (heard.bandwidth <= TELEPHONE) & ((rates > 3 * TELEPHONE) | np.isnan(rates)) & (heard.top > TELEPHONE)
        edges, quiet = heard.bandwidth / 1000, heard.quiet
        add(
            "sound",
            -heard.bandwidth.astype(np.float64),
            lambda i: (
                f"a {rates[i] / 1000:g} kHz file that holds sound up to {edges[i]:.1f} kHz only, as a telephone does"
            ),
            np.flatnonzero(narrow),
        )
        sizes = robust(quiet)
        add(
            "sound",
            sizes,
            lambda i: f"{100 * quiet[i]:.0f} % of it is 30 dB or more below its loudest moment",
            np.flatnonzero((sizes > FAR) & (quiet > 0.5)),
        )
    if far is not None:
        furthest = far.furthest
        add(
            "functionals",
            far.sizes,
            lambda i: f"functionals far from the corpus's; furthest: {furthest[i]}",
            np.flatnonzero(far.sizes > FAR),
        )
    return outliers


@dataclass(frozen=True)
class Far:
    """How far the rows of a kind of feature lie from the others."""

    sizes: DoubleArray  # robust standard deviations
    furthest: list[str]  # name of the column that is furthest off, and by how much


def how_far(store: Store) -> Far | None:
    """How far each utterance's functionals lie from the mean; None where a store has none.

    The distance is the root mean square of the standardised values, each clipped to ±10.
    """
    table = next((table for table in store.tables if table.per_utterance and table.names and table.row[0] > 1), None)
    if table is None or len(store) < _FEWEST:
        return None
    step = max(1, _BLOCK_BYTES // (4 * table.row[0]))
    blocks = [slice(first, min(first + step, len(store))) for first in range(0, len(store), step)]
    total = np.zeros(table.row[0])
    squares = np.zeros(table.row[0])
    kept = None
    for block in blocks:
        values = store.read_table(table, block)[0]
        kept = values if len(blocks) == 1 else None
        total += values.sum(axis=0, dtype=np.float64)
        squares += np.einsum("ij,ij->j", values, values, dtype=np.float64)
    mean = total / len(store)
    deviation = np.sqrt(np.maximum(squares / len(store) - mean * mean, 0))
    scale = np.where(deviation > 1e-6 * (np.abs(mean) + 1e-12), 1 / np.maximum(deviation, 1e-300), 0)
    sizes, furthest = np.zeros(len(store)), []
    for block in blocks:
        values = kept if kept is not None else store.read_table(table, block)[0]
        away = np.clip((values - mean.astype(np.float32)) * scale.astype(np.float32), -_CLIP, _CLIP)
        sizes[block] = np.sqrt(np.einsum("ij,ij->i", away, away) / away.shape[1])
        which = np.abs(away).argmax(axis=1)
        furthest += [
            f"{table.names[k]} ({away[i, k]:+.1f} standard deviations{' or more' if abs(away[i, k]) >= _CLIP else ''})"
            for i, k in enumerate(which.tolist())
        ]
    return Far(robust(np.log(np.maximum(sizes, 1e-9))), furthest)
