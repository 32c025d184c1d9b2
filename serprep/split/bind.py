"""A split as it applies to the rows of a manifest.

It is bound to the digest of its sorted (id, speaker, group) rows.  Rows that a recipe or
quarantine removed are dropped and counted; an unknown id, or one with another speaker or
group, is an error.
"""

from dataclasses import dataclass

from serprep.errors import SplitError, first_ten, one_line
from serprep.manifest.table import Manifest
from serprep.split.split import JOINT, Split, groups_of


@dataclass(frozen=True)
class Bound:
    """A split as it applies to the rows of a manifest."""

    split: Split
    roles: tuple[tuple[str, ...], ...]  # per row, per fold
    n_dropped: int  # rows of the split that the manifest does not have

    def rows(self, fold: int, role: str) -> list[int]:
        """Row numbers of one role in one fold, in the manifest's order."""
        return [i for i, roles in enumerate(self.roles) if roles[fold] == role]


def bind(split: Split, manifest: Manifest) -> Bound:
    """Apply a split to a manifest.

    Rows that only the split has are dropped and counted (a recipe or quarantine
    removed them).

    Raises
    ------
    SplitError
        If the manifest has an id that the split does not know, or one with another
        speaker or group value.
    """
    problems = []
    columns = (split.group,) if split.group in manifest.columns else tuple(split.group.split(JOINT))
    compared = set(columns) <= set(manifest.columns)
    rows = manifest.utterances
    groups = groups_of(rows, columns) if compared else [None] * len(rows)
    for name, speaker, group in zip(rows.column("id"), rows.column("speaker"), groups, strict=True):
        known = split.utterances.get(name)
        if known is None:
            problems.append(f"utterance {one_line(name)!r} is not in the split; make the split again")
        elif known.speaker != speaker:
            problems.append(f"utterance {one_line(name)!r} has speaker {speaker!r}, in the split {known.speaker!r}")
        elif group not in (None, known.group):
            problems.append(f"utterance {one_line(name)!r} has {split.group} {group!r}, in the split {known.group!r}")
    if problems:
        raise SplitError(first_ten(problems))
    roles = tuple(split.utterances[name].roles for name in rows.column("id"))
    return Bound(split, roles, len(split.utterances.keys() - set(rows.column("id"))))
