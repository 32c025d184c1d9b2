import io
from dataclasses import replace

import numpy as np
import pytest
import soundfile

from serprep.browse.sound import LOUDNESS, N_PEAKS, Sound, sound_of
from serprep.errors import AudioError, CorpusError
from serprep.pipeline.gather import Quarantined


def test_the_sound_of_an_utterance_is_its_recording(subject):
    number = subject.store.ids.index("plain")
    sound = sound_of(subject, number)
    expected, rate = soundfile.read(subject.audio / subject.store.column("path")[number], always_2d=True)
    assert rate == sound.sample_rate and np.allclose(sound.samples, expected)
    assert sound.seconds == 0.6 and len(sound.peaks()) == N_PEAKS
    assert max(map(abs, sound.peaks())) == pytest.approx(np.abs(expected).max(), abs=1e-4)
    again, _ = soundfile.read(io.BytesIO(sound.wav()), always_2d=True)
    assert np.allclose(again, expected, atol=1 / 32768)


@pytest.mark.parametrize(("amplitude", "loudness"), [(0.001, LOUDNESS), (0.5, LOUDNESS), (0.0, 0.0)])
def test_matched_recordings_are_as_loud_as_one_another(amplitude, loudness):
    sine = amplitude * np.sin(np.arange(16_000) / 10)[:, None].astype(np.float32)
    matched, _ = soundfile.read(io.BytesIO(Sound(sine, 16_000).wav(matched=True)))
    assert np.sqrt(np.mean(matched**2)) == pytest.approx(loudness, rel=0.01)


def test_matching_never_clips():
    click = np.zeros((16_000, 1), np.float32)
    click[100] = 0.5
    matched, _ = soundfile.read(io.BytesIO(Sound(click, 16_000).wav(matched=True)))
    assert np.abs(matched).max() == pytest.approx(0.99, abs=1e-3)


@pytest.mark.parametrize("path", ["../secret.wav", "/etc/passwd", "link.wav", "folder/../../secret.wav", "a\0b"])
def test_nothing_outside_the_folder_is_read(subject, tmp_path, path):
    root = tmp_path / "root"
    root.mkdir()
    soundfile.write(tmp_path / "secret.wav", np.zeros(100), 16_000)
    (root / "link.wav").symlink_to(tmp_path / "secret.wav")
    entry = Quarantined(id="x", path=path, reason="")
    forged = replace(subject, audio=root, quarantined=(entry,))
    with pytest.raises(AudioError, match=r"leads out of the folder|cannot be followed"):
        sound_of(forged, len(subject.store))


def test_why_there_is_no_sound_is_said(subject, tmp_path):
    with pytest.raises(AudioError, match="name their folder with --audio ROOT"):
        sound_of(replace(subject, audio=None), 0)
    with pytest.raises(AudioError, match="file is missing"):
        sound_of(replace(subject, audio=tmp_path), 0)
    soundfile.write(tmp_path / subject.store.column("path")[0], np.zeros(100), 16_000)
    with pytest.raises(AudioError, match="not the one that the store was built from"):
        sound_of(replace(subject, audio=tmp_path), 0)
    with pytest.raises(CorpusError, match="no such folder; expected the root"):
        replace(subject, audio=tmp_path / "none")
