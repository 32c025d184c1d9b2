"""The three systems against the paper's sizes and against themselves alone."""

import pytest
import torch

from serprep.errors import TrainError
from serprep.features.extract import Features
from serprep.systems import SYSTEMS
from serprep_models.crnn import Encoder, Full, lay_out, n_flat, wide
from serprep_models.system import Batch, Mix, SystemConfig, WithSVM, make_system
from serprep_models.systems.options import Layers

NAMES = ("plain-crnn", "hsf-crnn", "multi-crnn")


def random_batch(short: list[int], long: list[int], *, seed: int = 0) -> Batch:
    generator = torch.Generator().manual_seed(seed)

    def normal(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=generator)

    return Batch(
        {
            "short": normal(sum(short), 30, 40),
            "long": normal(sum(long), 50, 40),
            "functionals": normal(len(short), 6373),
        },
        {"short": torch.tensor(short), "long": torch.tensor(long)},
        torch.zeros(len(short), dtype=torch.int64),
    )


def one_of(batch: Batch, i: int) -> Batch:
    """Utterance `i` of a batch as a batch of its own."""
    begin = {name: int(counts[:i].sum()) for name, counts in batch.counts.items()}
    several = {n: batch.inputs[n][begin[n] : begin[n] + int(batch.counts[n][i])] for n in batch.counts}
    return Batch(
        {name: value[i : i + 1] for name, value in batch.inputs.items()} | several,
        {name: counts[i : i + 1] for name, counts in batch.counts.items()},
        batch.labels[i : i + 1],
    )


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


@pytest.mark.parametrize("name", NAMES)
def test_logits_do_not_depend_on_the_rest_of_the_batch(name: str) -> None:
    torch.manual_seed(0)
    system = make_system(SystemConfig.of(name, Features(), 4)).eval()
    batch = random_batch([1, 170, 2, 17, 64, 1], [1, 136, 1, 13, 50, 2])
    with torch.inference_mode():
        together = system(batch)
        alone = torch.cat([system(one_of(batch, i)) for i in range(6)])
    torch.testing.assert_close(together, alone, rtol=1e-5, atol=1e-6)


def by_the_book(encoder: Encoder, segments: torch.Tensor, counts: list[int]) -> torch.Tensor:
    """Two-dimensional convolutions as the paper draws them, ReLU, pool; then one utterance after the other."""
    x = segments.transpose(1, 2)[:, None]  # (S, 1, bands, frames)
    x = torch.nn.functional.conv2d(x, encoder.conv1.weight[:, None], encoder.conv1.bias)
    x = torch.nn.MaxPool2d((1, 3), stride=(1, 2))(x.relu())
    x = torch.nn.functional.conv2d(x, encoder.conv2.weight[:, :, None], encoder.conv2.bias)
    x = torch.nn.MaxPool2d((1, 3), stride=(1, 2))(x.relu()).flatten(1)
    found = []
    for flat in x.split(counts):
        steps = encoder.lstm(flat[:, None])[0][:, 0]
        found.append(torch.cat([steps.max(0).values, steps.mean(0), steps.min(0).values]))
    return torch.stack(found)


@pytest.mark.parametrize("length", [15, 30, 33, 50])
@pytest.mark.parametrize("counts", [[1], [1, 5, 3], [1, 2, 3, 4, 5, 6, 7, 60], [4] * 9, [170, *[1] * 20]])
def test_the_fast_encoder_is_the_one_by_the_book_and_so_are_its_gradients(length: int, counts: list[int]) -> None:
    torch.manual_seed(0)
    encoder = Encoder(length, 40)
    segments = torch.randn(sum(counts), length, 40)
    weight = torch.randn(len(counts), 384)
    found = []
    for run in (lambda: encoder(segments, torch.tensor(counts)), lambda: by_the_book(encoder, segments, counts)):
        encoder.zero_grad()
        pooled = run()
        (pooled * weight).sum().backward()
        found.append((pooled.detach(), [value.grad.clone() for value in encoder.parameters()]))
    (fast, gradients), (slow, expected) = found
    torch.testing.assert_close(fast, slow, rtol=1e-5, atol=1e-6)
    for ours, theirs in zip(gradients, expected, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=2e-6 * float(theirs.abs().max()) + 1e-6)


@pytest.mark.parametrize("length", [30, 50])
def test_equal_frames_give_the_gradients_of_the_book(length: int) -> None:
    """A short utterance repeats its last frame: then the maxima are ties."""
    torch.manual_seed(0)
    encoder = Encoder(length, 40)
    segments = torch.randn(3, 1, 40).expand(-1, length, -1).contiguous()
    gradients = []
    for run in (lambda: encoder(segments, torch.tensor([1, 2])), lambda: by_the_book(encoder, segments, [1, 2])):
        encoder.zero_grad()
        run().sum().backward()
        gradients.append([value.grad.clone() for value in encoder.parameters()])
    for ours, theirs in zip(*gradients, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)


def test_a_loud_state_does_not_reach_the_next_utterance_of_a_row() -> None:
    """Weights so large that every gate is wide open: the reset is exact all the same."""
    torch.manual_seed(0)
    encoder = Encoder(30, 40).eval()
    with torch.no_grad():
        for value in encoder.lstm.parameters():
            value.mul_(30).abs_()
        segments = 10 * torch.randn(12, 30, 40)
        together = encoder(segments, torch.tensor([5, 4, 2, 1]))
        torch.testing.assert_close(together[3:], encoder(segments[11:], torch.tensor([1])), rtol=0, atol=1e-6)


def test_rows_of_one_utterance_each_give_the_same() -> None:
    """What a GPU computes, here on a CPU."""
    torch.manual_seed(0)
    encoder = Encoder(30, 40)
    counts = torch.tensor([3, 1, 60, 7, 7])
    flat, weight = torch.randn(78, 120), torch.randn(78, 128)
    found = []
    for shared in (True, False):
        encoder.zero_grad()
        out = encoder.recur(flat, counts, shared=shared)
        (out * weight).sum().backward()
        found.append([out.detach(), *(value.grad.clone() for value in encoder.lstm.parameters())])
    for ours, theirs in zip(*found, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-5)


def test_rows_hold_every_step_once_in_order_and_a_gap_after_each_utterance() -> None:
    generator = torch.Generator().manual_seed(0)
    for n in (1, 2, 3, 7, 32, 100):
        for n_rows in {1, -(-n // 4), n}:
            counts = torch.randint(1, 60, (n,), generator=generator)
            cells, n_steps = lay_out(counts, n_rows)
            taken = torch.zeros(n_steps + 1, n_rows, dtype=torch.bool)
            for own in cells.split(counts.tolist()):
                step, row = own // n_rows, own % n_rows
                assert len(set(row.tolist())) == 1
                assert step.tolist() == list(range(int(step[0]), int(step[0]) + len(own)))
                cell = [*step.tolist(), int(step[-1]) + 1], [*row.tolist(), int(row[0])]
                assert not taken[cell].any()
                taken[cell] = True
            assert n_steps == int(cells.max()) // n_rows + 1
            assert n_steps * n_rows <= (1.5 * int(counts.sum()) if n > 7 and n_rows < n else 1e9)


def test_a_wide_layer_is_a_layer() -> None:
    torch.manual_seed(0)
    layer, x, weight = torch.nn.Linear(6373, 64), torch.randn(8, 6373), torch.randn(8, 64)
    gradients = []
    for run in (lambda: wide(x, layer), lambda: layer(x)):
        layer.zero_grad()
        y = run()
        (y * weight).sum().backward()
        gradients.append([y.detach(), layer.weight.grad.clone(), layer.bias.grad.clone()])
    for ours, theirs in zip(*gradients, strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("name", NAMES)
def test_gradients_reach_every_parameter(name: str) -> None:
    torch.manual_seed(0)
    system = make_system(SystemConfig.of(name, Features(), 4))
    system(random_batch([3, 7], [2, 5])).square().sum().backward()
    silent = [key for key, value in system.named_parameters() if value.grad is None or not value.grad.abs().sum() > 0]
    assert silent == []


# -- options beyond the paper ----------------------------------------------------------

PLAIN = {"activation": "relu", "batch_norm": True, "dropout": 0.5}
EVERYTHING = {
    "plain-crnn": PLAIN,
    "multi-crnn": {**PLAIN, "auxiliary_heads": True},
    "hsf-crnn": {**PLAIN, "auxiliary_heads": True, "layers": (64, 32), "svm_share": 0.5},
}


@pytest.mark.parametrize("name", NAMES)
def test_with_all_options_logits_do_not_depend_on_the_rest_of_the_batch_either(name: str) -> None:
    torch.manual_seed(0)
    config = SystemConfig.of(name, Features(), 4, **EVERYTHING[name])
    system = SYSTEMS[name].whole(config.options, config.shapes, 4)
    batch = random_batch([1, 17, 2, 9], [1, 13, 1, 7])
    system.train()
    for _ in range(3):
        getattr(system, "system", system).heads(batch)  # the running statistics are no longer those of the beginning
    system.eval()
    with torch.inference_mode():
        together = system(batch)
        alone = torch.cat([system(one_of(batch, i)) for i in range(4)])
    torch.testing.assert_close(together, alone, rtol=1e-5, atol=1e-5)
    if name != "plain-crnn":  # what is averaged are probabilities
        torch.testing.assert_close(together.exp().sum(1), torch.ones(4))


def test_a_full_layer_is_the_modules_of_pytorch_one_after_the_other() -> None:
    torch.manual_seed(0)
    ours = Full(20, 7, Layers(activation="relu", batch_norm=True))
    theirs = torch.nn.Sequential(torch.nn.Linear(20, 7), torch.nn.BatchNorm1d(7), torch.nn.ReLU())
    theirs[0].load_state_dict({"weight": ours.weight.detach(), "bias": ours.bias.detach()})
    for _ in range(5):
        x = torch.randn(9, 20)
        torch.testing.assert_close(ours(x), theirs(x))
    for module in (ours, theirs):
        module.eval()
    torch.testing.assert_close(ours(x), theirs(x))


def test_batch_normalisation_takes_a_batch_of_one_utterance() -> None:
    layer = Full(20, 7, Layers(batch_norm=True))
    before = layer.mean.clone()
    assert torch.isfinite(layer(torch.randn(1, 20))).all()
    assert torch.equal(layer.mean, before)


@pytest.mark.parametrize(("name", "expected"), [("plain-crnn", 1), ("hsf-crnn", 3), ("multi-crnn", 3)])
def test_outputs_of_branches_are_averaged(name: str, expected: int) -> None:
    torch.manual_seed(0)
    system = make_system(
        SystemConfig.of(name, Features(), 4, **({} if expected == 1 else {"auxiliary_heads": True}))
    ).eval()
    batch = random_batch([3, 2], [2, 1])
    heads = system.heads(batch)
    assert len(heads) == expected
    mean = torch.stack([logits.softmax(1) for logits in heads]).mean(0)
    torch.testing.assert_close(system(batch).softmax(1), mean)


def test_a_system_and_an_svm_give_the_mean_of_their_probabilities_in_their_shares() -> None:
    torch.manual_seed(0)
    system = make_system(SystemConfig.of("hsf-crnn", Features(), 4)).eval()
    svm = torch.nn.Linear(6373, 4)
    batch = random_batch([3, 2], [2, 1])
    expected = 0.8 * system(batch).softmax(1) + 0.2 * svm(batch.inputs["functionals"]).softmax(1)
    torch.testing.assert_close(WithSVM(system, svm, features=("functionals",), share=0.2)(batch).softmax(1), expected)


@pytest.mark.parametrize("name", NAMES)
def test_mixing_an_utterance_with_itself_changes_nothing_and_with_another_it_does(name: str) -> None:
    torch.manual_seed(0)
    system = make_system(SystemConfig.of(name, Features(), 4)).eval()
    batch = random_batch([3, 2, 5], [2, 1, 4])
    plain, share = system(batch), torch.full((3, 1), 0.7)
    torch.testing.assert_close(system.heads(batch, Mix(torch.arange(3), share))[0], plain)
    # at a share of 0 an utterance is its partner
    swapped = system.heads(batch, Mix(torch.tensor([1, 0, 2]), torch.zeros(3, 1)))[0]
    torch.testing.assert_close(swapped, plain[[1, 0, 2]])
