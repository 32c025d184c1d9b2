"""Copies are matched, other takes are not; real rates are measured by benchmarks/fingerprint.py."""

import numpy as np
import pytest
import soxr

from serprep.audio.guard import guard
from serprep.audit.fingerprint import N_BANDS, THRESHOLD, find_matches, fingerprint
from serprep.testing import synthetic_utterance

RATE = 16_000


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
    assert find_matches([fingerprint(take) for take in takes]) == []


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
        found = find_matches([*prints, fingerprint(copy(takes[number]))])
        assert [(match.one, match.other) for match in found] == [(number, len(takes))]
        assert THRESHOLD <= found[0].likeness <= 1


def test_the_same_sound_is_all_alike(takes):
    (match,) = find_matches([fingerprint(takes[0]), None, fingerprint(takes[0])])
    assert (match.one, match.other, match.likeness) == (0, 2, pytest.approx(1))


def test_every_pair_of_several_copies_is_found(takes):
    x = takes[3]
    found = find_matches([fingerprint(part) for part in (x, x[500:], x[1_700:], takes[4])])
    assert [(match.one, match.other) for match in found] == [(0, 1), (0, 2), (1, 2)]


def test_silence_and_snippets_have_none():
    assert fingerprint(np.zeros(RATE, np.float32)) is None
    assert fingerprint(np.ones(100, np.float32)) is None
    assert find_matches([None, None]) == []
    assert find_matches([]) == []


def test_a_fingerprint_is_compact(takes):
    one = fingerprint(takes[0])
    assert one is not None
    assert one.levels.shape == (1 + (len(takes[0]) - 400) // 160, N_BANDS)
    assert one.levels.dtype == np.uint8 and one.levels.max() == 255
    assert len(one.words) == len(one.times) == len(set(one.words.tolist()))
