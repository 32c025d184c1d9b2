"""What a reader must know before believing a run's scores: leaks, label conflicts, speakers who tell the class.

Leaks and conflicts are what `serprep.audit` finds in the rows of a split that a store has.
Statistics of a speaker who says one emotion are statistics of that emotion: standardised by
them, the emotion is gone (and where speakers say few, most of it is).
"""

import dataclasses
from collections import Counter
from collections.abc import Sequence

from serprep.audit import Audit, audit_split
from serprep.audit.contents import CONFOUNDED, confounding
from serprep.errors import TrainError, one_line
from serprep.manifest.table import Manifest
from serprep.recipe import TrainConfig
from serprep.split import Split

REFUSED = 0.3  # share of the class entropy, beyond chance, from which on statistics of speakers must be asked for
_N_NAMED = 5  # speakers


def audited(manifest: Manifest, split: Split) -> Audit:
    """What an audit finds in the rows of a split that a store has."""
    ids = {row.id for row in manifest.utterances}
    present = {name: row for name, row in split.utterances.items() if name in ids}
    return audit_split(manifest, dataclasses.replace(split, utterances=present))


def confounded(speakers: Sequence[str], emotions: Sequence[str], *, how: TrainConfig) -> tuple[str, ...]:
    """A warning where features are standardised per speaker, and speakers tell the class; else nothing.

    Parameters
    ----------
    speakers, emotions : sequence of str
        Of every utterance of the store; "" where unknown.
    how : TrainConfig

    Raises
    ------
    TrainError
        If speakers tell so much of the class that it must be asked for.
    """
    if not how.transductive or how.learns == "numbers":
        return ()
    pairs = list(zip(speakers, emotions, strict=True))
    link = confounding(pairs)
    if link is None or link.beyond_chance < CONFOUNDED:
        return ()
    fact = (
        f"the speaker alone tells {100 * link.nmi:.1f} % of the class entropy ({100 * link.chance:.1f} % by chance), "
        f"so a speaker's mean is {'' if link.beyond_chance >= REFUSED else 'partly '}the class: "
        f"{_named(list(link.shares), pairs)}"
    )
    if link.beyond_chance >= REFUSED and not how.allow_confounded:
        raise TrainError(
            f'[train] standardisation = "{how.standardisation}": {fact}; use standardisation = "train", or ask for it '
            "with allow_confounded = true"
        )
    return (f'statistics per speaker take the class away: {fact}; compare with standardisation = "train"',)


def _named(worst: Sequence[str], pairs: Sequence[tuple[str, str]]) -> str:
    """The first speakers, with what they say."""
    said: dict[str, Counter[str]] = {}
    for speaker, emotion in pairs:
        if emotion:
            said.setdefault(speaker, Counter())[emotion] += 1
    parts = []
    for speaker in worst[:_N_NAMED]:
        counts = said[speaker].most_common()
        words = f"only {counts[0][0]}" if len(counts) == 1 else ", ".join(f"{name} {n}" for name, n in counts)
        parts.append(f"{speaker} ({words})")
    more = f" and {len(worst) - _N_NAMED} more" if len(worst) > _N_NAMED else ""
    return one_line("; ".join(parts) + more)
