"""Recordings → guarded signals.

A signal is mono, 16 kHz (or the configured rate), float32, finite and within
[-1, 32767/32768].  The upper bound is openSMILE's: its Python wrapper multiplies
by 32768 and casts to int16 without clipping, so a sample at +1.0 would wrap to
-32768 and move a sixth of the functionals.

A file is read once: its bytes are hashed, and what is decoded is those bytes.
"""

import hashlib
import io
import os
import stat
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import soundfile
import soxr
from numpy.typing import NDArray

from serprep._typing import FloatArray
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
PEAK = np.float32(32767 / 32768)  # largest amplitude that int16 can hold
SEEKABLE = {"WAV", "WAVEX", "RF64", "W64", "FLAC", "AIFF", "AU"}  # formats that seek to the exact sample

_ENDLESS = 0x7FFF_0000  # streamed wavs announce 2 or 4 GiB because their length was not known
_UNKNOWN = 1 << 60  # libsndfile's count of samples for a streamed flac, which leaves its length open
_LARGEST = np.float32(1e30)  # the mean of channels and the resampler overflow beyond


@dataclass(frozen=True, kw_only=True)
class Signal:
    """How a recording becomes samples.  Part of cache keys and versions."""

    sample_rate: int = 16_000  # Hz
    resampler: str = "soxr-HQ"

    def __post_init__(self) -> None:
        if not 1_000 <= self.sample_rate <= 192_000:
            raise AudioError(f"sample_rate is {self.sample_rate}; expected 1000 to 192000 Hz")
        if self.resampler != "soxr-HQ":
            raise AudioError(f"resampler is {self.resampler!r}; the only one is 'soxr-HQ'")


@dataclass(frozen=True)
class Recording:
    """What the header of a file says, and the digest of its bytes."""

    duration: float  # seconds
    sample_rate: int  # Hz
    digest: str  # SHA-256 of the file's bytes, hex


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


def guard(samples: FloatArray, rate: int, config: Signal | None = None) -> FloatArray:
    """Samples of any rate and channel count → a guarded signal.

    Parameters
    ----------
    samples : ndarray, shape (n_samples,) or (n_samples, n_channels)
        Amplitudes: floating point with full scale 1, or integers with the full scale of their type.
    rate : int
        Hz.
    config : Signal

    Returns
    -------
    ndarray, shape (n_samples,), float32

    Raises
    ------
    AudioError
        If a sample is NaN or infinite, or there is none, or the rate is impossible.

    Examples
    --------
    >>> guard(np.array([0.0, 1.0, -2.0], np.float32), 16_000).tolist()
    [0.0, 0.999969482421875, -1.0]
    >>> guard(np.array([0, 16384, -32768], np.int16), 16_000).tolist()
    [0.0, 0.5, -1.0]
    """
    config = config or Signal()
    samples = _amplitudes(np.asarray(samples))
    if not 1_000 <= rate <= 1_000_000:
        raise AudioError(f"the sample rate is {rate} Hz; expected 1000 to 1000000")
    if samples.size == 0:
        raise AudioError("no samples")
    if samples.ndim > 2 or samples.ndim < 1:
        raise AudioError(f"samples have the shape {samples.shape}; expected (n_samples,) or (n_samples, n_channels)")
    usable = np.abs(samples) < _LARGEST  # false for NaN as well
    if not usable.all():
        n_bad = int(samples.size - np.count_nonzero(usable))
        raise AudioError(f"{n_bad} of {samples.size} samples are NaN or infinite (or beyond {_LARGEST:.0e})")
    if samples.ndim == 2:
        samples = samples[:, 0] if samples.shape[1] == 1 else samples.mean(axis=1, dtype=np.float32)
    if rate != config.sample_rate:
        samples = soxr.resample(samples, rate, config.sample_rate, "HQ")
        if len(samples) == 0:
            raise AudioError("no samples are left after resampling")
    return np.ascontiguousarray(np.clip(samples, np.float32(-1), PEAK))


def _amplitudes(samples: NDArray[Any]) -> FloatArray:
    """Samples as float32; those of integers by the full scale of their type."""
    if np.issubdtype(samples.dtype, np.integer):
        if samples.dtype.itemsize > 4:  # what lists of whole numbers become: their full scale could be any
            raise AudioError(f"samples are {samples.dtype}; expected int16, int32 or uint8, or full scale 1")
        half = float(1 << (8 * samples.dtype.itemsize - 1))
        middle = half if np.issubdtype(samples.dtype, np.unsignedinteger) else 0.0
        return ((samples.astype(np.float64) - middle) / half).astype(np.float32)
    if not np.issubdtype(samples.dtype, np.floating):
        raise AudioError(f"samples are {samples.dtype}; expected floating point or integers")
    return samples.astype(np.float32, copy=False)


def _open(data: bytes) -> soundfile.SoundFile:
    """The opened recording; whatever is wrong with it becomes an AudioError."""
    if not data:
        raise AudioError("file is empty (0 bytes)")
    missing = _missing_bytes(data)
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
    if file.frames >= _UNKNOWN:
        file.close()
        raise AudioError("its header does not say how long it is: encode it again, to a file and not to a pipe")
    return file


def _missing_bytes(data: bytes) -> int:
    """How many bytes of sound a RIFF header announces that the file does not have."""
    if data[:4] != b"RIFF" or data[8:12] != b"WAVE":
        return 0
    place = 12
    while place + 8 <= len(data):
        name, size = data[place : place + 4], struct.unpack_from("<I", data, place + 4)[0]
        if name == b"data":
            return 0 if size >= _ENDLESS else max(0, place + 8 + size - len(data))
        place += 8 + size + size % 2
    return 0


def _reason(error: BaseException) -> str:
    """What libsndfile says, without the address of the buffer it was given."""
    text = str(error)
    return text.rsplit(": ", 1)[-1].strip().rstrip(".") or type(error).__name__
