import platform
from pathlib import Path

import numpy as np
import pytest

from serprep.testing.signals import generated_signal

# with another processor or another C library's logarithm, last bits may differ
SAME_BITS = platform.machine() == "x86_64" and platform.libc_ver()[0] == "glibc"


def bits(values):
    """Single-precision values as integers: -0.0 is not 0.0."""
    return np.ascontiguousarray(values, np.float32).view(np.uint32)


@pytest.fixture(scope="session")
def faults() -> Path:
    """Signals and contours that the engine once got wrong, beside the repository; skips where they are absent."""
    folder = Path(__file__).resolve().parents[4] / "shared" / "faults" / "native"
    if not folder.is_dir():
        pytest.skip(f"no inputs of old faults: {folder} is absent")
    return folder


@pytest.fixture(scope="session")
def package():
    """What the opensmile package returns for a signal at a level of the set, float32."""
    opensmile = pytest.importorskip("opensmile", reason="openSMILE is not installed: nothing to compare with")
    levels = {
        level: opensmile.Smile(opensmile.FeatureSet.ComParE_2016, opensmile.FeatureLevel[level])
        for level in ("LowLevelDescriptors", "LowLevelDescriptors_Deltas", "Functionals")
    }
    return lambda level, signal: levels[level].process_signal(signal.copy(), 16_000).to_numpy()


@pytest.fixture
def same_contours():
    """Asserts that contours, (n_frames, n), are those of the reference."""

    def compare(found, expected):
        assert found.shape == expected.shape
        if SAME_BITS:
            np.testing.assert_array_equal(bits(found), bits(expected))
        else:
            near = np.abs(found - expected) <= 1e-5 * np.ptp(expected, axis=0)
            assert near.mean() >= 0.999

    return compare


@pytest.fixture
def same_functionals():
    """Asserts that all functionals are those of the reference."""

    def compare(found, expected):
        assert np.isfinite(found).all()
        if SAME_BITS:
            np.testing.assert_array_equal(bits(found), bits(expected))
        else:
            assert np.isclose(found, expected, rtol=1e-3, atol=1e-9).mean() >= 0.995

    return compare


@pytest.fixture(scope="session")
def speech():
    """1.5 s of synthetic speech."""
    return generated_signal("cut speech", 24_000, seed=1)
