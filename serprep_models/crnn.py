"""The CRNN encoder and the three systems of the paper (sections 3.1 to 3.3, figures 1 to 3).

A batch holds the segments of its utterances one after the other, without padding;
only the recurrent layer sees padded sequences, and what it gives beyond an utterance's
last segment is masked exactly.  So the logits of an utterance do not depend on what
else is in its batch.

Shapes: B utterances, S segments of all of them, T segments of the longest one,
L frames of a segment, M mel bands.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from serprep.errors import TrainError

N_FILTERS = 30
N_UNITS = 128


@dataclass(frozen=True, kw_only=True)
class SystemConfig:
    """What a system is made for; its layers' sizes are the paper's."""

    system: str  # "plain-crnn", "hsf-crnn" or "multi-crnn"
    n_labels: int
    n_mels: int = 40
    short: int = 30  # frames
    long: int = 50  # frames
    n_functionals: int = 6373


@dataclass(frozen=True)
class Batch:
    """Standardised features of B utterances."""

    segments: dict[str, Tensor]  # "short", "long" → (S, L, M)
    counts: dict[str, Tensor]  # "short", "long" → (B,) segments of each utterance
    functionals: Tensor | None  # (B, 6373)
    labels: Tensor  # (B,) int64; -1 where there is none

    def to(self, device: torch.device) -> "Batch":
        """The same batch on a device."""
        return Batch(
            {name: value.to(device, non_blocking=True) for name, value in self.segments.items()},
            {name: value.to(device, non_blocking=True) for name, value in self.counts.items()},
            None if self.functionals is None else self.functionals.to(device, non_blocking=True),
            self.labels.to(device, non_blocking=True),
        )


def n_flat(length: int) -> int:
    """Values of one segment after the convolutions: 120 for 30 frames, 270 for 50."""
    n = (length - 4 - 3) // 2 + 1  # convolution of 5, pool 3 stride 2
    n = (n - 2 - 3) // 2 + 1  # convolution of 3, pool 3 stride 2
    if n < 1:
        raise TrainError(f"segments of {length} frames are too short for the CRNN; expected at least 15")
    return N_FILTERS * n


class Encoder(nn.Module):
    """Segments → one vector per utterance: convolutions, LSTM, max, mean and min over its steps."""

    def __init__(self, length: int, n_mels: int) -> None:
        super().__init__()
        # a filter of 40 bands x 5 frames only moves in time: a 1-d convolution over 40 channels
        self.conv1 = nn.Conv1d(n_mels, N_FILTERS, 5)
        self.conv2 = nn.Conv1d(N_FILTERS, N_FILTERS, 3)
        self.pool = nn.MaxPool1d(3, stride=2)
        self.lstm = nn.LSTM(n_flat(length), N_UNITS)

    def convolve(self, segments: Tensor) -> Tensor:
        """Segments (S, L, M) → flat maps (S, 120) for L = 30."""
        x = segments.transpose(1, 2)  # (S, M, L)
        x = self.pool(torch.relu(self.conv1(x)))  # (S, 30, 12) for L = 30
        x = self.pool(torch.relu(self.conv2(x)))  # (S, 30, 4)
        flat: Tensor = x.flatten(1)  # (S, 120)
        return flat

    def forward(self, segments: Tensor, counts: Tensor) -> Tensor:
        """Segments (S, L, M) of B utterances, counts (B,) → (B, 384)."""
        flat = self.convolve(segments)  # (S, 120)
        n_steps = int(counts.max())
        step = torch.arange(n_steps, device=counts.device)
        real = step < counts[:, None]  # (B, T)
        padded = flat.new_zeros(len(counts), n_steps, flat.shape[1])  # (B, T, 120)
        padded = padded.masked_scatter(real[:, :, None], flat)
        out, _ = self.lstm(padded.transpose(0, 1))  # (T, B, 128)
        out, real = out.transpose(0, 1), real[:, :, None]  # (B, T, 128), (B, T, 1)
        return torch.cat(
            [
                out.masked_fill(~real, -torch.inf).amax(1),
                out.masked_fill(~real, 0.0).sum(1) / counts[:, None],
                out.masked_fill(~real, torch.inf).amin(1),
            ],
            1,
        )  # (B, 384)


class PlainCRNN(nn.Module):
    """Figure 1: encoder(short) → FC 128 → FC 32 → softmax."""

    def __init__(self, config: SystemConfig) -> None:
        super().__init__()
        self.encoder = Encoder(config.short, config.n_mels)
        self.fc1 = nn.Linear(3 * N_UNITS, 128)
        self.fc2 = nn.Linear(128, 32)
        self.out = nn.Linear(32, config.n_labels)

    def forward(self, batch: Batch) -> Tensor:
        """A batch → logits (B, n_labels)."""
        x = self.encoder(batch.segments["short"], batch.counts["short"])  # (B, 384)
        x = torch.sigmoid(self.fc1(x))  # (B, 128)
        x = torch.sigmoid(self.fc2(x))  # (B, 32)
        return self.out(x)  # type: ignore[no-any-return]  # (B, n_labels)


class HSFCRNN(nn.Module):
    """Figure 2: encoder(short) → FC 128, beside functionals → FC 1024 → FC 520 → FC 128; joint FC 32."""

    def __init__(self, config: SystemConfig) -> None:
        super().__init__()
        self.encoder = Encoder(config.short, config.n_mels)
        self.fc = nn.Linear(3 * N_UNITS, 128)
        self.hsf1 = nn.Linear(config.n_functionals, 1024)
        self.hsf2 = nn.Linear(1024, 520)
        self.hsf3 = nn.Linear(520, 128)
        self.joint = nn.Linear(256, 32)
        self.out = nn.Linear(32, config.n_labels)

    def forward(self, batch: Batch) -> Tensor:
        """A batch → logits (B, n_labels)."""
        if batch.functionals is None:
            raise TrainError("hsf-crnn needs functionals: enable them in [features.functionals] and build again")
        x = self.encoder(batch.segments["short"], batch.counts["short"])  # (B, 384)
        x = torch.sigmoid(self.fc(x))  # (B, 128)
        y = torch.sigmoid(self.hsf1(batch.functionals))  # (B, 1024)
        y = torch.sigmoid(self.hsf2(y))  # (B, 520)
        y = torch.sigmoid(self.hsf3(y))  # (B, 128)
        z = torch.sigmoid(self.joint(torch.cat([x, y], 1)))  # (B, 256) -> (B, 32)
        return self.out(z)  # type: ignore[no-any-return]  # (B, n_labels)


class MultiCRNN(nn.Module):
    """Figure 3: encoder(short) → FC 128 → FC 128, beside encoder(long); joint FC 128."""

    def __init__(self, config: SystemConfig) -> None:
        super().__init__()
        self.short = Encoder(config.short, config.n_mels)
        self.long = Encoder(config.long, config.n_mels)
        self.fc1 = nn.Linear(3 * N_UNITS, 128)
        self.fc2 = nn.Linear(128, 128)
        self.joint = nn.Linear(128 + 3 * N_UNITS, 128)
        self.out = nn.Linear(128, config.n_labels)

    def forward(self, batch: Batch) -> Tensor:
        """A batch → logits (B, n_labels)."""
        x = self.short(batch.segments["short"], batch.counts["short"])  # (B, 384)
        x = torch.sigmoid(self.fc1(x))  # (B, 128)
        x = torch.sigmoid(self.fc2(x))  # (B, 128)
        y = self.long(batch.segments["long"], batch.counts["long"])  # (B, 384)
        z = torch.sigmoid(self.joint(torch.cat([x, y], 1)))  # (B, 512) -> (B, 128)
        return self.out(z)  # type: ignore[no-any-return]  # (B, n_labels)


SYSTEMS: dict[str, type[nn.Module]] = {"plain-crnn": PlainCRNN, "hsf-crnn": HSFCRNN, "multi-crnn": MultiCRNN}
#: Which segments each system reads.
SEGMENTS_OF = {"plain-crnn": ("short",), "hsf-crnn": ("short",), "multi-crnn": ("short", "long")}


def make_system(config: SystemConfig) -> nn.Module:
    """A freshly initialised system.

    Raises
    ------
    TrainError
        If there is none of that name.
    """
    if config.system not in SYSTEMS:
        raise TrainError(f"unknown system {config.system!r}; expected one of {', '.join(SYSTEMS)}")
    return SYSTEMS[config.system](config)
