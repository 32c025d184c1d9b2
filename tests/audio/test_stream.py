"""Tags before a recording."""

import pytest

from serprep.audio.stream import refuse_cut, skip_tags
from serprep.errors import AudioError


def test_id3_sizes_have_seven_bits_a_byte():
    assert skip_tags(b"ID3\4\0\0\0\0\1\0" + bytes(128) + b"RIFF") == 138
    assert skip_tags(b"ID3\4\0\x10\0\0\0\1" + bytes(11) + b"RIFF") == 21  # with a footer
    assert skip_tags(b"RIFF" + bytes(20)) == 0


def test_less_than_announced_is_cut():
    refuse_cut(5, 5)
    with pytest.raises(AudioError, match="truncated: its header announces 5 bytes of sound, 4 are there"):
        refuse_cut(5, 4)
