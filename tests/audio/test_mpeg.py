"""Heads of MPEG frames (ISO/IEC 11172-3, section 2.4.2.3); streams are in `tests/audio/test_recordings.py`."""

import pytest

from serprep.audio.mpeg import Frame, first_frame, frame_at


@pytest.mark.parametrize(
    ("head", "frame"),
    [
        ("fffb9000", Frame(417, 44_100, 2, 1152, 3)),  # 128 kbit/s: 144 * 128000 / 44100
        ("fffb9200", Frame(418, 44_100, 2, 1152, 3)),  # padded
        ("fff388c4", Frame(288, 16_000, 1, 576, 3)),  # MPEG 2, 64 kbit/s
        ("fffda800", Frame(864, 32_000, 2, 1152, 2)),  # layer II, 192 kbit/s
        ("ffe318c4", Frame(72, 8_000, 1, 576, 3)),  # MPEG 2.5, 8 kbit/s
    ],
)
def test_a_head_tells_the_size_of_its_frame(head, frame):
    assert frame_at(bytes.fromhex(head), 0) == frame


def test_a_first_frame_is_followed_by_others():
    frame = bytes.fromhex("fffb9000") + bytes(413)
    assert first_frame(b"\xff\xfb\x90" + bytes(40) + 3 * frame) == 43
    assert first_frame(b"\xff\xfb\x90" + bytes(4000)) is None
