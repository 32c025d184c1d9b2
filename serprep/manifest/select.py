"""What a recipe keeps of a manifest."""

import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from serprep.errors import ManifestError, first_ten, one_line
from serprep.manifest.table import Manifest, make_manifest
from serprep.utterance import Texts


@dataclass(frozen=True)
class Selection:
    """The rows a recipe asks for, and what it left out."""

    manifest: Manifest
    dropped: Mapping[str, int]  # reason → utterances
    labels: tuple[str, ...]  # declared emotions, in logit order


def select(manifest: Manifest, *, emotions: Mapping[str, str] | None = None, exclude: Sequence[str] = ()) -> Selection:
    """Keep, rename and merge emotions, and leave out utterances by id.

    Parameters
    ----------
    manifest : Manifest
    emotions : mapping of str to str, optional
        The corpus's word → the recipe's; what is not named is dropped.  None keeps
        every label.  Utterances of a partition "test" stay even without a label.
    exclude : sequence of str
        Utterance ids.

    Raises
    ------
    ManifestError
        If an emotion or an excluded id does not occur in the manifest: a typing
        error would otherwise drop a class silently.
    """
    rows = manifest.utterances
    present = Counter(rows.column("emotion"))
    problems = []
    for name in emotions or {}:
        if name not in present:
            known = ", ".join(sorted(filter(None, present))) or "none"
            problems.append(f"[corpus.emotions] names {name!r}, which no utterance has; the corpus has {known}")
    excluded = set(exclude)
    absent = sorted(excluded.difference(rows.column("id")))
    if absent:
        problems.append(f"{len(absent)} excluded ids are not in the corpus, such as {one_line(absent[0])!r}")
    if problems:
        raise ManifestError(first_ten(problems))
    kept: list[int] = []
    words = Texts()  # their emotions
    dropped = Counter[str]()
    cells = zip(rows.column("id"), rows.column("emotion"), rows.column("partition"), strict=True)
    for i, (id_, emotion, partition) in enumerate(cells):
        if id_ in excluded:
            dropped["excluded by the recipe's list"] += 1
        elif emotions is None or (not emotion and partition == "test"):
            kept.append(i)
            words.append(emotion)
        elif emotion in emotions:
            kept.append(i)
            words.append(emotions[emotion])
        else:
            dropped[f"emotion {emotion!r} not named in [corpus.emotions]" if emotion else "no label"] += 1
    rows = rows.take(kept).replace(emotion=words)
    declared = emotions.values() if emotions is not None else sorted(filter(None, present))
    return Selection(make_manifest(rows, manifest.info), dict(sorted(dropped.items())), tuple(dict.fromkeys(declared)))


def spellings(manifest: Manifest) -> list[str]:
    """Speakers and emotions that are most likely one, written in two ways: they would be split as two."""
    remarks = []
    for column in ("speaker", "emotion"):
        ways: dict[str, list[str]] = {}
        for value in sorted(set(manifest.column(column)) - {""}):
            ways.setdefault(" ".join(unicodedata.normalize("NFKC", value).casefold().split()), []).append(value)
        several = [", ".join(map(repr, map(one_line, values))) for values in ways.values() if len(values) > 1]
        if several:
            shown = "; ".join(several[:3]) + (f"; and {len(several) - 3} more" if len(several) > 3 else "")
            remarks.append(
                f"{column}s that differ in case, spaces or Unicode form only are taken as different: {shown}"
            )
    return remarks
