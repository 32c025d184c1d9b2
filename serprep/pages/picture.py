"""Matrices → small pictures inside a page: a PNG of at most 64 colours each."""

import base64
import struct
import zlib

import numpy as np
from markupsafe import Markup

from serprep._typing import AnyArray, ByteArray, FloatArray
from serprep.pages import escaped

_N = 64  # levels
_HEAT = ((0.04, 0.03, 0.12), (0.32, 0.07, 0.48), (0.72, 0.21, 0.47), (0.98, 0.53, 0.38), (0.99, 0.99, 0.75))
_SIGNED = ((0.13, 0.40, 0.67), (0.57, 0.77, 0.87), (0.95, 0.95, 0.95), (0.96, 0.65, 0.51), (0.70, 0.09, 0.17))


def picture(values: AnyArray, *, says: str, low: float, high: float, signed: bool = False, kind: str = "") -> Markup:
    """A matrix as an image, its first row below.

    Parameters
    ----------
    values : ndarray, shape (n_rows, n_columns)
    says : str
        What whoever cannot see it is told.
    low, high : float
        Values of the first and the last colour.
    signed : bool
        Colours from blue over white to red instead of dark to light.
    kind : str
        Its class in the page.
    """
    span = (high - low) or 1.0
    levels = np.clip(np.nan_to_num((values - low) / span) * (_N - 1), 0, _N - 1).round().astype(np.uint8)[::-1]
    data = base64.b64encode(png(levels, _palette(_SIGNED if signed else _HEAT))).decode()
    return Markup('<img class="{}" alt="{}" src="data:image/png;base64,{}">').format(
        f"picture {'signed ' * signed}{kind}".strip(), escaped(says), data
    )


def spectrogram(frames: FloatArray, *, says: str) -> Markup:
    """Log-mel frames, shape (n_mels, n_frames), as an image of their loudest 60 dB."""
    top = float(frames.max())
    return picture(frames, says=says, low=top - 14, high=top, kind="strip")


def _palette(stops: tuple[tuple[float, float, float], ...]) -> ByteArray:
    places = np.linspace(0, len(stops) - 1, _N)
    columns = [np.interp(places, np.arange(len(stops)), channel) for channel in zip(*stops, strict=True)]
    return (255 * np.stack(columns, axis=1)).round().astype(np.uint8)


def png(levels: ByteArray, palette: ByteArray) -> bytes:
    """A palette image as a PNG file (ISO/IEC 15948): header, palette, rows without a filter.

    Examples
    --------
    >>> png(np.zeros((2, 3), np.uint8), np.zeros((1, 3), np.uint8))[:8]
    b'\\x89PNG\\r\\n\\x1a\\n'
    """
    height, width = levels.shape
    rows = np.concatenate([np.zeros((height, 1), np.uint8), levels], axis=1)
    chunks = (
        (b"IHDR", struct.pack(">IIBBBBB", width, height, 8, 3, 0, 0, 0)),
        (b"PLTE", palette.tobytes()),
        (b"IDAT", zlib.compress(rows.tobytes(), 9)),
        (b"IEND", b""),
    )
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data)) for kind, data in chunks
    )
