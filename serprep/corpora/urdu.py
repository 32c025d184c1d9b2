"""URDU: emotional speech from Urdu talk shows.

| what | |
| --- | --- |
| origin | Latif and others, 2018; github.com/siddiquelatif/URDU-Dataset |
| size | 400 utterances, Urdu, spontaneous |
| speakers | 38 by its publication (27 men, 11 women): not asserted, as no file lists them |
| labels | Angry, Happy, Neutral, Sad: 100 each |
| licence | for research purposes only, as its publisher says |

Tree: ``{Angry,Happy,Neutral,Sad}/S{M,F}<id>_F<n>_{A,H,N,S}<n>.wav``; the speaker is what
stands before the first ``_``, its second letter the gender.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from serprep.corpora.corpus import Corpus, Finding
from serprep.corpora.labels import named_recordings
from serprep.utterance import Utterance

EMOTIONS = {"A": "Angry", "H": "Happy", "N": "Neutral", "S": "Sad"}
GENDERS = {"F": "female", "M": "male"}
NAME = re.compile(
    r"(?<![^\W_])(?P<id>(?P<speaker>S(?P<gender>[FM])[0-9]+)[_-]F[0-9]+[_-](?P<emotion>[AHNS])[0-9]+)(?=(?:\.\w+)?\Z)"
)


def named(name: str) -> Utterance | None:
    """What a recording's name alone tells.

    Examples
    --------
    >>> named("Angry/SM1_F1_A01.wav").speaker
    'SM1'
    """
    field = NAME.search(name)
    if field is None:
        return None
    stem = field["id"].replace("-", "_")
    emotion = EMOTIONS[field["emotion"]]
    return Utterance(
        id=stem,
        path=f"{emotion}/{stem}.wav",
        speaker=field["speaker"],
        emotion=emotion,
        extra={"gender": GENDERS[field["gender"]]},
    )


def utterances(root: Path, options: Mapping[str, object]) -> Iterator[Utterance | Finding]:
    """Utterances of an URDU folder, in path order."""
    yield from named_recordings(root, named, corpus="URDU")


CORPUS = Corpus(
    name="urdu",
    title="URDU",
    release="2018",
    licence="for research purposes only, as its publisher says",
    source="https://github.com/siddiquelatif/URDU-Dataset",
    citation="Latif, Qayyum, Usman and Qadir, "
    "Cross Lingual Speech Emotion Recognition: Urdu vs. Western Languages, FIT 2018",
    use="For research on spontaneous Urdu speech. Guests of television talk shows, who did not ask to be rated; "
    "labels are how listeners perceived them.",
    layout="{Angry,Happy,Neutral,Sad}/S<gender><id>_F<n>_<emotion><n>.wav",
    utterances=utterances,
    named=named,
    n_utterances=400,
    n_per_emotion=dict.fromkeys(EMOTIONS.values(), 100),
)
