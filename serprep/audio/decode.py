"""Recordings → guarded signals.

A file is read once: its bytes are hashed, and what is decoded is those bytes.
"""

import hashlib
import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import soundfile
from numpy.typing import NDArray

from serprep._typing import FloatArray
from serprep.audio.flac import refuse_miscount
from serprep.audio.foreign import CONVERT, name_foreign, name_rare
from serprep.audio.guard import BLOCK, Guard, refuse_peak
from serprep.audio.headers import header_stream
from serprep.audio.levels import Levels
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
_BLOCK = 1 << 20  # samples read at a time where nobody knows how many there are: it is part of the bits of MP3
_HELD = 1 << 22  # samples held of a recording that is decoded to know how long it is


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
    with Decoder(data) as decoder:
        file, rate = decoder.file, decoder.sample_rate
        if file.subtype in ("FLOAT", "DOUBLE"):
            peaks = [0.0]
            while len(block := decoder.block(_BLOCK)):
                peaks.append(float(np.abs(block).max()))
            refuse_peak(max(peaks))
        n = decoder.n_samples
        return Probe(n / rate, rate, _was_other(data, decoder.stream, file, n))


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
    with Decoder(data) as decoder:
        return decoder.guarded(start, end, config)


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
    with Decoder(data) as decoder:
        return decoder.read(start, end), decoder.sample_rate


class Decoder:
    """An encoded recording from which excerpts are read: in the order of their starts, each sample is decoded once.

    Excerpts in any order have the same samples; going back decodes again from the beginning.

    Parameters
    ----------
    data : bytes
        As for `decode`.

    Raises
    ------
    AudioError
        As for `decode`.
    """

    def __init__(self, data: bytes) -> None:
        self.stream = _stream(data)
        self.file = _open(self.stream)
        self.sample_rate: int = self.file.samplerate  # Hz
        self.n_samples: int = self.file.frames
        self._seeks = self.file.format in _SEEKABLE and self.file.subtype.startswith(_CODECS)
        self._begin = self._position = 0  # the sample at which what is held begins, and the file is
        self._held: FloatArray = np.zeros((0, self.file.channels), np.float32)
        if self.stream.endless:
            self._count()

    def __enter__(self) -> "Decoder":
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Let the samples and bytes go."""
        self.file.close()
        self._held = self._held[:0]

    def read(self, start: float | None = None, end: float | None = None) -> FloatArray:
        """Amplitudes of an excerpt, shape (n_samples, n_channels), float32."""
        first, last = excerpt(start, end, self.sample_rate, self.n_samples)
        return next(self._blocks(first, last, last - first))

    def guarded(
        self,
        start: float | None = None,
        end: float | None = None,
        config: Signal | None = None,
        *,
        levels: Levels | None = None,
    ) -> FloatArray:
        """The guarded signal of an excerpt; a long one is decoded by blocks, which `levels` hears too."""
        first, last = excerpt(start, end, self.sample_rate, self.n_samples)
        guarding = Guard(last - first, self.sample_rate, config)
        for block in self._blocks(first, last, BLOCK):
            if guarding.add(block) and levels is not None:
                levels.add(block)
        return guarding.signal()

    def _blocks(self, first: int, last: int, size: int) -> Iterator[FloatArray]:
        """Samples `first` to `last`, so many at a time."""
        read = self._sought if self._seeks else self._passed
        for begin in range(first, last, size):
            end = min(begin + size, last)
            try:
                samples = read(begin, end)
            except (soundfile.SoundFileError, MemoryError) as error:
                self._reopen()
                if isinstance(error, MemoryError) and end - begin <= BLOCK:
                    raise  # so little is there whatever a header announces: the machine lacks it
                raise AudioError(f"damaged: {_reason(error)}") from None
            if len(samples) < end - begin:
                self._reopen()
                n = begin - first + len(samples)
                raise AudioError(f"truncated: {n} of {last - first} announced samples are there")
            yield samples

    def _sought(self, first: int, last: int) -> FloatArray:
        if first != self.file.tell():
            self.file.seek(first)
        return self.block(last - first)

    def _passed(self, first: int, last: int) -> FloatArray:
        """The same where decoders seek to the nearest packet only, or not at all; what follows `first` is held."""
        if first < self._begin:
            self._reopen()
        while True:
            passed = min(first - self._begin, len(self._held))
            self._begin, self._held = self._begin + passed, self._held[passed:]
            if (there := self._begin + len(self._held)) >= last:
                return self._held[: last - first]
            block = self.block(min(_BLOCK, first - there) if there < first else last - there)
            if not len(block):
                return self._held if there > first else self._held[:0]
            self._held = np.concatenate([self._held, block]) if len(self._held) else block

    def block(self, n_samples: int) -> FloatArray:
        """The next samples, at most so many; where the end is not known, as many as always."""
        n_samples = _BLOCK if self.stream.endless else n_samples
        block: FloatArray = self.file.read(n_samples, dtype="float32", always_2d=True)
        if self.stream.endless:  # which changes last bits: so it was, when python-soundfile did it
            self._position += len(block)
            self.file.seek(self._position)
        return block

    def _reopen(self) -> None:
        self.file.close()
        self.file = _open(self.stream)
        self._begin, self._position, self._held = 0, 0, self._held[:0]

    def _count(self) -> None:
        """Decode to the end of a recording whose header does not say how long it is; a short one is held."""
        blocks: list[FloatArray] = []
        n = 0
        try:
            while len(block := self.block(_BLOCK)):
                n += len(block)
                if n <= _HELD:
                    blocks.append(block)
                else:
                    blocks.clear()
        except soundfile.SoundFileError as error:
            raise AudioError(f"damaged: {_reason(error)}") from None
        if not n:
            raise AudioError("no samples")
        if self.stream.n_samples and n != self.stream.n_samples:
            raise AudioError(f"damaged: {n} of {self.stream.n_samples} samples decode")
        self.n_samples = n
        if blocks:
            self._held = np.concatenate(blocks)
        else:
            self._reopen()


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
        raise AudioError(f"excerpt {start} to {end} s is empty; expected a start before its end, both within the file")
    if last > n_frames:
        raise AudioError(
            f"excerpt ends at {end} s, the file after {n_frames / rate:.3f} s; give it an end within the file"
        )
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
            samples = file.read(file.frames, dtype="int16", always_2d=True)
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
    stream = header_stream(data)
    if stream is not None:
        return stream
    if data[:4] == b"fLaC":  # by chance some of its bytes look like frames of MPEG audio
        refuse_miscount(data)
        return Stream(data)
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


class _File(soundfile.SoundFile):  # type: ignore[misc]
    """A recording that is read on from where it is: python-soundfile seeks after every read, and changes MP3's bits."""

    def seekable(self) -> bool:
        return False


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
        file = _File((_Longer if stream.n_samples else _Bytes)(stream.data))
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


def _reason(error: BaseException) -> str:
    """What libsndfile says, without the address of the buffer it was given."""
    text = str(error)
    return text.rsplit(": ", 1)[-1].strip().rstrip(".") or type(error).__name__
