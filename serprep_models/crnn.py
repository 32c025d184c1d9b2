"""The CRNN encoder and the three systems of the paper (sections 3.1 to 3.3, figures 1 to 3).

A batch holds the segments of its utterances one after the other, without padding.
Only the recurrent layer sees rows of equal length, and what it gives where there is no
segment is never read.  So the logits of an utterance do not depend on what else is in
its batch.

Shapes: B utterances, S segments of all of them, L frames of a segment, M mel bands;
R rows of T steps in the recurrent layer.

The defaults of a configuration are the paper.  Of its options, batch normalisation is that
of Ioffe and Szegedy (2015), dropout that of Srivastava et al. (2014), mixup that of Zhang
et al. (2018), here of vectors of utterances, since these have no common length.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.functional import batch_norm, conv2d, dropout, linear, max_pool2d, pad

from serprep.errors import TrainError
from serprep.systems import Shapes
from serprep_models.system import Batch, Mix, System, mixed
from serprep_models.systems.options import HSF, Branches, Layers

N_FILTERS = 30
N_UNITS = 128
WIDE = 4096  # inputs of a layer for which oneDNN is faster
LAYERS = 4  # utterances that share a row of the LSTM on a CPU
NEVER = -1e4  # a gate with this input is shut: its sigmoid is exactly 0 in float32


def n_flat(length: int) -> int:
    """Values of one segment of so many frames after the convolutions.

    Raises
    ------
    TrainError
        If no value is left.

    Examples
    --------
    >>> n_flat(30), n_flat(50)
    (120, 270)
    """
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
        self.lstm = nn.LSTM(n_flat(length), N_UNITS)

    def convolve(self, segments: Tensor) -> Tensor:
        """Segments (S, L, M) → flat maps (S, 120) for L = 30.

        Time-major segments are pictures of one line whose channels come last, which is the
        fast layout: nothing is copied.  The maximum comes before the ReLU, which it may,
        and so has less to do.
        """
        x = segments.transpose(1, 2)[:, :, None]  # (S, M, 1, L), channels last
        x = conv2d(x, self.conv1.weight[:, :, None], self.conv1.bias)  # (S, 30, 1, 26)
        x = torch.relu(max_pool2d(x, (1, 3), (1, 2)))  # (S, 30, 1, 12)
        x = conv2d(x, self.conv2.weight[:, :, None], self.conv2.bias)  # (S, 30, 1, 10)
        x = torch.relu(max_pool2d(x, (1, 3), (1, 2)))  # (S, 30, 1, 4)
        return x.flatten(1)  # (S, 120)

    def forward(self, segments: Tensor, counts: Tensor) -> Tensor:
        """Segments (S, L, M) of B utterances, counts (B,) → (B, 384)."""
        flat = self.convolve(segments)  # (S, 120)
        out = self.recur(flat, counts, shared=flat.device.type == "cpu")  # (S, 128)
        lengths = counts.to(out.device)
        pooled = [torch.segment_reduce(out, how, lengths=lengths, unsafe=True) for how in ("max", "mean", "min")]
        return torch.cat(pooled, 1)  # (B, 384)

    def recur(self, flat: Tensor, counts: Tensor, *, shared: bool) -> Tensor:
        """What the LSTM gives at every step of every utterance, (S, 120) → (S, 128).

        Padding every utterance to the longest would triple the work, which only a GPU does
        not mind.  When rows are shared, some utterances follow one another in a row, and
        where a cell holds no segment, an input of 1 shuts the gates: the state is 0 again
        when the next utterance begins, exactly.
        """
        n_rows = min(-(-len(counts) // LAYERS), int(counts.sum() // counts.max())) if shared else len(counts)
        cells, n_steps = lay_out(counts, n_rows)
        cells = cells.to(flat.device)
        x = flat.new_zeros(n_steps * n_rows, flat.shape[1]).index_copy(0, cells, flat)  # (T * R, 120)
        if shared:
            empty = flat.new_ones(len(x), 1).index_fill(0, cells, 0.0)  # (T * R, 1)
            shut = flat.new_tensor([NEVER, NEVER, 0.0, NEVER])  # input, forget, cell, output
            gates = shut.repeat_interleave(N_UNITS)  # (4 * N_UNITS,)
            from_input, *others = self.lstm.all_weights[0]
            weights = [torch.cat([from_input, gates[:, None]], 1), *others]
            state = flat.new_zeros(1, n_rows, N_UNITS)
            x = torch.cat([x, empty], 1).view(n_steps, n_rows, -1)  # (T, R, 121)
            out = torch.lstm(x, (state, state), weights, True, 1, 0.0, self.training, False, False)[0]  # (T, R, 128)
        else:
            out = self.lstm(x.view(n_steps, n_rows, -1))[0].float()  # (T, R, 128)
        return out.flatten(0, 1)[cells]  # (S, 128)


def lay_out(counts: Tensor, n_rows: int) -> tuple[Tensor, int]:
    """Place utterances in rows of steps, at least one empty step between neighbours.

    The longest ones go first, layer by layer, and every other layer runs backwards, so
    that rows become about equally long.

    Parameters
    ----------
    counts : Tensor, shape (B,)
        Segments of each utterance.
    n_rows : int
        From 1 to B.

    Returns
    -------
    cells : Tensor, shape (S,)
        ``step * n_rows + row`` of each segment.
    n_steps : int
        Of the longest row.

    Examples
    --------
    >>> lay_out(torch.tensor([1, 3]), 2)
    (tensor([1, 0, 2, 4]), 3)
    >>> lay_out(torch.tensor([1, 3]), 1)
    (tensor([4, 0, 1, 2]), 5)
    """
    n = len(counts)
    n_layers = -(-n // n_rows)
    order = counts.argsort(descending=True, stable=True)
    taken = pad(counts[order] + 1, (0, n_layers * n_rows - n)).view(n_layers, n_rows)
    row = torch.arange(n_rows).repeat(n_layers, 1)
    row[1::2] = row[1::2].flip(1)
    by_row = torch.zeros_like(taken).scatter(1, row, taken)
    begin = (by_row.cumsum(0) - by_row).gather(1, row)
    first = torch.empty_like(counts)
    first[order] = (begin * n_rows + row).flatten()[:n]
    step = torch.arange(int(counts.sum())) - torch.repeat_interleave(counts.cumsum(0) - counts, counts)
    return torch.repeat_interleave(first, counts) + n_rows * step, int(by_row.sum(0).max()) - 1


def wide(x: Tensor, layer: nn.Linear) -> Tensor:
    """``layer(x)`` for a layer of millions of weights: oneDNN takes half the time of a general product."""
    if x.device.type == "cpu" and torch.backends.mkldnn.is_available():  # type: ignore[no-untyped-call]
        return linear(x.to_mkldnn(), layer.weight, layer.bias).to_dense()
    return linear(x, layer.weight, layer.bias)


class Full(nn.Linear):
    """A fully connected layer: weights, batch normalisation if configured, activation, dropout."""

    mean: Tensor
    variance: Tensor

    def __init__(self, n_in: int, n_out: int, options: Layers) -> None:
        super().__init__(n_in, n_out)
        self.options = options
        if options.batch_norm:
            self.gain, self.shift = nn.Parameter(torch.ones(n_out)), nn.Parameter(torch.zeros(n_out))
            self.register_buffer("mean", torch.zeros(n_out))
            self.register_buffer("variance", torch.ones(n_out))

    def forward(self, x: Tensor) -> Tensor:
        """(B, n_in) → (B, n_out)."""
        x = wide(x, self) if self.in_features > WIDE else super().forward(x)
        if self.options.batch_norm:
            batch = self.training and len(x) > 1  # one utterance has no deviation: as in prediction
            x = batch_norm(x, self.mean, self.variance, self.gain, self.shift, training=batch)
        x = torch.sigmoid(x) if self.options.activation == "sigmoid" else torch.relu(x)
        return dropout(x, self.options.dropout, self.training) if self.options.dropout else x


class PlainCRNN(System):
    """Figure 1: encoder(short) → FC 128 → FC 32 → softmax."""

    def __init__(self, options: Layers, shapes: Shapes, n_labels: int) -> None:
        super().__init__()
        self.encoder = Encoder(*shapes["short"])
        self.fc1 = Full(3 * N_UNITS, 128, options)
        self.fc2 = Full(128, 32, options)
        self.out = nn.Linear(32, n_labels)

    def branches(self, batch: Batch, mix: Mix | None) -> Sequence[Tensor]:
        """The last layer (B, 32); there is one branch, which needs no output of its own."""
        x = mixed(self.encoder(batch.inputs["short"], batch.counts["short"]), mix)  # (B, 384)
        return [self.fc2(self.fc1(x))]  # (B, 128) -> (B, 32)


class HSFCRNN(System):
    """Figure 2: encoder(short) → FC 128, beside functionals → FC 1024 → FC 520 → FC 128; joint FC 32."""

    def __init__(self, options: HSF, shapes: Shapes, n_labels: int) -> None:
        super().__init__()
        self.encoder = Encoder(*shapes["short"])
        self.fc = Full(3 * N_UNITS, 128, options)
        self.features = options.features
        sizes = (sum(shapes[name][0] for name in options.features), *options.layers)
        self.hsf = [f"hsf{number}" for number in range(1, len(sizes))]
        for name, n_in, n_out in zip(self.hsf, sizes, sizes[1:], strict=False):
            self.add_module(name, Full(n_in, n_out, options))
        self.joint = Full(128 + sizes[-1], 32, options)
        self.out = nn.Linear(32, n_labels)
        if options.auxiliary_heads:
            self.auxiliary.extend(nn.Linear(n, n_labels) for n in (128, sizes[-1]))

    def branches(self, batch: Batch, mix: Mix | None) -> Sequence[Tensor]:
        """The joint layer (B, 32), the encoder's branch (B, 128), that of the functionals (B, 128)."""
        x = mixed(self.encoder(batch.inputs["short"], batch.counts["short"]), mix)  # (B, 384)
        x = self.fc(x)  # (B, 128)
        y = mixed(batch.rows(self.features), mix)  # (B, 6373)
        for name in self.hsf:
            y = self.get_submodule(name)(y)  # (B, 1024) -> (B, 520) -> (B, 128)
        return [self.joint(torch.cat([x, y], 1)), x, y]  # (B, 256) -> (B, 32)


class MultiCRNN(System):
    """Figure 3: encoder(short) → FC 128 → FC 128, beside encoder(long); joint FC 128."""

    def __init__(self, options: Branches, shapes: Shapes, n_labels: int) -> None:
        super().__init__()
        self.short = Encoder(*shapes["short"])
        self.long = Encoder(*shapes["long"])
        self.fc1 = Full(3 * N_UNITS, 128, options)
        self.fc2 = Full(128, 128, options)
        self.joint = Full(128 + 3 * N_UNITS, 128, options)
        self.out = nn.Linear(128, n_labels)
        if options.auxiliary_heads:
            self.auxiliary.extend(nn.Linear(n, n_labels) for n in (128, 3 * N_UNITS))

    def branches(self, batch: Batch, mix: Mix | None) -> Sequence[Tensor]:
        """The joint layer (B, 128), the short branch (B, 128), the long one (B, 384)."""
        x = mixed(self.short(batch.inputs["short"], batch.counts["short"]), mix)  # (B, 384)
        x = self.fc2(self.fc1(x))  # (B, 128) -> (B, 128)
        y = mixed(self.long(batch.inputs["long"], batch.counts["long"]), mix)  # (B, 384)
        return [self.joint(torch.cat([x, y], 1)), x, y]  # (B, 512) -> (B, 128)
