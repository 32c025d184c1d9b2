from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import soundfile

from serprep.features.compare_2016 import blocks, functional_names, functionals
from serprep.features.compare_2016.framing import SHORT, n_frames
from serprep.testing.signals import SIGNALS, generated_signal

CUTS = [
    (kind, n, seed)
    for seed, n in enumerate((960, 1120, 1440, 2400, 3360, 4800, 11_111))
    for kind in SIGNALS
    if n in (960, 4800) or (seed + list(SIGNALS).index(kind)) % 2
]


@pytest.mark.parametrize(("kind", "n", "seed"), CUTS)
def test_functionals_are_the_package_s(package, same_functionals, kind, n, seed):
    signal = generated_signal(kind, n, seed=seed)
    same_functionals(functionals(signal), package("Functionals", signal)[0])


def test_functionals_of_speech_are_the_package_s(package, same_functionals, speech):
    same_functionals(functionals(speech), package("Functionals", speech)[0])


@pytest.mark.parametrize("name", ["1.wav", "2.wav", "3.wav"])
def test_functionals_of_old_faults_are_the_package_s(package, same_functionals, faults, name):
    signal, _ = soundfile.read(faults / name, dtype="float32")
    same_functionals(functionals(signal), package("Functionals", signal)[0])


@pytest.mark.parametrize("n", [1120, 1280, 2000, 7000, 50_000])
def test_functionals_of_a_constant_are_the_package_s(package, same_functionals, n):
    signal = np.full(n, 0.123, np.float32)  # its contours are all but constant: their range is rounding
    same_functionals(functionals(signal), package("Functionals", signal)[0])


@pytest.mark.parametrize("n_group", [1, 3, 4, 5, 7, 20])
def test_contours_of_long_recordings_are_taken_some_at_a_time(monkeypatch, speech, n_group):
    together, n_short = functionals(speech), n_frames(len(speech), SHORT)
    monkeypatch.setattr(blocks, "_AT_ONCE", n_group * n_short)
    np.testing.assert_array_equal(functionals(speech), together)


@pytest.mark.parametrize("kind", SIGNALS)
def test_nothing_is_nan_or_infinite_from_60_ms_on(kind):
    for n in (*range(960, 4000, 167), 30_000):
        assert np.isfinite(functionals(generated_signal(kind, n, seed=n))).all(), n


def test_silence():
    found = dict(zip(functional_names(), functionals(np.zeros(16_000, np.float32)).tolist(), strict=True))
    assert found["logHNR_sma_amean"] == -100
    assert found["logHNR_sma_rqmean"] == 100
    assert found["logHNR_sma_posamean"] == 0
    assert not any(value for name, value in found.items() if name.startswith(("F0final", "jitter", "shimmer")))
    assert found["pcm_RMSenergy_sma_flatness"] == 1
    assert found["pcm_RMSenergy_sma_peakMeanRel"] == 20


def test_threads_give_the_same_values():
    signals = [generated_signal("cut speech", 8000 + 700 * seed, seed=seed) for seed in range(12)]
    alone = [functionals(signal) for signal in signals]
    with ThreadPoolExecutor(4) as pool:
        for one, other in zip(alone, pool.map(functionals, signals), strict=True):
            np.testing.assert_array_equal(one, other)


def test_the_signal_is_left_as_it_was(speech):
    signal = speech.copy()
    signal.flags.writeable = False
    functionals(signal)
    np.testing.assert_array_equal(signal, speech)
