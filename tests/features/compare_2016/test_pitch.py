import numpy as np
import pytest

from serprep.features.compare_2016 import pitch
from serprep.features.compare_2016.pitch import track, vertex
from serprep.testing.signals import generated_signal


def test_the_vertex_of_a_parabola_and_of_a_line():
    for a, x0, y0 in [(-2.0, 1.3, 5.0), (0.5, -0.7, 2.0), (-1e-3, 4.0, 0.1)]:
        points = [value for x in (1.0, 1.6, 2.3) for value in (x, a * (x - x0) ** 2 + y0)]
        assert vertex(*points) == pytest.approx((x0, y0), rel=1e-9)
    assert vertex(0.0, 1.0, 1.0, 2.0, 2.0, 3.0) == (2.0, 3.0)
    assert vertex(0.0, 1.0, 1.0, 1.0, 2.0, 1.0) == (0.0, 1.0)
    assert vertex(1.0, 1.0, 1.0, 3.0, 2.0, 2.0) == (1.0, 3.0)  # two of one abscissa


def test_the_height_of_a_vertex_is_taken_at_its_rounded_place():
    # the specification's example; c - b * b / (4 * a) gives 0.98408479092177
    x, y = (7.878355503082275, 7.894609451293945, 7.910862922668457), np.array([0.49, 0.98, 0.294], np.float32)
    points = [value for pair in zip(x, y.astype(float).tolist(), strict=True) for value in pair]
    assert vertex(*points) == (7.893254740336671, 0.9840847908926662)


@pytest.mark.parametrize(
    ("frequency", "f0", "voicing"),
    [(100, 100.0866, 0.7775), (200, 200.2920, 0.8149), (400, 400.1730, 0.8806), (500, 499.9598, 0.9052)],
)
def test_pure_tones_have_the_specified_pitch(frequency, f0, voicing):
    signal = (0.5 * np.sin(2 * np.pi * frequency * np.arange(16_000) / 16_000)).astype(np.float32)
    found = track(signal, 95)
    assert np.median(found.f0) == pytest.approx(f0, abs=0.01)
    assert np.median(found.voicing) == pytest.approx(voicing, abs=1e-3)


def test_silence_and_what_is_too_soft_are_unvoiced():
    soft = 0.0005 * np.sin(2 * np.pi * 200 * np.arange(16_000) / 16_000)
    for signal in (np.zeros(16_000, np.float32), soft.astype(np.float32)):
        found = track(signal, 95)
        assert not found.f0.any() and not found.voicing.any()


def test_a_harmonic_tone_without_its_fundamental_has_its_pitch():
    t = np.arange(16_000) / 16_000
    signal = sum(0.1 * np.sin(2 * np.pi * 150 * h * t + h) for h in range(3, 12)).astype(np.float32)
    assert np.median(track(signal, 95).f0) == pytest.approx(150, rel=0.01)


def test_peaks_keep_two_neighbours_on_either_side():
    spectrum = np.zeros((513, pitch.LANES), np.float32)
    spectrum[:, 0] = np.linspace(1, 2, 513)  # rising: the only peak is the last bin
    spectrum[:, 1] = 1  # no peak
    spectrum[:, 2] = 0.5
    spectrum[[100, 110, 114], 2] = 3  # 103 … 107 lie between
    expected = spectrum.copy()
    expected[3:, 0] = 0
    expected[103:108, 2] = 0
    found = np.empty(spectrum.size, np.float32)
    pitch._enhance(spectrum, np.zeros(517 * pitch.LANES, np.int32), found)
    np.testing.assert_array_equal(found.reshape(spectrum.shape)[:, :3], expected[:, :3])


def test_the_spline_is_the_natural_cubic_one():
    from scipy.interpolate import CubicSpline

    axis = pitch._axis()
    width = 1 / float(np.float32(0.064))
    knots = np.log2(width * np.arange(1, 513))
    knots = np.concatenate([[2 * knots[0] - knots[1]], knots])
    values = np.random.default_rng(0).uniform(0, 1, (513, pitch.LANES))
    curve = np.empty_like(values)
    pitch._second_derivative(values.reshape(-1), axis.sweep, axis.spans, curve.reshape(-1))
    spline = CubicSpline(knots, values[:, 3], bc_type="natural")
    np.testing.assert_allclose(curve[:, 3], spline(knots, 2), atol=1e-6 * np.abs(curve).max())
    targets = np.linspace(np.log2(25), knots[-1], 513)
    h, (a, b, c, d) = axis.place, axis.shares
    found = a * values[h - 1, 3] + b * values[h, 3] + c * curve[h - 1, 3] + d * curve[h, 3]
    np.testing.assert_allclose(found, spline(targets), atol=1e-8)
    np.testing.assert_allclose(axis.weight[[0, 512]], [0.244034561, 0.986677619], rtol=1e-8)
    assert axis.shifts.tolist() == [61, 97, 123, 143, 159, 173, 184, 195, 204, 213, 220, 228, 234, 240]


@pytest.mark.parametrize(("kind", "decided"), [("tone of 610 Hz", 29), ("noise", 3), ("silence", 3)])
def test_frames_are_decided_when_paths_meet(kind, decided):
    found = track(generated_signal(kind, 32_000), 195)
    assert 195 - decided <= found.n_decided < 195
    if decided == 29:  # they hardly ever meet
        assert found.n_decided == 195 - 29
