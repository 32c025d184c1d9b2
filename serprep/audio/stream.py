"""What a decoder is given of a recording, and what is known of it."""

from dataclasses import dataclass

from serprep.errors import AudioError


@dataclass(frozen=True)
class Stream:
    """The bytes that a decoder gets: those of the file, or mended ones where its header is odd."""

    data: bytes
    endless: bool = False  # its header does not say how long it is: decode to the end
    n_samples: int = 0  # that decode, where they were counted without decoding; 0: not counted
    miscounted: bool = False  # its header says how long it is, and is wrong


def skip_tags(data: bytes, place: int = 0) -> int:
    """Where what follows the ID3v2 tags at `place` begins (id3.org, ID3v2.4 section 3.1)."""
    while data[place : place + 3] == b"ID3" and len(data) >= place + 10:
        sizes = data[place + 6 : place + 10]
        if max(sizes) > 127:  # seven bits a byte
            return place
        footer = 10 if data[place + 5] & 0x10 else 0
        place += 10 + footer + (sizes[0] << 21 | sizes[1] << 14 | sizes[2] << 7 | sizes[3])
    return place


def refuse_cut(announced: int, there: int, unit: str = "bytes of sound") -> None:
    """Raise if a header announces more than there is."""
    if there < announced:
        raise AudioError(f"truncated: its header announces {announced} {unit}, {max(0, there)} are there")
