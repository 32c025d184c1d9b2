"""Recordings → players inside a page: the sound itself, as Ogg Opus, a few kilobytes a second."""

import base64
import io
from pathlib import Path

import numpy as np
from markupsafe import Markup

from serprep._typing import FloatArray
from serprep.audio.decode import decode, digest_of, read_bytes
from serprep.errors import AudioError
from serprep.pages import escaped
from serprep.utterance import Utterance

RATE = 16_000  # Hz, of what the features saw
LONGEST = 20.0  # seconds


def player(utterance: Utterance, root: Path) -> Markup:
    """A player of an utterance; nothing where its recording is not there or is another one now."""
    if ".." in Path(utterance.path).parts or Path(utterance.path).is_absolute():
        return Markup("")
    try:
        recording = read_bytes(root / utterance.path)
        if utterance.audio_digest not in ("", digest_of(recording)):
            return Markup("")
        signal = decode(recording, start=utterance.start, end=utterance.end)
    except AudioError:
        return Markup("")
    data = base64.b64encode(opus(signal)).decode()
    return Markup('<audio controls preload="none" aria-label="{}" src="data:audio/ogg;base64,{}"></audio>').format(
        escaped(f"play {utterance.id}"), data
    )


def opus(signal: FloatArray) -> bytes:
    """A guarded 16 kHz signal as a file, its first `LONGEST` seconds."""
    import soundfile

    file = io.BytesIO()
    samples = np.asarray(signal[: int(LONGEST * RATE)], np.float32)
    soundfile.write(file, samples, RATE, format="OGG", subtype="OPUS")
    return file.getvalue()
