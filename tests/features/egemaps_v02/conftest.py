import platform

import numpy as np
import pytest

# with another processor or another C library's logarithm, last bits may differ
SAME_BITS = platform.machine() == "x86_64" and platform.libc_ver()[0] == "glibc"


@pytest.fixture(scope="session")
def package():
    """What the opensmile package returns for a signal at a level of the set, float32."""
    opensmile = pytest.importorskip("opensmile", reason="openSMILE is not installed: nothing to compare with")
    levels = {
        level: opensmile.Smile(opensmile.FeatureSet.eGeMAPSv02, opensmile.FeatureLevel[level])
        for level in ("LowLevelDescriptors", "Functionals")
    }
    return lambda level, signal: levels[level].process_signal(signal.copy(), 16_000).to_numpy()


@pytest.fixture
def same():
    """Asserts that values are those of the reference, the signs of zeros included."""

    def compare(found, expected):
        assert found.dtype == np.float32 and np.isfinite(found).all()
        if SAME_BITS:
            np.testing.assert_array_equal(found.view(np.uint32), np.asarray(expected, np.float32).view(np.uint32))
        else:
            assert np.isclose(found, expected, rtol=1e-3, atol=1e-6).mean() >= 0.9

    return compare


@pytest.fixture(scope="session")
def stationary():
    """The specification's signals B (a decaying oscillation) and C (a ramp), 100 times a second, for one second."""
    k = np.arange(16_000) % 160
    oscillation = np.round(20_000 * np.exp(-k / 24) * np.cos(2 * np.pi * 600 * k / 16_000)) / 32_768
    return oscillation.astype(np.float32), ((k - 80) * 200 / 32_768).astype(np.float32)
