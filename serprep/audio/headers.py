"""What the headers of recordings announce, held against the bytes that are there."""

import struct

ENDLESS = 0x7FFF_0000  # streamed wavs announce 2 or 4 GiB because their length was not known
UNKNOWN = 1 << 60  # libsndfile's count of samples for a streamed flac, which leaves its length open


def missing_bytes(data: bytes) -> int:
    """How many bytes of sound a RIFF header announces that the file does not have."""
    if data[:4] != b"RIFF" or data[8:12] != b"WAVE":
        return 0
    place = 12
    while place + 8 <= len(data):
        name, size = data[place : place + 4], struct.unpack_from("<I", data, place + 4)[0]
        if name == b"data":
            return 0 if size >= ENDLESS else max(0, place + 8 + size - len(data))
        place += 8 + size + size % 2
    return 0
