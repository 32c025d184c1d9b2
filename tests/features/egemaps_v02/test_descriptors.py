import numpy as np
import pytest

from serprep.features.egemaps_v02.descriptors import descriptors

F = 31.25 * np.arange(257)


def test_descriptors_are_their_definitions():
    magnitude = (np.random.default_rng(0).uniform(0.01, 1, (9, 257)) * np.linspace(1, 0.1, 257)).astype(np.float32)
    power = magnitude * magnitude
    p, level = power.astype(float), 10 * np.log10(power.astype(float))
    expected = [
        10 * np.log10(p[:, 32:161].sum(axis=1) / p[:, :32].sum(axis=1)),
        10 * np.log10(p[:, :64].max(axis=1) / p[:, 64:161].max(axis=1)),
    ]
    for first, last in ((0, 16), (16, 48)):
        n, f, y = last - first, F[first : last + 1], level[:, first : last + 1]  # one point fewer is counted
        expected.append((n * (y @ f) - f.sum() * y.sum(axis=1)) / (n * (f @ f) - f.sum() ** 2))
    change = np.diff(magnitude[:, :160].astype(float), axis=0, prepend=magnitude[:1, :160])
    expected.append(np.sqrt((change**2).mean(axis=1)))
    np.testing.assert_allclose(descriptors(magnitude, power), expected, rtol=2e-5, atol=1e-7)


def test_silence_and_what_is_empty_on_one_side():
    silence = descriptors(*np.zeros((2, 2, 257), np.float32))
    assert silence[:, 1] == pytest.approx([0, 0, 0.112, 0.07636364, 0], rel=1e-6)
    power = np.zeros((2, 257), np.float32)
    power[0, 5] = power[1, 100] = 1
    low, high = descriptors(np.sqrt(power), power)[:2].T
    assert low.tolist() == [-140, 0] and high.tolist() == [0, -140]
