"""Runs of consecutive things: samples into frames, frames into segments."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from serprep._typing import FloatArray
from serprep.config import check, within
from serprep.errors import FeatureError


@dataclass(frozen=True, kw_only=True)
class Segment:
    """Length and hop of one sort of segment, in frames, and the contour that they are cut from."""

    length: int = within(1, 100_000, unit="frames")
    hop: int = within(1, 100_000, unit="frames")
    of: str = "logmel"

    def __post_init__(self) -> None:
        check(self, FeatureError, "features.segments")

    def to_json(self) -> dict[str, Any]:
        """Plain values; `of` is named only where it is not the default, as before there was a choice."""
        values = asdict(self)
        return {key: value for key, value in values.items() if key != "of" or value != Segment.of}


#: The paper's two tensors: 30 frames with an overlap of 10, 50 frames with an overlap of 25.
SEGMENTS: Mapping[str, Segment] = {"short": Segment(length=30, hop=20), "long": Segment(length=50, hop=25)}


def n_runs(n_items: int, length: int, hop: int) -> int:
    """How many whole runs of `length`, every `hop`, fit into `n_items`.

    Examples
    --------
    >>> n_runs(16_000, 400, 160)  # frames in a second
    98
    """
    return 1 + (n_items - length) // hop if n_items >= length else 0


def n_segments(n_frames: int, config: Segment) -> int:
    """Segments of an utterance; at least one, since short utterances are padded.

    Examples
    --------
    >>> [n_segments(n, Segment(length=30, hop=20)) for n in (1, 30, 49, 50)]
    [1, 1, 1, 2]
    """
    return max(1, n_runs(n_frames, config.length, config.hop))


def cut_segments(frames: FloatArray, config: Segment) -> FloatArray:
    """Segments of one utterance.

    A tail shorter than a hop is dropped; an utterance shorter than one segment is
    padded by repeating its last frame.

    Parameters
    ----------
    frames : ndarray, shape (n_frames, n_mels)
        At least one frame.
    config : Segment

    Returns
    -------
    ndarray, shape (n_segments, length, n_mels), float32

    Raises
    ------
    FeatureError
        If there is no frame.

    Examples
    --------
    >>> ramp = np.arange(70, dtype=np.float32)[:, None]
    >>> cut_segments(ramp, Segment(length=30, hop=20))[:, 0, 0].tolist()
    [0.0, 20.0, 40.0]
    """
    return segments_within(frames, config).copy()


def segments_within(frames: FloatArray, config: Segment) -> FloatArray:
    """As `cut_segments`, not copied: segments that overlap share memory."""
    if len(frames) == 0:
        raise FeatureError("no frames to cut segments from")
    if len(frames) < config.length:
        frames = np.pad(frames, ((0, config.length - len(frames)), (0, 0)), mode="edge")
    frames = np.ascontiguousarray(frames)
    shape = n_segments(len(frames), config), config.length, frames.shape[1]
    row, column = frames.strides
    return np.ndarray(shape, frames.dtype, frames, strides=(config.hop * row, row, column))
