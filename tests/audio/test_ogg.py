"""The checksum of Ogg against its definition; streams are in `tests/audio/test_recordings.py`."""

from serprep.audio.ogg import crc_of


def test_the_checksum_is_the_division_that_rfc_3533_describes():
    data, remainder = bytes(range(256)), 0
    for byte in data:
        remainder ^= byte << 24
        for _ in range(8):
            remainder = (remainder << 1 ^ (0x04C11DB7 if remainder >> 31 else 0)) & 0xFFFFFFFF
    assert crc_of(data) == remainder
