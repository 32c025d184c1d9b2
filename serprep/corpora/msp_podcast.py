"""MSP-Podcast: turns cut from podcasts, with the labels of many raters.

| what | |
| --- | --- |
| origin | Lotfian and Busso, The University of Texas at Dallas, 2019 and later releases |
| size | grows with each release: counted, not asserted; English, 16 kHz |
| speakers | ``SpkrID``; ``Unknown`` for many, which is a missing value and not one speaker |
| labels | A angry, H happy, S sad, N neutral, U surprise, F fear, D disgust, C contempt, O other, X no agreement |
| licence | on request: research only |

Tree: ``Audios/MSP-PODCAST_0001_0066.wav`` and ``Labels/labels_consensus.csv`` (older
releases: ``labels_concensus.csv``) with the columns FileName, EmoClass, EmoAct, EmoVal,
EmoDom, SpkrID, Gender and Split_Set: Train, Validation or Development, Test1, Test2, Test3.
Activation, valence and dominance run from 1 to 7.

Where ``Labels/labels_detailed.csv`` is there, what single raters said is read from it:
a column EmoDetail that reads ``rater; emotion; further words; A:…; V:…; D:…;``, or columns
Workers, EmoClass_Major, EmoClass_Second, EmoAct, EmoVal and EmoDom (reported).
"""

from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath

from serprep.corpora.corpus import Corpus, Finding, Rating
from serprep.corpora.labels import ABSENT, UNLABELLED, find, read_table, recordings
from serprep.corpora.msp_improv import rating_of
from serprep.errors import CorpusError, one_line
from serprep.utterance import Utterance

EMOTIONS = {  # code → what raters call it
    "A": "Angry",
    "H": "Happy",
    "S": "Sad",
    "N": "Neutral",
    "U": "Surprise",
    "F": "Fear",
    "D": "Disgust",
    "C": "Contempt",
    "O": "Other",
    "X": "",  # no agreement
}
CODES = {word: code for code, word in EMOTIONS.items() if word}
GENDERS = {"Male": "male", "Female": "female"}
FOLDERS = ("Labels", "labels", "label")
CONSENSUS = ("labels_consensus.csv", "labels_concensus.csv")
DETAILED = "labels_detailed.csv"
COLUMNS = ("FileName", "EmoClass", "EmoAct", "EmoVal", "EmoDom", "SpkrID", "Gender", "Split_Set")
RATED = ("Workers", "EmoClass_Major", "EmoClass_Second", "EmoAct", "EmoVal", "EmoDom")


def utterances(root: Path, options: Mapping[str, object]) -> Iterator[Utterance | Rating | Finding]:
    """Turns in the order of the consensus file, then what single raters said."""
    name = find(root, *(f"{folder}/{file}" for folder in FOLDERS for file in CONSENSUS))
    rows, findings = read_table(root, name, columns=COLUMNS)
    path_of, twice = recordings(root, "Audios")
    yield from (*findings, *twice)
    named: set[str] = set()
    for row in rows:
        file, emotion, arousal, valence, dominance, speaker, gender, partition = map(row.cells.__getitem__, COLUMNS)
        stem = PurePosixPath(file).stem
        if emotion and emotion not in EMOTIONS:
            raise CorpusError(
                f"{one_line(root / row.place)}: unknown emotion {emotion!r}; expected one of {', '.join(EMOTIONS)}"
            )
        named.add(stem)
        if stem not in path_of:
            yield Finding(ABSENT, row.place)
        yield Utterance(
            id=stem,
            path=path_of.get(stem, f"Audios/{file}"),
            speaker="" if speaker == "Unknown" else speaker,
            emotion=emotion,
            partition=partition,
            extra={
                "gender": GENDERS.get(gender, ""),
                "arousal": arousal,
                "valence": valence,
                "dominance": dominance,
            },
        )
    yield from (Finding(UNLABELLED, path) for stem, path in path_of.items() if stem not in named)
    detailed = str(PurePosixPath(name).with_name(DETAILED))
    if (root / detailed).is_file():
        yield from _ratings(root, detailed, turns=named)


def _ratings(root: Path, name: str, *, turns: set[str]) -> Iterator[Rating | Finding]:
    """What single raters said of the turns of the consensus file."""
    rows, findings = read_table(root, name, columns=("FileName",))
    yield from findings
    for row in rows:
        if "EmoDetail" in row.cells:
            line = row.cells["EmoDetail"]
        elif set(RATED) <= row.cells.keys():
            line = "{}; {}; {}; A:{}; V:{}; D:{};".format(*(row.cells[column] for column in RATED))
        else:
            yield Finding("per-rater files of an unknown layout passed over", name)
            return
        stem = PurePosixPath(row.cells["FileName"]).stem
        if stem not in turns:
            yield Finding("rater lines of turns without a consensus passed over", row.place)
        else:
            rating = rating_of(line, stem, codes=CODES)
            yield rating or Finding("rater lines of another form passed over", row.place)


CORPUS = Corpus(
    name="msp_podcast",
    title="MSP-Podcast",
    licence="on request: research only",
    source="https://ecs.utdallas.edu/research/researchlabs/msp-lab/MSP-Podcast.html",
    citation="Lotfian and Busso, Building Naturalistic Emotionally Balanced Speech Corpus by Retrieving "
    "Emotional Speech From Existing Podcast Recordings, IEEE Transactions on Affective Computing 10(4), 2019",
    use="For research on spontaneous speech. Podcasts whose speakers did not ask to be rated: labels are how "
    "listeners perceived a turn, not what its speaker felt; many speakers are not known.",
    layout="Audios/MSP-PODCAST_0001_0066.wav and Labels/labels_consensus.csv",
    utterances=utterances,
)
