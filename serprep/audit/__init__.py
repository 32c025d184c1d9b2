"""A finished split, ours or anybody's → what is wrong with it (``docs/audit.md``).

`read_listing` (``foreign``) understands split files, `find_sides` (``sides``) matches
their names to utterances, `find_all` (``checks``) checks who stands where, and
``sounds`` finds recordings that are copies of one another.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from serprep.audit.checks import TEXTS, find_all
from serprep.audit.findings import LEAKS, OTHERS, Finding, summarise
from serprep.audit.foreign import Listing, list_split, read_listing, read_ours
from serprep.audit.sides import BITS, Sides, find_sides, finder, namer, sides_of
from serprep.audit.sounds import Sounds, listen
from serprep.corpora import READERS, corpus_named
from serprep.errors import SplitError, one_line
from serprep.manifest.table import Manifest
from serprep.split import ROLES, Split

__all__ = ["LEAKS", "OTHERS", "Audit", "Finding", "audit_split", "read_listing"]


@dataclass(frozen=True, kw_only=True)
class Audit:
    """What an audit found."""

    findings: tuple[Finding, ...]  # the worst first
    notes: tuple[str, ...]
    skipped: tuple[str, ...]  # checks that no column tells enough for, and the columns
    allowed: frozenset[str]  # kinds of leaks that are meant
    folds: tuple[str, ...]
    n_utterances: int  # matched
    n_scored: int  # scored utterances, summed over the folds
    n_compared: int  # recordings that were listened to

    @property
    def leaks(self) -> tuple[Finding, ...]:
        """The leaks that nobody allowed: with one of them the audit fails."""
        return tuple(
            finding for finding in self.findings if finding.severity == "leak" and finding.kind not in self.allowed
        )

    @property
    def warnings(self) -> tuple[str, ...]:
        """What a reader of scores must know, a sentence each: leaks that nobody allowed, and label conflicts."""
        rows = [row for row in self.summary if row["severity"] == "leak" and row["kind"] not in self.allowed]
        sentences = [
            f"the split leaks: {LEAKS[str(row['kind'])]} on both sides ({row['count']}), such as "
            f"{_first(row)} ({row['n_utterances']} of {row['n_scored']} scored utterances): scores are better than "
            "they would be on unseen speakers and recordings"
            for row in rows
        ]
        sentences += [
            f"{LEAKS[str(row['kind'])]} on the train and the dev side ({row['count']}), such as {_first(row)}: "
            "what the development part chooses is biased"
            for row in self.summary
            if row["severity"] == "warning" and row["kind"] in LEAKS
        ]
        return (*sentences, *(_conflict(row) for row in self.summary if row["kind"] == "label-conflict"))

    @property
    def summary(self) -> list[dict[str, object]]:
        """One row per kind and severity, over all folds."""
        return summarise(self.findings, self.n_scored)

    def to_json(self) -> dict[str, object]:
        """What ``serprep audit --json`` prints."""
        return {
            "ok": not self.leaks,
            "n_utterances": self.n_utterances,
            "n_scored": self.n_scored,
            "n_compared": self.n_compared,
            "folds": list(self.folds),
            "findings": [
                {
                    "kind": finding.kind,
                    "severity": finding.severity,
                    "fold": finding.fold,
                    "count": finding.count,
                    "of": finding.n_things,
                    "n_utterances": finding.n_utterances,
                    "n_scored": finding.n_scored,
                    "sides": finding.sides,
                    "examples": list(finding.examples),
                    "allowed": finding.kind in self.allowed,
                    **finding.values,
                }
                for finding in self.findings
            ],
            "summary": self.summary,
            "notes": list(self.notes),
            "skipped": list(self.skipped),
        }


def _first(row: Mapping[str, Any]) -> str:
    return one_line(row["examples"][0])


def _conflict(row: Mapping[str, Any]) -> str:
    return (
        f"label conflict: recordings under two labels ({row['count']}), such as {_first(row)}; correct the label or "
        "exclude one of the two"
    )


def audit_split(
    corpus: Manifest | str,
    split: Split | Path,
    *,
    audio: Path | None = None,
    allow: Sequence[str] = (),
    progress: Callable[[int, int], None] | None = None,
) -> Audit:
    """Inspect a split.

    Parameters
    ----------
    corpus : Manifest or str
        Who speaks what: a manifest, or the name of a reader whose name rules tell it.
    split : Split or Path
        One of ours, or a file or folder in any form of ``docs/audit.md``.
    audio : Path, optional
        Folder of the recordings: they are compared by their sound as well.
    allow : sequence of str
        Kinds of leaks that are meant, of `LEAKS`.
    progress : callable
        Called with the recordings listened to, and how many there are.

    Raises
    ------
    SplitError
        If the split cannot be understood, or names nothing of this corpus.

    Examples
    --------
    >>> from serprep import Utterance, make_manifest
    >>> from serprep.split import Assignment
    >>> manifest = make_manifest([Utterance(id=x, path=x, speaker="s1") for x in ("a", "b")])
    >>> roles = {"a": Assignment("s1", "", ("train",)), "b": Assignment("s1", "", ("test",))}
    >>> split = Split(protocol="list", group="", seed=0, folds=("1",), utterances=roles)
    >>> [(finding.kind, finding.severity, finding.examples) for finding in audit_split(manifest, split).findings]
    [('speaker', 'leak', ('s1',))]
    """
    unknown = sorted(set(allow) - set(LEAKS))
    if unknown:
        raise SplitError(f"no kind of leak is called {unknown[0]!r}; expected {', '.join(LEAKS)}")
    split = read_ours(split) if isinstance(split, Path) else split
    sides = sides_of(split, corpus) if isinstance(split, Split) and isinstance(corpus, Manifest) else None
    sides = sides or _matched(corpus, list_split(split) if isinstance(split, Split) else read_listing(split))
    sounds = listen(sides.utterances, audio, progress=progress) if audio else Sounds(sides.utterances, (), (), 0)
    sides = Sides(**{**sides.__dict__, "utterances": sounds.utterances})
    return Audit(
        findings=find_all(sides, sounds.pairs),
        notes=(*sides.notes, *_notes(corpus, sides), *sounds.notes),
        skipped=tuple(_skipped(sides)),
        allowed=frozenset(allow),
        folds=sides.folds,
        n_utterances=len(sides.utterances),
        n_scored=_n_scored(sides),
        n_compared=sounds.n_compared,
    )


def _matched(corpus: Manifest | str, listing: Listing) -> Sides:
    if isinstance(corpus, Manifest):
        return find_sides(listing, finder(corpus.utterances), corpus.utterances)
    reader = corpus_named(corpus)
    if reader.named is None:
        able = ", ".join(name for name, other in READERS.usable().items() if other.named)
        raise SplitError(
            f"names of {reader.title} do not tell the speaker; give a manifest (readers whose names do: {able})"
        )
    return find_sides(listing, namer(reader.named))


def _notes(corpus: Manifest | str, sides: Sides) -> list[str]:
    notes = []
    if isinstance(corpus, str):
        known = corpus_named(corpus).n_utterances
        notes.append(
            f"no manifest: speakers come from the names; {len(sides.utterances)} utterances are listed"
            + (f", {known} are published" if known else "")
        )
    for number, fold in enumerate(sides.folds):
        there = int(np.bitwise_or.reduce(sides.roles[:, number]))
        lacking = [role for role in ROLES if role != "dev" and not there & BITS[role]]
        if lacking and not (lacking == ["test"] and there & BITS["dev"]):
            notes.append(f"fold {one_line(fold)!r} has no {' and no '.join(lacking)} side: nothing is compared there")
    return notes


def _skipped(sides: Sides) -> list[str]:
    """The checks that could not be made, because nothing tells what they compare."""
    compared = {"texts": TEXTS, "dialogues": ("dialogue",), "bytes": ("audio_digest",)}
    return [
        f"{what} (no {' or '.join(names)})"
        for what, names in compared.items()
        if not any(any(sides.column(name)) for name in names)
    ]


def _n_scored(sides: Sides) -> int:
    """Test utterances, or dev where a fold tests nothing."""
    is_test = (sides.roles & BITS["test"]) != 0
    is_dev = (sides.roles & BITS["dev"]) != 0
    return int(np.where(is_test.any(axis=0), is_test.sum(axis=0), is_dev.sum(axis=0)).sum())
