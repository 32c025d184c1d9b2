"""Ogg: its pages, looked through (RFC 3533)."""

import zlib

from serprep.audio.stream import Stream
from serprep.errors import AudioError

_FIRST, _LAST = 2, 4  # bits of a page's type
_TURNED = bytes(int(f"{byte:08b}"[::-1], 2) for byte in range(256))
_OTHERS = {b"Speex   ": "Speex", b"\x7fFLAC": "FLAC", b"\x80theora": "Theora video", b"fishead\0": "Ogg Skeleton"}


def crc_of(page: bytes) -> int:
    """The checksum of a page whose own field is 0: CRC-32 of polynomial 0x04C11DB7, from 0, bits not turned.

    zlib's has the same polynomial with all bits turned, and begins and ends with ones.
    """
    turned = zlib.crc32(page.translate(_TURNED), 0xFFFF_FFFF) ^ 0xFFFF_FFFF
    return int(f"{turned:032b}"[::-1], 2)


def ogg_stream(data: bytes) -> Stream:
    """The same bytes, if all pages of one stream are there and whole.

    Raises
    ------
    AudioError
        If pages are cut, damaged or missing, if no page ends the stream, or if there
        are several streams.
    """
    place, number, serial, ended = 0, 0, b"", False
    while place < len(data):
        if data[place : place + 4] != b"OggS":
            if ended and (not data[place:].strip(b"\0") or data[place : place + 3] in (b"TAG", b"ID3")):
                break
            raise AudioError(f"damaged: no page of Ogg begins at byte {place}")
        if len(data) < place + 27:
            raise AudioError("truncated: its last page of Ogg is cut")
        n_segments = data[place + 26]
        head = place + 27 + n_segments
        end = head + sum(data[place + 27 : head])
        if end > len(data):
            raise AudioError(f"truncated: its last page of Ogg has {end - len(data)} bytes more than the file")
        page = data[place : place + 22] + bytes(4) + data[place + 26 : end]
        if crc_of(page) != int.from_bytes(data[place + 22 : place + 26], "little"):
            raise AudioError(f"damaged: the page of Ogg at byte {place} has another checksum")
        kind, owner = data[place + 5], data[place + 14 : place + 18]
        if kind & _FIRST:
            _refuse_codec(data[head:end])
            if serial:
                raise AudioError("it holds several streams of Ogg; split it, or join them by encoding it again")
            serial = owner
        if owner != serial or int.from_bytes(data[place + 18 : place + 22], "little") != number:
            raise AudioError(f"damaged: pages of Ogg are missing before byte {place}")
        if ended:
            raise AudioError(f"damaged: pages of Ogg behind the one that ends the stream, from byte {place} on")
        ended = bool(kind & _LAST)
        number, place = number + 1, end
    if not ended:
        raise AudioError(f"truncated: no page ends the stream of Ogg; its {number} pages announce more")
    return Stream(data)


def _refuse_codec(packet: bytes) -> None:
    for magic, name in _OTHERS.items():
        if packet.startswith(magic):
            raise AudioError(f"{name} in Ogg: convert it to wav or flac, such as ffmpeg -i NAME NAME.wav")
