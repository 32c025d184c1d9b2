"""Layers on rows, against plain products."""

import torch

from serprep_models.system import Batch
from serprep_models.systems.mlp import SPEC, Options


def test_it_is_linear_layers_and_relu_one_after_the_other() -> None:
    torch.manual_seed(0)
    network = SPEC.make(Options(features=("a", "b"), layers=(5, 3)), {"a": (4,), "b": (2,)}, 2).eval()
    a, b = torch.randn(7, 4), torch.randn(7, 2)
    x = torch.cat([a, b], 1)
    weights = network.state_dict()
    for name in ("full1", "full2"):
        x = (x @ weights[f"{name}.weight"].T + weights[f"{name}.bias"]).clamp(min=0)
    expected = x @ weights["out.weight"].T + weights["out.bias"]
    torch.testing.assert_close(network(Batch({"a": a, "b": b}, {}, torch.zeros(7).long())), expected)
