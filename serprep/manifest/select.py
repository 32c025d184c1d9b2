"""What a recipe keeps of a manifest."""

import unicodedata
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from serprep.errors import ManifestError, first_ten, one_line
from serprep.manifest.marks import Mark, corrections, left_out
from serprep.manifest.table import Manifest, make_manifest
from serprep.text import spelled_as
from serprep.utterance import Texts


@dataclass(frozen=True)
class Selection:
    """The rows a recipe asks for, and what it left out."""

    manifest: Manifest
    dropped: Mapping[str, int]  # reason → utterances
    labels: tuple[str, ...]  # declared emotions, in logit order


def select(
    manifest: Manifest,
    *,
    emotions: Mapping[str, str] | None = None,
    exclude: Sequence[str] = (),
    marks: Sequence[Mark] = (),
) -> Selection:
    """Keep, rename and merge emotions, leave out utterances by id, and correct labels.

    Parameters
    ----------
    manifest : Manifest
    emotions : mapping of str to str, optional
        The corpus's word → the recipe's, or "" to keep utterances without a label; what is not
        named is dropped.  None keeps every label.  Utterances of a partition "test" stay even without a label.
    exclude : sequence of str
        Utterance ids.
    marks : sequence of Mark
        Whom to leave out, and whose label is another one: a word of the recipe.

    Raises
    ------
    ManifestError
        If an emotion or an excluded or marked id does not occur in the manifest, or a
        corrected label is none of the recipe's: a typing error would otherwise drop a
        class silently.
    """
    rows = manifest.utterances
    present = Counter(rows.column("emotion"))
    if emotions is not None:
        spelled = spelled_as(emotions, present)
        emotions = {spelled[name]: word for name, word in emotions.items()}
    problems = []
    for name in emotions or {}:
        if name not in present:
            known = ", ".join(sorted(filter(None, present))) or "none"
            problems.append(f"[corpus.emotions] names {name!r}, which no utterance has; the corpus has {known}")
    words_kept = sorted(present) if emotions is None else emotions.values()
    declared = tuple(dict.fromkeys(filter(None, words_kept)))
    exclude = [*spelled_as(exclude, set(rows.column("id"))).values()] if exclude else []
    excluded, marked, corrected = set(exclude), set(left_out(marks)), corrections(marks)
    for verb, ids in (("excluded", excluded), ("marked", {mark.id for mark in marks})):
        absent = sorted(ids.difference(rows.column("id")))
        if absent:
            problems.append(f"{len(absent)} {verb} ids are not in the corpus, such as {one_line(absent[0])!r}")
    for id_, emotion in corrected.items():
        if emotion not in declared:
            problems.append(f"utterance {one_line(id_)!r} is marked {emotion!r}; expected one of {', '.join(declared)}")
    if problems:
        raise ManifestError(first_ten(problems))
    kept: list[int] = []
    words = Texts()  # their emotions
    dropped = Counter[str]()
    cells = zip(rows.column("id"), rows.column("emotion"), rows.column("partition"), strict=True)
    for i, (id_, emotion, partition) in enumerate(cells):
        if id_ in excluded:
            dropped["excluded by the recipe's list"] += 1
        elif id_ in marked:
            dropped["marked to be left out"] += 1
        elif emotions is None or (not emotion and partition == "test"):
            kept.append(i)
            words.append(corrected.get(id_, emotion))
        elif emotion in emotions:
            kept.append(i)
            words.append(corrected.get(id_, emotions[emotion]))
        else:
            dropped[f"emotion {emotion!r} not named in [corpus.emotions]" if emotion else "no label"] += 1
    rows = rows.take(kept).replace(emotion=words)
    return Selection(make_manifest(rows, manifest.info), dict(sorted(dropped.items())), declared)


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
