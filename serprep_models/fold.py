"""What a system that no gradient trains is given of a fold, and what it gives back."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from serprep._typing import AnyArray, FloatArray, IntArray
from serprep.recipe import TrainConfig
from serprep.store.store import Store
from serprep.systems import shapes_of
from serprep_models.children import parents_of
from serprep_models.standardise import Statistics, clip_of, standardise, table_of
from serprep_models.statistics import fold_statistics, remembered
from serprep_models.targets import EMOTION, Target


@dataclass(frozen=True, kw_only=True)
class Fitted:
    """What became of a fold."""

    scores: Mapping[str, FloatArray]  # role → probabilities (n, n_labels)
    module: Any = None  # a `torch.nn.Module` for the checkpoint; None keeps none
    note: Mapping[str, Any] = field(default_factory=dict)  # for the result, as JSON can hold it


@dataclass(frozen=True, kw_only=True)
class Fold:
    """One fold of a split, bound to a store.

    Attributes
    ----------
    store : Store
    rows : mapping of str to list of int
        "train" (utterances with a label), "dev", "test" → rows of the store.
    how : TrainConfig
    use_dev : bool
        Whether the development part may choose anything.
    folder : Path or None
        Where what experiments share is remembered.
    target : Target
        What is learnt.
    """

    store: Store
    rows: Mapping[str, list[int]]
    how: TrainConfig
    use_dev: bool
    folder: Path | None = None
    target: Target = EMOTION

    @property
    def scored(self) -> list[str]:
        """The roles to score: those of "dev" and "test" that have utterances."""
        return [role for role in ("dev", "test") if self.rows[role]]

    @property
    def n_labels(self) -> int:
        """How many labels are declared."""
        return len(self.store.labels)

    def shapes(self, names: Sequence[str]) -> dict[str, tuple[int, ...]]:
        """Input → its shape, as `serprep.systems.shapes_of` gives."""
        return shapes_of(names, self.store.features)

    def labels(self, rows: Sequence[int]) -> IntArray:
        """Places among the declared labels, shape (n,); every row has a label."""
        place = {label: number for number, label in enumerate(self.store.labels)}
        return np.array([place[self.store.emotions[row]] for row in rows], np.int64)

    def labelled(self, role: str) -> list[int]:
        """Those rows of a role that have a label."""
        return [row for row in self.rows[role] if self.store.emotions[row]]

    def truth(self, rows: Sequence[int]) -> AnyArray:
        """What is true of rows, as the target has it: numbers are from 0 to 1, (n, n_dimensions), NaN where unknown."""
        return self.target.truth(self.store, rows)

    def speakers(self, rows: Sequence[int]) -> list[str]:
        """Speakers; "" where unknown."""
        return [self.store.speakers[row] for row in rows]

    def parents(self, rows: Sequence[int]) -> IntArray:
        """The place among `rows` of what each was made from, shape (n,): its own where that is not among them."""
        place, parents = {row: number for number, row in enumerate(rows)}, parents_of(self.store)
        return np.array([place.get(int(parents[row]), number) for number, row in enumerate(rows)], np.int64)

    def statistics(self, names: Sequence[str]) -> Statistics:
        """How inputs are standardised; what other systems and seeds computed is taken."""
        return fold_statistics(self.store, self.rows["train"], names, how=self.how, folder=self.folder)

    def values(self, names: Sequence[str], rows: Sequence[int]) -> FloatArray:
        """Rows of kinds of feature beside each other, shape (n, d of all), standardised as every system sees them."""
        statistics, part = self.statistics(names), np.array(rows)
        counts = np.ones(len(part), np.int64)
        parts = []
        for name in names:
            table = table_of(self.store, name)
            stored = self.store.read_table(table, part)[0]
            parts.append(standardise(statistics[name], stored, rows=part, counts=counts, clip=clip_of(table)))
        return parts[0] if len(parts) == 1 else np.concatenate(parts, axis=1)

    def remembered(
        self, name: str, shape: tuple[int, ...], *, origin: Any, fill: Callable[[AnyArray], Any]
    ) -> tuple[AnyArray, Any]:
        """An array (float32) and a note that all experiments of the fold share: computed once, and remembered."""
        place = self.folder / f"{name}.npy" if self.folder else None
        return remembered(place, shape, np.float32, origin=origin, fill=fill)
