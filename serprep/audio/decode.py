"""Recordings → guarded signals.

A file is read once: its bytes are hashed, and what is decoded is those bytes.
"""

import hashlib
import io
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from serprep._typing import FloatArray
from serprep.audio.foreign import CONVERT, name_foreign, name_rare
from serprep.audio.guard import guard, refuse_scale
from serprep.audio.headers import header_stream
from serprep.audio.mpeg import first_frame, mpeg_stream
from serprep.audio.ogg import ogg_stream
from serprep.audio.signal import Probe, Signal
from serprep.audio.stream import Stream, skip_tags
from serprep.errors import AudioError, CorpusError, one_line
from serprep.place.corpus import Unreachable, read_file

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

TOLERANCE = 0.001  # s; times in whole milliseconds may be rounded past the end of a file, by less than this

_SEEKABLE = {"WAV", "WAVEX", "RF64", "W64", "FLAC", "AIFF", "AU"}  # formats that seek to the exact sample
_CODECS = ("PCM_", "FLOAT", "DOUBLE", "ULAW", "ALAW", "IMA_ADPCM", "MS_ADPCM")  # if these are in them
_UNKNOWN = 1 << 60  # libsndfile's count of samples for a streamed flac, which leaves its length open
_BLOCK = 1 << 20  # samples read at a time where nobody knows how many there are


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
    try:
        return read_file(path)
    except Unreachable as error:  # no recording's fault: it stops everything
        raise CorpusError(f"{one_line(path)}: {error.strerror}") from None
    except FileNotFoundError:
        dangling = path.is_symlink()
        raise AudioError("dangling link: its target is missing" if dangling else "file is missing") from None
    except IsADirectoryError:
        raise AudioError("a folder, not a recording") from None
    except PermissionError:
        raise AudioError("permission denied: make it readable") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        raise AudioError(reason if "regular file" in reason else f"unreadable: {reason}") from None


def digest_of(data: bytes) -> str:
    """SHA-256 of `data`, hex."""
    return hashlib.sha256(data).hexdigest()


def probe(data: bytes) -> Probe:
    """Duration and rate of an encoded recording.

    Where its header does not say how long it is, it is decoded to its end.

    Raises
    ------
    AudioError
        If no decoder knows it, or it is empty, cut short, or floating point of another scale than 1.
    """
    stream = _stream(data)
    with _open(stream) as file:
        rate = file.samplerate
        if stream.endless:
            n = len(_read_all(file, stream))
        else:
            n = file.frames
            if file.subtype in ("FLOAT", "DOUBLE"):
                for block in file.blocks(_BLOCK, dtype="float32"):
                    refuse_scale(block)
        return Probe(n / rate, rate, _was_other(data, stream, file, n))


def _was_other(data: bytes, stream: Stream, file: soundfile.SoundFile, n: int) -> bool:
    """Whether the decoder alone, which serprep believed before, would take these bytes for something else."""
    if stream.data is data and not stream.endless:
        return False
    try:
        with soundfile.SoundFile(_Bytes(data)) as plain:
            if stream.endless:
                return stream.miscounted or plain.frames < n
            was = plain.subtype, plain.samplerate, plain.channels, plain.frames
            return was != (file.subtype, file.samplerate, file.channels, n)
    except (soundfile.SoundFileError, TypeError, ValueError):
        return False  # it was refused before


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
    samples, rate = read_samples(data, start=start, end=end)
    return guard(samples, rate, config)


def read_samples(data: bytes, *, start: float | None = None, end: float | None = None) -> tuple[FloatArray, int]:
    """Amplitudes as an encoded recording, or an excerpt of it, holds them, and their rate (Hz).

    Returns
    -------
    ndarray, shape (n_samples, n_channels), float32
    int

    Raises
    ------
    AudioError
        As for `decode`.
    """
    stream = _stream(data)
    with _open(stream) as file:
        rate = file.samplerate
        whole = _read_all(file, stream) if stream.endless else None
        n_frames = file.frames if whole is None else len(whole)
        first, last = excerpt(start, end, rate, n_frames)
        if whole is not None:
            return whole[first:last], rate
        try:
            if first and file.format in _SEEKABLE and file.subtype.startswith(_CODECS):
                file.seek(first)
                samples = file.read(last - first, dtype="float32", always_2d=True)
            else:  # others seek to the nearest packet only, or not at all
                samples = file.read(last, dtype="float32", always_2d=True)[first:]
        except (soundfile.SoundFileError, MemoryError) as error:
            raise AudioError(f"damaged: {_reason(error)}") from None
    if len(samples) < last - first:
        raise AudioError(f"truncated: {len(samples)} of {last - first} announced samples are there")
    return samples, rate


def excerpt(start: float | None, end: float | None, rate: int, n_frames: int) -> tuple[int, int]:
    """First sample of an excerpt, and the one behind its last; an end by `TOLERANCE` too late is the file's.

    Raises
    ------
    AudioError
        If there is nothing in it, or it ends later.
    """
    first = 0 if start is None else int(np.floor(start * rate + 0.5))
    last = n_frames if end is None else int(np.floor(end * rate + 0.5))
    last = clip_end(last, rate, n_frames)
    if not 0 <= first < last:
        raise AudioError(f"excerpt {start} to {end} s is empty")
    if last > n_frames:
        raise AudioError(f"excerpt ends at {end} s, the file after {n_frames / rate:.3f} s")
    return first, last


def clip_end(last: int, rate: int, n_frames: int) -> int:
    """The end of an excerpt, in samples: the file's where it is at most `TOLERANCE` behind it."""
    return n_frames if n_frames < last <= n_frames + TOLERANCE * rate else last


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
    with _open(_stream(data)) as file:
        if file.subtype != "PCM_16":
            raise AudioError(f"its samples are {file.subtype}, not 16-bit")
        try:
            samples = file.read(dtype="int16", always_2d=True)
        except (soundfile.SoundFileError, MemoryError) as error:
            raise AudioError(f"damaged: {_reason(error)}") from None
        if len(samples) < file.frames:
            raise AudioError(f"truncated: {len(samples)} of {file.frames} announced samples are there")
        return samples, file.samplerate


def _stream(data: bytes) -> Stream:
    """What the decoder gets, by the first bytes; whatever is wrong with it becomes an AudioError."""
    if not data:
        raise AudioError("file is empty (0 bytes)")
    begin = skip_tags(data)
    if begin and data[begin : begin + 1] != b"\xff":
        data = data[begin:]  # before RIFF and others libsndfile takes the tag's length off their end
    found = header_stream(data)
    if found is not None:
        return found
    if data[:4] == b"OggS":
        return ogg_stream(data)
    if foreign := name_foreign(data):
        raise AudioError(f"not a recording that can be decoded: {foreign}")
    if first_frame(data, skip_tags(data)) is not None:
        return mpeg_stream(data)
    return Stream(data)


class _Bytes(io.BytesIO):
    """Bytes that can be looked for before their beginning, as libsndfile does in damaged files: nothing moves then.

    An error would be printed with its traceback, since it cannot pass through libsndfile.
    """

    def seek(self, offset: int, whence: int = 0, /) -> int:
        try:
            return super().seek(offset, whence)
        except (ValueError, OverflowError):
            return super().tell()


class _Longer(_Bytes):
    """Bytes that seem to be a thousand times as many: libsndfile estimates the length of MPEG audio by their count.

    Its highest bit rate is 56 times its lowest, so that the estimate is above the truth.
    """

    def seek(self, offset: int, whence: int = 0, /) -> int:
        self._at_end = whence == 2
        return super().seek(offset, whence)

    def tell(self) -> int:
        return super().tell() * (1000 if getattr(self, "_at_end", False) else 1)


def _open(stream: Stream) -> soundfile.SoundFile:
    """The opened recording; whatever is wrong with it becomes an AudioError."""
    try:
        file = soundfile.SoundFile((_Longer if stream.n_samples else _Bytes)(stream.data))
    except (soundfile.SoundFileError, TypeError, ValueError) as error:
        reason = _reason(error)
        remedy = f"; {CONVERT}" if reason == "Format not recognised" else ""
        raise AudioError(f"not a recording that can be decoded: {reason}{remedy}") from None
    reason = ""
    if file.frames <= 0:
        reason = "no samples"
    elif not 1_000 <= file.samplerate <= 1_000_000:
        reason = f"its header says {file.samplerate} Hz; expected 1000 to 1000000"
    elif file.frames >= _UNKNOWN:
        reason = "its header does not say how long it is: encode it again, to a file and not to a pipe"
    elif rare := name_rare(file.format):
        reason = f"not a recording that can be decoded: {rare}"
    if reason:
        file.close()
        raise AudioError(reason)
    return file


def _read_all(file: soundfile.SoundFile, stream: Stream) -> FloatArray:
    """All samples that decode, shape (n_samples, n_channels)."""
    blocks: list[FloatArray] = []
    try:
        while len(block := file.read(_BLOCK, dtype="float32", always_2d=True)):
            blocks.append(block)
    except (soundfile.SoundFileError, MemoryError) as error:
        raise AudioError(f"damaged: {_reason(error)}") from None
    samples = np.concatenate(blocks) if blocks else np.zeros((0, file.channels), np.float32)
    if not len(samples):
        raise AudioError("no samples")
    if stream.n_samples and len(samples) != stream.n_samples:
        raise AudioError(f"damaged: {len(samples)} of {stream.n_samples} samples decode")
    return samples


def _reason(error: BaseException) -> str:
    """What libsndfile says, without the address of the buffer it was given."""
    text = str(error)
    return text.rsplit(": ", 1)[-1].strip().rstrip(".") or type(error).__name__
