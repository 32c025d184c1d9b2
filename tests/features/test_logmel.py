from concurrent.futures import ThreadPoolExecutor

import librosa
import numpy as np
import pytest

from serprep.audio.decode import decode, read_bytes
from serprep.errors import FeatureError
from serprep.features.logmel import LogMel, log_mel, mel_weights

CONFIGS = [
    LogMel(),
    LogMel(sample_rate=8000, win_length=200, hop_length=80, n_fft=256, n_mels=23, fmin=100.0, fmax=3800.0),
    LogMel(win_length=512, hop_length=512, n_fft=512, n_mels=26, floor=1e-6),
    LogMel(win_length=401, hop_length=133, n_fft=1000, n_mels=7, fmin=1500.0, fmax=7000.0),
]
REAL = (
    "emodb_first2s/wav/03a01Wa.flac",
    "emodb_first2s/wav/16b10Wb.flac",
    "ravdess/Actor_01/03-01-01-01-01-01-01.flac",
    "ravdess/Actor_24/03-01-08-02-02-02-24.flac",
)


def noise(n_samples, *, seed=0):
    return np.random.default_rng(seed).uniform(-0.5, 0.5, n_samples).astype(np.float32)


def bits(array):
    return np.ascontiguousarray(array).view(np.uint32)


def librosa_log_mel(signal, config):
    """Librosa's, in double precision, padded so that its centred window falls on our samples."""
    left = (config.n_fft - config.win_length) // 2
    n_frames = 1 + (len(signal) - config.win_length) // config.hop_length
    n_used = config.win_length + (n_frames - 1) * config.hop_length
    right = config.n_fft - config.win_length - left
    spectrum = librosa.stft(
        np.pad(signal[:n_used].astype(np.float64), (left, right)),
        n_fft=config.n_fft,
        hop_length=config.hop_length,
        win_length=config.win_length,
        window="hamming",  # periodic, as librosa asks scipy for it
        center=False,
    )
    weights = librosa.filters.mel(
        sr=config.sample_rate,
        n_fft=config.n_fft,
        n_mels=config.n_mels,
        fmin=config.fmin,
        fmax=config.fmax,
        dtype=np.float64,
    )
    return np.log(weights @ np.abs(spectrum) ** 2 + config.floor).T


# -- framing -------------------------------------------------------------------------


@pytest.mark.parametrize("n_samples", [400, 401, 559, 560, 561, 719, 720, 7919, 16_000, 30_372])
def test_number_of_frames(n_samples):
    frames = log_mel(np.zeros(n_samples, np.float32))
    assert frames.shape == (1 + (n_samples - 400) // 160, 40)
    assert frames.dtype == np.float32


@pytest.mark.parametrize("n_samples", [0, 1, 399])
def test_less_than_one_window_is_refused(n_samples):
    with pytest.raises(FeatureError, match=rf"{n_samples} samples are fewer than one window \(400\)"):
        log_mel(np.zeros(n_samples, np.float32))


@pytest.mark.parametrize("place", [0, 1, 159, 160, 399, 400, 1599, 1600, 1601, 8000, 16_239, 16_240, 16_399])
def test_an_impulse_changes_exactly_the_frames_that_hold_its_sample(place):
    silence = np.zeros(16_400, np.float32)  # 101 frames
    impulse = silence.copy()
    impulse[place] = 0.5
    changed = (log_mel(impulse) != log_mel(silence)).any(axis=1)
    assert changed.tolist() == [160 * t <= place < 160 * t + 400 for t in range(101)]


def test_a_frame_s_bits_do_not_depend_on_how_many_are_computed_together():
    signal = noise(400 + 160 * 200)
    together = bits(log_mel(signal))
    for n_frames in [*range(1, 102), 143, 144, 145, 150, 192, 193]:
        alone = bits(log_mel(signal[: 400 + 160 * (n_frames - 1)]))
        np.testing.assert_array_equal(alone, together[:n_frames])
    for t in range(0, 201, 7):
        np.testing.assert_array_equal(bits(log_mel(signal[160 * t : 160 * t + 400])), together[t : t + 1])
    for t in (1, 30, 48, 100):
        np.testing.assert_array_equal(bits(log_mel(signal[160 * t :])), together[t:])


def test_a_frame_s_bits_do_not_depend_on_the_samples_around_it():
    signal, other = noise(16_000), noise(16_000, seed=1)
    other[160 * 50 : 160 * 50 + 400] = signal[160 * 50 : 160 * 50 + 400]
    np.testing.assert_array_equal(bits(log_mel(other)[50]), bits(log_mel(signal)[50]))


def test_threads_that_compute_at_once_change_no_bit():
    signals = [noise(4000 + 517 * k, seed=k) for k in range(24)]
    expected = [bits(log_mel(signal)) for signal in signals]
    with ThreadPoolExecutor(8) as pool:
        for _ in range(3):
            for found, wanted in zip(pool.map(log_mel, signals), expected, strict=True):
                np.testing.assert_array_equal(bits(found), wanted)


def test_layout_and_precision_of_the_signal_do_not_matter():
    signal = noise(4000)
    expected = bits(log_mel(signal))
    np.testing.assert_array_equal(bits(log_mel(signal.astype(np.float64))), expected)
    np.testing.assert_array_equal(bits(log_mel(np.column_stack([signal, signal])[:, 0])), expected)
    signal.flags.writeable = False
    np.testing.assert_array_equal(bits(log_mel(signal)), expected)


# -- values --------------------------------------------------------------------------


@pytest.mark.parametrize("config", CONFIGS)
def test_mel_weights_are_librosa_s(config):
    expected = librosa.filters.mel(
        sr=config.sample_rate,
        n_fft=config.n_fft,
        n_mels=config.n_mels,
        fmin=config.fmin,
        fmax=config.fmax,
        dtype=np.float64,
    )
    np.testing.assert_allclose(mel_weights(config), expected, rtol=1e-9, atol=1e-15)


@pytest.mark.parametrize("config", CONFIGS)
def test_values_are_librosa_s_on_equivalent_framing(config):
    for seed, level in enumerate([1.0, 1e-3]):
        signal = level * noise(9001, seed=seed)
        np.testing.assert_allclose(log_mel(signal, config), librosa_log_mel(signal, config), atol=5e-5)


@pytest.mark.parametrize("name", REAL)
def test_values_are_librosa_s_on_real_recordings(corpora, name):
    signal = decode(read_bytes(corpora / name))
    np.testing.assert_allclose(log_mel(signal), librosa_log_mel(signal, LogMel()), atol=5e-4)


def test_values_are_those_of_a_slow_transform():
    signal = noise(1200)
    window = [0.54 - 0.46 * np.cos(2 * np.pi * n / 400) for n in range(400)]
    turns = np.exp(-2j * np.pi * np.outer(np.arange(513), np.arange(400)) / 1024)
    weights = librosa.filters.mel(sr=16_000, n_fft=1024, n_mels=40, dtype=np.float64)
    for t, frame in enumerate(log_mel(signal)):
        power = np.abs(turns @ (signal[160 * t : 160 * t + 400] * window)) ** 2
        np.testing.assert_allclose(frame, np.log(weights @ power + 1e-10), atol=5e-5)


def test_silence_is_the_logarithm_of_the_floor():
    for floor in (1e-10, 1e-6, 1e-37):
        silence = log_mel(np.zeros(16_000, np.float32), LogMel(floor=floor))
        np.testing.assert_allclose(silence, np.log(floor), rtol=1e-6)
        assert (silence == silence[0, 0]).all()
    assert log_mel(np.zeros(400, np.float32))[0, 0] == np.float32(np.log(1e-10))


def test_a_constant_has_the_spectrum_of_its_window():
    def dirichlet(omega):  # sum of exp(-i omega n) over the 400 samples
        omega = np.where(np.abs(omega) < 1e-12, 1e-12, omega)
        return (1 - np.exp(-400j * omega)) / (1 - np.exp(-1j * omega))

    omega, cycle = 2 * np.pi * np.arange(513) / 1024, 2 * np.pi / 400
    window = 0.54 * dirichlet(omega) - 0.23 * (dirichlet(omega - cycle) + dirichlet(omega + cycle))
    weights = librosa.filters.mel(sr=16_000, n_fft=1024, n_mels=40, dtype=np.float64)
    expected = np.log(weights @ np.abs(0.25 * window) ** 2 + 1e-10)
    found = log_mel(np.full(2000, 0.25, np.float32))
    np.testing.assert_allclose(found, np.tile(expected, (11, 1)), atol=1e-3)
    np.testing.assert_array_equal(bits(found), np.tile(bits(found[:1]), (11, 1)))


def test_twice_the_amplitude_is_four_times_the_power():
    signal = noise(4000)
    np.testing.assert_allclose(log_mel(2 * signal) - log_mel(signal), np.log(4), atol=1e-5)


@pytest.mark.parametrize("frequency", [250, 440, 1000, 2500, 6000])
def test_a_tone_is_loudest_in_a_band_that_holds_it(frequency):
    tone = (0.5 * np.sin(2 * np.pi * frequency * np.arange(4000) / 16_000)).astype(np.float32)
    edges = librosa.mel_frequencies(42, fmin=0, fmax=8000)
    for band in log_mel(tone).argmax(axis=1):
        assert edges[band] < frequency < edges[band + 2]


# -- configuration -------------------------------------------------------------------


def test_the_defaults_are_the_paper_s():
    config = LogMel()
    assert (config.win_length / config.sample_rate, config.hop_length / config.sample_rate) == (0.025, 0.010)
    assert (config.n_fft, config.n_mels) == (1024, 40)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"sample_rate": 999}, "sample_rate is 999; expected 1000 to 192000 Hz"),
        ({"win_length": 0}, "win_length 0, n_fft 1024: expected 1 <= win_length <= n_fft"),
        ({"win_length": 1025}, "win_length 1025, n_fft 1024"),
        ({"n_fft": 2**21}, "n_fft 2097152"),
        ({"hop_length": 0}, r"hop_length is 0; expected 1 to n_fft \(1024\)"),
        ({"hop_length": 1025}, "hop_length is 1025"),
        ({"n_mels": 0}, "n_mels is 0; expected 1 to 1024"),
        ({"n_mels": 1025}, "n_mels is 1025"),
        ({"fmin": -1.0}, "fmin -1.0, fmax 8000.0"),
        ({"fmin": 8000.0}, "expected 0 <= fmin < fmax <= 8000.0 Hz"),
        ({"fmax": 8001.0}, "fmax 8001.0"),
        ({"fmax": float("nan")}, "fmax nan"),
        ({"floor": 0.0}, "floor is 0.0; expected"),
        ({"floor": 1e-50}, "floor is 1e-50; expected"),
        ({"floor": 1.0}, "floor is 1.0; expected"),
        ({"floor": float("nan")}, "floor is nan; expected"),
    ],
)
def test_impossible_configurations_are_refused(change, message):
    with pytest.raises(FeatureError, match=message):
        LogMel(**change)
