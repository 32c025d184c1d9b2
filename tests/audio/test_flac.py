"""FLAC: what its header counts."""

import pytest
import soundfile

from helpers.audio import RATE, noise
from serprep.audio import flac
from serprep.audio.decode import read_samples
from serprep.errors import AudioError


def counting(data: bytes, n_samples: int) -> bytes:
    """The same file with another count in its header: the lower 36 of the 64 bits from byte 18 on."""
    field = int.from_bytes(data[18:26], "big") >> 36 << 36 | n_samples
    return data[:18] + field.to_bytes(8, "big") + data[26:]


@pytest.mark.parametrize("n", [100, 4096, 4097, 4096 * 130 + 300])  # numbers of frames of one and of two bytes
def test_a_count_below_what_is_there_is_refused(tmp_path, n):
    soundfile.write(tmp_path / "a.flac", noise(n, n_channels=2), RATE)
    data = (tmp_path / "a.flac").read_bytes()
    assert len(read_samples(data)[0]) == n
    with pytest.raises(AudioError, match=f"its header announces {n - 1} samples, {n} are there; encode it again"):
        read_samples(counting(data, n - 1))
    with pytest.raises(AudioError, match=f"truncated: {n} of {n + 1} announced samples are there"):
        read_samples(counting(data, n + 1))


def test_bytes_that_look_like_thousands_of_frames_are_not_all_walked(tmp_path, monkeypatch):
    soundfile.write(tmp_path / "a.flac", noise(4096), RATE)
    data = (tmp_path / "a.flac").read_bytes()
    head = data[data.rfind(b"\xff\xf8") :][:16]
    walked = []
    rest = flac._rest
    monkeypatch.setattr(flac, "_rest", lambda data, width, by: walked.append(width) or rest(data, width, by))
    flac.refuse_miscount(counting(data, 1) + 5000 * head)
    assert 0 < walked.count(16) < 10
