"""Levels of closed forms; builds are in `tests/pipeline/test_loudness.py`."""

import numpy as np
import pytest

from serprep.audio.levels import COLUMNS, Levels, levels_of, problems_of


def test_levels_of_a_sine_with_an_offset():
    t = np.arange(16_000) / 16_000
    samples = np.column_stack([0.5 * np.sin(2 * np.pi * 100 * t) + 0.1, np.full(16_000, 0.1)]).astype(np.float32)
    found = dict(zip(COLUMNS, levels_of(samples).tolist(), strict=True))
    expected = {"peak": 0.6, "rms": 0.25 / 2**0.5, "mean": 0.1, "channel": 0.5 / 2**0.5, "clipped": 0.0}
    assert found == pytest.approx(expected, abs=1e-4)
    assert not any(which.any() for which in problems_of(levels_of(samples)).values())


def test_a_full_sine_is_not_clipped_and_a_square_is():
    t = np.arange(16_000) / 16_000
    sine = np.round(32767 * np.sin(2 * np.pi * 101.37 * t)) / 32768
    for samples, clipped in ((sine, False), (np.clip(4 * sine, -1, 32767 / 32768), True)):
        assert problems_of(levels_of(samples.astype(np.float32)[:, None]))["clipped"].tolist() == [clipped]


def test_levels_of_blocks_are_those_of_the_whole():
    samples = np.random.default_rng(0).normal([0.3, -0.1, 0.0], [0.2, 0.6, 1e-6], (50_000, 3)).astype(np.float32)
    mono = samples.mean(axis=1, dtype=np.float64)
    expected = [
        np.abs(samples).max(),
        mono.std(),
        mono.mean(),
        samples.std(axis=0, dtype=np.float64).max(),
        (np.abs(samples) >= np.float32(32767 / 32768)).mean(axis=0).max(),
    ]
    heard = Levels()
    for first, last in ((0, 1), (1, 40_000), (40_000, 50_000)):
        heard.add(samples[first:last])
    np.testing.assert_allclose(heard.values(), expected, rtol=1e-6)
    np.testing.assert_allclose(levels_of(samples), expected, rtol=1e-6)
