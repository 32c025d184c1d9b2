import math

import numpy as np
import pytest
import scipy
import soundfile

from serprep.testing import STYLES, synthetic_utterance, synthetic_voice, write_synthetic_corpus

RATE = 16_000
SPEAKERS, TEXTS = range(1, 9), range(1, 5)


def level(signal):
    """Root mean square in dB re full scale."""
    return 10 * math.log10(np.mean(np.square(signal, dtype=np.float64)))


def measured_f0(signal, *, lowest, highest):
    """Median F0 in Hz of the clearly periodic 50 ms frames, by autocorrelation."""
    frames = np.lib.stride_tricks.sliding_window_view(signal.astype(np.float64), 800)[::160]
    frames = frames - frames.mean(axis=1, keepdims=True)
    spectra = np.abs(np.fft.rfft(frames, 2048)) ** 2
    overlap = 1 - np.arange(800) / 800  # a lag of n sees 800 - n products
    autocorrelation = np.fft.irfft(spectra)[:, :800] / overlap
    lags = np.arange(int(RATE / highest), int(RATE / lowest) + 1)
    strength = autocorrelation[:, lags] / autocorrelation[:, :1]
    voiced = (strength.max(axis=1) > 0.8) & (autocorrelation[:, 0] > 0.1 * autocorrelation[:, 0].max())
    return float(np.median(RATE / lags[strength[voiced].argmax(axis=1)]))


def test_measured_f0_of_a_pulse_train_is_its_repetition_rate():
    pulses = np.zeros(RATE)
    pulses[::128] = 1.0
    assert measured_f0(pulses, lowest=80, highest=200) == 125.0


@pytest.mark.parametrize("emotion", [*STYLES, "boredom"])
@pytest.mark.parametrize("sample_rate", [8_000, 16_000, 22_050, 48_000])
def test_signal_is_float32_finite_unclipped_and_of_the_promised_duration(emotion, sample_rate):
    for speaker in SPEAKERS:
        signal = synthetic_utterance(speaker=speaker, emotion=emotion, text=speaker, sample_rate=sample_rate)
        assert signal.dtype == np.float32
        assert signal.ndim == 1
        assert np.isfinite(signal).all()
        assert 0.01 < np.abs(signal).max() < 0.95
        assert 0.9 <= len(signal) / sample_rate <= 1.8


def test_same_arguments_give_the_same_bytes_and_any_other_argument_changes_them():
    arguments = {"speaker": 3, "emotion": "sad", "text": 2, "take": 1, "seed": 5}
    signal = synthetic_utterance(**arguments).tobytes()
    assert synthetic_utterance(**arguments).tobytes() == signal
    for change in ({"speaker": 4}, {"emotion": "happy"}, {"text": 3}, {"take": 2}, {"seed": 6}):
        assert synthetic_utterance(**(arguments | change)).tobytes() != signal


@pytest.mark.parametrize("speaker", SPEAKERS)
def test_measured_f0_of_neutral_speech_is_the_voice_s(speaker):
    intended = synthetic_voice(speaker).f0
    base = 115.0 if speaker % 2 else 205.0
    assert abs(12 * math.log2(intended / base)) <= 2
    semitones = [
        12 * math.log2(measured_f0(signal, lowest=intended / 1.8, highest=intended * 1.8) / intended)
        for signal in (synthetic_utterance(speaker=speaker, emotion="neutral", text=t) for t in range(12))
    ]
    # One take deviates by its pitch (0.9) and by which syllables the median falls on (accents: 1.5);
    # twelve takes have a standard error of sqrt(0.9 ** 2 + 1.5 ** 2) / sqrt(12) = 0.5 semitones.
    assert abs(np.mean(semitones)) < 3 * 0.5


def test_emotions_differ_in_level_pitch_tilt_and_duration_as_their_styles_say():
    def means(emotion):
        rows = []
        for speaker in SPEAKERS:
            f0 = synthetic_voice(speaker).f0
            for text in TEXTS:
                signal = synthetic_utterance(speaker=speaker, emotion=emotion, text=text)
                pitch = 12 * math.log2(measured_f0(signal, lowest=f0 / 1.8, highest=f0 * 2.2) / f0)
                frequencies, power = scipy.signal.welch(signal, RATE, nperseg=1024)
                voice = power[(frequencies > 100) & (frequencies < 1000)].sum()
                tilt = 10 * math.log10(power[(frequencies > 1000) & (frequencies < 3000)].sum() / voice)
                rows.append((level(signal), pitch, tilt, len(signal) / RATE))
        return np.mean(rows, axis=0)

    angry, neutral, sad = means("angry"), means("neutral"), means("sad")
    assert angry[0] > neutral[0] + 3
    assert neutral[0] > sad[0] + 3
    assert angry[1] > neutral[1] > sad[1]
    assert angry[2] > neutral[2] > sad[2]
    assert angry[3] < neutral[3] < sad[3]


def test_mean_level_is_the_style_s_scaled_by_mean_expressivity():
    # A style's level is the root mean square of the whole signal, pauses included. Expressivity (0.7 to 1.2)
    # times degree (0.7 to 1.2) has the mean 0.95 ** 2 = 0.9: so far is an average take from neutral.
    neutral, sad = STYLES["neutral"].level, STYLES["sad"].level
    levels = [level(synthetic_utterance(speaker=s, emotion="sad", text=t)) for s in SPEAKERS for t in TEXTS]
    assert np.mean(levels) == pytest.approx(neutral + 0.9 * (sad - neutral), abs=1.5)


def test_voiced_spectrum_has_harmonics_and_valleys_between_them():
    signal = synthetic_utterance(speaker=2, emotion="neutral", text=1)
    loudest = int(np.argmax(np.convolve(signal.astype(np.float64) ** 2, np.ones(800), mode="valid")))
    vowel = signal[loudest : loudest + 800]
    f0 = measured_f0(vowel, lowest=120, highest=350)
    spectrum = 20 * np.log10(np.abs(np.fft.rfft(vowel * np.blackman(800), 8192)))
    orders = np.arange(1, 7)
    harmonics, valleys = (np.rint(k * f0 * 8192 / RATE).astype(int) for k in (orders, orders + 0.5))
    assert np.all(spectrum[harmonics] > spectrum[valleys] + 10)


def test_an_unknown_emotion_has_a_sound_of_its_own():
    boredom, fear = (synthetic_utterance(speaker=1, emotion=emotion) for emotion in ("boredom", "fear"))
    assert boredom.tobytes() != fear.tobytes()


def test_a_rate_too_low_for_formants_is_refused():
    with pytest.raises(ValueError, match="sample_rate 4000: formants need at least 8000 Hz"):
        synthetic_utterance(speaker=1, emotion="sad", sample_rate=4000)


def test_corpus_lies_at_the_documented_paths_and_reads_back(tmp_path):
    written = write_synthetic_corpus(
        tmp_path, n_speakers=2, emotions=("angry", "sad"), n_texts=2, n_takes=2, sample_rate=8_000
    )
    expected = [
        tmp_path / emotion / f"synth0{speaker}_t0{text}_{take}.wav"
        for emotion in ("angry", "sad")
        for speaker in (1, 2)
        for text in (1, 2)
        for take in (1, 2)
    ]
    assert written == expected
    assert sorted(tmp_path.rglob("*.wav")) == sorted(expected)
    info = soundfile.info(expected[-1])
    assert (info.samplerate, info.channels, info.format, info.subtype) == (8_000, 1, "WAV", "PCM_16")
    signal = synthetic_utterance(speaker=2, emotion="sad", text=2, take=2, sample_rate=8_000)
    stored, _ = soundfile.read(expected[-1], dtype="float32")
    np.testing.assert_allclose(stored, signal, rtol=0, atol=1 / 32768)


def test_a_file_does_not_depend_on_what_else_is_written(tmp_path):
    small = write_synthetic_corpus(tmp_path / "small", n_speakers=1, emotions=["sad"], n_texts=1)
    large = write_synthetic_corpus(tmp_path / "large", n_speakers=2, n_texts=2, n_takes=2)
    other = write_synthetic_corpus(tmp_path / "other", n_speakers=1, emotions=["sad"], n_texts=1, seed=1)
    again = tmp_path / "large" / "sad" / "synth01_t01_1.wav"
    assert again in large
    assert again.read_bytes() == small[0].read_bytes()
    assert other[0].read_bytes() != small[0].read_bytes()


def test_readme_says_that_the_recordings_are_synthetic_and_free(tmp_path):
    write_synthetic_corpus(tmp_path, n_speakers=1, emotions=["calm"], n_texts=1, seed=42)
    readme = (tmp_path / "README.txt").read_text(encoding="utf-8")
    for fact in ("SYNTHETIC", "no human voice", "seed 42", "calm", "16000 Hz", "CC0"):
        assert fact in readme
