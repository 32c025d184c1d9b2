"""EMOVO: an Italian emotional speech database.

| what | |
| --- | --- |
| origin | Costantini and others, Fondazione Ugo Bordoni, 2014; voice.fub.it/activities/corpora/emovo |
| size | 588 utterances (6 speakers × 14 sentences × 7 emotions), Italian, 48 kHz, stereo |
| speakers | 6 actors: women f1, f2, f3 and men m1, m2, m3 |
| labels | disgust, joy, neutral, fear, anger, surprise, sadness: 84 each |
| licence | non-commercial use with acknowledgement |

Tree: ``{f1,f2,f3,m1,m2,m3}/EEE-SS-TT.wav`` with emotion (dis gio neu pau rab sor tri),
speaker and sentence (b1–b3, d1, d2, l1–l4, n1–n5).  Every speaker says all sentences
in all emotions.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from serprep.corpora.corpus import Corpus, Finding
from serprep.corpora.labels import named_recordings
from serprep.utterance import Utterance

EMOTIONS = {
    "dis": "disgust",
    "gio": "joy",
    "neu": "neutral",
    "pau": "fear",
    "rab": "anger",
    "sor": "surprise",
    "tri": "sadness",
}
GENDERS = {"f1": "female", "f2": "female", "f3": "female", "m1": "male", "m2": "male", "m3": "male"}
NAME = re.compile(
    r"(?<![^\W_])(?P<id>(?P<emotion>dis|gio|neu|pau|rab|sor|tri)-(?P<speaker>[fm][1-3])"
    r"-(?P<text>b[1-3]|d[12]|l[1-4]|n[1-5]))(?=(?:\.\w+)?\Z)"
)


def named(name: str) -> Utterance | None:
    """What a recording's name alone tells.

    Examples
    --------
    >>> named("f1/gio-f1-b2.wav").emotion
    'joy'
    """
    field = NAME.search(name)
    if field is None:
        return None
    return Utterance(
        id=field["id"],
        path=f"{field['speaker']}/{field['id']}.wav",
        speaker=field["speaker"],
        emotion=EMOTIONS[field["emotion"]],
        extra={"gender": GENDERS[field["speaker"]], "text": field["text"]},
    )


def utterances(root: Path, options: Mapping[str, object]) -> Iterator[Utterance | Finding]:
    """Utterances of an EMOVO folder, in path order."""
    yield from named_recordings(root, named, corpus="EMOVO")


CORPUS = Corpus(
    name="emovo",
    title="EMOVO",
    release="2014",
    licence="non-commercial use with acknowledgement",
    source="http://voice.fub.it/activities/corpora/emovo/index.html",
    citation="Costantini, Iadarola, Paoloni and Todisco, EMOVO Corpus: an Italian Emotional Speech Database, LREC 2014",
    use="For research on acted Italian speech. Six actors and fourteen sentences: too few speakers for claims "
    "about groups of people, and acted emotion is not how it is felt or shown in life.",
    layout="{f1,f2,f3,m1,m2,m3}/EEE-SS-TT.wav",
    utterances=utterances,
    named=named,
    n_utterances=588,
    n_speakers=6,
    n_per_emotion=dict.fromkeys(EMOTIONS.values(), 84),
    n_per={"speaker": dict.fromkeys(GENDERS, 98)},
    n_different={"text": 14},
)
