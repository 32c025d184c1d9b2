import numpy as np
import pytest

from serprep.features.functionals import check_signal
from serprep.testing.signals import SIGNALS, generated_signal


@pytest.mark.parametrize("kind", SIGNALS)
def test_a_signal_is_guarded_as_long_as_asked_and_the_same_again(kind):
    for n_samples in (960, 5000, 40_000):
        signal = generated_signal(kind, n_samples, seed=3)
        assert signal.shape == (n_samples,)
        assert signal.dtype == np.float32
        check_signal(signal, 16_000)
        np.testing.assert_array_equal(signal, generated_signal(kind, n_samples, seed=3))


def test_kinds_differ_and_say_what_they_are():
    n = 16_000
    assert not generated_signal("silence", n).any()
    assert np.ptp(generated_signal("constant", n)) == 0 != generated_signal("constant", n)[0]
    assert 1 <= np.count_nonzero(generated_signal("impulses", n)) <= 3
    for frequency in (60, 200, 610):  # bins of one second are 1 Hz wide
        assert np.abs(np.fft.rfft(generated_signal(f"tone of {frequency} Hz", n))).argmax() == frequency
    assert set(np.unique(generated_signal("noise of one bit", n) * 32768)) == {-1, 0, 1}
    clipped = generated_signal("clipped speech", n)
    assert np.mean(np.abs(clipped) > 0.999) > 0.01
    assert not generated_signal("speech in silence", n)[:4000].any()
    assert generated_signal("cut speech", n, seed=1).tobytes() != generated_signal("cut speech", n).tobytes()
