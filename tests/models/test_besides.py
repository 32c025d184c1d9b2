"""Losses besides that of the target, against their formulae written out."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from serprep.errors import RecipeError, TrainError
from serprep.recipe import TrainConfig
from serprep_models.besides import TEMPERATURE, Besides, contrast
from serprep_models.loader import Examples
from serprep_models.system import Batch, Mix, SystemConfig
from serprep_models.systems.mlp import Options
from serprep_models.train import train

SPEAKERS = ["a", "b", "a", "c", "b", "unseen"]


def test_the_contrast_is_that_of_its_formula() -> None:
    generator = np.random.default_rng(0)
    x, labels = generator.standard_normal((7, 3)), np.array([0, 1, 0, 2, 1, 0, 3])
    z = x / np.linalg.norm(x, axis=1, keepdims=True)
    terms = []
    for i in range(7):
        others = [k for k in range(7) if k != i]
        alike = [k for k in others if labels[k] == labels[i]]
        total = sum(np.exp(z[i] @ z[k] / TEMPERATURE) for k in others)
        if alike:
            terms.append(-np.mean([np.log(np.exp(z[i] @ z[k] / TEMPERATURE) / total) for k in alike]))
    given = contrast(torch.tensor(x), torch.tensor(labels))
    assert float(given) == pytest.approx(np.mean(terms), rel=1e-5)
    for n in (1, 7):  # of nobody is there another
        values = torch.tensor(x[:n], requires_grad=True)
        nobody = contrast(values, torch.arange(n))
        nobody.backward()
        assert nobody.item() == 0 and values.grad is not None and bool((values.grad == 0).all())


def test_the_adversary_learns_speakers_and_what_is_below_unlearns_them() -> None:
    torch.manual_seed(0)
    besides = Besides(3, SPEAKERS, range(5), TrainConfig(adversary=0.5))
    values = torch.randn(5, 3, requires_grad=True)
    batch = Batch({}, {}, torch.zeros(5).long(), torch.arange(5))
    loss = besides(values, batch, None)
    truth = torch.tensor([0, 1, 0, 2, 1])
    plain = values.detach().clone().requires_grad_()
    expected = torch.nn.functional.cross_entropy(besides.speaker(plain), truth)
    assert loss.item() == pytest.approx(expected.item())
    of_layer, below = torch.autograd.grad(loss, [besides.speaker.weight, values])
    expected_layer, expected_below = torch.autograd.grad(expected, [besides.speaker.weight, plain])
    torch.testing.assert_close(of_layer, expected_layer)
    torch.testing.assert_close(below, -0.5 * expected_below)
    swapped = Mix(partner=torch.tensor([1, 0, 2, 3, 4]), share=torch.tensor([[0.7]] * 5))
    log = besides.speaker(values).log_softmax(1)
    each = -(0.7 * log[range(5), truth] + 0.3 * log[range(5), truth[swapped.partner]])
    assert besides(values, batch, swapped).item() == pytest.approx(each.mean().item())


@pytest.mark.parametrize("speakers", [["a", "a"], ["a", ""]])
def test_who_speaks_must_be_known(speakers) -> None:
    with pytest.raises(TrainError, match="adversary needs two or more training speakers, all known"):
        Besides(3, speakers, [0, 1], TrainConfig(adversary=1))


@pytest.mark.parametrize(
    ("how", "message"),
    [
        ({"contrast": 1, "mixup": 0.2}, "contrast is for utterances of one label, and mixup mixes them"),
        ({"contrast": 1, "target": "raters"}, "contrast is for one label per utterance"),
        ({"adversary": -1}, r"adversary"),
    ],
)
def test_what_makes_no_sense_is_refused(how, message) -> None:
    with pytest.raises(RecipeError, match=message):
        TrainConfig(**how)


def test_a_training_is_moved_by_both_and_keeps_nothing_of_them(tmp_path) -> None:
    generator = np.random.default_rng(0)
    inputs = {"x": torch.tensor(generator.standard_normal((12, 2)), dtype=torch.float32)}
    examples = Examples(np.arange(12)[::-1].copy(), inputs, {}, torch.arange(12) % 2)
    options = Options(features=("x",), layers=(4,), dropout=0.0)
    config = SystemConfig(system="mlp", n_labels=2, shapes={"x": (2,)}, options=options)
    how = TrainConfig(epochs=2, batch_size=5, device="cpu")

    def weights(how: TrainConfig, **where: object) -> dict[str, torch.Tensor]:
        return train(config, examples, how=how, seed=0, speakers=SPEAKERS[:5] * 3, **where).system.state_dict()

    plain, both = weights(how), replace(how, adversary=1.0, contrast=0.5)
    for other in (replace(how, adversary=1.0), replace(how, contrast=0.5), both):
        given = weights(other)
        assert set(given) == {"full1.weight", "full1.bias", "out.weight", "out.bias"}
        assert not torch.equal(given["full1.weight"], plain["full1.weight"])
    weights(replace(both, epochs=1), folder=tmp_path, save_every=0.0)  # a state after each step
    again = weights(replace(both, epochs=1), folder=tmp_path)  # from the last one
    assert all(torch.equal(again[name], value) for name, value in weights(replace(both, epochs=1)).items())
