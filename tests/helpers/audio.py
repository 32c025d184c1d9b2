"""Signals, and recordings written without libsndfile."""

import wave

import numpy as np

from serprep.audio.decode import decode, read_bytes

RATE = 16_000


def load(path, **excerpt):
    return decode(read_bytes(path), **excerpt)


def tone(frequency, *, rate=RATE, seconds=0.5, amplitude=0.5):
    return amplitude * np.sin(2 * np.pi * frequency * np.arange(round(seconds * rate)) / rate)


def noise(n_samples, *, n_channels=1, seed=0):
    return np.random.default_rng(seed).uniform(-0.5, 0.5, (n_samples, n_channels)).astype(np.float32)


def write_codes(path, codes, *, bits, rate=RATE, n_channels=1):
    """A wav of these integers, written without libsndfile; wav stores 8 bits with an offset."""
    codes = np.asarray(codes)
    if bits == 8:
        data = (codes + 128).astype(np.uint8).tobytes()
    else:
        data = b"".join(int(code).to_bytes(bits // 8, "little", signed=True) for code in codes.ravel())
    with wave.open(str(path), "wb") as file:
        file.setparams((n_channels, bits // 8, rate, 0, "NONE", ""))
        file.writeframes(data)
