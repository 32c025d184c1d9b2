"""The end-to-end baseline of the paper's table 2: convolutions on the raw signal, then an LSTM."""

from dataclasses import dataclass
from typing import Any

from serprep.config import within
from serprep.features.extract import Features
from serprep.systems import Shapes, SystemSpec


@dataclass(frozen=True, kw_only=True)
class Options:
    """``[train.cnn-lstm]``."""

    leak: float = within(0, 1, default=0.01)  # slope of the LeakyReLU below 0


class CNNLSTM(SystemSpec[Options]):
    """Reads the signal itself."""

    name = "cnn-lstm"
    options = Options
    cost = 50
    numbers = both = True

    def inputs(self, options: Options, features: Features) -> tuple[str, ...]:
        """The samples."""
        return ("signal",)

    def make(self, options: Options, shapes: Shapes, n_labels: int) -> Any:
        """The network."""
        from serprep_models.cnn_lstm import Network

        return Network(n_labels, leak=options.leak)


SPEC = CNNLSTM()
