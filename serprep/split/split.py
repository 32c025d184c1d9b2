"""Who trains, who develops, who tests, in every fold."""

import hashlib
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from serprep._json import canonical_json
from serprep.errors import SplitError, one_line
from serprep.utterance import Utterances

ROLES = ("train", "dev", "test")
JOINT = " + "  # between two columns that a split has apart, and between an utterance's values in them


@dataclass(frozen=True, slots=True)
class Assignment:
    """One utterance: its speaker and group value, and its role in each fold ("" where left out)."""

    speaker: str
    group: str
    roles: tuple[str, ...]


@dataclass(frozen=True, kw_only=True)
class Split:
    """Roles of utterances in every fold."""

    protocol: str
    group: str
    seed: int
    folds: tuple[str, ...]  # names, such as the group left out
    utterances: Mapping[str, Assignment]
    manifest_digest: str = ""  # for information
    notes: tuple[str, ...] = field(default=())

    @property
    def rows_digest(self) -> str:
        """SHA-256 of the sorted (id, speaker, group) rows, hex: what the split is bound to."""
        return _digest(
            b"[", ([name, row.speaker, row.group] for name, row in sorted(self.utterances.items(), key=_name))
        )

    @property
    def digest(self) -> str:
        """SHA-256 of everything that decides training: rows and roles, hex."""
        rows = sorted(self.utterances.items(), key=_name)
        begin = b"[" + canonical_json(list(self.folds)) + b",["
        return _digest(begin, ([name, row.speaker, row.group, *row.roles] for name, row in rows), end=b"]]")

    def _repr_html_(self) -> str:
        """What a notebook shows."""
        from serprep.pages.notebook import table

        folds = {
            f"fold {row['fold']}": ", ".join(f"{role} {row[role]}" for role in ROLES) for row in describe(self)[:50]
        }
        return table(f"Split: {self.protocol} {self.group}, seed {self.seed}", {**folds, "digest": self.digest[:16]})

    def ids(self, fold: int, role: str) -> list[str]:
        """Sorted ids of one role in one fold."""
        return sorted(name for name, row in self.utterances.items() if row.roles[fold] == role)


def _name(item: tuple[str, Assignment]) -> str:
    return item[0]


def _digest(begin: bytes, rows: Iterable[list[str]], *, end: bytes = b"]") -> str:
    """SHA-256, hex, of a canonical JSON text that ends with these rows, without holding it."""
    total = hashlib.sha256(begin)
    for number, row in enumerate(rows):
        total.update(b"," * (number > 0) + canonical_json(row))
    total.update(end)
    return total.hexdigest()


def groups_of(rows: Utterances, columns: Sequence[str]) -> list[str]:
    """The value of each utterance in the column that was split by, or its values in several."""
    cells = ([str(value or "") for value in rows.column(name)] for name in columns)
    return [JOINT.join(several) for several in zip(*cells, strict=True)]


def shared_speakers(split: Split) -> dict[str, list[str]]:
    """Speakers with more than one role in a fold → names of those folds.  Unknown speakers don't count."""
    folds_of: dict[str, list[str]] = {}
    for number, fold in enumerate(split.folds):
        roles: dict[str, set[str]] = {}
        for row in split.utterances.values():
            if row.speaker and row.roles[number]:
                roles.setdefault(row.speaker, set()).add(row.roles[number])
        for speaker, several in roles.items():
            if len(several) > 1:
                folds_of.setdefault(speaker, []).append(fold)
    return dict(sorted(folds_of.items()))


def refuse_leaks(split: Split) -> None:
    """Raise if a speaker is on two sides of a fold.

    Raises
    ------
    SplitError
    """
    shared = shared_speakers(split)
    if shared:
        speaker, folds = next(iter(shared.items()))
        raise SplitError(
            f"{len(shared)} speakers are on both sides, such as {one_line(speaker)!r} in fold {one_line(folds[0])!r}; "
            'scores would not be speaker-independent: split by group = "speaker"'
        )


def describe(split: Split) -> list[dict[str, Any]]:
    """Per fold: counts of utterances and speakers by role, and the groups tested."""
    rows = []
    for number, fold in enumerate(split.folds):
        roles = Counter(row.roles[number] for row in split.utterances.values())
        tested = {row.group for row in split.utterances.values() if row.roles[number] == "test"}
        if JOINT in split.group:  # of each column apart
            tested = {value for values in tested for value in values.split(JOINT)}
        rows.append({"fold": fold, **{role: roles[role] for role in ROLES}, "test_groups": " ".join(sorted(tested))})
    return rows
