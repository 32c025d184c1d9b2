"""One pass over the stored log-mel frames → what an utterance sounds like, in numbers.

A picture of an utterance is its frames at `COLUMNS` equally spaced moments, less their
mean: neither its length nor its loudness counts.  Segments hold every frame but, at
most, the last ones; of those that overlap, each frame is taken once.
"""

import hashlib
from dataclasses import dataclass
from itertools import pairwise

import numpy as np

from serprep._typing import AnyArray, DoubleArray, FloatArray
from serprep.features.logmel import LogMel, band_edges
from serprep.store.frames import frames_of, frames_table
from serprep.store.layout import Table
from serprep.store.store import Store

COLUMNS = 40  # moments of a picture
_COARSE = (8, 20)  # moments and bands by which utterances are compared
_BLOCK = 1 << 15  # frames read at a time
_QUIET = 30 / 10 * np.log(10)  # 30 dB as a difference of natural logs of power
_NARROW = 60 / 10 * np.log(10)  # 60 dB below the loudest band there is nothing
TELEPHONE = 4500.0  # Hz: narrower than this is what a telephone carries


@dataclass(frozen=True)
class Heard:
    """What the log-mel frames of a store tell."""

    pictures: dict[str, FloatArray]  # label → mean picture, (n_mels, COLUMNS)
    distance: FloatArray  # (n,) of each utterance's picture from the mean of its label; NaN without a label
    quiet: FloatArray  # (n,) share of frames 30 dB or more below the loudest
    bandwidth: FloatArray  # (n,) Hz: the upper edge of the highest band within 60 dB of the loudest
    digests: list[bytes]  # of the frames of each utterance
    top: float  # Hz: the highest band's upper edge


def hear(store: Store) -> Heard | None:
    """Pictures, silence, bandwidth and digests of all utterances; None where there are no log-mel frames."""
    table = frames_table(store)
    config = store.features.configs.get("logmel")
    if table is None or not isinstance(config, LogMel) or not len(store):
        return None
    emotions = np.array(store.emotions, object)
    labels = {name: np.flatnonzero(emotions == name) for name in store.labels}
    n, n_mels = len(store), table.row[-1]
    sums = {name: np.zeros((COLUMNS, n_mels)) for name in labels}
    coarse = np.zeros((n, int(np.prod(_COARSE))), np.float32)
    quiet, bandwidth = np.zeros(n, np.float32), np.zeros(n, np.float32)
    edges, digests = band_edges(config)[2:], []
    of_label = np.full(n, -1)
    for number, rows in enumerate(labels.values()):
        of_label[rows] = number
    for first, last in _blocks(store, table):
        frames, offsets = frames_of(store, table, first, last)
        mean = frames.mean(axis=1)
        peak = np.maximum.reduceat(mean, offsets[:-1])
        lengths = np.diff(offsets)
        quiet[first:last] = np.add.reduceat(mean < np.repeat(peak, lengths) - _QUIET, offsets[:-1]) / lengths
        loudest = np.maximum.reduceat(frames, offsets[:-1], axis=0)
        within = loudest > loudest.max(axis=1, keepdims=True) - _NARROW
        bandwidth[first:last] = edges[n_mels - 1 - within[:, ::-1].argmax(axis=1)]
        pictures = frames[_moments(offsets, COLUMNS)]
        pictures -= pictures.mean(axis=(1, 2), keepdims=True)
        for number, name in enumerate(labels):
            sums[name] += pictures[of_label[first:last] == number].sum(axis=0, dtype=np.float64)
        coarse[first:last] = _coarse(pictures)
        digests += [hashlib.blake2b(frames[a:b].tobytes(), digest_size=16).digest() for a, b in pairwise(offsets)]
    distance = np.full(n, np.nan, np.float32)
    for rows in labels.values():
        if len(rows):
            distance[rows] = np.sqrt(((coarse[rows] - coarse[rows].mean(axis=0)) ** 2).mean(axis=1))
    means = {name: (sums[name] / len(rows)).T.astype(np.float32) for name, rows in labels.items() if len(rows)}
    return Heard(means, distance, quiet, bandwidth, digests, float(edges[-1]))


def _blocks(store: Store, table: Table) -> list[tuple[int, int]]:
    """Runs of utterances with about `_BLOCK` frames each."""
    length = table.segment.hop if table.segment else 1
    numbers = store.table_offsets(table)[1:] * length // _BLOCK
    edges = [0, *(np.flatnonzero(np.diff(numbers)) + 1).tolist(), len(store)]
    return [(a, b) for a, b in pairwise(edges) if a < b]


def _moments(offsets: AnyArray, n: int) -> AnyArray:
    """Numbers of the frames at `n` equally spaced moments of each utterance, shape (n_utterances, n)."""
    lengths = np.diff(offsets)
    places = (np.arange(n) + 0.5) / n
    return np.asarray(
        offsets[:-1, None] + np.minimum((places * lengths[:, None]).astype(np.int64), lengths[:, None] - 1)
    )


def _coarse(pictures: FloatArray) -> FloatArray:
    """Pictures by means over a few moments and bands, shape (n, …)."""
    n = len(pictures)
    moments = [part.mean(axis=1) for part in np.array_split(pictures, _COARSE[0], axis=1)]
    parts = [part.mean(axis=1) for moment in moments for part in np.array_split(moment, _COARSE[1], axis=1)]
    return np.asarray(np.nan_to_num(np.stack(parts, axis=1)).reshape(n, -1))


def rms_db(rms: DoubleArray | FloatArray) -> FloatArray:
    """Root mean squares as dB below full scale; silence is −120.

    Examples
    --------
    >>> rms_db(np.array([1.0, 0.1, 0.0])).tolist()
    [0.0, -20.0, -120.0]
    """
    return np.asarray(np.round(20 * np.log10(np.maximum(rms, 1e-6)), 2))
