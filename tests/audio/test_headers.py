"""What headers announce, against the bytes that are there."""

import struct

import pytest

from helpers.audio import write_codes
from serprep.audio.decode import decode
from serprep.errors import AudioError


@pytest.mark.parametrize("size", [0x7FFF_FFFF, 0xFFFF_FFFF])
def test_a_streamed_wav_that_announces_no_length_is_read_to_its_end(tmp_path, size):
    write_codes(tmp_path / "a.wav", range(100), bits=16)
    data = bytearray((tmp_path / "a.wav").read_bytes())
    data[4:8] = data[40:44] = struct.pack("<I", size)
    assert (decode(bytes(data)) * 32768).tolist() == list(range(100))


def test_chunks_around_the_sound_are_not_taken_for_missing_sound(tmp_path):
    write_codes(tmp_path / "a.wav", range(100), bits=16)
    data = (tmp_path / "a.wav").read_bytes()
    odd = b"note" + struct.pack("<I", 3) + b"abc\0"  # chunks of odd size are padded
    framed = data[:36] + odd + data[36:] + odd
    framed = framed[:4] + struct.pack("<I", len(framed) - 8) + framed[8:]
    assert (decode(framed) * 32768).tolist() == list(range(100))
    with pytest.raises(AudioError, match="announces 200 bytes of sound, 140 are there"):
        decode(framed[: -len(odd) - 60])
