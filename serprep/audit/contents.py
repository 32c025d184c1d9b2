"""What a split lists, lacks and mixes: no leak, but worth knowing before a score is believed."""

import math
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

import numpy as np

from serprep.audit.findings import Finding
from serprep.audit.sides import BITS, Sides
from serprep.split import ROLES

CONFOUNDED = 0.1  # share of the class entropy, beyond chance, from which on it is a warning


def check_listing(sides: Sides) -> Iterator[Finding]:
    n_listed = len(sides.utterances)
    by_fold: dict[str, list[str]] = {}
    for fold, name in sides.unmatched:
        by_fold.setdefault(fold, []).append(name)
    for fold, names in by_fold.items():
        yield Finding(
            kind="unmatched", severity="warning", fold=fold, things=tuple(dict.fromkeys(names)), n_things=n_listed
        )
    used = set(sides.column("emotion"))
    of_used = tuple(row.id for row in sides.absent if row.emotion in used)
    others = tuple(row.id for row in sides.absent if row.emotion not in used)
    for things, severity in ((of_used, "warning"), (others, "info")):  # info: classes the split leaves out
        if things:
            yield Finding(
                kind="missing", severity=severity, fold="", things=things, n_things=n_listed + len(sides.absent)
            )
    twice: dict[int, list[str]] = {}
    for row, fold_number in sides.doubled:
        twice.setdefault(fold_number, []).append(sides.utterances[row].id)
    for fold_number, ids in twice.items():
        yield Finding(
            kind="doubled",
            severity="warning",
            fold=sides.folds[fold_number],
            things=tuple(dict.fromkeys(ids)),
            n_things=n_listed,
        )
    n_tested = np.count_nonzero(sides.roles & BITS["test"], axis=1)
    several = np.flatnonzero(n_tested > 1).tolist()
    if several:
        yield Finding(
            kind="doubled",
            severity="warning",
            fold="",
            things=tuple(sides.utterances[i].id for i in several),
            n_things=n_listed,
        )


# -- classes -------------------------------------------------------------------------


def check_classes(sides: Sides) -> Iterator[Finding]:
    """Counts per side, and classes that a side does not have."""
    emotions = np.array(sides.column("emotion"), dtype=object)
    labels = sorted(set(emotions) - {""})
    if not labels:
        return
    for number, fold in enumerate(sides.folds):
        roles = sides.roles[:, number]
        counts = {}
        for role in ROLES:
            labelled = Counter(emotions[(roles & BITS[role]) != 0])
            if labelled.keys() - {""}:  # a side whose labels are withheld lacks none
                counts[role] = {label: labelled[label] for label in labels}
        lines = [f"{role}: " + ", ".join(f"{label} {n}" for label, n in row.items()) for role, row in counts.items()]
        yield Finding(
            kind="classes", severity="info", fold=fold, things=tuple(lines), n_things=len(labels), values=counts
        )
        gone = [f"{label} ({role})" for role, row in counts.items() for label, n in row.items() if not n]
        if gone:
            yield Finding(
                kind="absent-class",
                severity="warning",
                fold=fold,
                things=tuple(gone),
                n_things=len(labels) * len(counts),
            )


@dataclass(frozen=True)
class Confounding:
    """How much of the class entropy knowing the speaker removes, I(speaker; class) / H(class)."""

    nmi: float
    chance: float  # what it would be if speakers said all classes alike
    shares: Mapping[str, float]  # of each speaker, the largest first

    @property
    def beyond_chance(self) -> float:
        """What is left of it after chance."""
        return self.nmi - self.chance


def confounding(speakers_and_classes: Iterable[tuple[str, str]]) -> Confounding | None:
    """How far speakers tell classes; None with fewer than two of either.  Unknown ones ("") don't count.

    Examples
    --------
    >>> link = confounding([("anna", "sad"), ("anna", "sad"), ("ben", "angry"), ("ben", "angry")])
    >>> link.nmi, link.shares
    (1.0, {'anna': 0.5, 'ben': 0.5})
    """
    pairs = [pair for pair in speakers_and_classes if all(pair)]
    table = Counter(pairs)
    speakers, emotions = Counter(pair[0] for pair in pairs), Counter(pair[1] for pair in pairs)
    if len(speakers) < 2 or len(emotions) < 2:
        return None
    n = len(pairs)
    entropy = -sum(count / n * math.log(count / n) for count in emotions.values())
    share = dict.fromkeys(speakers, 0.0)
    for (speaker, emotion), count in table.items():
        share[speaker] += count / n * math.log(count * n / (speakers[speaker] * emotions[emotion])) / entropy
    nmi = max(0.0, sum(share.values()))
    chance = min(1.0, (len(speakers) - 1) * (len(emotions) - 1) / (2 * n) / entropy)
    worst = sorted(share, key=lambda speaker: (-share[speaker], speaker))
    return Confounding(nmi, chance, {speaker: share[speaker] for speaker in worst})


def check_confounding(sides: Sides) -> Iterator[Finding]:
    """How much of the class entropy knowing the speaker removes; the speakers that remove most are named."""
    measured = confounding(zip(sides.column("speaker"), sides.column("emotion"), strict=True))
    if measured is not None:
        yield Finding(
            kind="confounding",
            severity="warning" if measured.beyond_chance >= CONFOUNDED else "info",
            fold="",
            things=tuple(f"{speaker} ({share:.3f})" for speaker, share in measured.shares.items()),
            n_things=len(measured.shares),
            values={"nmi": round(measured.nmi, 6), "chance": round(measured.chance, 6)},
        )


def check_names(sides: Sides) -> Iterator[Finding]:
    """Speaker names of the split that stand for several people of the corpus."""
    speakers = sides.column("speaker")
    people = set(speakers)
    seen: dict[str, Counter[str]] = {}
    for row, name in sides.named.items():
        if speakers[row]:
            seen.setdefault(name, Counter())[speakers[row]] += 1
    mixed = {name: true for name, true in seen.items() if len(true) > 1}
    if mixed:
        owner = {name: name if name in people else true.most_common(1)[0][0] for name, true in mixed.items()}
        wrong = tuple(
            f"{sides.utterances[row].id} is {speakers[row]}, not {owner[name]}"
            for row, name in sorted(sides.named.items())
            if name in owner and speakers[row] not in ("", owner[name])
        )
        yield Finding(kind="other-speaker", severity="warning", fold="", things=wrong, n_things=len(sides.named))
