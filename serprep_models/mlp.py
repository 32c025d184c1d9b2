"""Fully connected layers on rows of any kinds of feature; with none it is logistic regression.

Shapes: B utterances, d columns of all rows.
"""

from collections.abc import Sequence

from torch import Tensor, nn

from serprep.systems import Shapes
from serprep_models.crnn import Full
from serprep_models.system import Batch, Mix, System, mixed
from serprep_models.systems.options import Layers


class Network(System):
    """Rows beside each other → layers → softmax."""

    def __init__(
        self, features: Sequence[str], layers: Sequence[int], options: Layers, shapes: Shapes, n_labels: int
    ) -> None:
        super().__init__()
        self.features = tuple(features)
        sizes = (sum(shapes[name][0] for name in features), *layers)
        self.full = [f"full{number}" for number in range(1, len(sizes))]
        for name, n_in, n_out in zip(self.full, sizes, sizes[1:], strict=False):
            self.add_module(name, Full(n_in, n_out, options))
        self.out = nn.Linear(sizes[-1], n_labels)

    def branches(self, batch: Batch, mix: Mix | None) -> Sequence[Tensor]:
        """The last layer's values; the rows (B, d) where there is none."""
        x = mixed(batch.rows(self.features), mix)
        for name in self.full:
            x = self.get_submodule(name)(x)
        return [x]
