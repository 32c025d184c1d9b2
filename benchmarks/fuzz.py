"""Mutated recordings, against ffmpeg: nothing but an AudioError, no hang, no other samples than ffmpeg's.

Run as ``python benchmarks/fuzz.py recordings [N [SEED]]``; needs ffmpeg.  N files (5000)
are made of a made-up signal in every format: bytes flipped in the header or anywhere,
parts cut out, doubled or swapped, ends cut, numbers set, tags put before or behind.
Each is read by `probe` and `decode`; what is accepted is decoded by ffmpeg, too, and
both must have the same samples.  Where they do not, the file is kept for looking at.
"""

import io
import struct
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import soundfile

from serprep.audio.decode import probe, read_samples
from serprep.errors import AudioError

RATE = 16_000
SLOW = 5.0  # s; what takes longer counts as a hang
KEEP = Path("/tmp/serprep-fuzz")
FORMS = (
    *((form, "PCM_16") for form in ("WAV", "WAVEX", "RF64", "W64", "AIFF", "AU", "CAF", "NIST", "AVR", "SVX", "FLAC")),
    *((form, "FLOAT") for form in ("WAV", "W64", "AIFF", "AU", "CAF")),
    *(("WAV", codec) for codec in ("PCM_24", "PCM_U8", "ULAW", "ALAW", "IMA_ADPCM", "MS_ADPCM", "GSM610")),
    ("FLAC", "PCM_24"),
    ("OGG", "VORBIS"),
    ("OGG", "OPUS"),
    ("MP3", "MPEG_LAYER_III"),
)
EXACT = 1e-6  # of full scale, that uncompressed samples may differ by
LOSSY = {"MP3": 1e-3, "OGG": 1e-3}


def whole() -> dict[str, bytes]:
    """Name → an encoded signal of 0.4 s."""
    t = np.arange(6400) / RATE
    noise = np.random.default_rng(0).standard_normal(t.size)
    samples = 0.3 * np.sin(2 * np.pi * (140 * t + 400 * t**2)) + 0.01 * noise
    files = {}
    for form, codec in FORMS:
        file = io.BytesIO()
        soundfile.write(file, samples, 8000 if codec == "GSM610" else RATE, format=form, subtype=codec)
        files[f"{form} {codec}"] = file.getvalue()
    first = files["MP3 MPEG_LAYER_III"]
    size = 72 * 1000 * (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)[first[2] >> 4] // RATE
    files["MP3 without a count"] = first[size + (first[2] >> 1 & 1) :]
    return files


def mutated(data: bytes, rng: np.random.Generator) -> bytes:
    """The bytes with one to three things wrong."""
    out = bytearray(data)
    for _ in range(rng.integers(1, 4)):
        kind, n = rng.integers(8), len(out)
        if n < 16:
            break
        at = int(rng.integers(min(n, 100)) if rng.random() < 0.6 else rng.integers(n))
        length = int(rng.integers(1, 1 + n // 4))
        if kind == 0:
            out[at] = int(rng.integers(256))
        elif kind == 1:
            out[at] ^= 1 << int(rng.integers(8))
        elif kind == 2:
            del out[int(rng.integers(n // 8, n)) :]
        elif kind == 3:
            del out[at : at + length]
        elif kind == 4:
            out[at:at] = out[at : at + length]
        elif kind == 5:
            number = int(rng.choice([0, 1, 2**31 - 1, 2**31, 2**32 - 1, n, n // 2]))
            out[at : at + 4] = struct.pack(str(rng.choice(["<I", ">I"])), number)
        elif kind == 6:
            size = int(rng.integers(1, 3000))
            out[:0] = b"ID3\3\0\0\0\0" + bytes((size >> 7 & 127, size & 127)) + bytes(size)
        else:
            out += bytes(rng.integers(0, 256, length, dtype=np.uint8)) if rng.random() < 0.5 else bytes(length)
    return bytes(out)


def cases(n: int, seed: int) -> Iterator[tuple[str, bytes]]:
    """Name of the format and bytes of each mutated recording, the same for one seed."""
    rng = np.random.default_rng(seed)
    wholes = list(whole().items())
    for number in range(n):
        name, data = wholes[number % len(wholes)]
        yield name, mutated(data, rng)


def listen(data: bytes) -> tuple[np.ndarray, int] | str:
    """What serprep makes of a recording: samples and rate, or the reason it refuses it."""
    try:
        probed = probe(data)
        samples, rate = read_samples(data)
        assert (round(probed.duration * rate), probed.sample_rate) == (len(samples), rate), "probe and samples differ"
        return samples, rate
    except AudioError as error:
        assert "\n" not in str(error)
        return str(error)


def by_ffmpeg(data: bytes, n_channels: int, rate: int) -> np.ndarray | None:
    """ffmpeg's samples, shape (n, n_channels); None where it refuses."""
    KEEP.mkdir(exist_ok=True)
    (KEEP / "in").write_bytes(data)
    run = ["ffmpeg", "-v", "error", "-i", KEEP / "in", "-map", "0:a:0", "-f", "f32le", "-c:a", "pcm_f32le"]
    run += ["-ar", str(rate), "-ac", str(n_channels), "-"]
    try:
        done = subprocess.run(run, capture_output=True, timeout=20, check=False)
    except subprocess.TimeoutExpired:
        return None
    samples = np.frombuffer(done.stdout[: len(done.stdout) // (4 * n_channels) * 4 * n_channels], "<f4")
    return samples.reshape(-1, n_channels) if len(samples) else None


def difference(name: str, samples: np.ndarray, other: np.ndarray | None) -> str:
    """How two decodings differ; "" if they do not."""
    if other is None:
        return "ffmpeg refuses"
    if abs(len(samples) - len(other)) > (2400 if name.startswith("OGG") else 0):
        return f"{len(samples)} samples, ffmpeg has {len(other)}"
    n = min(len(samples), len(other))
    far = np.abs(np.nan_to_num(samples[:n]) - np.nan_to_num(other[:n])).max(initial=0)
    limit = LOSSY.get(name.split()[0], 2e-3 if "ADPCM" in name or "GSM" in name else EXACT)
    return f"samples differ by {far:.2g}" if far > limit and "OPUS" not in name else ""


def main(n: int, seed: int) -> int:
    """Counts, and each disagreement."""
    counts: Counter[str] = Counter()
    worst, bad = 0.0, []
    for number, (name, data) in enumerate(cases(n, seed)):
        began = time.monotonic()
        try:
            result = listen(data)
        except Exception as error:  # what must not be
            counts["traceback"] += 1
            bad.append((number, name, f"{type(error).__name__}: {error}", data))
            continue
        seconds = time.monotonic() - began
        worst = max(worst, seconds)
        counts["slow"] += seconds > SLOW
        if isinstance(result, str):
            counts["refused"] += 1
            continue
        why = difference(name, result[0], by_ffmpeg(data, result[0].shape[1], result[1]))
        counts["accepted, as ffmpeg" if not why else "ffmpeg refuses" if "refuses" in why else "other samples"] += 1
        if why:
            bad.append((number, name, why, data))
    print(", ".join(f"{value} {key}" for key, value in sorted(counts.items())), f"slowest {worst:.2f} s")
    KEEP.mkdir(exist_ok=True)
    for number, name, why, data in bad:
        (KEEP / f"{number}").write_bytes(data)
        print(f"{number:5d} {name:24} {why}")
    return int(counts["traceback"] > 0 or counts["slow"] > 0)


if __name__ == "__main__":
    if sys.argv[1:2] != ["recordings"]:
        sys.exit(__doc__)
    sys.exit(main(int((sys.argv[2:3] or ["5000"])[0]), int((sys.argv[3:4] or ["0"])[0])))
