"""FLAC: what its header counts."""

import pytest
import soundfile

from helpers.audio import RATE, noise
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
