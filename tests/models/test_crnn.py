"""The three systems against the paper's sizes and against themselves alone."""

import pytest
import torch

from serprep.errors import TrainError
from serprep_models.crnn import Batch, Encoder, SystemConfig, make_system, n_flat

NAMES = ("plain-crnn", "hsf-crnn", "multi-crnn")


def random_batch(short: list[int], long: list[int], *, seed: int = 0) -> Batch:
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=generator)

    return Batch(
        {"short": normal(sum(short), 30, 40), "long": normal(sum(long), 50, 40)},
        {"short": torch.tensor(short), "long": torch.tensor(long)},
        normal(len(short), 6373),
        torch.zeros(len(short), dtype=torch.int64),
    )


def one_of(batch: Batch, i: int) -> Batch:
    """Utterance `i` of a batch as a batch of its own."""
    begin = {name: int(counts[:i].sum()) for name, counts in batch.counts.items()}
    return Batch(
        {n: v[begin[n] : begin[n] + int(batch.counts[n][i])] for n, v in batch.segments.items()},
        {name: counts[i : i + 1] for name, counts in batch.counts.items()},
        batch.functionals[i : i + 1],
        batch.labels[i : i + 1],
    )


def layer(n_in: int, n_out: int) -> int:
    return n_in * n_out + n_out


def encoder_size(n_flat: int) -> int:
    """Two convolutions and an LSTM with two biases, by hand."""
    return layer(40 * 5, 30) + layer(30 * 3, 30) + 4 * 128 * (n_flat + 128 + 2)


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("plain-crnn", encoder_size(120) + layer(384, 128) + layer(128, 32) + layer(32, 4)),
        (
            "hsf-crnn",
            encoder_size(120)
            + layer(384, 128)
            + layer(6373, 1024)
            + layer(1024, 520)
            + layer(520, 128)
            + layer(256, 32)
            + layer(32, 4),
        ),
        (
            "multi-crnn",
            encoder_size(120) + encoder_size(270) + layer(384, 128) + layer(128, 128) + layer(512, 128) + layer(128, 4),
        ),
    ],
)
def test_parameters_are_the_hand_computed_ones(name: str, expected: int) -> None:
    system = make_system(SystemConfig(system=name, n_labels=4))
    assert sum(p.numel() for p in system.parameters()) == expected
    assert expected == {"plain-crnn": 190_300, "hsf-crnn": 7_321_060, "multi-crnn": 482_292}[name]


@pytest.mark.parametrize(("length", "expected"), [(30, 120), (50, 270)])
def test_a_segment_gives_the_papers_number_of_values(length: int, expected: int) -> None:
    encoder = Encoder(length, 40)
    assert encoder.convolve(torch.zeros(3, length, 40)).shape == (3, expected)
    assert n_flat(length) == expected


def test_segments_too_short_for_the_convolutions_are_refused() -> None:
    """15 frames: 11 after the convolution, 5 after the pool, 3 after the next, 1 at the end."""
    assert Encoder(15, 40).convolve(torch.zeros(1, 15, 40)).shape == (1, 30)
    with pytest.raises(TrainError, match="at least 15"):
        Encoder(14, 40)


def test_an_unknown_system_is_answered_with_the_known_ones() -> None:
    with pytest.raises(TrainError, match="plain-crnn, hsf-crnn, multi-crnn"):
        make_system(SystemConfig(system="transformer", n_labels=4))


@pytest.mark.parametrize("name", NAMES)
def test_logits_do_not_depend_on_the_rest_of_the_batch(name: str) -> None:
    torch.manual_seed(0)
    system = make_system(SystemConfig(system=name, n_labels=4)).eval()
    batch = random_batch([1, 170, 2, 17, 64, 1], [1, 136, 1, 13, 50, 2])
    with torch.inference_mode():
        together = system(batch)
        alone = torch.cat([system(one_of(batch, i)) for i in range(6)])
    torch.testing.assert_close(together, alone, rtol=1e-5, atol=1e-6)


def test_pooling_sees_real_steps_only() -> None:
    """Against a loop over utterances with torch's own LSTM on each, unpadded."""
    torch.manual_seed(0)
    encoder = Encoder(30, 40)
    counts = [1, 5, 3]
    segments = torch.randn(9, 30, 40)
    expected, begin = [], 0
    for count in counts:
        out, _ = encoder.lstm(encoder.convolve(segments[begin : begin + count])[:, None])
        steps = out[:, 0]
        expected.append(torch.cat([steps.max(0).values, steps.mean(0), steps.min(0).values]))
        begin += count
    torch.testing.assert_close(encoder(segments, torch.tensor(counts)), torch.stack(expected), rtol=1e-5, atol=1e-6)


def test_convolutions_are_those_of_a_picture_of_bands_and_frames() -> None:
    """A filter of 40 bands x 5 frames, as the paper draws it, by a two-dimensional convolution."""
    torch.manual_seed(0)
    encoder = Encoder(30, 40)
    segments = torch.randn(4, 30, 40)
    picture = segments.transpose(1, 2)[:, None]  # (S, 1, bands, frames)
    x = torch.nn.functional.conv2d(picture, encoder.conv1.weight[:, None], encoder.conv1.bias)
    x = torch.nn.functional.max_pool2d(x.relu(), (1, 3), stride=(1, 2))
    x = torch.nn.functional.conv2d(x, encoder.conv2.weight[:, :, None], encoder.conv2.bias)
    x = torch.nn.functional.max_pool2d(x.relu(), (1, 3), stride=(1, 2))
    torch.testing.assert_close(encoder.convolve(segments), x.flatten(1), rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("name", NAMES)
def test_gradients_reach_every_parameter(name: str) -> None:
    torch.manual_seed(0)
    system = make_system(SystemConfig(system=name, n_labels=4))
    system(random_batch([3, 7], [2, 5])).square().sum().backward()
    silent = [key for key, value in system.named_parameters() if value.grad is None or not value.grad.abs().sum() > 0]
    assert silent == []


def test_hsf_crnn_without_functionals_says_so() -> None:
    batch = random_batch([2], [1])
    with pytest.raises(TrainError, match="enable them"):
        make_system(SystemConfig(system="hsf-crnn", n_labels=4))(
            Batch(batch.segments, batch.counts, None, batch.labels)
        )
