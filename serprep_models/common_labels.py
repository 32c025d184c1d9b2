"""Labels of a system and of what it is scored on → the labels that both have, and what is dropped.

A mapping renames labels of either side, and may merge several.  Utterances whose label the other
side lacks are dropped and counted; probabilities of labels that nothing is scored by are left out,
and the others divided by their sum.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from serprep.errors import TrainError, one_line
from serprep.text import did_you_mean


@dataclass(frozen=True, kw_only=True)
class LabelRow:
    """What becomes of one label."""

    label: str  # "" are utterances without one
    scored_as: str  # "" is dropped
    in_system: bool
    n_utterances: int  # of what is scored


@dataclass(frozen=True, kw_only=True)
class CommonLabels:
    """The labels that are scored, in the system's order, and how each label came to be one of them."""

    labels: tuple[str, ...]
    rows: tuple[LabelRow, ...]

    @property
    def n_dropped(self) -> int:
        """Utterances that are not scored."""
        return sum(row.n_utterances for row in self.rows if not row.scored_as)

    @property
    def notes(self) -> list[str]:
        """What is dropped, in sentences."""
        total = sum(row.n_utterances for row in self.rows)
        dropped = [f"{one_line(row.label) or '(no label)'} {row.n_utterances}" for row in self.rows if self._lost(row)]
        unused = [one_line(row.label) for row in self.rows if row.in_system and not row.scored_as]
        notes = [f"{self.n_dropped} of {total} utterances are dropped: {', '.join(dropped)}"] if dropped else []
        if unused:
            notes.append(
                f"the system also knows {', '.join(unused)}: left out, and the other probabilities divided by their sum"
            )
        return notes

    def _lost(self, row: LabelRow) -> bool:
        return bool(row.n_utterances) and not row.scored_as

    def restrict(self, predictions: pd.DataFrame) -> pd.DataFrame:
        """Predictions over the common labels: of columns ``truth`` and ``p_<label>``, and others that stay.

        Examples
        --------
        >>> table = common_labels({"joy": 1, "sad": 1}, ("happy", "sad", "bored"), {"joy": "happy"})
        >>> before = {"truth": ["joy", "sad"], "p_happy": [0.2, 0.3], "p_sad": [0.2, 0.1], "p_bored": [0.6, 0.6]}
        >>> table.restrict(pd.DataFrame(before))[["truth", "prediction", "p_happy"]].values.tolist()
        [['happy', 'happy', 0.5], ['sad', 'happy', 0.75]]
        """
        scored_as = {row.label: row.scored_as for row in self.rows}
        truth = predictions["truth"].map(scored_as).fillna("")
        chances = np.zeros((len(predictions), len(self.labels)))
        for place, label in enumerate(self.labels):
            for row in self.rows:
                if row.in_system and row.scored_as == label:
                    chances[:, place] += predictions[f"p_{row.label}"].to_numpy(np.float64)
        total = chances.sum(axis=1, keepdims=True)
        even = np.full_like(chances, 1 / len(self.labels))
        chances = np.divide(chances, total, out=even, where=total > 0)
        others = [
            name
            for name in map(str, predictions.columns)
            if name not in ("truth", "prediction") and not name.startswith("p_")
        ]
        names = np.array(self.labels, object)
        table = predictions[others].assign(truth=truth, prediction=names[chances.argmax(axis=1)])
        table[[f"p_{label}" for label in self.labels]] = chances
        return table[table["truth"] != ""].reset_index(drop=True)


def common_labels(
    counts: Mapping[str, int], known: Sequence[str], mapping: Mapping[str, str], *, among: Sequence[str] | None = None
) -> CommonLabels:
    """The labels that utterances and a system have in common.

    Parameters
    ----------
    counts : mapping of str to int
        Label → its utterances; "" where there is none.
    known : sequence of str
        The labels of the system.
    mapping : mapping of str to str
        Label of either → what it is scored as; others keep their names.
    among : sequence of str, optional
        No others are scored.

    Raises
    ------
    TrainError
        If fewer than two are in common, or the mapping names a label that neither has.
    """
    names = list(dict.fromkeys((*known, *counts)))
    for name in mapping:
        if name not in names:
            meant = did_you_mean(name, names) or f"; expected one of {one_line(', '.join(filter(None, names)))}"
            raise TrainError(f"no label {name!r} to map{meant}")
    becomes = {name: mapping.get(name, name) for name in names}
    there = {becomes[name] for name in counts if name}
    labels = tuple(dict.fromkeys(becomes[name] for name in known if becomes[name] in there))
    labels = tuple(label for label in labels if among is None or label in among)
    if len(labels) < 2:
        both = f"only {one_line(labels[0])!r}" if labels else "no label"
        raise TrainError(
            f"{both} in common: the system knows {one_line(', '.join(known))}, the utterances are "
            f"{one_line(', '.join(filter(None, counts)))}; name the same in both, such as --map joy=happy"
        )
    rows = [
        LabelRow(
            label=name,
            scored_as=becomes[name] if name and becomes[name] in labels else "",
            in_system=name in known,
            n_utterances=counts.get(name, 0),
        )
        for name in names
    ]
    return CommonLabels(labels=labels, rows=tuple(rows))
