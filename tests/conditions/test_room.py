import math

import numpy as np
import pytest

from serprep.conditions import condition_from
from serprep.conditions.room import Decay, impulse_response


@pytest.mark.parametrize("rt60", [0.3, 0.8])
def test_a_room_decays_by_60_db_in_its_time(rt60):
    """By Schroeder's backward integral, between -5 and -35 dB."""
    response = impulse_response(Decay(rt60=rt60), 16_000, np.random.default_rng(0))
    tail = response[1:].astype(float)
    assert response[0] == 1 and (tail**2).sum() == pytest.approx(1, rel=1e-3)
    left = 10 * np.log10(np.cumsum(tail[::-1] ** 2)[::-1] / (tail**2).sum())
    first, last = (int(np.argmax(left < level)) for level in (-5, -35))
    assert 2 * (last - first) / 16_000 == pytest.approx(rt60, rel=0.05)


def test_gain_and_clipping_against_closed_forms():
    signal = np.array([0.1, -0.2, 0.05], np.float32)
    louder = condition_from("gain", {"db": 20})(signal, rate=16_000, digest="", start=None)
    assert louder == pytest.approx([1, -1, 0.5], abs=1e-4)  # full scale ends there
    cut = condition_from("clipping", {"db": 20 * math.log10(2)})(signal, rate=16_000, digest="", start=None)
    assert cut == pytest.approx([0.1, -0.1, 0.05])
