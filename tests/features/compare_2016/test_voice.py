import numpy as np
import pytest

from serprep.features.compare_2016 import voice
from serprep.features.compare_2016.pitch import track
from serprep.features.compare_2016.voice import voice_quality


def pulses(periods, amplitudes=(1.0,)):
    """Damped oscillations at alternating distances, 1.5 s."""
    n = np.arange(60)
    pulse = 0.4 * np.exp(-n / 12) * np.cos(2 * np.pi * n / 16)
    x = np.zeros(24_000)
    at = number = 0
    while at + 60 < len(x):
        x[at : at + 60] += amplitudes[number % len(amplitudes)] * pulse
        at += periods[number % len(periods)]
        number += 1
    return x.astype(np.float32)


def quality(signal):
    f0 = track(signal, (len(signal) - 960) // 160 + 1).f0
    return f0, voice_quality(signal, f0)


def test_equal_periods_have_neither_jitter_nor_shimmer():
    f0, found = quality(pulses([80]))
    assert f0[20:-20] == pytest.approx(200, rel=0.01)
    assert not found[10:-10, :3].any()
    assert (found[10:-10, 3] > 60).all() or not found[10:-10, 3].any()


def test_alternating_periods_have_the_jitter_of_their_difference():
    _, found = quality(pulses([79, 81]))
    np.testing.assert_allclose(found[20:-20, 0], 0.025, atol=2e-5)
    np.testing.assert_allclose(found[20:-20, 1], 0, atol=1e-5)


def test_alternating_amplitudes_have_shimmer():
    _, found = quality(pulses([80], amplitudes=(1.0, 0.9)))
    np.testing.assert_allclose(found[20:-20, 2], 0.1 / 0.95, atol=0.01)


def test_unvoiced_frames_have_none_and_forget():
    silence = np.zeros(5000, np.float32)
    found = voice_quality(silence, np.zeros(26, np.float32))
    assert not found[:, :3].any()
    assert (found[:, 3] == -100).all()


def test_the_screen_agrees_with_the_definition():
    x = np.random.default_rng(0).normal(0, 0.1, 2000).astype(np.float32)
    found = np.empty(1024)
    assert voice._screen(x, 100, 60, 101, found)
    for lag in range(60, 102):
        a, b = x[100 : 100 + lag].astype(float), x[100 + lag : 100 + 2 * lag].astype(float)
        expected = np.corrcoef(a, b)[0, 1]
        assert found[lag - 60] == pytest.approx(expected, abs=1e-11)
        assert voice._correlation(x, 100, lag) == pytest.approx(expected, abs=1e-13)


def test_near_ties_are_decided_by_the_definition():
    t = np.arange(3000)
    x = np.sin(2 * np.pi * t / 40).astype(np.float32)  # lags 40 and 80 tie
    found, expected = np.empty(1024), np.empty(1024)
    place = voice._match(x, 0, 30, 95, found)
    for lag in range(30, 96):
        expected[lag - 30] = voice._correlation(x, 0, lag)
    assert place == voice._highest_peak(expected, 66)
    np.testing.assert_array_equal(found[place - 1 : place + 2], expected[place - 1 : place + 2])
