"""How a recording becomes samples, and what its header says."""

from dataclasses import dataclass

from serprep.errors import AudioError


@dataclass(frozen=True, kw_only=True)
class Signal:
    """How a recording becomes samples.  Part of cache keys and versions."""

    sample_rate: int = 16_000  # Hz
    resampler: str = "soxr-HQ"

    def __post_init__(self) -> None:
        if not 1_000 <= self.sample_rate <= 192_000:
            raise AudioError(f"sample_rate is {self.sample_rate}; expected 1000 to 192000 Hz")
        if self.resampler != "soxr-HQ":
            raise AudioError(f"resampler is {self.resampler!r}; the only one is 'soxr-HQ'")


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
