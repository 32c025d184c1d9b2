"""What an audit may find, and how findings add up over folds."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

#: Kinds that may be leaks → what is shared, in words.
LEAKS = {
    "utterance": "utterances",
    "speaker": "speakers",
    "parent": "utterances and what was made from them",
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
    "label-conflict": "recordings that stand under two labels",
    "absent-class": "classes absent from a side",
    "classes": "classes",
    "confounding": "speakers",
    "other-speaker": "utterances under a speaker name that is somebody else's",
    "no-speaker": "utterances without a speaker",
}
SEVERITIES = ("leak", "warning", "info")
_N_EXAMPLES = 5


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


def summarise(findings: Iterable[Finding], n_scored: int) -> list[dict[str, object]]:
    """One row per kind and severity: distinct things, and scored utterances summed over the folds."""
    groups: dict[tuple[str, str], list[Finding]] = {}
    for finding in findings:
        groups.setdefault((finding.kind, finding.severity), []).append(finding)
    rows = []
    for (kind, severity), group in groups.items():
        things = dict.fromkeys(thing for finding in group for thing in finding.things)
        n_utterances = sum(finding.n_utterances for finding in group)
        rows.append(
            {
                "kind": kind,
                "severity": severity,
                "n_folds": len({finding.fold for finding in group} - {""}),
                "count": len(things),
                "of": max(finding.n_things for finding in group),
                "n_utterances": n_utterances,
                "n_scored": n_scored if n_utterances else 0,
                "examples": list(things)[:_N_EXAMPLES],
            }
        )
    return rows
