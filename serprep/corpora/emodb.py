"""EmoDB: Berlin Database of Emotional Speech.

| what | |
| --- | --- |
| origin | Burkhardt and others, Technische Universität Berlin, 2005; emodb.bilderbar.info |
| size | 535 utterances, German, 16 kHz (release 2.0 holds 816) |
| speakers | 10: 03 08 09 10 11 12 13 14 15 16; male 03 10 11 12 15 |
| labels | anger 127, boredom 81, disgust 46, fear 69, happiness 71, sadness 62, neutral 79 |
| licence | CC0 (audio as released in 2005 and later under CC BY 4.0) |

Tree: ``wav/SSTTTEv.wav`` with speaker, text (a01 … b10), emotion letter, version.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath

from serprep.audio.decode import SUFFIXES
from serprep.corpora.corpus import Corpus, Finding
from serprep.place.corpus import walk
from serprep.utterance import Utterance

EMOTIONS = {
    "W": "anger",
    "L": "boredom",
    "E": "disgust",
    "A": "fear",
    "F": "happiness",
    "T": "sadness",
    "N": "neutral",
}
MALE = {"03", "10", "11", "12", "15"}
NAME = re.compile(r"(?P<speaker>[0-9]{2})(?P<text>[ab][0-9]{2})(?P<emotion>[A-Z])(?P<version>[a-z])")


def utterances(root: Path, options: Mapping[str, object]) -> Iterator[Utterance | Finding]:
    """Utterances of an EmoDB folder, in path order."""
    for path in walk(root, SUFFIXES):
        if NAME.fullmatch(PurePosixPath(path).stem) is None:
            yield Finding("recordings not named like EmoDB passed over", path)
        else:
            yield named(path) or Finding("recordings with an emotion letter EmoDB does not define passed over", path)


def named(path: str) -> Utterance | None:
    """The utterance that a file name tells of."""
    stem = PurePosixPath(path).stem
    name = NAME.fullmatch(stem)
    if name is None or name["emotion"] not in EMOTIONS:
        return None
    return Utterance(
        id=stem,
        path=path,
        speaker=name["speaker"],
        emotion=EMOTIONS[name["emotion"]],
        extra={"gender": "male" if name["speaker"] in MALE else "female", "text": name["text"]},
    )


CORPUS = Corpus(
    name="emodb",
    title="EmoDB",
    release="1 (2005)",
    licence="CC0 / CC BY 4.0",
    source="http://emodb.bilderbar.info",
    citation="Burkhardt, Paeschke, Rolfes, Sendlmeier and Weiss, "
    "A Database of German Emotional Speech, Interspeech 2005",
    use="For research on acted German speech. Ten actors and ten sentences, chosen because listeners agreed: "
    "emotion is clearer than in life, and there are too few speakers for claims about groups of people.",
    layout="wav/SSTTTEv.wav",
    utterances=utterances,
    named=named,
    n_utterances=535,
    n_speakers=10,
    n_per_emotion={
        "anger": 127,
        "boredom": 81,
        "disgust": 46,
        "fear": 69,
        "happiness": 71,
        "sadness": 62,
        "neutral": 79,
    },
)
