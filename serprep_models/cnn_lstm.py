"""The end-to-end baseline of the paper's table 2: convolutions on the raw signal, then an LSTM.

After Tzirakis, Zhang and Schuller, "End-to-end speech emotion recognition using deep neural
networks" (ICASSP 2018), the baseline of the ComParE 2018 challenge.

Utterances lie one after the other in one row of samples, with enough silence between them that
no convolution sees two: so nothing is padded to the longest, each block normalises by real
samples alone, and an utterance gives what it gives by itself.

Shapes: B utterances, N samples of all of them, C channels, S steps of 40 ms.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import conv1d, leaky_relu, max_pool1d, pad
from torch.nn.utils.rnn import pack_sequence, unpack_sequence

from serprep_models.system import Batch, Mix, System, mixed

BLOCKS = ((64, 8, 10), (128, 6, 8), (256, 6, 8))  # filters, kernel, pool
STEP = 640  # samples of one vector: the pools together
N_UNITS = 256


class Block(nn.Module):
    """Convolution that keeps the length, batch normalisation, LeakyReLU, max-pooling."""

    def __init__(self, n_in: int, n_out: int, kernel: int, pool: int, leak: float) -> None:
        super().__init__()
        self.conv = nn.Conv1d(n_in, n_out, kernel)
        self.norm = nn.BatchNorm1d(n_out)
        self.pool, self.leak = pool, leak

    def forward(self, x: Tensor, counts: list[int], slots: list[int]) -> tuple[Tensor, list[int]]:
        """Values of all utterances (n_in, N) → pooled ones (n_out, M), and how many of each utterance.

        Parameters
        ----------
        x : Tensor, shape (n_in, N)
        counts : list of int
            Values of each utterance.
        slots : list of int
            Places that each has in the row, with the silence behind it.
        """
        kernel = self.conv.kernel_size[0]
        silences = [slot - count for slot, count in zip(slots, counts, strict=True)]
        silence = x.new_zeros(len(x), max(silences))
        parts = [silence[:, : (kernel - 1) // 2]]
        for own, gap in zip(torch.split(x, counts, 1), silences, strict=True):
            parts += [own, silence[:, :gap]]
        row = torch.cat([*parts, silence[:, : kernel // 2]], 1)
        x = conv1d(row[None], self.conv.weight, self.conv.bias)[0]  # (n_out, places)
        cuts = [n for pair in zip(counts, silences, strict=True) for n in pair]
        x = torch.cat(torch.split(x, cuts, 1)[::2], 1)
        x = self.norm(x[None])[0]  # (n_out, N): no silence between utterances counts
        pooled = [count // self.pool for count in counts]
        if any(count % self.pool for count in counts):  # tails of utterances, which no pool covers
            ends = zip(torch.split(x, counts, 1), pooled, strict=True)
            x = torch.cat([own[:, : n * self.pool] for own, n in ends], 1)
        return leaky_relu(max_pool1d(x[None], self.pool)[0], self.leak), pooled  # it rises, so the pool may go first


class Network(System):
    """Signal → a vector each 40 ms → LSTM → max, mean and min over its steps → softmax."""

    def __init__(self, n_labels: int, *, leak: float) -> None:
        super().__init__()
        sizes = (1, *(n_out for n_out, _, _ in BLOCKS))
        blocks = (
            Block(n_in, n_out, kernel, pool, leak) for n_in, (n_out, kernel, pool) in zip(sizes, BLOCKS, strict=False)
        )
        self.blocks = nn.ModuleList(blocks)
        self.lstm = nn.LSTM(sizes[-1], N_UNITS, num_layers=2)
        self.out = nn.Linear(3 * N_UNITS, n_labels)

    def branches(self, batch: Batch, mix: Mix | None) -> Sequence[Tensor]:
        """Max, mean and min (B, 768)."""
        x, counts = self.steps(batch.inputs["signal"], batch.counts["signal"].tolist())
        packed = pack_sequence(list(torch.split(x.t(), counts)), enforce_sorted=False)
        out = torch.cat(unpack_sequence(self.lstm(packed)[0]))  # (S, 256)
        lengths = torch.tensor(counts, device=out.device)
        pooled = [torch.segment_reduce(out, how, lengths=lengths, unsafe=True) for how in ("max", "mean", "min")]
        return [mixed(torch.cat(pooled, 1), mix)]

    def steps(self, signal: Tensor, counts: list[int]) -> tuple[Tensor, list[int]]:
        """Signals (N, 1) → vectors (256, S), and how many of each; what is shorter than a step has silence behind."""
        x = signal.t()  # (1, N)
        if min(counts) < STEP:
            x = torch.cat([pad(own, (0, max(0, STEP - own.shape[1]))) for own in torch.split(x, counts, 1)], 1)
            counts = [max(count, STEP) for count in counts]
        slots = [-(-count // STEP) * STEP + STEP for count in counts]  # a step of silence is enough at every level
        for block, (_, _, pool) in zip(self.blocks, BLOCKS, strict=True):
            x, counts = block(x, counts, slots)
            slots = [slot // pool for slot in slots]
        return x, counts
