"""ComParE challenges from 2019 on, whatever their classes.

| what | |
| --- | --- |
| origin | INTERSPEECH Computational Paralinguistics Challenges; www.compare.openaudio.eu |
| size | depends on the challenge: counted, not asserted |
| speakers | no ids are given: speaker-independence rests on the organisers' partition |
| labels | the challenge's own; ``?`` on the test part |
| licence | end-user agreement of each challenge: research only, no redistribution |

Tree of 2019 and 2020: ``wav/*.wav`` and ``lab/labels.csv`` with the columns ``file_name``
and ``label``; the partition is the name's prefix: ``train``, ``devel``, ``test``.
Tree from 2021 on: ``wav/*.wav`` and ``lab/train.csv``, ``lab/devel.csv``, ``lab/test.csv``
with the columns ``filename`` and ``label``.

A label is text: a sub-challenge that asks for numbers gives a class for each number.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath

from serprep.corpora.compare2018 import PARTITION
from serprep.corpora.corpus import Corpus, Finding
from serprep.corpora.published import ABSENT, labelled_rows, recordings, unused
from serprep.errors import CorpusError, one_line
from serprep.utterance import Utterance

LABELS = "lab/labels.csv"  # 2019, 2020
PARTITIONS = ("train", "devel", "test")  # from 2021 on: a file for each


def utterances(root: Path, options: Mapping[str, object]) -> Iterator[Utterance | Finding]:
    """Utterances in the order of the label files."""
    found = recordings(root, "wav")
    named = set()
    for path, partition in _label_files(root):
        for place, (name, label), _ in labelled_rows(path, ("file_name", "filename"), ("label",)):
            stem = PurePosixPath(name).stem
            named.add(stem)
            prefix = PARTITION.match(name)
            if not partition and prefix is None:
                yield Finding("rows whose names begin with none of train, devel and test passed over", place)
                continue
            if stem not in found:
                yield Finding(ABSENT, place)
            yield Utterance(
                id=stem,
                path=found.get(stem, f"wav/{name}"),
                emotion="" if label == "?" else label,
                partition=partition or (prefix[0] if prefix else ""),
            )
    yield from unused(found, named)


def _label_files(root: Path) -> list[tuple[Path, str]]:
    """Label files, each with its partition; "" where the names tell it."""
    if (root / LABELS).is_file():
        return [(root / LABELS, "")]
    files = [(root / f"lab/{partition}.csv", partition) for partition in PARTITIONS]
    if not any(path.is_file() for path, _ in files):
        raise CorpusError(
            f"{one_line(root / LABELS)}: No such file or directory, and no lab/train.csv either; "
            f"expected the label files of a ComParE challenge"
        )
    return files


CORPUS = Corpus(
    name="compare",
    title="ComParE challenge from 2019 on",
    licence="end-user agreement of each challenge: research only, no redistribution",
    source="http://www.compare.openaudio.eu",
    citation="the challenge's own paper, such as Schuller and others, The INTERSPEECH 2021 Computational "
    "Paralinguistics Challenge, Interspeech 2021",
    layout="wav/*.wav and lab/labels.csv, or lab/train.csv, lab/devel.csv and lab/test.csv",
    utterances=utterances,
)
