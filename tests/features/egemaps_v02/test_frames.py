import numpy as np
import pytest

from serprep.errors import FeatureError
from serprep.features import egemaps_v02
from serprep.features.egemaps_v02.frames import readable
from serprep.testing.signals import SIGNALS, generated_signal

CUTS = [(kind, n, seed) for seed, n in enumerate((1130, 9000)) for kind in SIGNALS]
# of row 50 of the specification's signals B and C
ROWS = """
    2.120018 -7.05475 18.684694 0.038239848 -0.030219765 0 11.498904 -6.8932195 -17.717262 -20.23835
    22.362909 0 0 7.0873146 -3.5679595 3.976352 906.52655 1275.5616 14.036227 1742.9222 1158.9744 3.9874566
    2588.4006 924.55475 -0.1433897

    2.6408658 -12.071935 25.736908 -0.016465422 -0.018683599 0 18.191872 10.364909 8.0841084 7.0901713
    22.376257 0 0 7.1035309 3.4879711 19.645369 372.25693 1749.5571 -8.8776827 1282.5297 1417.6017 -20.418266
    2252.0601 1132.3977 -25.03508
"""


@pytest.mark.parametrize(("kind", "n", "seed"), CUTS)
def test_contours_are_the_package_s(package, same, kind, n, seed):
    signal = generated_signal(kind, n, seed=seed)
    same(egemaps_v02.contours(signal), package("LowLevelDescriptors", signal))


def test_stationary_signals_have_the_specified_values(stationary):
    for signal, row in zip(stationary, ROWS.split("\n\n"), strict=True):
        assert egemaps_v02.contours(signal)[50] == pytest.approx(np.array(row.split(), float), rel=1e-6)


def test_silence_has_its_fixed_points():
    found = dict(zip(egemaps_v02.contour_names(), egemaps_v02.contours(np.zeros(8000, np.float32)).T, strict=True))
    assert found.pop("Loudness_sma3") == pytest.approx(0.0010339657)
    assert found.pop("slope0-500_sma3") == pytest.approx(0.112)
    assert found.pop("slope500-1500_sma3") == pytest.approx(0.07636364)
    for j in (1, 2, 3):
        assert (found.pop(f"F{j}amplitudeLogRelF0_sma3nz") == -201).all()
    assert not np.array(list(found.values())).any()


def test_blocks_of_a_long_recording_have_the_frames_of_the_whole(monkeypatch):
    signal = generated_signal("cut speech", 20_000, seed=3)
    whole = egemaps_v02.contours(signal)
    monkeypatch.setattr("serprep.features.compare_2016.framing.BLOCK", 32)
    monkeypatch.setattr("serprep.features.compare_2016.pitch._MOST_SPECTRA", 32)
    np.testing.assert_array_equal(egemaps_v02.contours(signal), whole)


def test_rows_at_the_end_of_what_was_decided_read_no_further():
    assert readable(6, 0).tolist() == readable(6, 6).tolist() == [6] * 7
    assert readable(6, 4).tolist() == [6, 6, 6, 4, 4, 6, 6]


@pytest.mark.parametrize(
    ("signal", "message"),
    [
        (np.zeros(959), r"a signal of shape \(959,\); expected mono, 960 samples \(60 ms\) or more"),
        (np.ones(2000), r"amplitudes outside \[-1, 1\)"),
    ],
)
def test_signals_that_have_no_contours_are_refused(signal, message):
    for function in (egemaps_v02.contours, egemaps_v02.functionals):
        with pytest.raises(FeatureError, match=message):
            function(signal)
