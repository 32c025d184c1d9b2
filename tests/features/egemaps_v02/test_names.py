from pathlib import Path

import pytest

from serprep.features.egemaps_v02.names import contour_meanings, contour_names, functional_meanings, functional_names

PAGE = Path(__file__).resolve().parents[3] / "docs" / "egemaps.md"


def test_names_are_those_of_the_package():
    opensmile = pytest.importorskip("opensmile", reason="openSMILE is not installed: nothing to compare with")
    for level, names in (("LowLevelDescriptors", contour_names()), ("Functionals", functional_names())):
        smile = opensmile.Smile(opensmile.FeatureSet.eGeMAPSv02, opensmile.FeatureLevel[level])
        assert tuple(smile.feature_names) == names


def test_each_name_is_there_once():
    assert len(set(contour_names())) == 25
    assert len(set(functional_names())) == 88
    assert "slopeUV500-1500_sma3nz_amean" in functional_names()
    assert "mfcc4V_sma3nz_stddevNorm" in functional_names()


def test_the_page_says_name_unit_and_meaning_of_each():
    rows = [line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith("| `")]
    assert rows == [
        f"| `{name}` | {unit} | {text} |" for name, unit, text in (*contour_meanings(), *functional_meanings())
    ]


def test_units_follow_from_the_contour():
    units = {name: unit for name, unit, _ in functional_meanings()}
    assert units["loudness_sma3_amean"] == units["HNRdBACF_sma3nz_stddevNorm"] == ""
    assert units["loudness_sma3_meanRisingSlope"] == "1/s"
    assert units["F0semitoneFrom27.5Hz_sma3nz_stddevFallingSlope"] == "semitone/s"
    assert units["slopeUV0-500_sma3nz_amean"] == "dB/Hz"
