import numpy as np
import pytest

from serprep.audio.decode import decode, read_bytes
from serprep.features import egemaps_v02
from serprep.features.egemaps_v02 import blocks
from serprep.testing.signals import SIGNALS, generated_signal

CUTS = [(kind, n, seed) for seed, n in enumerate((960, 2400, 8000)) for kind in SIGNALS]
# the specification's worked example
EXAMPLE = """
    0.30 0.55 0.52 0.90 0.86 0.88 0.40 0.45 0.10 0.35 0.20 0.80
    0.60 0.97 0.15 0.18 0.05 0.50 0.42 0.70 0.68 0.30 0.25 0.33
"""


@pytest.mark.parametrize(("kind", "n", "seed"), CUTS)
def test_functionals_are_the_package_s(package, same, kind, n, seed):
    signal = generated_signal(kind, n, seed=seed)
    same(egemaps_v02.functionals(signal), package("Functionals", signal)[0])


@pytest.mark.parametrize("corpus", ["ravdess", "emodb_first2s"])
def test_real_recordings_have_the_package_s_values(package, same, corpora, corpus):
    for path in sorted((corpora / corpus).rglob("*.flac"))[5::700]:
        signal = decode(read_bytes(path))
        same(egemaps_v02.contours(signal), package("LowLevelDescriptors", signal))
        same(egemaps_v02.functionals(signal), package("Functionals", signal)[0])


def test_the_worked_example():
    found, n_peaks = blocks._course_of(np.array(EXAMPLE.split(), np.float32))
    expected = [0.47666666, 0.55954981, 0.23000002, 0.435, 0.74000001, 0.50999999]
    assert found == pytest.approx([*expected, 32.733334, 14.873393, 14.483335, 7.6798582], rel=1e-6)
    assert n_peaks == 5


def test_the_worked_example_of_segments():
    x = np.array([0, 0, 1, 1, 0, 1, 0, 0, 1, 0, 0, 1, 1, 1, 1, 0], np.float32)
    assert blocks._segments(x) == pytest.approx([12.5, 0.03, 0, 0.06, 0])


def test_spreads_are_those_of_numpy():
    x = np.random.default_rng(0).normal(3, 1, (4, 50)).astype(np.float32)
    x[:, ::7] = 0
    for known_only in (False, True):
        found = blocks._spreads(x, known_only).reshape(4, 2)
        for row, values in zip(found, x.astype(float), strict=True):
            kept = values[values != 0] if known_only else values
            assert row == pytest.approx([kept.mean(), kept.std() / kept.mean()], rel=1e-5)
    assert not blocks._spreads(np.zeros((1, 5), np.float32), True).any()


def test_silence():
    values = egemaps_v02.functionals(np.zeros(16_000, np.float32))
    found = dict(zip(egemaps_v02.functional_names(), values, strict=True))
    assert found.pop("equivalentSoundLevel_dBp") == pytest.approx(-120)
    assert found.pop("MeanUnvoicedSegmentLength") == pytest.approx(0.93)
    assert found.pop("slopeUV0-500_sma3nz_amean") == pytest.approx(0.112)
    assert found.pop("slopeUV500-1500_sma3nz_amean") == pytest.approx(0.07636364)
    for name in ("amean", "percentile20.0", "percentile50.0", "percentile80.0"):
        assert found.pop(f"loudness_sma3_{name}") == pytest.approx(0.0010339657)
    for j in (1, 2, 3):
        assert found.pop(f"F{j}amplitudeLogRelF0_sma3nz_amean") == -201
    assert np.abs(list(found.values())).max() < 1e-6
