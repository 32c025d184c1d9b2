"""ComParE 2018, Atypical Affect (EmotAsS): people with disabilities, in four emotions.

| what | |
| --- | --- |
| origin | Hantke and others, EmotAsS; Atypical Affect sub-challenge of ComParE, Interspeech 2018 |
| size | not published here: counted, not asserted; German, spontaneous |
| speakers | no ids are given: speaker-independence rests on the organisers' partition |
| labels | angry, happy, neutral, sad; none on the test part |
| licence | end-user agreement of the challenge: research only, no redistribution |

Tree: ``wav/*.wav`` and ``lab/ComParE2018_AtypicalAffect.tsv`` with the columns
``file_name`` (with ``.wav``) and ``emotion`` (an older release: ``label``).  The
partition is the name's prefix: ``train``, ``devel``, ``test``.

Test recordings have no row, or ``?``.  Where the organisers' file
``lab/ComParE2018_AtypicalAffect.confidential.tsv`` is there, their labels are read from
it, and a warning says so: scores on the test part are then no blind scores.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath

from serprep.corpora.corpus import Corpus, Finding
from serprep.corpora.published import ABSENT, labelled_rows, recordings, unused
from serprep.errors import CorpusError
from serprep.utterance import Utterance

EMOTIONS = ("angry", "happy", "neutral", "sad")
LABELS = "lab/ComParE2018_AtypicalAffect.tsv"
CONFIDENTIAL = "lab/ComParE2018_AtypicalAffect.confidential.tsv"
PARTITION = re.compile(r"train|devel|test")


def utterances(root: Path, options: Mapping[str, object]) -> Iterator[Utterance | Finding]:
    """Utterances in the order of their names; test recordings without a label too."""
    found = recordings(root, "wav")
    rows: list[tuple[str, str, str]] = []  # file name, emotion, place
    for place, (name, emotion), _ in labelled_rows(root / LABELS, ("file_name",), ("emotion", "label")):
        rows.append((name, _emotion(emotion, place), place))
    if (root / CONFIDENTIAL).is_file():
        yield Finding("test labels read from the organisers' confidential file: the test part is not blind", CONFIDENTIAL)
        told = {
            name: _emotion(emotion, place)
            for place, (name, emotion), _ in labelled_rows(root / CONFIDENTIAL, ("file_name",), ("emotion", "label"))
            if name.startswith("test")
        }
        rows = [(name, emotion or told.get(name, ""), place) for name, emotion, place in rows]
        rows += [(name, told[name], CONFIDENTIAL) for name in told.keys() - {name for name, _, _ in rows}]
    named = {PurePosixPath(name).stem for name, _, _ in rows}
    blind = [stem for stem in found if stem.startswith("test") and stem not in named]
    rows += [(f"{stem}.wav", "", found[stem]) for stem in blind]
    for name, emotion, place in sorted(rows):
        stem = PurePosixPath(name).stem
        partition = PARTITION.match(name)
        if partition is None:
            yield Finding("rows whose names begin with none of train, devel and test passed over", place)
            continue
        if stem not in found:
            yield Finding(ABSENT, place)
        yield Utterance(
            id=stem, path=found.get(stem, f"wav/{name}"), emotion=emotion, partition=partition[0]
        )
    yield from unused(found, {*named, *blind})


def _emotion(cell: str, place: str) -> str:
    """The label of a row; "" where it is withheld."""
    if cell in ("", "?"):
        return ""
    if cell not in EMOTIONS:
        raise CorpusError(f"{place}: unknown emotion {cell!r}; expected one of {', '.join(EMOTIONS)}, or ?")
    return cell


CORPUS = Corpus(
    name="compare2018",
    title="ComParE 2018 Atypical Affect",
    release="1.1",
    licence="end-user agreement of the challenge: research only, no redistribution",
    source="http://www.compare.openaudio.eu",
    citation="Schuller and others, The INTERSPEECH 2018 Computational Paralinguistics Challenge: "
    "Atypical & Self-Assessed Affect, Crying & Heart Beats, Interspeech 2018",
    layout=f"wav/*.wav and {LABELS}",
    utterances=utterances,
)
