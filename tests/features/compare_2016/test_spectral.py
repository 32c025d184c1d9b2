import math

import numpy as np
import pytest

from serprep.features.compare_2016.spectral import spectral

F = 31.25 * np.arange(1, 257)


def described(power):
    """Descriptors by their textbook definitions, in float64."""
    m, p = np.sqrt(power), power[:, 1:]
    total = p.sum(axis=1, keepdims=True)
    centroid = (F * p).sum(axis=1, keepdims=True) / total
    d = F - centroid
    variance, third, fourth = ((d**n * p).sum(axis=1, keepdims=True) / total for n in (2, 3, 4))
    share = np.maximum(p, 1e-7) / total
    flux = np.sqrt((np.diff(m[:, 1:], axis=0, prepend=m[:1, 1:]) ** 2).mean(axis=1, keepdims=True))
    shares = np.cumsum(p, axis=1) / total
    low = (power[:, 8] + power[:, 9:20].sum(axis=1) + 0.8 * power[:, 20]) / 256
    high = power[:, 32:129].sum(axis=1) / 256
    bark = 26.81 / (1 + 1960 / F) - 0.53
    bark = np.where(bark < 2, 0.85 * bark + 0.3, np.where(bark > 20.1, 1.22 * bark - 0.22 * 20.1, bark))
    growth = 1 + np.maximum((bark - 16) / 4, 0) ** 1.5849625
    columns = [low[:, None], high[:, None]]
    columns += [F[(shares >= q).argmax(axis=1)][:, None] for q in (0.25, 0.5, 0.75, 0.9)]
    columns += [flux, centroid, -(share * np.log2(share)).sum(axis=1, keepdims=True), variance]
    columns += [third / variance**1.5, fourth / variance**2]
    slopes = [np.polyfit(F, row, 1)[0] for row in p]
    columns += [255 * np.array(slopes)[:, None], 0.11 * (bark * growth * p).sum(axis=1, keepdims=True) / total]
    return np.hstack(columns)


def test_descriptors_are_their_textbook_definitions():
    magnitude = np.random.default_rng(0).uniform(0.01, 1, (20, 257)).astype(np.float32)
    magnitude *= np.linspace(1, 0.1, 257, dtype=np.float32)
    power = magnitude * magnitude
    np.testing.assert_allclose(spectral(magnitude, power)[:, :14], described(power.astype(float)), rtol=2e-5)


@pytest.mark.parametrize("scale", [0, 1e-12, 1e-9, 1e-6, 1e-3, 1, 1e4])
def test_entropy_has_the_rounding_of_the_sum_in_order(scale):
    power = (scale * np.random.default_rng(0).random((30, 257)) ** 9).astype(np.float32)
    found = spectral(np.sqrt(power), power)[:, 8]
    for p, value in zip(power.astype(float)[:, 1:], found, strict=True):
        total = entropy = 0.0
        for each in p:
            total += each
        for each in p:
            share = max(each, 1e-7) / max(total, float(np.float32(1e-7)))
            entropy += share * (math.log(share) / math.log(2))
        assert value == np.float32(-entropy)


def test_harmonicity_sums_the_way_between_extremes():
    p = np.zeros((1, 257), np.float32)
    p[0, [20, 40, 60]] = 3, 1, 2
    p[0, 30] = -1  # a strict minimum; the flat stretches are none
    assert spectral(np.abs(p), p)[0, 14] == pytest.approx((4 + 2 + 1) / 2 / 256)
    assert spectral(*np.ones((2, 1, 257), np.float32))[0, 14] == 0


def test_silence():
    found = spectral(*np.zeros((2, 3, 257), np.float32))[1]
    assert found[2:6].tolist() == [31.25] * 4
    assert found[8] == pytest.approx(4.316e-6, rel=1e-3)
    assert not np.delete(found, [2, 3, 4, 5, 8]).any()
