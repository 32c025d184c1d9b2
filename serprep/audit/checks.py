"""Sides → findings: what makes the scores of a split better, or other, than they seem.

A kind is counted per fold between the scored side (test; dev where nothing is tested)
and what is learnt or chosen from.  The same between train and dev, where there is a
test side, is a warning: the choice is biased, the score is not.  For speakers it is a
leak as well, since training refuses it.
"""

import math
import re
from collections.abc import Callable, Iterator, Sequence

import numpy as np
import numpy.typing as npt

from serprep.audit.contents import check_classes, check_confounding, check_listing, check_names
from serprep.audit.findings import LEAKS, OTHERS, SEVERITIES, Finding
from serprep.audit.sides import BITS, Sides
from serprep.split import ROLES

TEXTS = ("text", "sentence", "transcript")  # columns that hold what is said
_FEWEST_WORDS = 4  # of a transcript that two people hardly say by chance


def find_all(sides: Sides, sounds: Sequence[tuple[int, int, float]] = ()) -> tuple[Finding, ...]:
    """Everything that the checks find, the worst first.

    Parameters
    ----------
    sides : Sides
    sounds : sequence of (int, int, float)
        Pairs of utterances that sound the same, and how alike they are.
    """
    same_bytes = _same_bytes(sides)
    findings = [
        *_both_roles(sides),
        *_shared_columns(sides),
        *_partners(sides),
        *_pairs(sides, "bytes", same_bytes),
        *_pairs(sides, "sound", sounds),
        *_label_conflicts(sides, [*same_bytes, *sounds]),
        *check_listing(sides),
        *check_classes(sides),
        *check_confounding(sides),
        *check_names(sides),
    ]
    order = {fold: number for number, fold in enumerate(("", *sides.folds))}
    kinds = [*LEAKS, *OTHERS]
    return tuple(
        sorted(
            findings,
            key=lambda finding: (SEVERITIES.index(finding.severity), kinds.index(finding.kind), order[finding.fold]),
        )
    )


def _scored_bit(roles: npt.NDArray[np.uint8]) -> int:
    """Test, or dev where nothing is tested."""
    return BITS["test"] if (roles & BITS["test"]).any() else BITS["dev"]


def _names(bits: int) -> str:
    return ", ".join(role for role in ROLES if bits & BITS[role])


# -- things on both sides ------------------------------------------------------------


def _both_roles(sides: Sides) -> Iterator[Finding]:
    """The same utterance under two roles of one fold."""
    for number, fold in enumerate(sides.folds):
        roles = sides.roles[:, number]
        several = np.flatnonzero(roles & (roles - 1)).tolist()
        if several:
            scored = _scored_bit(roles)
            yield Finding(
                kind="utterance",
                severity="leak",
                fold=fold,
                things=tuple(sides.utterances[i].id for i in several),
                n_things=int(np.count_nonzero(roles)),
                n_utterances=int(np.count_nonzero(roles[several] & scored)),
                n_scored=int(np.count_nonzero(roles & scored)),
                sides=_names(int(np.bitwise_or.reduce(roles[several]))),
            )


def _shared_columns(sides: Sides) -> Iterator[Finding]:
    speakers = sides.column("speaker")
    n_unknown = speakers.count("")
    if n_unknown:
        yield Finding(
            kind="no-speaker",
            severity="warning",
            fold="",
            things=tuple(row.id for row in sides.utterances if not row.speaker),
            n_things=len(speakers),
        )
    yield from _shared(sides, "speaker", speakers, lambda scored: "leak")
    yield from _shared(sides, "parent", _families(sides), _leak_if_scored)
    yield from _shared(sides, "dialogue", sides.column("dialogue"), _leak_if_scored)
    for column in TEXTS:
        texts = [_text(text, is_code=column == "text") for text in sides.column(column)]
        severity = "info" if _is_by_design(texts, speakers) else "warning"
        shared = list(_shared(sides, "text", texts, lambda scored, severity=severity: severity))  # type: ignore[misc]
        yield from shared
        if shared:
            return


def _families(sides: Sides) -> list[str]:
    """The parent of each utterance that was made from another one, itself of each that others were made from."""
    parents = sides.column("parent")
    known = set(parents)
    return [
        parent or (row.id if row.id in known else "") for row, parent in zip(sides.utterances, parents, strict=True)
    ]


def _leak_if_scored(scored: bool) -> str:
    return "leak" if scored else "warning"


def _text(text: str, *, is_code: bool) -> str:
    """What is said, without punctuation; a few words said by chance are nothing shared."""
    words = re.findall(r"\w+", text.lower())
    return " ".join(words) if is_code or len(words) >= _FEWEST_WORDS else ""


def _is_by_design(texts: Sequence[str], speakers: Sequence[str]) -> bool:
    """Whether everybody was given the same sentences: half of the speakers, or more, say a text on average."""
    said: dict[str, set[str]] = {}
    for text, speaker in zip(texts, speakers, strict=True):
        if text and speaker:
            said.setdefault(text, set()).add(speaker)
    n_speakers = len({speaker for speaker in speakers if speaker})
    return bool(said) and sum(map(len, said.values())) / len(said) >= n_speakers / 2


def _shared(sides: Sides, kind: str, values: Sequence[str], severity: Callable[[bool], str]) -> Iterator[Finding]:
    """Values on both sides: of what is scored, and of train and dev where that is not what is scored."""
    names, codes = np.unique(np.array(values, dtype=object).astype(str), return_inverse=True)
    known = names != ""
    for number, fold in enumerate(sides.folds):
        roles = sides.roles[:, number]
        present = {role: np.zeros(len(names), bool) for role in ROLES}
        for role in ROLES:
            present[role][codes[(roles & BITS[role]) != 0]] = True
        scored = "test" if present["test"].any() else "dev"
        learnt = present["train"] | (present["dev"] if scored == "test" else False)
        n_things = int(np.count_nonzero((present["train"] | present["dev"] | present["test"]) & known))
        shared = present[scored] & learnt & known
        if shared.any():
            is_scored = (roles & BITS[scored]) != 0
            others = "".join(
                f"{role}, " for role in ("train", "dev") if role != scored and (shared & present[role]).any()
            )
            yield Finding(
                kind=kind,
                severity=severity(True),
                fold=fold,
                things=tuple(names[shared].tolist()),
                n_things=n_things,
                n_utterances=int(np.count_nonzero(is_scored & shared[codes])),
                n_scored=int(np.count_nonzero(is_scored)),
                sides=others + scored,
            )
        chosen = present["train"] & present["dev"] & known & ~shared
        if scored == "test" and chosen.any():
            yield Finding(
                kind=kind,
                severity=severity(False),
                fold=fold,
                things=tuple(names[chosen].tolist()),
                n_things=n_things,
                sides="train, dev",
            )


def _partners(sides: Sides) -> Iterator[Finding]:
    """Whom a scored utterance was said to is in training: the microphones heard both."""
    partners = np.array(sides.column("partner"), dtype=object)
    speakers = np.array(sides.column("speaker"), dtype=object)
    if not (partners != "").any():
        return
    for number, fold in enumerate(sides.folds):
        roles = sides.roles[:, number]
        scored = (roles & _scored_bit(roles)) != 0
        learnt = set(speakers[(roles & ~np.uint8(_scored_bit(roles))) != 0]) - {""}
        touched = np.array([name in learnt for name in partners], bool) & scored
        if touched.any():
            yield Finding(
                kind="partner",
                severity="leak",
                fold=fold,
                things=tuple(sorted(set(partners[touched]))),
                n_things=len(set(partners[roles != 0]) - {""}),
                n_utterances=int(np.count_nonzero(touched)),
                n_scored=int(np.count_nonzero(scored)),
                sides=_names(int(np.bitwise_or.reduce(roles))),
            )


def _same_bytes(sides: Sides) -> list[tuple[int, int, float]]:
    """Pairs of utterances cut from the same bytes, by more than half of the shorter."""
    groups: dict[str, list[int]] = {}
    for number, digest in enumerate(sides.column("audio_digest")):
        if digest:
            groups.setdefault(digest, []).append(number)
    pairs = []
    for group in filter(lambda numbers: len(numbers) > 1, groups.values()):
        ordered = sorted(group, key=lambda i: sides.utterances[i].start or 0.0)
        for first, second in _near(ordered, sides):
            pairs.append((first, second, 1.0))
    return pairs


def _near(ordered: Sequence[int], sides: Sides) -> Iterator[tuple[int, int]]:
    """Pairs whose excerpts overlap; of whole files each with the first."""
    spans = [(sides.utterances[i].start or 0.0, _end(sides.utterances[i].end)) for i in ordered]
    for here, (start, end) in enumerate(spans):
        for there in range(here + 1, len(spans)):
            other_start, other_end = spans[there]
            if other_start >= end:
                break
            shared = min(end, other_end) - other_start
            if shared == math.inf or shared > min(end - start, other_end - other_start) / 2:
                yield ordered[here], ordered[there]


def _end(end: float | None) -> float:
    return math.inf if end is None else end


def _pairs(sides: Sides, kind: str, pairs: Sequence[tuple[int, int, float]]) -> Iterator[Finding]:
    """Pairs of one recording: leaks where they stand on two sides, else worth knowing."""
    if not pairs:
        return
    rows, others = np.array([pair[:2] for pair in pairs]).T
    names = [f"{sides.utterances[i].id} = {sides.utterances[j].id}" for i, j, _ in pairs]
    if kind == "sound":
        names = [f"{name} ({pair[2]:.3f})" for name, pair in zip(names, pairs, strict=True)]
    apart = np.zeros(len(pairs), bool)
    for number, fold in enumerate(sides.folds):
        roles = sides.roles[:, number]
        bit = _scored_bit(roles)
        first, second = roles[rows], roles[others]
        crossing = (first != 0) & (second != 0) & (first != second)
        scored = crossing & (((first | second) & bit) != 0)
        for chosen, severity in ((scored, "leak"), (crossing & ~scored, "warning")):
            if chosen.any():
                touched = {i for i in (*rows[chosen].tolist(), *others[chosen].tolist()) if roles[i] & bit}
                yield Finding(
                    kind=kind,
                    severity=severity,
                    fold=fold,
                    things=tuple(name for name, is_one in zip(names, chosen, strict=True) if is_one),
                    n_things=len(pairs),
                    n_utterances=len(touched),
                    n_scored=int(np.count_nonzero(roles & bit)),
                    sides=_names(int(np.bitwise_or.reduce(first[chosen] | second[chosen]))),
                )
        apart |= crossing
    within = ~apart & (sides.roles[rows] != 0).any(axis=1) & (sides.roles[others] != 0).any(axis=1)
    if within.any():
        yield Finding(
            kind=kind,
            severity="info",
            fold="",
            things=tuple(name for name, is_one in zip(names, within, strict=True) if is_one),
            n_things=len(pairs),
        )


def _label_conflicts(sides: Sides, pairs: Sequence[tuple[int, int, float]]) -> Iterator[Finding]:
    """Pairs of one recording that stand under two labels: one of them is wrong, on whichever side."""
    used = (sides.roles != 0).any(axis=1)
    names = []
    for row, other, _ in pairs:
        first, second = sides.utterances[row], sides.utterances[other]
        if used[row] and used[other] and first.emotion and second.emotion and first.emotion != second.emotion:
            names.append(f"{first.id} ({first.emotion}) = {second.id} ({second.emotion})")
    if names:
        yield Finding(
            kind="label-conflict", severity="warning", fold="", things=tuple(dict.fromkeys(names)), n_things=len(pairs)
        )
