"""A split → who is where, and what an audit says of it."""

from collections import Counter
from dataclasses import dataclass
from typing import Any

from serprep.audit import Audit, audit_split
from serprep.card.rows import natural
from serprep.errors import SplitError
from serprep.manifest.table import Manifest
from serprep.split import ROLES, Split

MOST_SPEAKERS, MOST_FOLDS = 120, 24  # that are drawn one by one


@dataclass(frozen=True)
class Sides:
    """What the card shows of a split."""

    split: Split
    folds: list[dict[str, Any]]  # fold, and per role utterances, speakers
    speakers: list[tuple[str, list[str]]]  # speaker, and per fold its role, "mixed" or ""; [] if there are too many
    audit: Audit | None
    problem: str = ""  # why there is no audit
    n_unknown: int = 0  # rows of the store that the split does not name


def look_at_split(split: Split, manifest: Manifest) -> Sides:
    """Who is where in a split, and what an audit of it against a manifest finds."""
    rows = split.utterances.values()
    folds: list[dict[str, Any]] = []
    by_speaker: dict[str, list[set[str]]] = {}
    for row in rows:
        held = by_speaker.setdefault(row.speaker, [set() for _ in split.folds])
        for roles, role in zip(held, row.roles, strict=True):
            if role:
                roles.add(role)
    for number, fold in enumerate(split.folds):
        counts = Counter(row.roles[number] for row in rows)
        heard = Counter(role for roles in by_speaker.values() for role in roles[number])
        folds.append({"fold": fold, "n": [counts[role] for role in ROLES], "speakers": [heard[role] for role in ROLES]})
    drawn = []
    if len(by_speaker) <= MOST_SPEAKERS and len(split.folds) <= MOST_FOLDS:
        drawn = [
            (speaker, ["mixed" if len(roles) > 1 else next(iter(roles), "") for roles in by_speaker[speaker]])
            for speaker in natural(set(by_speaker))
        ]
        drawn.sort(key=lambda row: row[1].index("test") if "test" in row[1] else len(split.folds))
    known = set(split.utterances)
    n_unknown = sum(name not in known for name in manifest.utterances.column("id"))
    try:
        return Sides(split, folds, drawn, audit_split(manifest, split), n_unknown=n_unknown)
    except SplitError as error:
        return Sides(split, folds, drawn, None, str(error), n_unknown)
