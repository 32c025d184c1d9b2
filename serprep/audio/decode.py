"""Recordings → guarded signals.

A file is read once: its bytes are hashed, and what is decoded is those bytes.
"""

import hashlib
import io
import os
import stat
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from serprep._typing import FloatArray
from serprep.audio.guard import guard
from serprep.audio.headers import UNKNOWN, missing_bytes
from serprep.audio.signal import Signal
from serprep.errors import AudioError, CorpusError, one_line
from serprep.remote import UrlPath

SUFFIXES = (".wav", ".flac", ".ogg", ".mp3")  # what readers look for; decoding goes by content
OTHER_SUFFIXES = (
    ".aac",
    ".aif",
    ".aiff",
    ".amr",
    ".au",
    ".caf",
    ".m4a",
    ".mp4",
    ".oga",
    ".opus",
    ".sph",
    ".webm",
    ".wma",
)

SEEKABLE = {"WAV", "WAVEX", "RF64", "W64", "FLAC", "AIFF", "AU"}  # formats that seek to the exact sample


def read_bytes(path: Path) -> bytes:
    """The bytes of a regular file.

    Raises
    ------
    AudioError
        If there is no readable regular file at `path`; pipes and devices, which
        could block for ever, are not opened.
    CorpusError
        If an object store does not answer.
    """
    if isinstance(path, UrlPath):
        return _read_object(path)
    try:
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0))
        try:  # os.fdopen refuses a folder and leaves its descriptor open
            mode = os.fstat(descriptor).st_mode
            if not stat.S_ISREG(mode):
                raise AudioError("a folder, not a recording" if stat.S_ISDIR(mode) else "not a regular file")
            with os.fdopen(descriptor, "rb", closefd=False) as file:
                return file.read()
        finally:
            os.close(descriptor)
    except AudioError:  # a ValueError too
        raise
    except FileNotFoundError:
        dangling = Path(path).is_symlink()
        raise AudioError("dangling link: its target is missing" if dangling else "file is missing") from None
    except IsADirectoryError:
        raise AudioError("a folder, not a recording") from None
    except PermissionError:
        raise AudioError("permission denied: make it readable") from None
    except (OSError, ValueError) as error:
        raise AudioError(f"unreadable: {getattr(error, 'strerror', None) or error}") from None


def _read_object(path: UrlPath) -> bytes:
    """An object's bytes; a bucket that does not answer is no recording's fault and stops everything."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        raise AudioError("file is missing") from None
    except PermissionError:
        raise AudioError("access denied: let these credentials read it") from None
    except OSError as error:
        raise CorpusError(f"{one_line(path)}: {error.strerror}") from None


def digest_of(data: bytes) -> str:
    """SHA-256 of `data`, hex."""
    return hashlib.sha256(data).hexdigest()


def probe(data: bytes) -> tuple[float, int]:
    """Duration (seconds) and rate (Hz) of an encoded recording, from its header.

    Raises
    ------
    AudioError
        If no decoder knows it, or it is empty or cut short.
    """
    with _open(data) as file:
        return file.frames / file.samplerate, file.samplerate


def decode(
    data: bytes, *, start: float | None = None, end: float | None = None, config: Signal | None = None
) -> FloatArray:
    """The guarded signal of an encoded recording, or of an excerpt of it.

    An excerpt is cut at the file's own rate, samples
    ``[floor(start * rate + 0.5), floor(end * rate + 0.5))``, and then treated as
    a file of its own.

    Parameters
    ----------
    data : bytes
        A wav, flac, ogg or mp3 file; any rate, channel count and bit depth.
    start, end : float or None
        Seconds; None is the file's start or end.
    config : Signal

    Returns
    -------
    ndarray, shape (n_samples,), float32
        Amplitudes in [-1, 32767/32768] at ``config.sample_rate``.

    Raises
    ------
    AudioError
        If the recording cannot be decoded, is cut short, has no samples, or
        holds NaN or infinity.
    """
    config = config or Signal()
    with _open(data) as file:
        rate = file.samplerate
        first = 0 if start is None else int(np.floor(start * rate + 0.5))
        last = file.frames if end is None else int(np.floor(end * rate + 0.5))
        if not 0 <= first < last:
            raise AudioError(f"excerpt {start} to {end} s is empty")
        if last > file.frames:
            raise AudioError(f"excerpt ends at {end} s, the file after {file.frames / rate:.3f} s")
        try:
            if first and file.format in SEEKABLE:
                file.seek(first)
                samples = file.read(last - first, dtype="float32", always_2d=True)
            else:  # compressed formats seek to the nearest packet only
                samples = file.read(last, dtype="float32", always_2d=True)[first:]
        except (soundfile.SoundFileError, MemoryError) as error:
            raise AudioError(f"damaged: {_reason(error)}") from None
    if len(samples) < last - first:
        raise AudioError(f"truncated: {len(samples)} of {last - first} announced samples are there")
    return guard(samples, rate, config)


def decode_int16(data: bytes) -> tuple[NDArray[np.int16], int]:
    """The very samples of a 16-bit recording, and its rate (Hz).

    Returns
    -------
    ndarray, shape (n_samples, n_channels), int16
    int

    Raises
    ------
    AudioError
        If the recording cannot be decoded, is cut short, or does not hold 16-bit samples.
    """
    with _open(data) as file:
        if file.subtype != "PCM_16":
            raise AudioError(f"its samples are {file.subtype}, not 16-bit")
        try:
            samples = file.read(dtype="int16", always_2d=True)
        except (soundfile.SoundFileError, MemoryError) as error:
            raise AudioError(f"damaged: {_reason(error)}") from None
        if len(samples) < file.frames:
            raise AudioError(f"truncated: {len(samples)} of {file.frames} announced samples are there")
        return samples, file.samplerate


def _open(data: bytes) -> soundfile.SoundFile:
    """The opened recording; whatever is wrong with it becomes an AudioError."""
    if not data:
        raise AudioError("file is empty (0 bytes)")
    missing = missing_bytes(data)
    if missing:
        raise AudioError(f"truncated: the wav header announces {missing} bytes more than the file has")
    try:
        file = soundfile.SoundFile(io.BytesIO(data))
    except (soundfile.SoundFileError, TypeError, ValueError) as error:
        raise AudioError(f"not a recording that can be decoded: {_reason(error)}") from None
    if file.frames <= 0:
        file.close()
        raise AudioError("no samples")
    if not 1_000 <= file.samplerate <= 1_000_000:
        rate = file.samplerate
        file.close()
        raise AudioError(f"its header says {rate} Hz; expected 1000 to 1000000")
    if file.frames >= UNKNOWN:
        file.close()
        raise AudioError("its header does not say how long it is: encode it again, to a file and not to a pipe")
    return file


def _reason(error: BaseException) -> str:
    """What libsndfile says, without the address of the buffer it was given."""
    text = str(error)
    return text.rsplit(": ", 1)[-1].strip().rstrip(".") or type(error).__name__
