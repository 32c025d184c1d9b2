import numpy as np
import pytest
import scipy

from serprep.features.compare_2016.fourier import LANES, magnitudes_into, plan


def magnitudes(frames):
    """Magnitudes of up to LANES frames, shape (n_frames, n / 2 + 1)."""
    n_fft = frames.shape[1]
    re, im = np.zeros((2, n_fft // 2, LANES), np.float32)
    re[:, : len(frames)], im[:, : len(frames)] = frames[:, ::2].T, frames[:, 1::2].T
    found = np.empty((n_fft // 2 + 1, LANES), np.float32)
    magnitudes_into(found, re, im, *plan(n_fft))
    return found.T[: len(frames)]


@pytest.mark.parametrize("n_fft", [512, 1024])
def test_magnitudes_are_those_of_another_transform(n_fft):
    frames = np.random.default_rng(0).normal(size=(LANES, n_fft)).astype(np.float32)
    expected = np.abs(scipy.fft.rfft(frames.astype(np.float64), axis=1))
    np.testing.assert_allclose(magnitudes(frames), expected, atol=3e-7 * np.sqrt(n_fft) * 4, rtol=0)


@pytest.mark.parametrize("n_fft", [512, 1024])
def test_impulse_constant_and_tone(n_fft):
    frames = np.zeros((3, n_fft), np.float32)
    frames[0, 37] = 1
    frames[1] = 1
    frames[2] = np.cos(2 * np.pi * 21 * np.arange(n_fft) / n_fft)
    impulse, constant, tone = magnitudes(frames)
    np.testing.assert_allclose(impulse, 1, rtol=1e-6)
    assert constant[0] == n_fft and not constant[1:].any()
    assert tone[21] == pytest.approx(n_fft / 2, rel=1e-6)
    assert np.delete(tone, 21).max() < 1e-3


def test_a_frame_does_not_depend_on_its_lane_or_its_neighbours():
    frames = np.random.default_rng(1).normal(size=(LANES, 1024)).astype(np.float32)
    together = magnitudes(frames)
    for lane in (0, 7, LANES - 1):
        np.testing.assert_array_equal(magnitudes(frames[lane : lane + 1])[0], together[lane])
