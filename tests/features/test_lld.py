import numpy as np
import pytest

from serprep.audio.signal import Signal
from serprep.errors import FeatureError
from serprep.features import compare_2016
from serprep.features.lld import LLD


def test_contours_are_those_of_the_native_engine():
    config = LLD.config(enabled=True)
    signal = (0.1 * np.random.default_rng(0).normal(size=4000)).astype(np.float32)
    assert np.array_equal(LLD.extractor(config, Signal())(signal), compare_2016.lld(signal))
    assert LLD.names(config) == compare_2016.lld_names() and LLD.n_rows(4000, config) == 21  # 2 + (4000 - 960) // 160
    with pytest.raises(FeatureError, match=r"sample_rate is 8000; \[features.lld\] gives contours at 16000 Hz only"):
        LLD.check(config, Signal(sample_rate=8000))
