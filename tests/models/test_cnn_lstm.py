"""The end-to-end baseline against plain modules of PyTorch, one utterance at a time."""

import pytest
import torch
from torch import nn

from serprep.features.extract import Features
from serprep.features.signal import SIGNAL
from serprep_models.cnn_lstm import Network
from serprep_models.system import Batch, SystemConfig, make_system
from serprep_models.systems.cnn_lstm import SPEC, Options

LENGTHS = [640, 1000, 5000, 6399, 6400, 7, 3333]


def a_batch(lengths: list[int], *, seed: int = 0) -> Batch:
    signal = torch.randn(sum(lengths), 1, generator=torch.Generator().manual_seed(seed))
    return Batch({"signal": signal}, {"signal": torch.tensor(lengths)}, torch.zeros(len(lengths), dtype=torch.int64))


def plain(network: Network) -> nn.Sequential:
    """The same blocks, as the description says them."""
    layers: list[nn.Module] = []
    for block in network.blocks:
        kernel = block.conv.kernel_size[0]
        conv = nn.Conv1d(block.conv.in_channels, block.conv.out_channels, kernel)
        conv.load_state_dict(block.conv.state_dict())
        norm = nn.BatchNorm1d(block.conv.out_channels)
        norm.load_state_dict(block.norm.state_dict())
        layers += [
            nn.ConstantPad1d(((kernel - 1) // 2, kernel // 2), 0.0),
            conv,
            norm,
            nn.LeakyReLU(0.01),
            nn.MaxPool1d(block.pool),
        ]
    return nn.Sequential(*layers)


@pytest.fixture
def network() -> Network:
    torch.manual_seed(0)
    made = SPEC.make(Options(), {"signal": (1,)}, 4)
    for block in made.blocks:  # not those of the beginning, which change nothing
        block.norm.running_mean.normal_()
        block.norm.running_var.uniform_(0.5, 2)
        block.norm.weight.data.normal_()
        block.norm.bias.data.normal_()
    return made


def test_the_number_of_parameters_is_that_counted_by_hand() -> None:
    convolutions = (1 * 8 + 1) * 64 + (64 * 6 + 1) * 128 + (128 * 6 + 1) * 256
    normalisation = 2 * (64 + 128 + 256)
    lstm = 2 * 4 * 256 * (256 + 256 + 2)
    expected = convolutions + normalisation + lstm + (3 * 256 + 1) * 4
    features = Features(segments={}, logmel=None, functionals=None, signal=SIGNAL.config())
    made = make_system(SystemConfig.of("cnn-lstm", features, 4))
    assert sum(value.numel() for value in made.parameters()) == expected == 1_303_364


def test_steps_are_those_of_the_plain_modules_on_each_utterance_alone(network: Network) -> None:
    network.eval()
    batch, expected = a_batch(LENGTHS), []
    with torch.inference_mode():
        found, counts = network.steps(batch.inputs["signal"], batch.counts["signal"].tolist())
        for signal in batch.inputs["signal"][:, 0].split(LENGTHS):
            whole = nn.functional.pad(signal, (0, max(0, 640 - len(signal))))
            expected.append(plain(network).eval()(whole[None, None])[0])
    assert counts == [max(1, n // 640) for n in LENGTHS] == [part.shape[1] for part in expected]
    torch.testing.assert_close(found, torch.cat(expected, 1), rtol=1e-4, atol=1e-5)


def test_logits_do_not_depend_on_the_rest_of_the_batch(network: Network) -> None:
    network.eval()
    batch = a_batch(LENGTHS)
    with torch.inference_mode():
        together = network(batch)
        signals = batch.inputs["signal"].split(LENGTHS)
        alone = [
            network(Batch({"signal": signal}, {"signal": torch.tensor([len(signal)])}, batch.labels[:1]))
            for signal in signals
        ]
    torch.testing.assert_close(together, torch.cat(alone), rtol=1e-4, atol=1e-5)


def test_an_utterance_is_max_mean_and_min_of_the_recurrent_layers(network: Network) -> None:
    network.eval()
    batch = a_batch([3000])
    with torch.inference_mode():
        steps = network.steps(batch.inputs["signal"], batch.counts["signal"].tolist())[0].t()  # (4, 256)
        out = network.lstm(steps)[0]
        vector = torch.cat([out.max(0).values, out.mean(0), out.min(0).values])
        torch.testing.assert_close(network(batch)[0], network.out(vector), rtol=1e-4, atol=1e-5)


def test_normalisation_counts_real_samples_only() -> None:
    """Two utterances of equal length are an ordinary batch of PyTorch's: same means and variances."""
    torch.manual_seed(1)
    network = SPEC.make(Options(), {"signal": (1,)}, 4).train()
    reference = plain(network).train()
    batch = a_batch([6400, 6400])
    found, _ = network.steps(batch.inputs["signal"], batch.counts["signal"].tolist())
    expected = reference(batch.inputs["signal"][:, 0].view(2, 1, 6400))
    torch.testing.assert_close(found, expected.transpose(0, 1).flatten(1), rtol=1e-3, atol=1e-4)
    for block, place in zip(network.blocks, (2, 7, 12), strict=True):
        torch.testing.assert_close(block.norm.running_mean, reference[place].running_mean, rtol=1e-4, atol=1e-5)
        torch.testing.assert_close(block.norm.running_var, reference[place].running_var, rtol=1e-4, atol=1e-5)


def test_gradients_reach_every_parameter(network: Network) -> None:
    network.train()
    network(a_batch([1500, 2500])).square().sum().backward()
    silent = [
        name for name, value in network.named_parameters() if value.grad is None or not value.grad.abs().sum() > 0
    ]
    # a bias before batch normalisation has no effect: its gradient is rounding
    assert [name for name in silent if not name.endswith("conv.bias")] == []
