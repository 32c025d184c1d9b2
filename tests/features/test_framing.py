import numpy as np
import pytest

from serprep.errors import FeatureError
from serprep.features.framing import SEGMENTS, Segment, cut_segments, n_runs, n_segments


def slow_segments(frames, length, hop):
    """Segments as a list of lists of frames, cut one by one."""
    frames = list(frames)
    while len(frames) < length:
        frames.append(frames[-1])
    segments, first = [], 0
    while first + length <= len(frames):
        segments.append(frames[first : first + length])
        first += hop
    return segments


@pytest.mark.parametrize(("length", "hop"), [(30, 20), (50, 25), (1, 1), (4, 9), (7, 7), (5, 1)])
def test_segments_equal_those_cut_one_by_one(length, hop):
    for n_frames in range(1, 130):
        frames = np.random.default_rng(n_frames).random((n_frames, 3)).astype(np.float32)
        found = cut_segments(frames, Segment(length=length, hop=hop))
        np.testing.assert_array_equal(found, slow_segments(frames, length, hop))
        assert found.dtype == np.float32
        assert found.flags.c_contiguous
        assert len(found) == n_segments(n_frames, Segment(length=length, hop=hop))


def test_number_of_runs_counts_whole_runs():
    for n in range(60):
        for length in range(1, 12):
            for hop in range(1, 12):
                assert n_runs(n, length, hop) == sum(1 for first in range(0, n, hop) if first + length <= n)


def test_a_short_utterance_repeats_its_last_frame():
    frames = np.arange(12, dtype=np.float32)[:, None] + [0, 100]
    segment = cut_segments(frames, SEGMENTS["short"])
    assert segment.shape == (1, 30, 2)
    assert segment[0, :, 0].tolist() == [*range(12), *[11] * 18]
    assert segment[0, :, 1].tolist() == [*range(100, 112), *[111] * 18]


def test_a_tail_shorter_than_a_hop_is_dropped():
    frames = np.arange(69, dtype=np.float32)[:, None]
    segments = cut_segments(frames, SEGMENTS["short"])
    assert segments[:, 0, 0].tolist() == [0, 20]
    assert segments.max() == 49  # frames 50 to 68 are in no segment


def test_segments_do_not_share_memory_with_frames():
    frames = np.zeros((60, 2), np.float32)
    segments = cut_segments(frames, SEGMENTS["short"])
    segments += 1
    assert not frames.any()
    assert (segments == 1).all()  # nor overlapping segments with each other


def test_the_paper_s_segments_overlap_by_10_and_25_frames():
    short, long = SEGMENTS["short"], SEGMENTS["long"]
    assert (short.length, short.length - short.hop) == (30, 10)
    assert (long.length, long.length - long.hop) == (50, 25)
    # 25 ms windows every 10 ms
    assert [25 + 10 * (segment.length - 1) for segment in (short, long)] == [315, 515]


def test_no_frames_are_refused():
    with pytest.raises(FeatureError, match="no frames to cut segments from"):
        cut_segments(np.zeros((0, 40), np.float32), SEGMENTS["short"])


@pytest.mark.parametrize(("length", "hop"), [(0, 1), (1, 0), (-3, 1), (100_001, 1), (1, 100_001)])
def test_impossible_segments_are_refused(length, hop):
    name, value = ("hop", hop) if length == 1 else ("length", length)
    with pytest.raises(FeatureError, match=rf"segments\] {name} is {value}; expected 1 to 100000 frames"):
        Segment(length=length, hop=hop)
