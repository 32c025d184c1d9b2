"""The end-to-end baseline of the paper's table 2: convolutions on the raw signal, then an LSTM.

After Tzirakis, Zhang and Schuller, "End-to-end speech emotion recognition using deep neural
networks" (ICASSP 2018), the baseline of the ComParE 2018 challenge.

Utterances lie one after the other in one row of samples, with enough silence between them that
no convolution sees two: so nothing is padded to the longest, each block normalises by real
samples alone, and an utterance gives what it gives by itself.

Shapes: B utterances, N samples of all of them, C channels, S steps of 40 ms.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn.functional import conv1d, leaky_relu, max_pool1d
from torch.nn.utils.rnn import pack_sequence, unpack_sequence

from serprep.config import within
from serprep.features.extract import Features
from serprep.systems import Shapes, SystemSpec
from serprep_models.system import Batch, Mix, System, mixed

BLOCKS = ((64, 8, 10), (128, 6, 8), (256, 6, 8))  # filters, kernel, pool
STEP = 640  # samples of one vector: the pools together
N_UNITS = 256


@dataclass(frozen=True, kw_only=True)
class Options:
    """``[train.cnn-lstm]``."""

    leak: float = within(0, 1, default=0.01)  # slope of the LeakyReLU below 0


class Block(nn.Module):
    """Convolution that keeps the length, batch normalisation, LeakyReLU, max-pooling."""

    def __init__(self, n_in: int, n_out: int, kernel: int, pool: int, leak: float) -> None:
        super().__init__()
        self.conv = nn.Conv1d(n_in, n_out, kernel)
        self.norm = nn.BatchNorm1d(n_out)
        self.pool, self.leak = pool, leak

    def forward(self, x: Tensor, counts: Tensor, begin: Tensor, length: int) -> tuple[Tensor, Tensor]:
        """Values of all utterances (C, N) → pooled ones, and how many of each utterance.

        Parameters
        ----------
        x : Tensor, shape (n_in, N)
        counts : Tensor, shape (B,)
            Values of each utterance.
        begin : Tensor, shape (B,)
            Where each begins in the row.
        length : int
            Of the row.
        """
        kernel = self.conv.kernel_size[0]
        place = (
            torch.repeat_interleave(begin - counts.cumsum(0) + counts, counts) + torch.arange(int(counts.sum()))
        ).to(x.device)
        row = x.new_zeros(len(x), (kernel - 1) // 2 + length + kernel // 2).index_copy(1, place + (kernel - 1) // 2, x)
        x = conv1d(row[None], self.conv.weight, self.conv.bias)[0]  # (n_out, length)
        x = self.norm(x.index_select(1, place)[None])[0]  # (n_out, N): no silence between utterances counts
        pooled = counts // self.pool
        if int((counts - pooled * self.pool).sum()):  # tails of utterances, which no pool covers
            own = torch.arange(x.shape[1]) - torch.repeat_interleave(counts.cumsum(0) - counts, counts)
            covered = own < torch.repeat_interleave(pooled * self.pool, counts)
            x = x.index_select(1, covered.nonzero()[:, 0].to(x.device))
        return leaky_relu(max_pool1d(x[None], self.pool)[0], self.leak), pooled  # which come in any order: it rises


class Network(System):
    """Signal → a vector each 40 ms → LSTM → max, mean and min over its steps → softmax."""

    def __init__(self, options: Options, n_labels: int) -> None:
        super().__init__()
        sizes = (1, *(n_out for n_out, _, _ in BLOCKS))
        blocks = (
            Block(n_in, n_out, kernel, pool, options.leak)
            for n_in, (n_out, kernel, pool) in zip(sizes, BLOCKS, strict=False)
        )
        self.blocks = nn.ModuleList(blocks)
        self.lstm = nn.LSTM(sizes[-1], N_UNITS, num_layers=2)
        self.out = nn.Linear(3 * N_UNITS, n_labels)

    def branches(self, batch: Batch, mix: Mix | None) -> Sequence[Tensor]:
        """Max, mean and min (B, 768)."""
        x, counts = self.steps(batch.inputs["signal"], batch.counts["signal"])
        packed = pack_sequence(torch.split(x.t(), counts.tolist()), enforce_sorted=False)
        out = torch.cat(unpack_sequence(self.lstm(packed)[0]))  # (S, 256)
        lengths = counts.to(out.device)
        pooled = [torch.segment_reduce(out, how, lengths=lengths, unsafe=True) for how in ("max", "mean", "min")]
        return [mixed(torch.cat(pooled, 1), mix)]

    def steps(self, signal: Tensor, counts: Tensor) -> tuple[Tensor, Tensor]:
        """Signals (N, 1) → vectors (256, S), and how many of each; what is shorter than a step has silence behind."""
        x = signal.t()  # (1, N)
        if int(counts.min()) < STEP:
            filled = counts.clamp(min=STEP)
            first = torch.repeat_interleave(filled.cumsum(0) - filled - counts.cumsum(0) + counts, counts)
            place = (first + torch.arange(len(first))).to(x.device)
            x, counts = x.new_zeros(1, int(filled.sum())).index_copy(1, place, x), filled
        slots = -(-counts // STEP) + 1  # one step of silence at least, at every level more than half a kernel
        begin, length = (slots.cumsum(0) - slots) * STEP, int(slots.sum()) * STEP
        for block, (_, _, pool) in zip(self.blocks, BLOCKS, strict=True):
            x, counts = block(x, counts, begin, length)
            begin, length = begin // pool, length // pool
        return x, counts


class CNNLSTM(SystemSpec[Options]):
    """Reads the signal itself."""

    name = "cnn-lstm"
    options = Options
    cost = 50

    def inputs(self, options: Options, features: Features) -> tuple[str, ...]:
        """The samples."""
        return ("signal",)

    def make(self, options: Options, shapes: Shapes, n_labels: int) -> Network:
        """The network."""
        return Network(options, n_labels)


SPEC = CNNLSTM()
