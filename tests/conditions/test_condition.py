"""What holds for every condition, one row each; the same again, and who is mixed in."""

import numpy as np
import pytest

from serprep.conditions import STANDARD, condition_from
from serprep.utterance import Utterance, Utterances

RATE = 16_000


def speech(n=12_000, seed=0):
    rng = np.random.default_rng(seed)
    return (0.2 * np.sin(2 * np.pi * 300 * np.arange(n) / RATE) + 0.02 * rng.standard_normal(n)).astype(np.float32)


def heard(name, signal, digest="ab", **more):
    applied = condition_from(name, dict(STANDARD[name]))
    others = [speech(5000, seed) for seed in range(applied.condition.n_others)]
    return applied(signal, rate=RATE, digest=digest, start=None, others=others, **more)


@pytest.mark.parametrize("name", STANDARD)
def test_a_condition_is_the_same_again_of_the_same_length_and_in_range(name):
    signal = speech()
    before = signal.copy()
    made = heard(name, signal)
    assert made.shape == signal.shape and made.dtype == np.float32
    assert np.isfinite(made).all() and made.min() >= -1 and made.max() <= 32767 / 32768
    assert np.array_equal(made, heard(name, signal)) and np.array_equal(signal, before)
    assert not np.array_equal(made, signal)
    assert np.isfinite(heard(name, np.zeros(1000, np.float32))).all()


@pytest.mark.parametrize("name", ["white-10", "babble-5", "room-0.3"])
def test_what_is_random_differs_from_recording_to_recording(name):
    assert not np.array_equal(heard(name, speech()), heard(name, speech(), digest="cd"))


def rows():
    return Utterances(
        Utterance(id=f"{s}{n}", path=f"{s}{n}.wav", speaker=s, audio_digest=f"{s}{n}") for s in "xyz" for n in range(5)
    )


def test_babble_is_of_other_speakers_and_in_the_key():
    applied = condition_from("babble", {})
    everybody = applied.others(rows())
    for row, others in zip(rows(), everybody, strict=True):
        assert len({other.digest for other in others}) == 6
        assert row.speaker not in {other.digest[0] for other in others}
    backwards = applied.others(rows().take(range(14, -1, -1)))
    assert backwards[::-1] == everybody  # whatever the order of rows
    keys = [str(applied.identity(others)) for others in everybody]
    assert len(set(keys)) == len(keys)
    assert condition_from("white", {}).others(rows()) == [()] * 15
    assert condition_from("white", {"snr": 3}).identity(()) != condition_from("white", {}).identity(())
