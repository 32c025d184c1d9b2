"""What training may do to a batch: what is hidden, what is left, and how often."""

import numpy as np
import torch

from serprep.recipe import TrainConfig
from serprep_models.augment import augment, draw_mix, drop, runs
from serprep_models.system import Batch


def a_batch(counts: list[int]) -> Batch:
    n = sum(counts)
    values = torch.arange(1.0, n * 30 * 40 + 1).view(n, 30, 40)
    own = torch.tensor(counts)
    inputs = {"short": values, "functionals": torch.ones(len(counts), 6373)}
    return Batch(inputs, {"short": own}, torch.zeros(len(counts)).long())


def test_nothing_is_done_unless_asked_for() -> None:
    batch = a_batch([2, 3])
    assert augment(batch, TrainConfig()) is batch


def test_runs_are_runs_of_every_width_at_every_place() -> None:
    torch.manual_seed(0)
    found = runs(20_000, 10, widest=3).numpy()
    edges = np.diff(np.pad(found, ((0, 0), (1, 1))).astype(int), axis=1)
    assert ((edges == 1).sum(1) <= 1).all()  # one run
    widths = found.sum(1)
    assert widths.max() == 3
    np.testing.assert_allclose(np.bincount(widths, minlength=4) / len(widths), 1 / 4, atol=0.015)
    starts = found[widths == 3].argmax(1)
    np.testing.assert_allclose(np.bincount(starts, minlength=8) / len(starts), 1 / 8, atol=0.02)
    assert runs(50, 5, widest=100).shape == (50, 5)


def test_masks_hide_bands_of_an_utterance_and_frames_of_a_segment() -> None:
    torch.manual_seed(3)
    batch = a_batch([4, 5, 6])
    found = augment(batch, TrainConfig(mask_bands=8, mask_frames=5)).inputs["short"]
    hidden = found == 0
    kept = ~hidden
    assert torch.equal(found[kept], batch.inputs["short"][kept])  # what is not hidden is as it was
    bands = hidden.all(1)  # (S, M)
    frames = hidden.all(2)  # (S, L)
    for own in bands.split([4, 5, 6]):
        assert (own == own[0]).all()
    assert torch.equal(hidden, bands[:, None] | frames[:, :, None])
    assert len({tuple(row.tolist()) for row in frames}) > 5  # each segment its own
    assert bands.sum(1).max() <= 8 and frames.sum(1).max() <= 5


def test_left_out_segments_leave_one_at_least_and_the_order() -> None:
    torch.manual_seed(0)
    counts = torch.tensor([1, 7, 1000, 2])
    kept, left = drop(counts, 0.3)
    assert torch.equal(kept, kept.sort().values) and len(kept) == int(left.sum())
    assert (left >= 1).all() and (left <= counts).all()
    assert abs(int(left[2]) - 700) < 60
    for _ in range(50):
        assert (drop(torch.tensor([1, 1, 3]), 0.95)[1] >= 1).all()


def test_a_batch_with_segments_left_out_holds_those_of_its_utterances() -> None:
    torch.manual_seed(1)
    batch = a_batch([6, 1, 9])
    found = augment(batch, TrainConfig(drop_segments=0.5))
    assert int(found.counts["short"].sum()) == len(found.inputs["short"]) < 16
    for own, whole in zip(
        found.inputs["short"].split(found.counts["short"].tolist()),
        batch.inputs["short"].split([6, 1, 9]),
        strict=True,
    ):
        assert {float(each[0, 0]) for each in own} <= {float(each[0, 0]) for each in whole}


def test_mixing_is_by_beta_shares_of_a_half_or_more() -> None:
    """Beta(a, a) has the variance 1 / (4 (2 a + 1)), whatever side of a half is taken."""
    torch.manual_seed(0)
    mix = draw_mix(50_000, 0.4)
    share = mix.share[:, 0].numpy()
    assert share.min() >= 0.5 and share.max() <= 1
    np.testing.assert_allclose(np.mean((share - 0.5) ** 2), 1 / (4 * 1.8), rtol=0.02)
    assert sorted(mix.partner.tolist()) == list(range(50_000))
    x = torch.randn(50_000, 2)
    expected = mix.share * x + (1 - mix.share) * x[mix.partner]
    torch.testing.assert_close(mix(x), expected, rtol=1e-5, atol=1e-6)
