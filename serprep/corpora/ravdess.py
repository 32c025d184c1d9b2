"""RAVDESS: Ryerson Audio-Visual Database of Emotional Speech and Song, the speech part.

| what | |
| --- | --- |
| origin | Livingstone and Russo, Ryerson University, 2018; zenodo.org/record/1188976 |
| size | 1440 utterances (24 actors × 60), English, 48 kHz |
| speakers | 24, odd numbers male, even numbers female |
| labels | neutral 96; calm, happy, sad, angry, fearful, disgust, surprised 192 each |
| licence | CC BY-NC-SA 4.0 |

Tree: ``[Audio_Speech_Actors_01-24/]Actor_NN/MM-VV-EE-II-SS-RR-AA.wav`` with modality
(03 audio only), vocal channel (01 speech), emotion, intensity, statement,
repetition, actor.  Modalities 01 and 02 are the sound of the videos: the same takes
again, so they are passed over; so is song (02).

Actor_07/03-01-03-01-02-01-07 and 03-01-03-01-02-02-07 are byte-identical as published.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath

from serprep.audio.decode import SUFFIXES
from serprep.corpora.corpus import Corpus, Finding
from serprep.place.corpus import walk
from serprep.utterance import Utterance

EMOTIONS = {
    "01": "neutral",
    "02": "calm",
    "03": "happy",
    "04": "sad",
    "05": "angry",
    "06": "fearful",
    "07": "disgust",
    "08": "surprised",
}
INTENSITIES = {"01": "normal", "02": "strong"}
STATEMENTS = {"01": "kids", "02": "dogs"}  # "Kids are talking by the door", "Dogs are sitting by the door"


def utterances(root: Path, options: Mapping[str, object]) -> Iterator[Utterance | Finding]:
    """Utterances of a RAVDESS folder, in path order."""
    for path in _paths(root):
        fields = _fields(path)
        if fields is None:
            yield Finding("recordings not named like RAVDESS passed over", path)
        elif fields[0] != "03":
            yield Finding("sounds of videos (modality 01, 02: the same takes again) passed over", path)
        elif fields[1] != "01":
            yield Finding("song recordings (channel 02) passed over", path)
        else:
            yield named(path) or Finding("recordings with codes RAVDESS does not define passed over", path)


def named(path: str) -> Utterance | None:
    """The utterance that a file name tells of."""
    fields = _fields(path)
    if fields is None:
        return None
    modality, channel, emotion, intensity, statement, repetition, actor = fields
    known = emotion in EMOTIONS and intensity in INTENSITIES and statement in STATEMENTS
    if modality != "03" or channel != "01" or not known:
        return None
    return Utterance(
        id="-".join(fields),
        path=path,
        speaker=actor,
        emotion=EMOTIONS[emotion],
        extra={
            "gender": "male" if int(actor) % 2 else "female",
            "text": STATEMENTS[statement],
            "intensity": INTENSITIES[intensity],
            "repetition": repetition,
        },
    )


def _fields(path: str) -> list[str] | None:
    """The seven two-digit numbers of a name."""
    fields = PurePosixPath(path).stem.split("-")
    return fields if len(fields) == 7 and all(len(field) == 2 and field.isdecimal() for field in fields) else None


def _paths(root: Path) -> Iterator[str]:
    """Recordings below the actors' folders: one download holds all of them twice, once more in a folder."""
    actors = sorted(folder.name for folder in root.glob("Actor_*/"))
    nested = sorted(folder.name for folder in root.glob("[Aa]udio_[Ss]peech_[Aa]ctors*/"))
    for top in actors or nested[:1]:
        yield from (f"{top}/{path}" for path in walk(root / top, SUFFIXES))
    if not actors and not nested:
        yield from walk(root, SUFFIXES)


CORPUS = Corpus(
    name="ravdess",
    title="RAVDESS speech",
    release="1.0.0",
    licence="CC BY-NC-SA 4.0",
    source="https://zenodo.org/record/1188976",
    citation="Livingstone and Russo, "
    "The Ryerson Audio-Visual Database of Emotional Speech and Song, PLoS ONE 13(5), 2018",
    use="For research on acted emotion. Two fixed sentences by 24 North American actors: says how emotion is "
    "acted, not how it is felt or shown in life; a system trained on it should not be expected to work on "
    "spontaneous speech.",
    layout="Actor_NN/MM-VV-EE-II-SS-RR-AA.wav",
    utterances=utterances,
    named=named,
    n_utterances=1440,
    n_speakers=24,
    n_per_emotion={name: 96 if name == "neutral" else 192 for name in EMOTIONS.values()},
)
