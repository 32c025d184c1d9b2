"""The paper's systems, as recipes ask for them."""

import pytest

from serprep.errors import TrainError
from serprep.features.extract import Features
from serprep_models.system import SystemConfig, make_system


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
    system = make_system(SystemConfig.of(name, Features(), 4))
    assert sum(p.numel() for p in system.parameters()) == expected
    assert expected == {"plain-crnn": 190_300, "hsf-crnn": 7_321_060, "multi-crnn": 482_292}[name]


def test_hsf_crnn_without_functionals_says_so() -> None:
    with pytest.raises(TrainError, match="enable them"):
        SystemConfig.of("hsf-crnn", Features(functionals=None), 4)


def test_the_layers_on_the_functionals_are_the_configured_ones() -> None:
    system = make_system(SystemConfig.of("hsf-crnn", Features(), 4, layers=(128,)))
    expected = encoder_size(120) + layer(384, 128) + layer(6373, 128) + layer(256, 32) + layer(32, 4)
    assert sum(p.numel() for p in system.parameters()) == expected
