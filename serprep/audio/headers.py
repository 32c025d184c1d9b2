"""What the headers of uncompressed recordings announce, held against the bytes that are there.

RIFF, RIFX, RF64, BW64, W64, AIFF, AIFC, IFF (8SVX, 16SV), AU, AVR, CAF and NIST SPHERE.
A header's count is a claim: where it announces more than is there the recording is cut,
where it announces nothing (streams) all that is there is taken.
"""

import re
import struct
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from serprep.audio.mpeg import mpeg_stream
from serprep.audio.stream import Stream, refuse_cut
from serprep.errors import AudioError

ENDLESS = 0x7FFF_0000  # streamed files announce 2 or 4 GiB because their length was not known
_W64 = b"riff.\x91\xcf\x11\xa5\xd6(\xdb\x04\xc1\0\0"
_PCM, _FLOAT, _EXTENSIBLE = 1, 3, 0xFFFE  # WAVE_FORMAT_…
_MPEG = (0x50, 0x55)
_STRAY = 4096  # bytes behind the sound that are no chunk and may be anybody's


@dataclass(frozen=True)
class Chunk:
    """A part of a file, with a name of its own."""

    name: bytes
    begin: int  # of its content
    size: int  # as announced


def chunks_of(data: bytes, place: int, *, order: Literal["<", ">"] = "<") -> list[Chunk]:
    """The chunks from `place` on, as RIFF and IFF lay them; the last may announce more than is there."""
    chunks = []
    while place + 8 <= len(data):
        name, size = data[place : place + 4], struct.unpack_from(f"{order}I", data, place + 4)[0]
        chunks.append(Chunk(name, place + 8, size))
        place += 8 + size + size % 2
    return chunks


def header_stream(data: bytes) -> Stream | None:
    """The recording, mended where that is needed; None if it has none of these headers.

    Raises
    ------
    AudioError
        If more is announced than is there.
    """
    if data[:4] in (b"RIFF", b"RIFX", b"RF64", b"BW64") and data[8:12] == b"WAVE":
        return _riff(data)
    if data[:16] == _W64:
        return _w64(data)
    if data[:4] == b"FORM" and data[8:12] in (b"AIFF", b"AIFC", b"8SVX", b"16SV"):
        return _iff(data)
    return next((read(data) for magic, read in _READERS.items() if data.startswith(magic)), None)


# -- RIFF and its relatives ------------------------------------------------------------


def _riff(data: bytes) -> Stream:
    big = data[:4] == b"RIFX"
    if data[:4] == b"BW64":  # what EBU Tech 3306 calls RF64, ITU-R BS.2088 calls BW64
        data = b"RF64" + data[4:]
    order: Literal["<", ">"] = ">" if big else "<"
    wide, fmt = 0, b""
    for chunk in chunks_of(data, 12, order=order):
        if chunk.name == b"ds64":
            wide = struct.unpack_from("<Q", data.ljust(chunk.begin + 16, b"\0"), chunk.begin + 8)[0]
        elif chunk.name == b"fmt ":
            fmt = data[chunk.begin : chunk.begin + chunk.size]
        elif chunk.name == b"data":
            size, there = chunk.size, len(data) - chunk.begin
            if data[:4] == b"RF64" and size == 0xFFFF_FFFF:
                size = wide if 0 < wide < 1 << 63 else ENDLESS
                unknown = size == ENDLESS and wide in (0, (1 << 64) - 1)
            else:
                unknown = size >= ENDLESS
            if size == 0 and there and not _is_chunk(data, chunk.begin, order):
                unknown = True
            if unknown:
                size = there
            refuse_cut(size, there)
            _refuse_stray(data, chunk.begin + size, size, order)
            sound = data[chunk.begin : chunk.begin + size]
            silent_size = unknown and (chunk.size == 0 or data[:4] == b"RF64")  # libsndfile finds no samples then
            return _wave(data, fmt, sound, order, mend=silent_size)
    return Stream(data)


def _is_chunk(data: bytes, place: int, order: str) -> bool:
    """Whether a chunk begins at `place` that the file has room for."""
    head = data[place : place + 8]
    if len(head) < 8 or not all(32 <= byte < 127 for byte in head[:4]):
        return False
    return place + 8 + int(struct.unpack(f"{order}I", head[4:])[0]) <= len(data) + 1


def _refuse_stray(data: bytes, end: int, size: int, order: str) -> None:
    """Raise if much lies behind the sound that is neither a chunk, nor a tag, nor zeros: then the size is wrong."""
    stray = data[end + size % 2 :]
    if len(stray) <= max(_STRAY, size // 10) or any(_is_chunk(data, place, order) for place in (end, end + size % 2)):
        return
    if stray[:3] in (b"ID3", b"TAG") or stray[:8] == b"APETAGEX" or not stray.strip(b"\0"):
        return
    raise AudioError(
        f"its header announces {size} bytes of sound, and {len(stray)} more lie behind them that are no chunk: "
        "the header is wrong; write it again"
    )


def _wave(data: bytes, fmt: bytes, sound: bytes, order: str, *, mend: bool) -> Stream:
    """The recording of a WAVE header, with a new one where that is asked for."""
    if len(fmt) < 16:
        return Stream(data)  # the decoder says what is missing
    tag, n_channels, _, _, align, bits = struct.unpack_from(f"{order}HHIIHH", fmt)
    if tag == _EXTENSIBLE and len(fmt) >= 40:
        tag = struct.unpack_from(f"{order}H", fmt, 24)[0]
    if tag in _MPEG:
        return mpeg_stream(sound)
    if tag == _PCM and n_channels and 0 < bits <= 64:
        width = -(-bits // 8)
        if align not in (width * n_channels, 0) and not (align == width and n_channels > 1):
            raise AudioError(
                f"its header says {n_channels} channels of {bits} bits in blocks of {align} bytes, expected "
                f"{width * n_channels}: where in a block the bits lie is not said; write it again as plain wav or flac"
            )
    return Stream(plain_wav(fmt, sound, order=order)) if mend else Stream(data)


def plain_wav(fmt: bytes, sound: bytes, *, order: str = "<") -> bytes:
    """A wav of a format chunk and its sound; of a length that does not fit in 32 bits it says none."""
    size = len(sound) if len(sound) < ENDLESS else 0xFFFF_FFFF
    head = b"WAVEfmt " + struct.pack(f"{order}I", len(fmt)) + fmt + b"data" + struct.pack(f"{order}I", size)
    magic = b"RIFX" if order == ">" else b"RIFF"
    return magic + struct.pack(f"{order}I", min(len(head) + size, 0xFFFF_FFFF)) + head + sound


def _w64(data: bytes) -> Stream:
    """Sony Wave64: 16 bytes of name, 8 of size with this head, from a place that 8 divides."""
    place, fmt = 40, b""
    while place + 24 <= len(data):
        size = struct.unpack_from("<Q", data, place + 16)[0]
        if data[place : place + 4] == b"fmt ":
            fmt = data[place + 24 : place + size]
        elif data[place : place + 4] == b"data":
            there = len(data) - place - 24
            size = there if size >= 1 << 62 or (size <= 24 and there) else size - 24
            refuse_cut(size, there)  # whatever its samples are
            if len(fmt) >= 40 and struct.unpack_from("<H", fmt)[0] == _EXTENSIBLE and fmt[24:26] != b"\1\0":
                return Stream(plain_wav(fmt[:40], data[place + 24 : place + 24 + size]))  # libsndfile takes it for PCM
            return _announced(data, place + 24, size)
        place += max(24, size + -size % 8)
    return Stream(data)


def _announced(data: bytes, begin: int, size: int) -> Stream:
    """The recording without what lies behind its sound, which libsndfile takes for sound; 0 announces nothing."""
    refuse_cut(size, len(data) - begin)
    return Stream(data[: begin + size] if 0 < size < len(data) - begin else data)


# -- others ----------------------------------------------------------------------------


def _iff(data: bytes) -> Stream:
    """AIFF, AIFC and the IFF of the Amiga."""
    expected = 0
    for chunk in chunks_of(data, 12, order=">"):
        if chunk.name == b"COMM" and chunk.size >= 18 and len(data) >= chunk.begin + 18:
            n_channels, n_frames, bits = struct.unpack_from(">hIh", data, chunk.begin)
            codec = data[chunk.begin + 18 : chunk.begin + 22] if data[8:12] == b"AIFC" else b"NONE"
            width = {b"ulaw": 1, b"ULAW": 1, b"alaw": 1, b"ALAW": 1}.get(codec, max(0, -(-bits // 8)))
            plain = codec in (b"NONE", b"sowt", b"twos", b"raw ", b"fl32", b"FL32", b"fl64", b"FL64", b"in24", b"in32")
            expected = n_frames * max(0, n_channels) * width if plain or width == 1 else 0
        if chunk.name in (b"SSND", b"BODY"):
            there, before = len(data) - chunk.begin, 0
            if chunk.name == b"SSND":
                before = 8 + (struct.unpack_from(">I", data, chunk.begin)[0] if there >= 8 else 0)
            unknown = chunk.name == b"SSND" and (chunk.size <= 8 or chunk.size >= ENDLESS)
            refuse_cut(expected if unknown else max(chunk.size - before, expected), there - before)
            if chunk.name == b"BODY" and there > chunk.size + 1:  # libsndfile takes what lies behind it for sound
                return Stream(data[: chunk.begin + chunk.size])
    return Stream(data)


def _au(data: bytes) -> Stream:
    order = ">" if data[:4] == b".snd" else "<"
    offset, size = struct.unpack_from(f"{order}II", data.ljust(12, b"\0"), 4)
    if size == 0 and len(data) > offset >= 24:
        return Stream(data[:8] + b"\xff" * 4 + data[12:])
    if size < ENDLESS:
        refuse_cut(size, len(data) - offset)
    return Stream(data)


def _avr(data: bytes) -> Stream:
    """Audio Visual Research: 2BIT, name, stereo, bits …, samples of each channel at byte 26; sound from byte 128."""
    if len(data) >= 128:
        stereo, bits = struct.unpack_from(">HH", data, 12)
        size = struct.unpack_from(">I", data, 26)[0] * -(-bits // 8) * (2 if stereo else 1)
        return _announced(data, 128, size)
    return Stream(data)


def _caf(data: bytes) -> Stream:
    """Core Audio Format: 4 bytes of name, 8 of size; the sound's content begins with 4 that are none."""
    place = 8
    while place + 12 <= len(data):
        size = struct.unpack_from(">q", data, place + 4)[0]
        if data[place : place + 4] == b"data":
            there = len(data) - place - 12
            if size == -1:  # to the end of the file
                return Stream(data[: place + 4] + struct.pack(">q", there) + data[place + 12 :])
            refuse_cut(size - 4, there - 4)
            return Stream(data)
        if size < 0:
            break
        place += 12 + size
    return Stream(data)


def _nist(data: bytes) -> Stream:
    """NIST SPHERE: a header of text whose size stands in its second line."""
    size = re.match(rb"NIST_1A\n\s*(\d{1,6})\n", data)
    head = data[: int(size[1])] if size else b""
    if not re.search(rb"^end_head\s*$", head, re.MULTILINE):
        raise AudioError("its NIST SPHERE header does not end (no line end_head): it is damaged; copy the file again")
    fields = {
        name.decode("latin-1"): value.strip().decode("latin-1")
        for name, value in re.findall(rb"^(\w+) -\w+ ([^\n]*)", head, re.MULTILINE)
    }
    coding = fields.get("sample_coding", "pcm")
    if "embedded" in coding:
        raise AudioError(f"NIST SPHERE with {coding[:40]!r}: unpack it with sph2pipe")
    try:
        counts = [int(fields[name]) for name in ("sample_count", "channel_count", "sample_n_bytes")]
    except (KeyError, ValueError):
        return Stream(data)  # the decoder says what is missing
    return _announced(data, len(head), counts[0] * counts[1] * counts[2])


_READERS: dict[bytes, Callable[[bytes], Stream]] = {
    b".snd": _au,
    b"dns.": _au,
    b"2BIT": _avr,
    b"caff": _caf,
    b"NIST_1A": _nist,
}
