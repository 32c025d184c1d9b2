import numpy as np
import pytest

from serprep.features.compare_2016.peaks import peaks
from serprep.features.compare_2016.statistics import mean_of

EXAMPLE = """
    0.30 0.55 0.52 0.90 0.86 0.88 0.40 0.45 0.10 0.35 0.20 0.80
    0.60 0.97 0.15 0.18 0.05 0.50 0.42 0.70 0.68 0.30 0.25 0.33
"""


def found(x):
    out = np.full(12, np.nan, np.float32)
    peaks(x, mean_of(x), x.max() - x.min(), out)
    return out.astype(float)


def test_the_worked_example():
    x = np.array(EXAMPLE.split(), np.float32)
    expected = [0.04, 0.02645751, 0.62, 0.6739131, 0.744, 0.267333, 1.560839, 0.5978261]
    expected += [32.73333, 14.87339, 14.48333, 7.67986]
    assert found(x) == pytest.approx(expected, rel=2e-6)


def test_a_zigzag_has_the_values_one_reads_off():
    x = np.tile([0.0, 1.0, 2.0, 1.0], 10).astype(np.float32)  # peaks at 2, 6 … 38, valleys at 4, 8 … 36
    values = found(x)
    mean = 1.0
    assert values[0] == pytest.approx(0.04)
    assert values[1] == pytest.approx(0.02)  # peaks lie 2 after a valley, 4 after a peak
    assert values[2:4].tolist() == [0, 0]
    assert values[4:8] == pytest.approx([2, 2 - mean, 2 / mean, 0])
    rising, falling = values[8:10], values[10:12]
    # the peak at 38 is no candidate: after the valley at 36 the contour rises by 1 in 3 frames, the tenth slope
    mean_rise = (9 * 100 + 100 / 3) / 10
    assert rising == pytest.approx([mean_rise, np.sqrt(9 * (100 - mean_rise) ** 2 / 10)], rel=1e-5)
    assert falling == pytest.approx([100, 0], abs=1e-3)


@pytest.mark.parametrize(("slope", "place"), [(1.0, 8), (-1.0, 10)])
def test_without_an_extreme_there_is_one_slope_per_frame(slope, place):
    x = (slope * np.arange(20)).astype(np.float32)
    values = found(x)
    assert values[place] == pytest.approx(slope * 19 / 20)
    rest = np.delete(values, [place, 5, 6])
    assert not rest.any()


@pytest.mark.parametrize("n", [1, 2, 3, 4])
def test_less_than_five_frames_have_no_peaks(n):
    x = np.array([0.0, 3.0, 1.0, 2.0], np.float32)[:n]
    assert not found(x)[:5].any()
    assert np.isfinite(found(x)).all()


def test_zeros():
    values = found(np.zeros(50, np.float32))
    assert values[6] == 20
    assert not np.delete(values, 6).any()


def test_small_ripples_are_no_peaks():
    slow = np.sin(2 * np.pi * np.arange(400) / 100)
    ripples = 0.01 * np.sin(2 * np.pi * np.arange(400) / 7)
    with_ripples = found((slow + ripples).astype(np.float32))
    assert with_ripples[0] == pytest.approx(1.0, abs=0.03)
