"""SAVEE: Surrey Audio-Visual Expressed Emotion.

| what | |
| --- | --- |
| origin | Haq and Jackson, University of Surrey, 2009 to 2010; kahlan.eps.surrey.ac.uk/savee |
| size | 480 utterances (4 speakers × 120), British English, 44.1 kHz |
| speakers | 4 men: DC, JE, JK, KL |
| labels | neutral 120; anger, disgust, fear, happiness, sadness, surprise 60 each |
| licence | on registration: research only |

Tree: ``AudioData/SS/eNN.wav`` as published, ``ALL/SS_eNN.wav`` in a copy that many use, with
speaker, emotion (a d f h n sa su: two letters before one) and sentence.  A name alone is not
unique in the published tree, so ids are ``SS_eNN`` for either: copies can then be compared.

The column text is ``eNN``: every speaker says the same sentence under the same code.
Three of an emotion's fifteen sentences are common to all emotions; names do not tell which.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from serprep.corpora.corpus import Corpus, Finding
from serprep.corpora.labels import named_recordings
from serprep.utterance import Utterance

EMOTIONS = {
    "a": "anger",
    "d": "disgust",
    "f": "fear",
    "h": "happiness",
    "n": "neutral",
    "sa": "sadness",
    "su": "surprise",
}
SPEAKERS = ("DC", "JE", "JK", "KL")
NAME = re.compile(
    r"(?<![^\W_])(?P<speaker>DC|JE|JK|KL)[/_-](?P<text>(?P<emotion>sa|su|[adfhn])[0-9]{2})(?=(?:\.\w+)?\Z)"
)


def named(name: str) -> Utterance | None:
    """What a recording's name alone tells, with the path as published.

    Examples
    --------
    >>> named("ALL/DC_sa01.wav").emotion, named("AudioData/DC/sa01.wav").id
    ('sadness', 'DC_sa01')
    """
    field = NAME.search(name)
    if field is None:
        return None
    return Utterance(
        id=f"{field['speaker']}_{field['text']}",
        path=f"AudioData/{field['speaker']}/{field['text']}.wav",
        speaker=field["speaker"],
        emotion=EMOTIONS[field["emotion"]],
        extra={"gender": "male", "text": field["text"]},
    )


def utterances(root: Path, options: Mapping[str, object]) -> Iterator[Utterance | Finding]:
    """Utterances of a SAVEE folder, in path order."""
    yield from named_recordings(root, named, corpus="SAVEE")


CORPUS = Corpus(
    name="savee",
    title="SAVEE",
    release="2010",
    licence="on registration: research only",
    source="http://kahlan.eps.surrey.ac.uk/savee/",
    citation="Haq and Jackson, Multimodal Emotion Recognition, in Wang (ed.), Machine Audition: Principles, "
    "Algorithms and Systems, IGI Global, 2010",
    use="For research on acted British English. Four men: no claim about women, and too few speakers for claims "
    "about groups of people.",
    layout="AudioData/SS/eNN.wav or ALL/SS_eNN.wav",
    utterances=utterances,
    named=named,
    n_utterances=480,
    n_speakers=4,
    n_per_emotion={name: 120 if name == "neutral" else 60 for name in EMOTIONS.values()},
    n_per={"speaker": dict.fromkeys(SPEAKERS, 120)},
)
