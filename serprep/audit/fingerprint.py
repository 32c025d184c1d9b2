"""Signals → compact acoustic fingerprints, and the pairs of them that are one recording.

A fingerprint holds 13 bands of log-mel energy (about 0.1 to 3.5 kHz, what telephone
speech keeps), 100 frames a second, in steps of 0.05 below the loudest value, one byte
each: neither gain nor sample rate nor what lies far below the speech matters.

Candidates come from an inverted index: a word is 24 signs of energy differences over
time and bands (Haitsma and Kalker, "A Highly Robust Audio Fingerprinting System", 2002),
of frames that are loud enough; two fingerprints that share several rare words at one
distance in time are aligned there, to a quarter of a frame, and correlated.  Takes of
one sentence by one actor stay below the threshold; ``docs/proofs.md`` has the rates.
Takes of one word are more alike than takes of a sentence: with little sound more
likeness is asked for, and with hardly any nobody can tell.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from serprep._typing import FloatArray
from serprep.errors import FeatureError
from serprep.features.logmel import LogMel, log_mel

THRESHOLD = 0.97  # correlation from which on two recordings count as one
NEEDED = ((20, 0.9995), (30, 0.997), (60, 0.99), (80, THRESHOLD))  # loud frames → correlation that is asked for
DOUBTFUL = 0.99  # correlation from which on less than is asked for may be a copy or not
FIRST_BAND, N_BANDS = 2, 13  # each the mean of two mel bands
STEP = 0.05  # natural log units per level
SPAN = 15  # frames between the energies that a sign compares
DEPTH = 7.0  # natural log units below the loudest value that are compared
LOUD = 4.0  # natural log units below the loudest frame in which words are taken
MOST = 32  # utterances that may share a word; commoner ones tell nothing
FEWEST = 3  # words at one distance in time that make a candidate
SHORTEST = 30  # frames that must overlap, and
OVERLAP = 0.6  # the part of the shorter one

_SMOOTH = np.hanning(11)[1:-1] / np.hanning(11).sum()
_REACH = 1 << 17  # frames; more than any difference of times


@dataclass(frozen=True)
class Fingerprint:
    """What is kept of a signal."""

    levels: npt.NDArray[np.uint8]  # (n_frames, N_BANDS); 255 is the loudest
    words: npt.NDArray[np.int32]  # each once
    times: npt.NDArray[np.int32]  # frame of each word

    @property
    def n_loud(self) -> int:
        """Frames that are about as loud as the loudest."""
        loudness = self.levels.mean(axis=1)
        return int(np.count_nonzero(loudness > loudness.max() - LOUD / STEP))


@dataclass(frozen=True)
class Match:
    """Two fingerprints of one recording."""

    first: int
    second: int
    likeness: float  # correlation, at most 1


def fingerprint(signal: FloatArray) -> Fingerprint | None:
    """The fingerprint of a guarded 16 kHz signal; None of one that is too short, or silent.

    Examples
    --------
    >>> fingerprint(np.zeros(16_000, np.float32)) is None
    True
    """
    try:
        return fingerprint_of(log_mel(signal, LogMel()))
    except FeatureError:
        return None


def fingerprint_of(energies: FloatArray) -> Fingerprint | None:
    """The same of its log-mel energies by the default configuration, shape (n_frames, 40)."""
    energies = energies[:, FIRST_BAND : FIRST_BAND + 2 * N_BANDS].reshape(len(energies), N_BANDS, 2).mean(axis=2)
    if len(energies) < SHORTEST or energies.max() - energies.min() < 1:
        return None
    levels = np.clip(255 + (energies - energies.max()) / STEP, 0, 255).round().astype(np.uint8)
    words, times = _words(levels)
    return Fingerprint(levels, words, times)


def _words(levels: npt.NDArray[np.uint8]) -> tuple[npt.NDArray[np.int32], npt.NDArray[np.int32]]:
    """24 signs per loud frame: 12 of it, 12 of the frame two spans later."""
    n = len(levels) - len(_SMOOTH) + 1 - 3 * SPAN
    if n < 1:
        return np.zeros(0, np.int32), np.zeros(0, np.int32)
    clipped = np.maximum(levels, 255 - round(9 / STEP)).astype(np.float32)
    length = len(clipped) - len(_SMOOTH) + 1
    smooth = sum(weight * clipped[k : k + length] for k, weight in enumerate(_SMOOTH.astype(np.float32)))
    slope = smooth[:, :-1] - smooth[:, 1:]
    change = slope[SPAN:] - slope[:-SPAN]
    signs = np.concatenate([change[:n], change[2 * SPAN :][:n]], axis=1) > 0
    loudness = smooth.mean(axis=1)
    times = np.flatnonzero(loudness[SPAN : SPAN + n] > loudness.max() - LOUD / STEP)
    words, first = np.unique(signs[times] @ (1 << np.arange(24)), return_index=True)
    return words.astype(np.int32), times[first].astype(np.int32)


def compare(prints: Sequence[Fingerprint | None], *, threshold: float = THRESHOLD) -> tuple[list[Match], list[Match]]:
    """All pairs of one recording, by position in `prints`; and those that hold too little sound to tell."""
    certain, doubtful = [], []
    for first, second, shift in _candidates(prints):
        a, b = prints[first], prints[second]
        if a is None or b is None:
            continue
        likeness = _likeness(a, b, shift)
        n_loud = min(a.n_loud, b.n_loud)
        if likeness >= max(threshold, needed(n_loud)):
            certain.append(Match(first, second, round(likeness, 4)))
        elif likeness >= max(threshold, DOUBTFUL):
            doubtful.append(Match(first, second, round(likeness, 4)))
    return certain, doubtful


def needed(n_loud: int) -> float:
    """The correlation from which on two recordings with that many loud frames count as one.

    Examples
    --------
    >>> needed(60), needed(200)
    (0.99, 0.97)
    """
    counts, likeness = [count for count, _ in NEEDED], [likeness for _, likeness in NEEDED]
    return float(np.interp(n_loud, counts, likeness)) if n_loud >= counts[0] else np.inf


def _candidates(prints: Sequence[Fingerprint | None]) -> Iterator[tuple[int, int, int]]:
    """Pairs, and by how many frames the other is ahead, where several rare words say so."""
    known = [(i, sound) for i, sound in enumerate(prints) if sound is not None and len(sound.words)]
    if len(known) < 2:
        return
    words = np.concatenate([sound.words for _, sound in known])
    times = np.concatenate([sound.times for _, sound in known]).astype(np.int64)
    owners = np.repeat([i for i, _ in known], [len(sound.words) for _, sound in known]).astype(np.int64)
    order = np.lexsort((owners, words))
    words, times, owners = words[order], times[order], owners[order]
    _, starts, counts = np.unique(words, return_index=True, return_counts=True)
    pairs, shifts = [], []
    for n in range(2, MOST + 1):  # all words that n utterances have, at once
        places = starts[counts == n]
        for i in range(n):
            for j in range(i + 1, n):
                left, right = places + i, places + j
                pairs.append(owners[left] * len(prints) + owners[right])
                shifts.append(times[right] - times[left])
    pair, votes = np.concatenate(pairs), np.concatenate(shifts)
    both, counts = np.unique(pair * _REACH + votes + _REACH // 2, return_counts=True)
    near = counts.copy()  # a word may be told a frame earlier or later
    near[1:] += np.where(np.diff(both) == 1, counts[:-1], 0)
    near[:-1] += np.where(np.diff(both) == 1, counts[1:], 0)
    enough = near >= FEWEST
    both, near = both[enough], near[enough]
    best = np.lexsort((-near, both // _REACH))
    _, first = np.unique((both // _REACH)[best], return_index=True)
    for key in both[best[first]].tolist():
        yield key // _REACH // len(prints), key // _REACH % len(prints), key % _REACH - _REACH // 2


def _likeness(first: Fingerprint | None, second: Fingerprint | None, shift: int) -> float:
    """The best correlation around `shift`, in quarters of a frame."""
    if first is None or second is None:
        return 0.0
    a, b = first.levels.astype(np.float32), second.levels.astype(np.float32)
    whole = max((_correlation(a, b, shift + step), shift + step) for step in range(-3, 4))
    best, shift = whole
    for part in np.array([0.25, 0.5, 0.75], np.float32):
        between = (1 - part) * b[:-1] + part * b[1:]
        best = max(best, _correlation(a, between, shift), _correlation(a, between, shift - 1))
    return best


def _correlation(a: FloatArray, b: FloatArray, shift: int) -> float:
    """Of frame t of `a` with frame t + shift of `b`, each band about its mean."""
    start, end = max(0, -shift), min(len(a), len(b) - shift)
    if end - start < max(SHORTEST, OVERLAP * min(len(a), len(b))):
        return 0.0
    x, y = a[start:end], b[start + shift : end + shift]
    x, y = np.maximum(x, x.max() - DEPTH / STEP), np.maximum(y, y.max() - DEPTH / STEP)
    x, y = x - x.mean(axis=0), y - y.mean(axis=0)
    power = float((x * x).sum()) * float((y * y).sum())
    return float((x * y).sum()) / power**0.5 if power > 0 else 0.0
