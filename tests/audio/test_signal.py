"""Configurations of signals."""

import pytest

from serprep.audio.signal import Signal
from serprep.errors import AudioError


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"sample_rate": 999}, "sample_rate is 999; expected 1000 to 192000 Hz"),
        ({"sample_rate": 200_000}, "sample_rate is 200000; expected"),
        ({"resampler": "sinc"}, "resampler is 'sinc'; expected soxr-HQ"),
    ],
)
def test_impossible_configurations_are_refused(config, message):
    with pytest.raises(AudioError, match=message):
        Signal(**config)
