import numpy as np
import pytest

from serprep.features.compare_2016.framing import (
    gauss,
    hamming,
    n_frames,
    samples_of,
    zero_crossings,
)


def test_samples_are_truncated_to_16_bits_and_divided_by_32767():
    signal = np.array([0.0, 1000 / 32768, 1000.9 / 32768, -1000.9 / 32768, -1.0, 1.0], np.float32)
    expected = np.array([0, 1000, 1000, -1000, -32768, -32768], np.float32) / np.float32(32767)
    np.testing.assert_array_equal(samples_of(signal), expected)


@pytest.mark.parametrize(("n", "long", "short"), [(319, 0, 0), (320, 0, 1), (960, 1, 5), (1119, 1, 5), (1120, 2, 6)])
def test_only_complete_frames_exist(n, long, short):
    assert (n_frames(n, 960), n_frames(n, 320)) == (long, short)


def test_windows_have_their_closed_forms():
    assert hamming()[[0, -1]] == pytest.approx(0.08)
    assert hamming()[[159, 160]] == pytest.approx(0.54 - 0.46 * np.cos(np.pi * 318 / 319))
    assert gauss()[[0, -1]] == pytest.approx(np.exp(-0.5 / 0.16))
    assert gauss()[[479, 480]] == pytest.approx(np.exp(-0.5 * (0.5 / (0.4 * 479.5)) ** 2))


def test_zero_crossings_are_counted_as_the_definition_says():
    rng = np.random.default_rng(0)
    x = rng.integers(-2, 3, 2000).astype(np.float32)  # many zeros
    found = zero_crossings(x, 7)
    for t in range(7):
        frame = x[160 * t : 160 * t + 960]
        count = sum(
            frame[i - 1] * frame[i] < 0 or (frame[i] == 0 and frame[i - 1] * frame[i + 1] <= 0) for i in range(1, 959)
        )
        assert found[t] == np.float32(count) / np.float32(960)
    assert zero_crossings(np.zeros(960, np.float32), 1)[0] == np.float32(958 / 960)
    assert zero_crossings(np.ones(960, np.float32), 1)[0] == 0
