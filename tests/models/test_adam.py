"""The steps of torch's own classes, to the bit, without the compiler that they import."""

import sys

import pytest
import torch
from torch import nn

from serprep_models.adam import Adam


def network() -> nn.Module:
    torch.manual_seed(0)
    return nn.ModuleList([nn.Linear(5, 3), nn.LSTM(5, 3), nn.Linear(2, 2)])  # the last is not used


def loss(layers: nn.Module, number: int) -> torch.Tensor:
    x = torch.randn(4, 5, generator=torch.Generator().manual_seed(number))
    return (layers[0](x) * layers[1](x)[0]).square().sum()


def steps(layers: nn.Module, optimiser, first: int, last: int, rates) -> None:
    for number in range(first, last):
        layers.zero_grad(set_to_none=True)
        loss(layers, number).backward()
        if isinstance(optimiser, Adam):
            optimiser.rate = rates[number]
        else:
            optimiser.param_groups[0]["lr"] = rates[number]
        optimiser.step()


@pytest.mark.parametrize("weight_decay", [0.0, 0.1])
def test_steps_are_those_of_torchs_classes_also_after_a_state_was_read(weight_decay: float) -> None:
    rates = [0.1, 0.05, 0.2, 0.01, 0.1]
    theirs, ours, later = network(), network(), network()
    kind = torch.optim.AdamW if weight_decay else torch.optim.Adam
    expected = kind(theirs.parameters(), lr=1.0, weight_decay=weight_decay, fused=True)
    steps(theirs, expected, 0, 5, rates)
    first = Adam(ours.parameters(), rate=1.0, weight_decay=weight_decay)
    steps(ours, first, 0, 3, rates)
    later.load_state_dict(ours.state_dict())
    second = Adam(later.parameters(), rate=1.0, weight_decay=weight_decay)
    second.load(dict(enumerate(first.state)))
    steps(later, second, 3, 5, rates)
    for mine, value, fresh in zip(later.parameters(), theirs.parameters(), network().parameters(), strict=True):
        assert torch.equal(mine, value)
        assert torch.equal(mine, fresh) == (mine.shape[-1] == 2 or mine.shape == (2,))
    own = {number: {name: value.tolist() for name, value in each.items()} for number, each in enumerate(second.state)}
    for number, each in expected.state_dict()["state"].items():
        assert own[number] == {name: value.tolist() for name, value in each.items()}


def test_a_state_of_other_parameters_is_refused() -> None:
    state = dict(enumerate(Adam(network().parameters(), rate=1.0).state))
    with pytest.raises(ValueError, match="moments of another system"):
        Adam(nn.Linear(4, 3).parameters(), rate=1.0).load(state)
    with pytest.raises(KeyError, match="0"):
        Adam(network().parameters(), rate=1.0).load({})


def test_no_step_imports_torchs_compiler(monkeypatch) -> None:
    monkeypatch.setitem(sys.modules, "torch._dynamo", None)  # importing it fails
    layers = network()
    steps(layers, Adam(layers.parameters(), rate=1.0), 0, 1, [0.1])
