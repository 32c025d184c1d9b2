"""Excerpts of a long recording: each decoded alone, and one after the other from the same decoder.

    python benchmarks/excerpts.py [MINUTES] [EXCERPTS]

Processor-seconds of one thread; the samples of both ways are compared bit for bit, for every tenth excerpt.
"""

import io
import sys
import time

import numpy as np
import soundfile

from serprep.audio.decode import Decoder, read_samples

RATE, LENGTH = 44_100, 3.0  # Hz, seconds
FORMATS = {"ogg": "OGG", "mp3": "MP3", "flac": "FLAC", "wav": "WAV"}


def main() -> None:
    """Print a row per format."""
    minutes, n = (float(word) for word in (sys.argv[1:] + ["30", "200"][len(sys.argv) - 1 :]))
    sound = speechlike(round(60 * minutes * RATE))
    starts = np.linspace(0, 60 * minutes - LENGTH, int(n)).tolist()
    print(f"{len(starts)} excerpts of {LENGTH:g} s of {minutes:g} minutes, processor-seconds\n")
    print("| format | each alone | one after the other | times |\n| --- | ---: | ---: | ---: |")
    for name, kind in FORMATS.items():
        data = encoded(sound, kind)
        tenth = starts[:: max(1, len(starts) // 20)]
        began = time.process_time()
        alone = [read_samples(data, start=start, end=start + LENGTH)[0] for start in tenth]
        apart = (time.process_time() - began) / len(tenth) * len(starts)
        began = time.process_time()
        with Decoder(data) as decoder:
            together = [decoder.read(start, start + LENGTH) for start in starts]
        spent = time.process_time() - began
        chosen = together[:: max(1, len(starts) // 20)]
        assert all(np.array_equal(a, b) for a, b in zip(alone, chosen, strict=True)), name
        print(f"| {name} | {apart:.2f} (from {len(tenth)}) | {spent:.2f} | {apart / spent:.0f} |", flush=True)


def speechlike(n_samples: int) -> np.ndarray:
    """Noise that comes and goes."""
    loud = np.abs(np.sin(np.arange(n_samples) * (np.pi / RATE)))
    noise = np.random.default_rng(0).standard_normal(n_samples, dtype=np.float32)
    return (0.1 * loud * noise).clip(-0.9, 0.9).astype(np.float32)


def encoded(sound: np.ndarray, kind: str) -> bytes:
    """A recording; written in pieces, since libsndfile's Vorbis takes stack for all at once."""
    file = io.BytesIO()
    with soundfile.SoundFile(file, "w", RATE, 1, format=kind) as written:
        for first in range(0, len(sound), RATE):
            written.write(sound[first : first + RATE])
    return file.getvalue()


if __name__ == "__main__":
    main()
