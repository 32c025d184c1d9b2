"""Log-mel frames of a store, whether it holds them whole or as segments.

Segments hold every frame but, at most, the last ones; of those that overlap, each frame is taken once.
"""

from typing import TYPE_CHECKING

import numpy as np

from serprep._typing import AnyArray, FloatArray
from serprep.store.layout import Table

if TYPE_CHECKING:
    from serprep.store.store import Store


def frames_table(store: "Store") -> Table | None:
    """The table that holds log-mel frames with the least repetition; None where a store has none."""
    known = [table for table in store.tables if table.kind == "logmel" and store.features.framed]
    return min(
        known, key=lambda t: (t.segment is not None, t.segment.length / t.segment.hop if t.segment else 1), default=None
    )


def frames_of(store: "Store", table: Table, first: int, last: int) -> tuple[FloatArray, AnyArray]:
    """Log-mel frames of utterances ``[first, last)`` one after the other, and where each begins."""
    values, offsets = store.read_table(table, slice(first, last))
    if table.segment:
        hop = min(table.segment.hop, table.segment.length)
        values, offsets = values[:, :hop].reshape(-1, table.row[-1]), offsets * hop
    return values.astype(np.float32), offsets


def picture_of(store: "Store", i: int) -> FloatArray | None:
    """Log-mel frames of one utterance, (n_mels, n_frames), at most 400 frames."""
    table = frames_table(store)
    if table is None:
        return None
    frames, _ = frames_of(store, table, i, i + 1)
    step = max(1, -(-len(frames) // 400))
    return np.asarray(frames[::step].T)
