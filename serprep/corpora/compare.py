"""ComParE challenges from 2019 on, whatever their classes.

| what | |
| --- | --- |
| origin | INTERSPEECH Computational Paralinguistics Challenges; www.compare.openaudio.eu |
| size | depends on the challenge: counted, not asserted |
| speakers | no ids are given: speaker-independence rests on the organisers' partition |
| labels | the challenge's own; ``?`` on the test part |
| licence | end-user agreement: research only |

Tree of 2019 and 2020: ``wav/*.wav`` and ``lab/labels.csv`` with the columns ``file_name``
and ``label``; the partition is the name's prefix: ``train``, ``devel``, ``test``.
Tree from 2021 on: ``wav/*.wav`` and ``lab/train.csv``, ``lab/devel.csv``, ``lab/test.csv``
with the columns ``filename`` and ``label``.

A label is text: a sub-challenge that asks for numbers gives a class for each number.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath

from serprep.corpora.compare2018 import NAMELESS, PARTITION
from serprep.corpora.corpus import Corpus, Finding
from serprep.corpora.labels import ABSENT, UNLABELLED, find, read_table, recordings
from serprep.utterance import Utterance

LABELS = "lab/labels.csv"  # 2019, 2020
PARTITIONS = ("train", "devel", "test")  # from 2021 on: a file for each


def utterances(root: Path, options: Mapping[str, object]) -> Iterator[Utterance | Finding]:
    """Utterances in the order of the label files."""
    path_of, findings = recordings(root, "wav")
    named = set()
    for file, partition in _label_files(root):
        rows, repaired = read_table(root, file, columns=("filename", "label"), older={"file_name": "filename"})
        for row in rows:
            name, label = row.cells["filename"], row.cells["label"]
            stem = PurePosixPath(name).stem
            named.add(stem)
            prefix = PARTITION.match(name)
            if not partition and prefix is None:
                yield Finding(NAMELESS, row.place)
                continue
            if stem not in path_of:
                yield Finding(ABSENT, row.place)
            yield Utterance(
                id=stem,
                path=path_of.get(stem, f"wav/{name}"),
                emotion="" if label == "?" else label,
                partition=partition or (prefix[0] if prefix else ""),
            )
        yield from repaired
    yield from findings
    yield from (Finding(UNLABELLED, path) for stem, path in path_of.items() if stem not in named)


def _label_files(root: Path) -> list[tuple[str, str]]:
    """Label files, each with its partition; "" where the names tell it."""
    if find(root, LABELS, "lab/train.csv") == LABELS:
        return [(LABELS, "")]
    return [(f"lab/{partition}.csv", partition) for partition in PARTITIONS]


CORPUS = Corpus(
    name="compare",
    title="ComParE challenge from 2019 on",
    licence="end-user agreement: research only",
    source="http://www.compare.openaudio.eu",
    citation="the challenge's own paper, such as Schuller and others, The INTERSPEECH 2021 Computational "
    "Paralinguistics Challenge, Interspeech 2021",
    layout="wav/*.wav and lab/labels.csv, or lab/train.csv, lab/devel.csv and lab/test.csv",
    utterances=utterances,
)
