"""TESS: Toronto Emotional Speech Set.

| what | |
| --- | --- |
| origin | Pichora-Fuller and Dupuis, University of Toronto, 2010; doi.org/10.5683/SP2/E8H2MF |
| size | 2800 utterances (2 speakers × 200 words × 7 emotions), Canadian English, 24414 Hz, some 96 kHz |
| speakers | 2 women: OAF, aged 64, and YAF, aged 26 |
| labels | angry, disgust, fear, happy, neutral, pleasant surprise, sad: 400 each |
| licence | CC BY-NC-ND 4.0 |

Tree: ``SSS_word_emotion.wav``, flat or in a folder per speaker and emotion.  The folders'
names are irregular (``OAF_Fear``, ``OAF_Pleasant_surprise``, ``YAF_pleasant_surprised``), so
everything is read from the file's name; there ``ps`` is pleasant surprise, and
``OA_bite_neutral.wav`` is OAF's.  A common download holds everything twice, the second copy
one folder deeper: the deeper one is passed over and counted.

Each word is said in "Say the word …", by both speakers in all emotions.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from serprep.corpora.corpus import Corpus, Finding
from serprep.corpora.labels import named_recordings
from serprep.utterance import Utterance

EMOTIONS = {
    "angry": "angry",
    "disgust": "disgust",
    "fear": "fear",
    "happy": "happy",
    "neutral": "neutral",
    "ps": "pleasant surprise",
    "sad": "sad",
}
SPEAKERS = {"OA": "OAF", "OAF": "OAF", "YAF": "YAF"}  # OA_bite_neutral.wav lacks a letter, as published
AGES = {"OAF": "64", "YAF": "26"}
NAME = re.compile(
    r"(?<![^\W_])(?P<id>(?P<speaker>OAF?|YAF)[_-](?P<text>[^\W\d_]+)"
    r"[_-](?P<emotion>angry|disgust|fear|happy|neutral|ps|sad))(?=(?:\.\w+)?\Z)"
)


def named(name: str) -> Utterance | None:
    """What a recording's name alone tells.

    Examples
    --------
    >>> named("OAF_Pleasant_surprise/OAF_back_ps.wav").emotion
    'pleasant surprise'
    """
    field = NAME.search(name)
    if field is None:
        return None
    stem = field["id"].replace("-", "_")
    speaker = SPEAKERS[field["speaker"]]
    return Utterance(
        id=stem,
        path=f"{stem}.wav",
        speaker=speaker,
        emotion=EMOTIONS[field["emotion"]],
        extra={"gender": "female", "age": AGES[speaker], "text": field["text"]},
    )


def utterances(root: Path, options: Mapping[str, object]) -> Iterator[Utterance | Finding]:
    """Utterances of a TESS folder, in path order."""
    yield from named_recordings(root, named, corpus="TESS")


CORPUS = Corpus(
    name="tess",
    title="TESS",
    release="2010",
    licence="CC BY-NC-ND 4.0",
    source="https://doi.org/10.5683/SP2/E8H2MF",
    citation="Pichora-Fuller and Dupuis, Toronto emotional speech set (TESS), University of Toronto, 2010",
    use="For research on acted emotion. Two women and one carrier sentence: a system may learn the two voices, "
    "and no score on it says anything about other speakers.",
    layout="SSS_word_emotion.wav, flat or in folders",
    utterances=utterances,
    named=named,
    n_utterances=2800,
    n_speakers=2,
    n_per_emotion=dict.fromkeys(EMOTIONS.values(), 400),
    n_per={"speaker": dict.fromkeys(AGES, 1400)},
    n_different={"text": 200},
)
