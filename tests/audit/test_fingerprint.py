"""Copies are matched, other takes are not; real rates are measured by benchmarks/fingerprint.py."""

import numpy as np
import pytest
import soxr

from serprep.audio.guard import guard
from serprep.audit.fingerprint import N_BANDS, NEEDED, THRESHOLD, compare, fingerprint, needed
from serprep.testing import synthetic_utterance

RATE = 16_000


def certain(prints):
    """Pairs that are one recording beyond doubt."""
    return compare(prints)[0]


@pytest.fixture(scope="module")
def takes():
    """Two takes of three sentences by four speakers: 24 recordings."""
    return [
        synthetic_utterance(speaker=speaker, emotion="neutral", text=text, take=take)
        for speaker in range(4)
        for text in range(3)
        for take in range(2)
    ]


def test_other_takes_are_other_recordings(takes):
    assert certain([fingerprint(take) for take in takes]) == []


@pytest.mark.parametrize(
    "copy",
    [
        lambda x: guard(0.1 * x, RATE),
        lambda x: x[1_234:],
        lambda x: x[: len(x) - 3_000],
        lambda x: x[801:-1_607],
        lambda x: np.concatenate([np.zeros(5_001, np.float32), x]),
        lambda x: soxr.resample(soxr.resample(x, RATE, 8_000), 8_000, RATE),
        lambda x: x + 0.003 * np.random.default_rng(0).standard_normal(len(x)).astype(np.float32),
    ],
    ids=["softer", "head", "tail", "both", "later", "8 kHz", "noise"],
)
def test_copies_are_matched_with_their_originals_alone(takes, copy):
    prints = [fingerprint(take) for take in takes]
    for number in (0, 7, 15, 23):
        found = certain([*prints, fingerprint(copy(takes[number]))])
        assert [(match.first, match.second) for match in found] == [(number, len(takes))]
        assert THRESHOLD <= found[0].likeness <= 1


def test_the_same_sound_is_all_alike(takes):
    (match,) = certain([fingerprint(takes[0]), None, fingerprint(takes[0])])
    assert (match.first, match.second, match.likeness) == (0, 2, pytest.approx(1))


def test_every_pair_of_several_copies_is_found(takes):
    x = takes[3]
    found = certain([fingerprint(part) for part in (x, x[500:], x[1_700:], takes[4])])
    assert [(match.first, match.second) for match in found] == [(0, 1), (0, 2), (1, 2)]


def test_silence_and_snippets_have_none():
    assert fingerprint(np.zeros(RATE, np.float32)) is None
    assert fingerprint(np.ones(100, np.float32)) is None
    assert certain([None, None]) == []
    assert certain([]) == []


def test_a_fingerprint_is_compact(takes):
    one = fingerprint(takes[0])
    assert one is not None
    assert one.levels.shape == (1 + (len(takes[0]) - 400) // 160, N_BANDS)
    assert one.levels.dtype == np.uint8 and one.levels.max() == 255
    assert len(one.words) == len(one.times) == len(set(one.words.tolist()))


def word(take, seconds):
    """Takes of one word: three vowels of a voice whose pitch, pace and pauses differ a little from take to take."""
    rng = np.random.default_rng(take)
    pitch, pace = 120 * (1 + 0.02 * rng.standard_normal()), 1 + 0.02 * rng.standard_normal()
    n = round(seconds * pace * RATE)
    t = np.arange(n) / RATE
    warp = 0.02 * rng.standard_normal()  # vowels come earlier or later
    rest = np.clip(t / t[-1] + warp * np.sin(np.pi * t / t[-1]), 0, 1) * 3
    vowels = ((700, 1200, 2500), (300, 2300, 3000), (500, 900, 2400), (700, 1200, 2500))
    formants = [np.interp(rest, range(4), c) * (1 + 0.015 * rng.standard_normal()) for c in zip(*vowels, strict=True)]
    phase = 2 * np.pi * np.cumsum(pitch * (1 - 0.1 * t / t[-1])) / RATE
    sound, gains = np.zeros(n), rng.uniform(0.2, 1.2, 3)
    for k in range(1, 30):
        frequency = k * pitch
        envelope = sum(g * np.exp(-(((frequency - f) / 150) ** 2)) for g, f in zip(gains, formants, strict=True))
        sound += (envelope + 0.003) * np.sin(k * phase)
    sound *= np.sin(np.pi * np.clip(t / t[-1], 0, 1)) ** 0.5
    around = [rng.integers(4_000, 8_000) for _ in range(2)]
    x = np.concatenate([np.zeros(around[0]), 0.2 * sound, np.zeros(around[1])])
    return (x + 0.0005 * rng.standard_normal(len(x))).astype(np.float32)


def test_takes_of_one_word_are_no_copies_of_one_another(monkeypatch):
    prints = [fingerprint(word(take, 0.6)) for take in range(8)]
    assert max(one.n_loud for one in prints) < NEEDED[-1][0]
    assert certain(prints) == []
    monkeypatch.setattr("serprep.audit.fingerprint.NEEDED", ((0, THRESHOLD),))
    assert certain(prints)  # what one threshold for all said


@pytest.mark.parametrize(
    "copy",
    [
        lambda x: guard(0.2 * x, RATE),
        lambda x: x[700:],
        lambda x: soxr.resample(soxr.resample(x, RATE, 8_000), 8_000, RATE),
    ],
    ids=["softer", "head", "8 kHz"],
)
def test_copies_of_one_word_are_found_among_its_takes(copy):
    takes = [word(take, 0.6) for take in range(4)]
    prints = [fingerprint(take) for take in takes]
    assert prints[1].n_loud >= NEEDED[0][0]
    assert [(match.first, match.second) for match in certain([*prints, fingerprint(copy(takes[1]))])] == [(1, 4)]


def test_of_hardly_any_sound_nobody_can_tell():
    prints = [fingerprint(word(0, 0.15)), fingerprint(guard(0.3 * word(0, 0.15), RATE))]
    certain, doubtful = compare(prints)
    assert certain == []
    assert [(match.first, match.second) for match in doubtful] == [(0, 1)]


def test_the_less_sound_the_more_likeness_is_asked_for():
    asked = [needed(n) for n in (10, 20, 30, 45, 60, 70, 80, 500)]
    assert asked == sorted(asked, reverse=True)
    assert asked[0] > 1 and asked[-1] == THRESHOLD
