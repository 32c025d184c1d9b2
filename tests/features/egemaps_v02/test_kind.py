import numpy as np
import pytest

from serprep.audio.guard import guard
from serprep.audio.signal import Signal
from serprep.errors import FeatureError
from serprep.features.egemaps_v02.kind import EGEMAPS, Config


def voiced(seconds: float) -> np.ndarray:
    """A harmonic tone of 120 Hz that swells, with a little noise."""
    t = np.arange(int(16_000 * seconds)) / 16_000
    tone = sum(np.sin(2 * np.pi * 120 * k * t) / k for k in range(1, 20))
    noise = 0.01 * np.random.default_rng(0).normal(size=len(t))
    return guard((0.2 * np.hanning(len(t)) * tone + noise).astype(np.float32), 16_000)


@pytest.mark.parametrize("level", ["functionals", "lld"])
def test_both_engines_give_the_same_bits_under_the_same_names(level):
    opensmile = pytest.importorskip("opensmile")
    signal = voiced(0.7)
    native, package = (
        EGEMAPS.extractor(Config(level=level, engine=engine), Signal()) for engine in ("native", "opensmile")
    )
    assert native(signal).tobytes() == package(signal).tobytes()
    levels = {"functionals": opensmile.FeatureLevel.Functionals, "lld": opensmile.FeatureLevel.LowLevelDescriptors}
    smile = opensmile.Smile(opensmile.FeatureSet.eGeMAPSv02, levels[level])
    assert list(EGEMAPS.names(Config(level=level))) == smile.feature_names


def test_the_shape_follows_from_the_level():
    rows, contours = Config(), Config(level="lld")
    assert (EGEMAPS.shape_of(rows), EGEMAPS.n_columns(rows)) == ("row", 88)
    assert (EGEMAPS.shape_of(contours), EGEMAPS.n_columns(contours)) == ("contour", 25)
    assert EGEMAPS.n_rows(16_000, contours) == 96  # one more than the frames of 60 ms every 10 ms


def test_only_the_package_needs_a_licence_note_and_another_rate():
    package = Config(engine="opensmile")
    assert EGEMAPS.licence(Config()) == "" and "openSMILE" in EGEMAPS.licence(package)
    assert EGEMAPS.extractor_name(Config()) != EGEMAPS.extractor_name(package)
    EGEMAPS.check(package, Signal(sample_rate=8000))
    with pytest.raises(FeatureError, match=r"sample_rate is 8000; \[features.egemaps\] gives values at 16000 Hz only"):
        EGEMAPS.check(Config(), Signal(sample_rate=8000))


@pytest.mark.parametrize(
    ("values", "message"), [({"level": "hop"}, "level is 'hop'"), ({"engine": "x"}, "engine is 'x'")]
)
def test_impossible_configurations_are_refused(values, message):
    with pytest.raises(FeatureError, match=message):
        Config(**values)
