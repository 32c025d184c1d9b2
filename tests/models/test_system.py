"""What all systems share."""

import pytest
import torch

from serprep.errors import TrainError
from serprep.features.extract import Features
from serprep_models.system import SystemConfig, averaged, make_system


def test_an_unknown_system_is_answered_with_the_known_ones() -> None:
    with pytest.raises(TrainError, match="unknown system 'transformer'; expected one of"):
        make_system(SystemConfig.of("transformer", Features(), 4))


def test_a_single_output_is_left_as_it_is() -> None:
    logits = torch.randn(3, 4)
    assert averaged([logits]) is logits
