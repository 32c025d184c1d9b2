"""Samples of any kind → guarded signals."""

import numpy as np
import pytest
import soundfile
import soxr

from helpers.audio import RATE, load, noise, tone, write_codes
from serprep.audio.guard import PEAK, guard
from serprep.errors import AudioError
from serprep.features.functionals import functionals


@pytest.mark.parametrize("n_channels", [2, 6])
def test_mixdown_is_the_mean_of_channels(tmp_path, n_channels):
    rng = np.random.default_rng(1)
    mean = rng.integers(-20_000, 20_000, 500)
    around = rng.integers(-5_000, 5_000, (500, n_channels - 1))
    codes = mean[:, None] + np.column_stack([around, -around.sum(axis=1)]).clip(-9_999, 9_999)
    codes[:, 0] += n_channels * mean - codes.sum(axis=1)  # so that the mean is a whole number again
    assert (codes.sum(axis=1) == n_channels * mean).all()
    write_codes(tmp_path / "a.wav", codes, bits=24, n_channels=n_channels)
    assert load(tmp_path / "a.wav").tolist() == (mean / 2**23).tolist()


def test_a_channel_that_is_out_of_phase_cancels(tmp_path):
    left = noise(800)[:, 0]
    soundfile.write(tmp_path / "a.wav", np.column_stack([left, -left]), RATE, subtype="FLOAT")
    assert not load(tmp_path / "a.wav").any()


def test_a_full_scale_sine_does_not_wrap_in_opensmile(tmp_path):
    opensmile = pytest.importorskip("opensmile", reason="openSMILE is not installed")
    sine = tone(1000, seconds=1.0, amplitude=1.0).round(6)  # 16 samples a cycle: one of them at +1.0
    assert sine.max() == 1.0
    soundfile.write(tmp_path / "float.wav", sine, RATE, subtype="FLOAT")
    by_hand = np.trunc(sine.astype(np.float32) * 32768.0).clip(-32768, 32767)
    write_codes(tmp_path / "int16.wav", by_hand.astype(int), bits=16)
    smile = opensmile.Smile(opensmile.FeatureSet.ComParE_2016, opensmile.FeatureLevel.Functionals)
    expected = smile.process_file(tmp_path / "int16.wav").to_numpy()[0]
    np.testing.assert_array_equal(functionals(load(tmp_path / "float.wav"), engine="opensmile"), expected)
    wrapped = smile.process_signal(sine.astype(np.float32), RATE).to_numpy()[0]
    moved = np.abs(wrapped - expected) > 0.01 * np.abs(expected)
    assert np.count_nonzero(moved) > 500  # what the guard is for


@pytest.mark.parametrize("rate", [16_000, 48_000])
@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf, 3e38])
def test_samples_that_are_no_amplitudes_are_refused(tmp_path, rate, bad):
    samples = noise(2000, n_channels=2)
    samples[700, 1] = samples[900, 0] = bad
    soundfile.write(tmp_path / "a.wav", samples, rate, subtype="FLOAT")
    with pytest.raises(AudioError, match=r"2 of 4000 samples are NaN or infinite"):
        load(tmp_path / "a.wav")


@pytest.mark.parametrize("rate", [16_000, 44_100])
def test_the_loudest_samples_that_pass_are_clipped_and_louder_ones_have_another_scale(rate):
    square = np.tile(np.float32([16, 16, -16, -16]), 500)
    signal = guard(np.column_stack([square, square]), rate)
    assert (signal.min(), signal.max()) == (-1, PEAK)
    for scale in (1.01, 2048, 5e28):
        with pytest.raises(AudioError, match=r"the largest sample is .*; expected a full scale of 1: divide"):
            guard(square * np.float32(scale), rate)


def test_resampling_overshoot_is_clipped():
    square = np.tile(np.repeat(np.float32([0.99, -0.99]), 200), 20)
    signal = guard(square, 48_000)
    assert (signal.min(), signal.max()) == (-1, PEAK)


def test_a_recording_too_short_to_resample_is_refused():
    with pytest.raises(AudioError, match="no samples are left after resampling"):
        guard(np.zeros(1, np.float32), 192_000)
    with pytest.raises(AudioError, match="no samples"):
        guard(np.zeros(0, np.float32), RATE)


@pytest.mark.parametrize("n_channels", [1, 2, 3, 7, 8, 9, 17])
@pytest.mark.parametrize("rate", [16_000, 44_100, 8000])
def test_blocks_give_the_bits_of_the_whole(monkeypatch, n_channels, rate):
    samples = np.random.default_rng(0).normal(0, 0.5, (30_011, n_channels)).astype(np.float32)
    mono = samples.mean(axis=1, dtype=np.float32)
    whole = mono if rate == 16_000 else soxr.resample(mono, rate, 16_000, "HQ")
    for size in (997, 30_010, 1 << 18):
        monkeypatch.setattr("serprep.audio.guard.BLOCK", size)
        np.testing.assert_array_equal(guard(samples, rate), whole.clip(np.float32(-1), PEAK))


def test_what_is_wrong_is_counted_over_all_blocks(monkeypatch):
    monkeypatch.setattr("serprep.audio.guard.BLOCK", 10)
    samples = np.zeros(100, np.float32)
    samples[[3, 50, 99]] = np.nan, np.inf, -np.inf
    with pytest.raises(AudioError, match="3 of 100 samples are NaN or infinite"):
        guard(samples, 44_100)
    with pytest.raises(AudioError, match="the largest sample is 300; expected a full scale of 1"):
        guard(np.array([0.5, *[20] * 10, 300, *[-30] * 10], np.float32), 44_100)
