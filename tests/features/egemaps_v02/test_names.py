import pytest

from serprep.features.egemaps_v02.names import contour_names, functional_names


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
