"""Values by name: `serprep.features.egemaps` and `serprep.features.named`."""

import numpy as np
import pytest

from serprep.audio.guard import guard
from serprep.errors import AudioError, FeatureError
from serprep.features import compare_2016, egemaps, egemaps_v02, named

STEREO = np.random.default_rng(0).integers(-9000, 9000, (22_050, 2), np.int16)  # half a second


def test_functionals_are_numbers_by_name():
    values = egemaps(STEREO, 44_100)
    assert list(values) == list(egemaps_v02.functional_names())
    expected = egemaps_v02.functionals(guard(STEREO, 44_100))
    assert np.array(list(values.values()), np.float32).tobytes() == expected.tobytes()
    assert all(type(value) is float for value in values.values())


def test_contours_are_arrays_by_name():
    contours = egemaps(STEREO, 44_100, level="lld")
    assert list(contours) == list(egemaps_v02.contour_names())
    expected = egemaps_v02.contours(guard(STEREO, 44_100))
    assert np.column_stack(list(contours.values())).tobytes() == expected.tobytes()


def test_other_sets_have_the_same_form():
    signal = guard(STEREO, 44_100)
    values = named(signal, feature_set="compare_2016")
    assert np.array(list(values.values()), np.float32).tobytes() == compare_2016.functionals(signal).tobytes()


def test_what_cannot_be_is_said():
    with pytest.raises(FeatureError, match="too short: 900 samples"):
        egemaps(np.zeros(900))
    with pytest.raises(FeatureError, match="'egemaps' has no level 'hop'"):
        egemaps(np.zeros(16_000), level="hop")
    with pytest.raises(AudioError, match="expected a full scale of 1"):
        egemaps(np.full(16_000, 20_000.0))
