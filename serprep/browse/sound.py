"""The recording of an utterance, by the utterance's number.

Nothing outside the folder of the recordings is read: a path is resolved with its links first.
What is handed out is a WAV of the samples, never a file's bytes: what is no recording cannot be had.
"""

import io
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import soundfile

from serprep._typing import FloatArray
from serprep.audio.decode import digest_of, read_bytes, read_samples
from serprep.browse.subject import Subject
from serprep.errors import AudioError

LONGEST = 600.0  # s that are played of one utterance
LOUDNESS = 0.05  # root mean square to which recordings are matched, -26 dB
N_PEAKS = 800  # of the waveform


@dataclass(frozen=True)
class Sound:
    """Samples of an utterance, as its recording holds them."""

    samples: FloatArray  # (n_samples, n_channels)
    sample_rate: int

    @property
    def seconds(self) -> float:
        """How long it is."""
        return len(self.samples) / self.sample_rate

    def peaks(self) -> list[float]:
        """The largest amplitude of each of `N_PEAKS` pieces, or of fewer, with its sign."""
        mono = self.samples.mean(axis=1)
        pieces = np.array_split(mono, min(N_PEAKS, len(mono)))
        return [round(float(piece[np.abs(piece).argmax()]), 4) for piece in pieces]

    def wav(self, *, matched: bool = False) -> bytes:
        """A WAV file of 16 bits; `matched`: as loud as others, but never clipped."""
        samples = self.samples
        if matched:
            loudness, peak = np.sqrt(np.mean(np.square(samples, dtype=np.float64))), np.abs(samples).max()
            samples = samples * np.float32(min(LOUDNESS / max(loudness, 1e-9), 0.99 / max(peak, 1e-9)))
        file = io.BytesIO()
        soundfile.write(file, samples, self.sample_rate, format="WAV", subtype="PCM_16")
        return file.getvalue()


def sound_of(subject: Subject, number: int) -> Sound:
    """The sound of an utterance.

    Raises
    ------
    AudioError
        If there is none to play; the message says why.
    """
    if subject.audio is None:
        raise AudioError("no recordings are given; name their folder with --audio ROOT")
    store = subject.store
    digest, start, end = "", None, None
    if number < len(store):
        path, digest = store.column("path")[number], store.column("audio_digest")[number]
        start, end = (_seconds(store.column(name)[number]) for name in ("start", "end"))
        duration = _seconds(store.column("duration")[number]) or 0.0
        if duration > LONGEST:
            end = (start or 0.0) + LONGEST
    else:
        path = subject.quarantined[number - len(store)].path
    data = read_bytes(_inside(subject.audio, path))
    if digest and digest_of(data) != digest:
        raise AudioError("the recording is not the one that the store was built from (other SHA-256)")
    samples, rate = read_samples(data, start=start, end=end)
    return Sound(samples, rate)


def _inside(root: Path, path: str) -> Path:
    """A path below a folder, links followed.

    Raises
    ------
    AudioError
        If it is not below it.
    """
    try:
        folder, place = root.resolve(), (root / path).resolve()
    except (OSError, ValueError, RuntimeError) as error:
        raise AudioError(f"its path cannot be followed: {getattr(error, 'strerror', None) or error}") from None
    if not place.is_relative_to(folder):
        raise AudioError("its path leads out of the folder of the recordings; name the folder where they really lie")
    return place


def _seconds(value: float | None) -> float | None:
    return None if value is None or value != value else float(value)
