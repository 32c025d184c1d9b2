import numpy as np
import pytest

from serprep.conditions import condition_from
from serprep.conditions.noise import mixed

LEVELS, LENGTHS = (1.0, 0.3, 0.1, 0.03, 0.01, 0.001), (3000, 8000, 16_000, 16_001, 40_000, 500)


def test_noise_has_the_ratio_that_is_asked_for():
    rng = np.random.default_rng(0)
    signal, noise = rng.standard_normal((2, 4000)).astype(np.float32)
    added = mixed(signal, 7 * noise, 5.0).astype(float) - signal
    assert 10 * np.log10((signal.astype(float) ** 2).mean() / (added**2).mean()) == pytest.approx(5, abs=1e-3)
    assert np.array_equal(mixed(signal, 0 * noise, 5.0), signal)


@pytest.mark.parametrize("name", ["white", "babble"])
@pytest.mark.parametrize("snr", [20, 10, 5])
def test_the_ratio_measured_in_what_is_heard_is_the_stated_one(name, snr):
    """Of an utterance between pauses, and voices of all levels and lengths, shorter and longer than it."""
    rng = np.random.default_rng(1)
    signal = (0.05 * rng.standard_normal(16_000) * np.repeat([0, 1, 0], [4000, 8000, 4000])).astype(np.float32)
    voices = [(level * rng.standard_normal(n)).astype(np.float32) for level, n in zip(LEVELS, LENGTHS, strict=True)]
    made = condition_from(name, {"snr": snr})(signal, rate=16_000, digest="a", start=None, others=voices)
    added = made.astype(float) - signal
    measured = 10 * np.log10((signal.astype(float) ** 2).mean() / (added**2).mean())
    assert np.abs(made).max() < 1  # nothing is clipped, so all of the difference is noise
    assert measured == pytest.approx(snr, abs=1e-3)


def test_voices_of_babble_have_equal_power():
    """Six tones of other levels, each as loud as the others in the sum."""
    time, tones = np.arange(16_000) / 16_000, [100, 200, 400, 800, 1600, 3200]
    waves = np.sin(2 * np.pi * np.outer(tones, time)) * np.array(LEVELS)[:, None]
    voices = list(waves.astype(np.float32))
    signal = np.full(16_000, 1e-3, np.float32)
    made = condition_from("babble", {"snr": -20})(signal, rate=16_000, digest="a", start=None, others=voices)
    powers = np.abs(np.fft.rfft(made.astype(float) - signal)) ** 2
    assert powers[tones] / powers.sum() == pytest.approx(np.full(6, 1 / 6), rel=1e-3)
