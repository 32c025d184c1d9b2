"""Layers on rows, as a recipe asks for them."""

from serprep.features.extract import Features
from serprep_models.system import SystemConfig, make_system


def test_the_number_of_parameters_is_that_counted_by_hand() -> None:
    made = make_system(SystemConfig.of("mlp", Features(), 4))
    assert sum(value.numel() for value in made.parameters()) == 6374 * 256 + 257 * 64 + 65 * 4
