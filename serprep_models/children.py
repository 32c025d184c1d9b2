"""Children of a store's utterances, the same in other conditions: they are trained on where their parents are.

Roles are those of a split of the parents.  A child has none of its own, so none is developed on or tested.
"""

from collections.abc import Mapping, Sequence

import numpy as np

from serprep._typing import IntArray
from serprep.pipeline.conditioned import PARENT, child_id
from serprep.store.store import Store


def with_children(clean: Store, augmented: Store, rows: Mapping[str, Sequence[int]]) -> dict[str, list[int]]:
    """Rows of a store → those of one that has children besides; of the training part with its children.

    Parameters
    ----------
    clean, augmented : Store
    rows : mapping of str to sequence of int
        "train", "dev", "test" → rows of `clean`.
    """
    place = {name: row for row, name in enumerate(augmented.ids)}
    by_role = {role: [place[clean.ids[row]] for row in own] for role, own in rows.items()}
    return {**by_role, "train": np.flatnonzero(np.isin(parents_of(augmented), by_role["train"])).tolist()}


def parents_of(store: Store) -> IntArray:
    """The row of what each row of a store was made from, shape (n,): its own of what is no child."""
    rows = np.arange(len(store))
    made = store.attributes["provenance"]["corpus"].get("augmented", ())
    if not made:
        return rows
    place = {name: row for row, name in enumerate(store.ids)}
    for row, (name, parent) in enumerate(zip(store.ids, store.column(PARENT), strict=True)):
        if any(name == child_id(parent, condition) for condition in made):
            rows[row] = place[parent]
    return rows
