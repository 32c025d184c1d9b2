"""Sides → findings: what makes the scores of a split better, or other, than they seem.

A kind is counted per fold between the scored side (test; dev where nothing is tested)
and what is learnt or chosen from.  The same between train and dev, where there is a
test side, is a warning: the choice is biased, the score is not.  For speakers it is a
leak as well, since training refuses it.
"""

import math
import re
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from serprep.audit.sides import BITS, Sides
from serprep.manifest import value_of
from serprep.split import ROLES

#: Kinds that may be leaks → what is shared, in words.
LEAKS = {
    "utterance": "utterances",
    "speaker": "speakers",
    "dialogue": "dialogues",
    "partner": "dialogue partners",
    "bytes": "byte-identical recordings",
    "sound": "recordings that sound the same",
}
#: The others → what is counted, in words.
OTHERS = {
    "text": "texts",
    "unmatched": "names of no known utterance",
    "missing": "utterances in no fold",
    "doubled": "utterances listed twice, or tested in several folds",
    "absent-class": "classes absent from a side",
    "classes": "classes",
    "confounding": "speakers",
    "other-speaker": "utterances under a name that stands for several speakers",
    "no-speaker": "utterances without a speaker",
}
SEVERITIES = ("leak", "warning", "info")
TEXTS = ("text", "sentence", "transcript")  # columns that hold what is said
_CONFOUNDED = 0.1  # share of the class entropy, beyond chance, from which on it is a warning
_N_EXAMPLES = 5
_FEWEST_WORDS = 4  # of a transcript that two people hardly say by chance


@dataclass(frozen=True, kw_only=True)
class Finding:
    """One thing an audit found, in one fold or ("") in the whole split."""

    kind: str
    severity: str
    fold: str
    things: tuple[str, ...]  # what is shared, missing …: each a name
    n_things: int  # how many there are of them in all
    n_utterances: int = 0  # scored utterances that it touches
    n_scored: int = 0  # scored utterances of the fold
    sides: str = ""  # such as "train, test"
    values: Mapping[str, object] = field(default_factory=dict)  # numbers of one kind

    @property
    def count(self) -> int:
        """How many things."""
        return len(self.things)

    @property
    def examples(self) -> tuple[str, ...]:
        """The first of them."""
        return self.things[:_N_EXAMPLES]


def find_all(sides: Sides, sounds: Sequence[tuple[int, int, float]] = ()) -> tuple[Finding, ...]:
    """Everything that the checks find, the worst first.

    Parameters
    ----------
    sides : Sides
    sounds : sequence of (int, int, float)
        Pairs of utterances that sound the same, and how alike they are.
    """
    found = [
        *_both_roles(sides),
        *_shared_columns(sides),
        *_partners(sides),
        *_pairs(sides, "bytes", _same_bytes(sides)),
        *_pairs(sides, "sound", sounds),
        *_listing(sides),
        *_classes(sides),
        *_confounding(sides),
        *_other_speaker(sides),
    ]
    order = {fold: number for number, fold in enumerate(("", *sides.folds))}
    kinds = [*LEAKS, *OTHERS]
    return tuple(
        sorted(found, key=lambda one: (SEVERITIES.index(one.severity), kinds.index(one.kind), order[one.fold]))
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
    speakers = [row.speaker for row in sides.utterances]
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
    yield from _shared(sides, "dialogue", _column(sides, "dialogue"), _leak_if_scored)
    for column in TEXTS:
        texts = [_text(text, is_code=column == "text") for text in _column(sides, column)]
        severity = "info" if _is_by_design(texts, speakers) else "warning"
        found = list(_shared(sides, "text", texts, lambda scored, severity=severity: severity))  # type: ignore[misc]
        yield from found
        if found:
            return


def _leak_if_scored(scored: bool) -> str:
    return "leak" if scored else "warning"


def _column(sides: Sides, name: str) -> list[str]:
    return [str(value_of(row, name) or "") for row in sides.utterances]


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
    partners = np.array(_column(sides, "partner"), dtype=object)
    speakers = np.array([row.speaker for row in sides.utterances], dtype=object)
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
                n_things=len(set(partners[scored]) - {""}),
                n_utterances=int(np.count_nonzero(touched)),
                n_scored=int(np.count_nonzero(scored)),
                sides=_names(
                    int(
                        np.bitwise_or.reduce(
                            roles[np.isin(speakers, list(set(partners[touched])))] | roles[touched].max()
                        )
                    )
                ),
            )


def _same_bytes(sides: Sides) -> list[tuple[int, int, float]]:
    """Pairs of utterances cut from the same bytes, by more than half of the shorter."""
    groups: dict[str, list[int]] = {}
    for number, row in enumerate(sides.utterances):
        if row.audio_digest:
            groups.setdefault(row.audio_digest, []).append(number)
    found = []
    for group in groups.values():
        ordered = sorted(group, key=lambda i: sides.utterances[i].start or 0.0)
        for one, other in _near(ordered, sides):
            found.append((one, other, 1.0))
    return found


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
    one, other = np.array([pair[:2] for pair in pairs]).T
    names = [f"{sides.utterances[i].id} = {sides.utterances[j].id}" for i, j, _ in pairs]
    if kind == "sound":
        names = [f"{name} ({pair[2]:.3f})" for name, pair in zip(names, pairs, strict=True)]
    apart = np.zeros(len(pairs), bool)
    for number, fold in enumerate(sides.folds):
        roles = sides.roles[:, number]
        bit = _scored_bit(roles)
        first, second = roles[one], roles[other]
        crossing = (first != 0) & (second != 0) & (first != second)
        scored = crossing & (((first | second) & bit) != 0)
        for chosen, severity in ((scored, "leak"), (crossing & ~scored, "warning")):
            if chosen.any():
                touched = {i for i in (*one[chosen].tolist(), *other[chosen].tolist()) if roles[i] & bit}
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
    within = ~apart & (sides.roles[one] != 0).any(axis=1) & (sides.roles[other] != 0).any(axis=1)
    if within.any():
        yield Finding(
            kind=kind,
            severity="info",
            fold="",
            things=tuple(name for name, is_one in zip(names, within, strict=True) if is_one),
            n_things=len(pairs),
        )


# -- what is listed ------------------------------------------------------------------


def _listing(sides: Sides) -> Iterator[Finding]:
    n_listed = len(sides.utterances)
    by_fold: dict[str, list[str]] = {}
    for fold, name in sides.unmatched:
        by_fold.setdefault(fold, []).append(name)
    for fold, names in by_fold.items():
        yield Finding(
            kind="unmatched", severity="warning", fold=fold, things=tuple(dict.fromkeys(names)), n_things=n_listed
        )
    used = {row.emotion for row in sides.utterances}
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


def _classes(sides: Sides) -> Iterator[Finding]:
    """Counts per side, and classes that a side does not have."""
    emotions = np.array([row.emotion for row in sides.utterances], dtype=object)
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


def _confounding(sides: Sides) -> Iterator[Finding]:
    """How much of the class entropy knowing the speaker removes; the speakers that remove most are named."""
    pairs = [(row.speaker, row.emotion) for row in sides.utterances if row.speaker and row.emotion]
    table = Counter(pairs)
    speakers, emotions = Counter(pair[0] for pair in pairs), Counter(pair[1] for pair in pairs)
    if len(speakers) < 2 or len(emotions) < 2:
        return
    n = len(pairs)
    entropy = -sum(count / n * math.log(count / n) for count in emotions.values())
    share = dict.fromkeys(speakers, 0.0)
    for (speaker, emotion), count in table.items():
        share[speaker] += count / n * math.log(count * n / (speakers[speaker] * emotions[emotion])) / entropy
    nmi = max(0.0, sum(share.values()))
    chance = min(1.0, (len(speakers) - 1) * (len(emotions) - 1) / (2 * n) / entropy)
    worst = sorted(share, key=lambda speaker: (-share[speaker], speaker))
    yield Finding(
        kind="confounding",
        severity="warning" if nmi - chance >= _CONFOUNDED else "info",
        fold="",
        things=tuple(f"{speaker} ({share[speaker]:.3f})" for speaker in worst),
        n_things=len(speakers),
        values={"nmi": round(nmi, 6), "chance": round(chance, 6)},
    )


def _other_speaker(sides: Sides) -> Iterator[Finding]:
    """Speaker names of the split that stand for several people of the corpus."""
    seen: dict[str, Counter[str]] = {}
    for row, name in sides.named.items():
        if sides.utterances[row].speaker:
            seen.setdefault(name, Counter())[sides.utterances[row].speaker] += 1
    mixed = {name: true for name, true in seen.items() if len(true) > 1}
    if mixed:
        owner = {name: max(sorted(true), key=lambda speaker: true[speaker]) for name, true in mixed.items()}
        wrong = tuple(
            f"{sides.utterances[row].id} is {sides.utterances[row].speaker}, not {owner[name]}"
            for row, name in sorted(sides.named.items())
            if name in owner and sides.utterances[row].speaker not in ("", owner[name])
        )
        yield Finding(kind="other-speaker", severity="warning", fold="", things=wrong, n_things=len(sides.named))


# -- over all folds ------------------------------------------------------------------


def summarise(findings: Iterable[Finding], n_scored: int) -> list[dict[str, object]]:
    """One row per kind and severity: distinct things, and scored utterances summed over the folds."""
    groups: dict[tuple[str, str], list[Finding]] = {}
    for one in findings:
        groups.setdefault((one.kind, one.severity), []).append(one)
    rows = []
    for (kind, severity), group in groups.items():
        things = dict.fromkeys(thing for one in group for thing in one.things)
        n_utterances = sum(one.n_utterances for one in group)
        rows.append(
            {
                "kind": kind,
                "severity": severity,
                "n_folds": len({one.fold for one in group} - {""}),
                "count": len(things),
                "of": max(one.n_things for one in group),
                "n_utterances": n_utterances,
                "n_scored": n_scored if n_utterances else 0,
                "examples": list(things)[:_N_EXAMPLES],
            }
        )
    return rows
