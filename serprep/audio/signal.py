"""How a recording becomes samples, and what its header says."""

from dataclasses import dataclass
from typing import Literal

from serprep.config import check, within
from serprep.errors import AudioError


@dataclass(frozen=True, kw_only=True)
class Signal:
    """How a recording becomes samples.  Part of cache keys and versions."""

    sample_rate: int = within(1_000, 192_000, default=16_000, unit="Hz")
    resampler: Literal["soxr-HQ"] = "soxr-HQ"

    def __post_init__(self) -> None:
        check(self, AudioError, "signal")


@dataclass(frozen=True)
class Probe:
    """What a recording is, without its samples."""

    duration: float  # seconds
    sample_rate: int  # Hz
    revised: bool = False  # serprep decodes it otherwise since revision 2: features of before are not its


@dataclass(frozen=True)
class Recording:
    """What a file is, and the digest of its bytes."""

    duration: float  # seconds
    sample_rate: int  # Hz
    digest: str  # SHA-256 of the file's bytes, hex
    revised: bool = False  # as of `Probe`
