"""MPEG audio: its frames, followed one by one.

The first frame may say how many there are (Xing, Info or VBRI); without it a decoder
only estimates the length from the size of the file.  Frames: ISO/IEC 11172-3 section
2.4.1 and 13818-3; the tables below are theirs.
"""

from dataclasses import dataclass

from serprep.audio.stream import Stream, refuse_cut, skip_tags
from serprep.errors import AudioError

_RATES = {3: (44_100, 48_000, 32_000), 2: (22_050, 24_000, 16_000), 0: (11_025, 12_000, 8_000)}  # MPEG 1, 2, 2.5
_KILOBITS = {  # (MPEG 1?, layer) → bit rates
    (True, 1): (32, 64, 96, 128, 160, 192, 224, 256, 288, 320, 352, 384, 416, 448),
    (True, 2): (32, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320, 384),
    (True, 3): (32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320),
    (False, 1): (32, 48, 56, 64, 80, 96, 112, 128, 144, 160, 176, 192, 224, 256),
    (False, 2): (8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160),
}
_KILOBITS[False, 3] = _KILOBITS[False, 2]
_FAR = 8192  # bytes in which a first frame is looked for
_CHAIN = 3  # frames in a row that are no accident


@dataclass(frozen=True)
class Frame:
    """What the four bytes at the head of a frame say."""

    size: int  # bytes
    rate: int  # Hz
    n_channels: int
    n_samples: int
    layer: int

    @property
    def kind(self) -> tuple[int, int, int, int]:
        """What all frames of a stream share."""
        return self.rate, self.n_channels, self.n_samples, self.layer


def frame_at(data: bytes, place: int) -> Frame | None:
    """The frame that begins at `place`, if one does; free formats say nothing of their size and are none."""
    head = data[place : place + 4]
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xE0 != 0xE0:
        return None
    version, layer = head[1] >> 3 & 3, 4 - (head[1] >> 1 & 3)
    number, rate = head[2] >> 4, head[2] >> 2 & 3
    if version == 1 or layer == 4 or rate == 3 or not 0 < number < 15:
        return None
    rate = _RATES[version][rate]
    bits = _KILOBITS[version == 3, layer][number - 1] * 1000
    padding = head[2] >> 1 & 1
    n_samples = 384 if layer == 1 else 576 if layer == 3 and version != 3 else 1152
    size = (12 * bits // rate + padding) * 4 if layer == 1 else n_samples // 8 * bits // rate + padding
    return Frame(size, rate, 1 if head[3] >> 6 == 3 else 2, n_samples, layer)


def first_frame(data: bytes, place: int = 0) -> int | None:
    """Where frames begin, soon after `place`; None where they do not."""
    for start in range(place, min(len(data), place + _FAR)):
        if data[start] == 0xFF and (frame := frame_at(data, start)):
            at, n = start + frame.size, 1
            while n < _CHAIN and (follower := frame_at(data, at)) and follower.kind == frame.kind:
                at, n = at + follower.size, n + 1
            if n == _CHAIN or (start == place and at >= len(data)):
                return start
    return None


def mpeg_stream(data: bytes) -> Stream:
    """All frames of MPEG audio, without estimates.

    Raises
    ------
    AudioError
        If frames are missing, or there are bytes between them that are none.
    """
    begin = first_frame(data, skip_tags(data))
    if begin is None:
        raise AudioError("not a recording that can be decoded: no frames of MPEG audio follow one another in it")
    first = frame_at(data, begin)
    assert first is not None
    places, cut = _follow(data, begin, first)
    announced, n_bytes = _announced(data, begin, first)
    has_head = announced is not None
    n = len(places) - has_head
    if announced and announced > n:
        end = places[-1][1] if places else begin
        if not n_bytes or n_bytes > end - begin or cut:
            refuse_cut(announced, n, "frames")
    elif cut and announced != n:
        raise AudioError(f"truncated: its last frame has {cut} bytes more than the file")
    if n < 1:
        raise AudioError("no samples")
    if announced == n:
        return Stream(data)
    frames = [data[start:end] for start, end in places if _announced(data, start, first)[0] is None]
    return Stream(b"".join(frames), endless=True, n_samples=len(frames) * first.n_samples, miscounted=has_head)


def _follow(data: bytes, place: int, first: Frame) -> tuple[list[tuple[int, int]], int]:
    """Where each frame begins and ends, and by how many bytes the last one, which is not among them, is cut."""
    places: list[tuple[int, int]] = []
    while place < len(data):
        frame = frame_at(data, place)
        if frame is not None and frame.kind == first.kind:
            if place + frame.size > len(data):
                return places, place + frame.size - len(data)
            places.append((place, place + frame.size))
            place += frame.size
            continue
        after = _skip_tag(data, place)
        if after > place:
            place = after
            continue
        if data[place:].startswith(b"\xff") and len(data) - place < 4:
            return places, 4 - (len(data) - place)
        following = next_place(data, place)
        if following is None:
            break  # some other tag: nothing that sounds
        other = frame_at(data, following)
        if other is not None and other.kind != first.kind:
            raise AudioError(
                f"two recordings in one file: from byte {following} on it has {other.rate} Hz and "
                f"{other.n_channels} channels, before {first.rate} Hz and {first.n_channels}; split it"
            )
        if data[place:following].strip(b"\0"):
            raise AudioError(f"damaged: {following - place} bytes from byte {place} on are no MPEG audio")
        place = following
    return places, 0


def next_place(data: bytes, place: int) -> int | None:
    """Where frames follow one another again, anywhere behind `place`."""
    while (place := data.find(b"\xff", place)) >= 0:
        frame = frame_at(data, place)
        if frame is not None:
            follower = frame_at(data, place + frame.size)
            if follower is not None and follower.kind == frame.kind:
                return place
        place += 1
    return None


def _skip_tag(data: bytes, place: int) -> int:
    """The end of a tag at `place`: ID3v2, ID3v1, APE or Lyrics3; `place` where there is none."""
    if data[place : place + 3] == b"ID3":
        return skip_tags(data, place)
    if data[place : place + 4] == b"TAG+":
        return place + 227
    if data[place : place + 3] == b"TAG":
        return place + 128
    if data[place : place + 8] == b"APETAGEX" and len(data) >= place + 32:
        head, size = bool(data[place + 23] & 0x20), int.from_bytes(data[place + 12 : place + 16], "little")
        return place + 32 + (size if head else 0)
    if data[place : place + 11] == b"LYRICSBEGIN":
        end = data.find(b"LYRICS200", place)
        return end + 9 if end >= 0 else place
    return place


def _announced(data: bytes, begin: int, first: Frame) -> tuple[int | None, int]:
    """Frames and bytes that the first frame announces, 0 for what it leaves open; None if it is one of sound."""
    head = data[begin : begin + first.size]
    vbri = head.find(b"VBRI", 36, 40)
    if vbri == 36 and first.layer == 3:
        return int.from_bytes(head[50:54], "big"), int.from_bytes(head[46:50], "big")
    mpeg1 = first.n_samples == 1152
    side = (17 if mpeg1 else 9) if first.n_channels == 1 else (32 if mpeg1 else 17)
    at = 4 + side
    if first.layer != 3 or head[at : at + 4] not in (b"Xing", b"Info"):
        return None, 0
    flags = int.from_bytes(head[at + 4 : at + 8], "big")
    n_frames = int.from_bytes(head[at + 8 : at + 12], "big") if flags & 1 else 0
    at += 12 if flags & 1 else 8
    return n_frames, int.from_bytes(head[at : at + 4], "big") if flags & 2 else 0
