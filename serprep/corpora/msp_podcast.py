"""MSP-Podcast: turns cut from podcasts, with the labels of many raters.

| what | |
| --- | --- |
| origin | Lotfian and Busso, The University of Texas at Dallas, 2019 and later releases |
| size | grows with each release: counted, not asserted; English, 16 kHz |
| speakers | ``SpkrID``; ``Unknown`` for many, which is a missing value and not one speaker |
| labels | A angry, H happy, S sad, N neutral, U surprise, F fear, D disgust, C contempt, O other, X no agreement |
| licence | on request from the authors: research only, no redistribution |

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
from serprep.corpora.msp_improv import rating_of
from serprep.corpora.published import ABSENT, labelled_rows, number, recordings, unused
from serprep.corpora.table import read_rows
from serprep.errors import CorpusError
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
    places = [root / folder / name for folder in FOLDERS for name in CONSENSUS]
    path = next((place for place in places if place.is_file()), places[0])
    found = recordings(root, "Audios")
    named: set[str] = set()
    for place, cells, _ in labelled_rows(path, *((column,) for column in COLUMNS)):
        name, emotion, arousal, valence, dominance, speaker, gender, partition = cells
        stem = PurePosixPath(name).stem
        if emotion and emotion not in EMOTIONS:
            raise CorpusError(f"{place}: unknown emotion {emotion!r}; expected one of {', '.join(EMOTIONS)}")
        named.add(stem)
        if stem not in found:
            yield Finding(ABSENT, place)
        yield Utterance(
            id=stem,
            path=found.get(stem, f"Audios/{name}"),
            speaker="" if speaker == "Unknown" else speaker,
            emotion=emotion,
            partition=partition,
            extra={
                "gender": GENDERS.get(gender, ""),
                "arousal": number(arousal, place),
                "valence": number(valence, place),
                "dominance": number(dominance, place),
            },
        )
    yield from unused(found, named)
    if (path.parent / DETAILED).is_file():
        yield from _ratings(path.parent / DETAILED, named)


def _ratings(path: Path, named: set[str]) -> Iterator[Rating | Finding]:
    """What single raters said of the turns of the consensus file."""
    for place, cells in read_rows(path):
        if "EmoDetail" in cells:
            line = cells["EmoDetail"]
        elif set(RATED) <= cells.keys():
            line = "{0}; {1}; {2}; A:{3}; V:{4}; D:{5};".format(*(cells[column] for column in RATED))
        else:
            yield Finding("per-rater files of an unknown layout passed over", place)
            return
        stem = PurePosixPath(cells.get("FileName", "")).stem
        if stem not in named:
            yield Finding("rater lines of turns without a consensus passed over", place)
            continue
        rating = rating_of(line, stem, codes=CODES)
        yield rating or Finding("rater lines of another form passed over", place)


CORPUS = Corpus(
    name="msp_podcast",
    title="MSP-Podcast",
    licence="on request from the authors: research only, no redistribution",
    source="https://ecs.utdallas.edu/research/researchlabs/msp-lab/MSP-Podcast.html",
    citation="Lotfian and Busso, Building Naturalistic Emotionally Balanced Speech Corpus by Retrieving "
    "Emotional Speech From Existing Podcast Recordings, IEEE Transactions on Affective Computing 10(4), 2019",
    layout="Audios/MSP-PODCAST_0001_0066.wav and Labels/labels_consensus.csv",
    utterances=utterances,
)
