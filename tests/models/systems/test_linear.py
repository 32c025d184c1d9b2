"""One linear layer on rows."""

import torch

from serprep.features.extract import Features
from serprep_models.system import Batch, SystemConfig, make_system
from serprep_models.systems.linear import SPEC, Options


def test_it_is_one_product() -> None:
    network = SPEC.make(Options(features=("a", "b")), {"a": (4,), "b": (2,)}, 3).eval()
    a, b = torch.randn(5, 4), torch.randn(5, 2)
    weights = network.state_dict()
    expected = torch.cat([a, b], 1) @ weights["out.weight"].T + weights["out.bias"]
    torch.testing.assert_close(network(Batch({"a": a, "b": b}, {}, torch.zeros(5).long())), expected)
    assert sum(v.numel() for v in make_system(SystemConfig.of("linear", Features(), 4)).parameters()) == 6374 * 4
