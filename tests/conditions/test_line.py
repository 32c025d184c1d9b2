import numpy as np
import pytest

from serprep.conditions import condition_from
from serprep.conditions.line import mu_law
from serprep.errors import FeatureError


def tone(hertz, n=16_000):
    return (0.5 * np.sin(2 * np.pi * hertz * np.arange(n) / 16_000)).astype(np.float32)


def made(name, signal, rate=16_000):
    return condition_from(name, {})(signal, rate=rate, digest="", start=None)


def test_mu_law_has_255_levels_and_an_error_in_proportion():
    x = np.linspace(-1, 1, 20_001)
    y = mu_law(x)
    assert len(np.unique(y)) == 255 and y[0] == -1 and y[-1] == 1 and y[10_000] == 0
    loud = np.abs(x) > 0.05
    assert np.abs(y - x)[loud].max() < 0.03 and (np.abs(y - x) / np.abs(x).clip(1e-9))[loud].max() < 0.03


def test_a_telephone_has_no_sound_above_4_khz():
    low, high = (np.sqrt((made("telephone", tone(f))[2000:-2000] ** 2).mean()) for f in (1000, 6000))
    assert low == pytest.approx(0.5 / np.sqrt(2), rel=0.03) and high < 0.002


def test_mp3_is_aligned_and_close():
    signal = tone(440)
    signal[:4000] = 0
    assert np.abs(made("mp3", signal)[6000:] - signal[6000:]).max() < 0.05
    with pytest.raises(FeatureError, match="mp3 is of signals of 16000"):
        made("mp3", signal, rate=44_100)
