"""ComParE 2018, Atypical Affect (EmotAsS): people with disabilities, in four emotions.

| what | |
| --- | --- |
| origin | Hantke and others, EmotAsS; Atypical Affect sub-challenge of ComParE, Interspeech 2018 |
| size | not published here: counted, not asserted; German, spontaneous |
| speakers | no ids are given: speaker-independence rests on the organisers' partition |
| labels | angry, happy, neutral, sad; none on the test part |
| licence | end-user agreement: research only |

Tree: ``wav/*.wav`` and ``lab/ComParE2018_AtypicalAffect.tsv`` with the columns
``file_name`` (with ``.wav``) and ``emotion`` (an older release: ``label``).  The
partition is the name's prefix: ``train``, ``devel``, ``test``.

Test recordings have no row, or ``?``.  Where the organisers' file
``lab/ComParE2018_AtypicalAffect.confidential.tsv`` is there, their labels are read from
it, and a warning says so: scores on the test part are then no blind scores.
"""

import re
from collections.abc import Generator, Iterator, Mapping
from pathlib import Path, PurePosixPath

from serprep.corpora.corpus import Corpus, Finding
from serprep.corpora.labels import ABSENT, UNLABELLED, find, read_table, recordings
from serprep.errors import CorpusError, one_line
from serprep.utterance import Utterance

EMOTIONS = ("angry", "happy", "neutral", "sad")
LABELS = "lab/ComParE2018_AtypicalAffect.tsv"
CONFIDENTIAL = "lab/ComParE2018_AtypicalAffect.confidential.tsv"
PARTITION = re.compile(r"train|devel|test")
BLIND = "test labels read from the organisers' confidential file: the test part is not blind"
NAMELESS = "rows whose names begin with none of train, devel and test passed over"


def utterances(root: Path, options: Mapping[str, object]) -> Iterator[Utterance | Finding]:
    """Utterances in the order of their names; test recordings without a label too."""
    path_of, findings = recordings(root, "wav")
    rows = yield from _labels(root, find(root, LABELS))  # file name → label, place
    if (root / CONFIDENTIAL).is_file():
        yield Finding(BLIND, CONFIDENTIAL)
        told = yield from _labels(root, CONFIDENTIAL)
        for name, (emotion, place) in told.items():
            if name.startswith("test") and not rows.get(name, ("", ""))[0]:
                rows[name] = (emotion, place)
    named = {PurePosixPath(name).stem for name in rows}
    rows |= {f"{stem}.wav": ("", "") for stem in path_of if stem.startswith("test") and stem not in named}
    for name, (emotion, place) in sorted(rows.items()):
        stem = PurePosixPath(name).stem
        named.add(stem)
        partition = PARTITION.match(name)
        if partition is None:
            yield Finding(NAMELESS, place)
            continue
        if stem not in path_of:
            yield Finding(ABSENT, place)
        yield Utterance(id=stem, path=path_of.get(stem, f"wav/{name}"), emotion=emotion, partition=partition[0])
    yield from findings
    yield from (Finding(UNLABELLED, path) for stem, path in path_of.items() if stem not in named)


def _labels(root: Path, name: str) -> Generator[Finding, None, dict[str, tuple[str, str]]]:
    """File name → label ("" where it is withheld) and place."""
    rows, findings = read_table(root, name, columns=("file_name", "emotion"), older={"label": "emotion"})
    yield from findings
    labels: dict[str, tuple[str, str]] = {}
    for row in rows:
        file, emotion = row.cells["file_name"], row.cells["emotion"]
        place = one_line(root / row.place)
        if emotion not in (*EMOTIONS, "", "?"):
            raise CorpusError(f"{place}: unknown emotion {emotion!r}; expected one of {', '.join(EMOTIONS)}, or ?")
        label = ("" if emotion == "?" else emotion, row.place)
        if labels.setdefault(file, label)[0] != label[0]:
            raise CorpusError(
                f"{one_line(root / row.place)}: {file!r} has another label in {labels[file][1]}; remove one"
            )
    return labels


CORPUS = Corpus(
    name="compare2018",
    title="ComParE 2018 Atypical Affect",
    licence="end-user agreement: research only",
    source="http://www.compare.openaudio.eu",
    citation="Schuller and others, The INTERSPEECH 2018 Computational Paralinguistics Challenge: "
    "Atypical & Self-Assessed Affect, Crying & Heart Beats, Interspeech 2018",
    use="For the challenge's research on atypical speech. Adults with disabilities, a group that needs "
    "protection: use beyond the agreement is not allowed, and scores say nothing about other people.",
    layout=f"wav/*.wav and {LABELS}",
    utterances=utterances,
)
