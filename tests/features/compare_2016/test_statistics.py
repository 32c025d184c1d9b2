import json
import math

import numpy as np
import pytest
import scipy

from serprep.features.compare_2016 import statistics as s
from serprep.features.compare_2016.names import REGRESSION

# the specification's worked example
EXAMPLE = """
    0.30 0.55 0.52 0.90 0.86 0.88 0.40 0.45 0.10 0.35 0.20 0.80
    0.60 0.97 0.15 0.18 0.05 0.50 0.42 0.70 0.68 0.30 0.25 0.33
"""
X = np.array(EXAMPLE.split(), np.float32)
LOW, SPAN = np.float32(0.05), X.max() - X.min()


def out(n, function, *arguments):
    found = np.full(n, np.nan, np.float32)
    function(*arguments, found)
    return found.astype(float)


def powers(x):
    r, running = np.empty(6, np.float32), np.empty(len(x), np.float32)
    return s.powers(x, s.mean_of(x), r, running), r, running


def moments(x):
    return out(3, s.moments, len(x), *powers(x)[0])


def segments(x, low, span):
    return out(4, s.segments, powers(x)[2], low, span)


def lpc(x):
    return out(6, s.lpc, powers(x)[1], len(x))


def test_the_worked_example():
    near = {"rel": 2e-6, "abs": 5e-7}
    assert out(3, s.extremes, X) == pytest.approx([0.92, 0.5416667, 0.6666667], **near)
    assert out(9, s.percentiles, np.sort(X)) == pytest.approx(
        [0.2875, 0.435, 0.685, 0.1475, 0.25, 0.3975, 0.0615, 0.9539, 0.8924], **near
    )
    assert moments(X) == pytest.approx([0.2667187, 0.289466, 1.962922], **near)
    assert segments(X, LOW, SPAN) == pytest.approx([0.0425, 0.06, 0.03, 0.01299038], **near)
    assert out(6, s.times, X, LOW, SPAN) == pytest.approx([0.75, 0.4166667, 0.2083333, 0.125, 0.4782609, 0.5], **near)
    assert lpc(X) == pytest.approx([0.0640328, -0.827576, -0.380277, 0.674624, -0.300445, -0.058103], **near)
    assert s.mean_of(X) == pytest.approx(0.4766667, **near)
    assert s.means(X)[0] == pytest.approx(0.8082948, **near)
    assert s.means(X)[2] == pytest.approx(0.5462142, **near)
    assert out(8, s.regression, X, s.mean_of(X), LOW, SPAN, True) == pytest.approx(
        [-1.074669, 0.587355, 0.0785148, 0.26603, -1.135857, 0.589599, 0.0785135, 0.437755], rel=2e-5
    )


def test_the_worked_example_of_runs():
    x = np.array(
        ["0", "0", "110", "112", "0", "115", "0", "0", "120", "0", "0", "130", "131", "132", "133", "0"], np.float32
    )
    assert out(5, s.runs, x) == pytest.approx([0.5, 0.03, 0.03, 0.03, 0])


@pytest.fixture(params=[1, 2, 3, 5, 24, 200, 1001])
def contour(request):
    rng = np.random.default_rng(request.param)
    return np.round(rng.normal(0, 1, request.param), 2).astype(np.float32)  # with ties


def test_percentiles_are_numpy_s(contour):
    q = np.percentile(contour.astype(float), [25, 50, 75, 1, 99])
    expected = [*q[:3], q[1] - q[0], q[2] - q[1], q[2] - q[0], q[3], q[4], q[4] - q[3]]
    assert out(9, s.percentiles, np.sort(contour)) == pytest.approx(expected, abs=2e-6)


@pytest.mark.parametrize("n", [1, 2, 3, 4, 5, 99, 100, 101, 102])
@pytest.mark.parametrize("scale", [1, 1e-3, -1e20, 0, -0.0])
def test_percentiles_are_interpolated_in_single_precision(n, scale):
    x = sorted(np.float32(scale * (i * i % 7)) for i in range(n))
    expected = []
    for share in (0.25, 0.5, 0.75, 0.01, 0.99):
        place = share * (n - 1)
        below = int(place)
        value = x[below]
        if place != below:
            value = x[below] * np.float32(below + 1 - place) + x[below + 1] * np.float32(place - below)
        expected.append(value)
    q1, q2, q3, first, last = expected
    expected = np.array([q1, q2, q3, q2 - q1, q3 - q2, q3 - q1, first, last, abs(last - first)], np.float32)
    found = np.empty(9, np.float32)
    s.percentiles(np.array(x), found)
    np.testing.assert_array_equal(found.view(np.int32), expected.view(np.int32))


def test_moments_are_scipy_s(contour):
    x = contour.astype(float)
    if np.ptp(x) == 0:
        assert moments(contour).tolist() == [0, 0, 0]
        return
    expected = [x.std(), scipy.stats.skew(x), scipy.stats.kurtosis(x, fisher=False)]
    assert moments(contour) == pytest.approx(expected, abs=1e-5)


def test_regression_is_numpy_s():
    x = np.random.default_rng(0).normal(5, 1, 60).astype(np.float32)
    i, y = np.arange(60), x.astype(float)
    line, parabola = np.polyfit(i, y, 1), np.polyfit(i, y, 2)
    low, span = y.min(), np.ptp(y)
    errors = [np.mean(((y - np.polyval(fit, i)) / span) ** 2) for fit in (line, parabola)]
    for per_second, rate in ((False, 1), (True, 100)):
        expected = [rate * line[0] / span, (line[1] - low) / span, errors[0]]
        expected += [rate**2 * parabola[0] / span, rate * parabola[1] / span, (parabola[2] - low) / span, errors[1]]
        expected.append((i * np.abs(y)).sum() / np.abs(y).sum() / 60)
        found = out(8, s.regression, x, s.mean_of(x), np.float32(low), np.float32(span), per_second)
        assert found == pytest.approx(expected, rel=2e-5)


@pytest.mark.parametrize(
    ("n", "value", "expected"),
    [
        (100, 0.3, (1.3191507467297244e-19, 0.0, 0.30000001192092385)),
        (150, -100, (0.0, -3.5968987524039944e-15, -99.99999999999747)),
    ],
)
def test_the_parabola_of_a_constant_has_the_specified_rounding(n, value, expected):
    x = float(np.float32(value))
    y1 = y2 = 0.0
    for i in range(n):
        y1, y2 = y1 + i * x, y2 + i * (i * x)
    s1, s2 = n * (n - 1) / 2, n * (n - 1) * (2 * n - 1) / 6
    s4 = s2 * (3 * ((n - 1) * (n - 1) + (n - 1)) - 1) / 5
    assert s._parabola(float(n), s1, s2, s1 * s1, s4, x * n, y1, y2) == expected


def test_what_has_no_range_keeps_the_signs_of_its_zeros():
    x = np.full(150, -100, np.float32)
    found = out(8, s.regression, x, x[0], x[0], np.float32(0), False)
    assert not found[:7].any()
    assert np.signbit(found[3:6]).tolist() == [False, True, False]


def test_parabolas_of_old_faults_are_the_package_s(faults):
    for fault in json.loads((faults / "qreg.json").read_text()):
        x = np.array(fault["contour"][:-1], np.float32)  # as printed: one frame more than its functionals see
        low, span = x.min(), np.ptp(x)
        found = dict(zip(REGRESSION, out(8, s.regression, x, s.mean_of(x), low, span, True), strict=True))
        assert found[fault["feature"].rpartition("_")[2]] == fault["opensmile"]


def test_lpc_solves_the_normal_equations():
    x = np.random.default_rng(0).normal(0, 1, 400).astype(np.float32)
    x[1:] += np.float32(0.9) * x[:-1]
    r = np.array([(x[k:].astype(float) * x[: len(x) - k]).sum() for k in range(6)])
    a = scipy.linalg.solve_toeplitz(r[:5], -r[1:])
    expected = [(r[0] + a @ r[1:]) / len(x), *a]
    assert lpc(x) == pytest.approx(expected, rel=2e-4)


def test_segments_are_those_of_the_slow_definition():
    rng = np.random.default_rng(0)
    for n in (30, 450, 1500):
        x = np.cumsum(rng.normal(0, 1, n)).astype(np.float32)
        low, span = x.min(), x.max() - x.min()
        average = [np.mean(x[max(0, i - 2) : i + 1].astype(float)) for i in range(n)]
        levels, lengths, shortest = [low + q * span for q in (0.25, 0.75)], [], max(2, n // 100 - 1)
        border = -(shortest // 2)
        for i in range(n):
            here, before = average[i], average[i - 1] if i else 0
            crossing = any((here > v >= before) or (here < v <= before) for v in levels)
            if crossing and i - border > shortest:
                lengths.append(i - border)
                border = i
        assert lengths
        lengths = np.array(lengths[:100]) / 100
        expected = [lengths.mean(), lengths.max(), lengths.min(), lengths.std()]
        assert segments(x, low, span) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("c", [0.0, 2.0, -3.0])
def test_a_constant_contour(c):
    x = np.full(40, c, np.float32)
    low, span = x[0], np.float32(0)
    assert not out(3, s.extremes, x).any()
    assert not moments(x).any()
    assert not out(6, s.times, x, low, span).any()
    assert not segments(x, low, span).any() or c  # the average before the first frame counts as 0
    found = out(8, s.regression, x, s.mean_of(x), low, span, True)
    assert not found[:7].any()
    assert found[7] == pytest.approx(39 / 80 if c else 0)
    assert [float(value) for value in s.means(x)] == pytest.approx([1, max(c, 0), abs(c)])


def test_one_frame():
    x = np.array([2.0], np.float32)
    assert lpc(x).tolist() == [4, 0, 0, 0, 0, 0]
    found = out(6, s.times, x, x[0], np.float32(0))
    assert found.tolist() == [0] * 6
    assert np.signbit(found).tolist() == [False] * 5 + [True]  # no turn to the left over -1 frames
    assert np.isfinite(out(8, s.regression, x, x[0], x[0], np.float32(0), True)).all()


def test_the_limiter_is_odd_continuous_and_bounded():
    z = np.linspace(-50, 50, 2001)
    found = np.array([s.limited(value, 10, 10) for value in z])
    np.testing.assert_allclose(found, -found[::-1], atol=1e-5)
    np.testing.assert_array_equal(found[np.abs(z) <= 10], z[np.abs(z) <= 10].astype(np.float32))
    assert (np.diff(found) >= 0).all() and np.abs(found).max() < 20
    d = np.sqrt(30 - 10 + 1) - 1
    assert s.limited(30, 10, 10) == pytest.approx(10 + 10 * np.tanh(d / 5), rel=1e-6)


@pytest.mark.parametrize("n", [1, 2, 3, 7, 40])
def test_a_summary_of_two_lengths_is_that_of_each(n):
    x = np.random.default_rng(n).normal(size=41).round(1).astype(np.float32)  # with ties
    for m in (1, n, 41):
        for length, (mean, high, low) in zip((n, m), s.summary(x, n, m), strict=True):
            assert (high, low) == (np.argmax(x[:length]), np.argmin(x[:length]))
            assert mean == pytest.approx(x[:length].mean(dtype=np.float64), rel=1e-6, abs=1e-7)


def test_flatness_is_rounded_from_the_sum_in_order_of_the_library_s_logarithms():
    for seed in range(300):
        x = np.random.default_rng(seed).normal(size=200).astype(np.float32) ** 3
        logs = magnitude = 0.0
        for value in x.astype(float):
            logs += math.log(abs(value))
            magnitude += abs(value)
        assert s.means(x)[0] == np.float32(math.exp(logs / len(x)) / (magnitude / len(x)))
