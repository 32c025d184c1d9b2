"""What training may do to a batch, so that a system does not learn its utterances by heart.

Everything is drawn on the CPU, from the global generator that a training state holds: a
training that was killed goes on with the same draws.
"""

import torch
from torch import Tensor

from serprep.recipe import TrainConfig
from serprep_models.system import Batch, Mix


def augment(batch: Batch, how: TrainConfig) -> Batch:
    """The batch with segments left out and log-mels masked, as configured; else itself.

    Masks are runs of mel bands, the same in all segments of an utterance, and runs of
    frames, in each segment its own (Park et al., SpecAugment, 2019).  Their widths are
    drawn from 0 to the widest, and what is masked becomes 0, the mean of training.
    """
    if not (how.drop_segments or how.mask_bands or how.mask_frames):
        return batch
    inputs, counts = dict(batch.inputs), dict(batch.counts)
    for name, own in batch.counts.items():
        values = batch.inputs[name]
        if values.ndim != 3:  # a contour, not segments
            continue
        if how.drop_segments:
            kept, own = drop(own, how.drop_segments)
            values = values[kept.to(values.device)]
        n_segments, n_frames, n_mels = values.shape
        if how.mask_bands:
            hidden = runs(len(own), n_mels, widest=how.mask_bands)  # (B, M)
            hidden = torch.repeat_interleave(hidden, own, dim=0)[:, None]  # (S, 1, M)
            values = values.masked_fill(hidden.to(values.device), 0.0)
        if how.mask_frames:
            hidden = runs(n_segments, n_frames, widest=how.mask_frames)[:, :, None]  # (S, L, 1)
            values = values.masked_fill(hidden.to(values.device), 0.0)
        inputs[name], counts[name] = values, own
    return Batch(inputs, counts, batch.labels, batch.store_rows)


def drop(counts: Tensor, probability: float) -> tuple[Tensor, Tensor]:
    """Which segments are kept, (S,) of places, and how many of each utterance, (B,): at least one."""
    draws = torch.rand(int(counts.sum()))
    owner = torch.repeat_interleave(torch.arange(len(counts)), counts)
    largest = torch.segment_reduce(draws, "max", lengths=counts)
    kept = torch.nonzero((draws >= probability) | (draws == largest[owner]))[:, 0]
    return kept, torch.bincount(owner[kept], minlength=len(counts))


def runs(n: int, length: int, *, widest: int) -> Tensor:
    """One run of places in each of n rows, its width from 0 to `widest`, (n, length) of bool."""
    width = torch.randint(0, min(widest, length) + 1, (n, 1))
    start = (torch.rand(n, 1) * (length - width + 1)).long()
    places = torch.arange(length)
    return (places >= start) & (places < start + width)


def draw_mix(n: int, alpha: float) -> Mix:
    """Partners and shares for mixup of n utterances; shares are beta distributed, and at least a half."""
    share = torch.distributions.Beta(alpha, alpha).sample((n, 1))
    return Mix(torch.randperm(n), torch.maximum(share, 1 - share))
