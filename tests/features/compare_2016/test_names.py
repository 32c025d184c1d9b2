import pytest

from serprep.features.compare_2016 import functional_names
from serprep.features.compare_2016.names import CHANGE, COURSE, RUNS, SHAPE, VOICED, contour_names


def test_names_are_the_package_s():
    opensmile = pytest.importorskip("opensmile", reason="openSMILE is not installed: nothing to compare with")
    features, level = opensmile.FeatureSet.ComParE_2016, opensmile.FeatureLevel
    assert list(functional_names()) == list(opensmile.Smile(features, level.Functionals).feature_names)
    assert list(contour_names()) == list(opensmile.Smile(features, level.LowLevelDescriptors).feature_names)
    deltas = opensmile.Smile(features, level.LowLevelDescriptors_Deltas).feature_names
    assert list(contour_names(delta=True)) == list(deltas)


def test_names_by_rule():
    names = functional_names()
    assert len(names) == len(set(names)) == 6373
    assert [len(family) for family in (SHAPE, VOICED, RUNS, COURSE, CHANGE)] == [31, 39, 5, 23, 15]
    # first and last of each block, after the specification's table
    assert names[0] == "audspec_lengthL1norm_sma_range"
    assert names[248] == "audSpec_Rfilt_sma[0]_range"
    assert names[3657] == "mfcc_sma_de[14]_lpc4"
    assert names[3658] == "F0final_sma_amean"
    assert names[4126] == "F0final_sma_ff0_nnz"
    assert names[4131] == "audspec_lengthL1norm_sma_amean"
    assert names[5488] == "audspec_lengthL1norm_sma_de_flatness"
    assert names[6372] == "mfcc_sma_de[14]_stddevFallingSlope"
    assert {"mfcc_sma_de[3]_iqr1-2", "pcm_zcr_sma_amean"} <= set(names)


def test_contours_by_rule():
    assert len(contour_names()) == len(set(contour_names())) == 65
    assert contour_names()[10] == "audSpec_Rfilt_sma[0]"
    assert contour_names(delta=True)[51] == "mfcc_sma_de[1]"
