"""What the end-to-end baseline says of itself."""

from serprep.features.extract import Features
from serprep_models.systems.cnn_lstm import SPEC, Options


def test_it_reads_the_signal() -> None:
    assert SPEC.inputs(Options(), Features()) == ("signal",)
