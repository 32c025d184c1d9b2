r"""MELD: Multimodal EmotionLines Dataset, scenes of the television series Friends.

| what | |
| --- | --- |
| origin | Poria and others, 2019; github.com/declare-lab/MELD |
| size | 13708 utterances, English: train 9989, dev 1109, test 2610 |
| speakers | by the name of the role; the main roles speak in all three partitions |
| labels | neutral 6436, joy 2308, surprise 1636, anger 1607, sadness 1002, disgust 361, fear 358 |
| licence | GPL-3.0 for the labels; the video is the series' |

Tree: ``{train,dev,test}_sent_emo.csv`` and ``dia<D>_utt<U>.mp4`` in ``train_splits``,
``dev_splits_complete`` and ``output_repeated_splits_test``, or wherever: a recording belongs
to the partition whose name the nearest folder holds.  Numbers of dialogues and utterances
repeat across partitions, so ids are ``train_dia0_utt0``, and dialogues ``train_0``.

The sound is in videos, which cannot be read here: extract it beside them, as
``dia<D>_utt<U>.wav``, with the command that the warning gives (`EXTRACT`).

Names such as All and Both stand for several speakers: their speaker is "", and the column
``role`` keeps the name.  Woman or Guy is another person in another scene.
As published, dia125_utt3 of train is broken and dia110_utt7 of dev is not there.
``final_videos_testdia<D>_utt<U>`` in the test folder are other cuts of some clips (reported):
they are passed over.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath

from serprep.audio.decode import SUFFIXES
from serprep.corpora.corpus import Corpus, Finding
from serprep.corpora.labels import ABSENT, TWICE, UNLABELLED, Row, find, read_table
from serprep.errors import CorpusError, brief, one_line
from serprep.files import without_suffix
from serprep.place.corpus import walk
from serprep.utterance import Utterance

EMOTIONS = {
    "neutral": 6436,
    "joy": 2308,
    "surprise": 1636,
    "anger": 1607,
    "sadness": 1002,
    "disgust": 361,
    "fear": 358,
}
FOLDERS = {  # partition → folder, as published
    "train": "train_splits",
    "dev": "dev_splits_complete",
    "test": "output_repeated_splits_test",
}
COLUMNS = ("Utterance", "Speaker", "Emotion", "Sentiment", "Dialogue_ID", "Utterance_ID")
SEVERAL = re.compile(
    r"all|both|everybody|everyone|(the )?(guys|girls|gang|others|women|men|crowd|audience)|.*(\band\b|[,&/+]).*",
    re.IGNORECASE,
)
PARTITION = re.compile(r"(?<![a-z])(?:train|dev|test)(?![a-z])")  # in a folder's name; the nearest counts
NAME = re.compile(r"dia([0-9]+)_utt([0-9]+)")
RECUT = re.compile(r"final_videos_test(dia[0-9]+_utt[0-9]+)")
EXTRACT = (
    "find . -name 'dia*.mp4' -exec sh -c 'ffmpeg -i \"$1\" -vn -ac 1 -ar 16000 \"${1%.mp4}.wav\"' _ {} \\;"  # one line
)
VIDEO = f"videos whose sound has to be extracted first, in the corpus folder: {EXTRACT}"


def utterances(root: Path, options: Mapping[str, object]) -> Iterator[Utterance | Finding]:
    """Utterances in the order of the label files: train, dev, test."""
    files = _label_files(root)
    path_of: dict[tuple[str, str], str] = {}
    videos: dict[tuple[str, str], str] = {}
    yield from _clips(root, SUFFIXES, path_of)
    yield from _clips(root, (".mp4",), videos)
    labelled = set()
    for partition in FOLDERS:
        if partition not in files:
            yield Finding("partitions without labels, as a file is missing", f"{partition}_sent_emo.csv")
            continue
        rows, findings = read_table(root, files[partition], columns=COLUMNS)
        yield from findings
        for row in rows:
            clip = (partition, f"dia{row.cells['Dialogue_ID']}_utt{row.cells['Utterance_ID']}")
            labelled.add(clip)
            if clip not in path_of:
                yield Finding(VIDEO, videos[clip]) if clip in videos else Finding(ABSENT, row.place)
            beside = without_suffix(videos.get(clip, f"{FOLDERS[partition]}/{clip[1]}.mp4"))
            yield _utterance(root, row, partition=partition, path=path_of.get(clip, f"{beside}.wav"))
    yield from (Finding(UNLABELLED, path) for clip, path in path_of.items() if clip not in labelled)


def _label_files(root: Path) -> dict[str, str]:
    """Partition → its label file, the shallowest of that name."""
    paths = sorted(walk(root, ("_sent_emo.csv",)), key=lambda path: (path.count("/"), path))
    files: dict[str, str] = {}
    for path in paths:
        files.setdefault(PurePosixPath(path).name.removesuffix("_sent_emo.csv"), path)
    if not files.keys() & FOLDERS.keys():
        find(root, *(f"{partition}_sent_emo.csv" for partition in FOLDERS))  # says what is missing
    return files


def _clips(root: Path, suffixes: tuple[str, ...], path_of: dict[tuple[str, str], str]) -> Iterator[Finding]:
    """Fill in the clips of that kind: (partition, dia<D>_utt<U>) → path."""
    for path in sorted(walk(root, suffixes), key=lambda path: (path.count("/"), path)):
        name = PurePosixPath(path)
        partition = (PARTITION.findall("/".join(name.parts[:-1]).lower()) or [""])[-1]
        if RECUT.fullmatch(name.stem):
            yield Finding("other cuts of test clips (final_videos_test…) passed over", path)
        elif not NAME.fullmatch(name.stem):
            yield Finding("recordings not named like MELD passed over", path)
        elif not partition:
            yield Finding("recordings in no folder of train, dev or test passed over", path)
        elif path_of.setdefault((partition, name.stem), path) != path:
            yield Finding(TWICE, path)


def _utterance(root: Path, row: Row, *, partition: str, path: str) -> Utterance:
    """One row."""
    cells = row.cells
    emotion, role = cells["Emotion"], cells["Speaker"]
    if emotion not in EMOTIONS:
        raise CorpusError(f"{one_line(root / row.place)}: unknown emotion {emotion!r}; expected {', '.join(EMOTIONS)}")
    if not NAME.fullmatch(f"dia{cells['Dialogue_ID']}_utt{cells['Utterance_ID']}"):
        given = brief(f"{cells['Dialogue_ID']}, {cells['Utterance_ID']}", 40)
        raise CorpusError(
            f"{one_line(root / row.place)}: Dialogue_ID and Utterance_ID are not numbers ({given}); "
            "expected those of the published table"
        )
    return Utterance(
        id=f"{partition}_dia{cells['Dialogue_ID']}_utt{cells['Utterance_ID']}",
        path=path,
        speaker="" if SEVERAL.fullmatch(role) else role,
        emotion=emotion,
        partition=partition,
        extra={
            "role": role,
            "dialogue": f"{partition}_{cells['Dialogue_ID']}",
            "utterance": cells["Utterance_ID"],
            "sentiment": cells["Sentiment"],
            "season": cells.get("Season", ""),
            "episode": cells.get("Episode", ""),
            "transcript": cells["Utterance"],
        },
    )


CORPUS = Corpus(
    name="meld",
    title="MELD",
    release="2019",
    licence="GPL-3.0 for the labels; the video is the series'",
    source="https://github.com/declare-lab/MELD",
    citation="Poria, Hazarika, Majumder, Naik, Cambria and Mihalcea, MELD: A Multimodal Multi-Party Dataset "
    "for Emotion Recognition in Conversations, ACL 2019",
    use="For research on emotion in conversation. Scenes of one television series with music and laughter: few "
    "main roles, which speak in all partitions, so that scores are not speaker-independent.",
    layout="{train,dev,test}_sent_emo.csv and dia<D>_utt<U>.wav in a folder per partition",
    utterances=utterances,
    n_utterances=13708,
    n_per_emotion=EMOTIONS,
    n_per={"partition": {"train": 9989, "dev": 1109, "test": 2610}},
)
