"""CREMA-D: Crowd-sourced Emotional Multimodal Actors Dataset.

| what | |
| --- | --- |
| origin | Cao and others, University of Pennsylvania and others, 2014; github.com/CheyneyComputerScience/CREMA-D |
| size | 7442 utterances, English, 16 kHz |
| speakers | 91 actors, 1001 to 1091: 48 men, 43 women |
| labels | as acted: neutral 1087; anger, disgust, fear, happy, sad 1271 each |
| licence | ODbL 1.0 / DbCL 1.0 |

Tree::

    AudioWAV/1001_IEO_ANG_HI.wav      actor, sentence, emotion, intensity; AudioMP3 holds the same takes
    VideoDemographics.csv             ActorID, Age, Sex, Race, Ethnicity
    processedResults/summaryTable.csv FileName, then vote and level by voice, by face and by both
    finishedResponses.csv             one row per answer of a rater (columns as the corpus's README gives them)

Two kinds of label: ``emotion`` is what the actor was asked to play.  What people perceived is
in the columns ``voice_vote`` (from the sound alone), ``face_vote`` and ``multimodal_vote``:
letters A D F H N S, ties with colons as the corpus writes them (``A:D``), and with them the
mean levels, 0 to 100.  Single answers to the sound alone become ratings.

Many copies hold the sound alone; then those columns are empty, and a warning says why.
1076_MTI_SAD_XX has no signal: the build quarantines it.
Five actors have fewer than 82 utterances; IEO is the only sentence with three intensities.
"""

import dataclasses
import re
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath

from serprep.corpora.corpus import Corpus, Finding, Rating
from serprep.corpora.labels import ABSENT, named_recordings, read_table
from serprep.errors import CorpusError, one_line
from serprep.utterance import Utterance

EMOTIONS = {
    "ANG": "anger",
    "DIS": "disgust",
    "FEA": "fear",
    "HAP": "happy",
    "NEU": "neutral",
    "SAD": "sad",
}
LETTERS = {code[0]: word for code, word in EMOTIONS.items()}  # in votes
INTENSITIES = {"LO": "low", "MD": "medium", "HI": "high", "XX": "unspecified"}
SENTENCES = {
    "DFA": "Don't forget a jacket",
    "IEO": "It's eleven o'clock",
    "IOM": "I'm on my way to the meeting",
    "ITH": "I think I have a doctor's appointment",
    "ITS": "I think I've seen this before",
    "IWL": "I would like a new alarm clock",
    "IWW": "I wonder what this is about",
    "MTI": "Maybe tomorrow it will be cold",
    "TAI": "The airplane is almost full",
    "TIE": "That is exactly what happened",
    "TSI": "The surface is slick",
    "WSI": "We'll stop in a couple of minutes",
}
GENDERS = {"Female": "female", "Male": "male"}
NAME = re.compile(
    rf"(?<![^\W_])(?P<actor>10[0-9][0-9])[_-](?P<text>{'|'.join(SENTENCES)})[_-](?P<emotion>{'|'.join(EMOTIONS)})"
    rf"[_-](?P<intensity>{'|'.join(INTENSITIES)})(?=(?:\.\w+)?\Z)"
)

ACTORS = "VideoDemographics.csv"
DEMOGRAPHICS = ("gender", "age", "race", "ethnicity")
SUMMARY = "processedResults/summaryTable.csv"
VOTES = {  # the corpus's column → ours
    "VoiceVote": "voice_vote",
    "VoiceLevel": "voice_level",
    "FaceVote": "face_vote",
    "FaceLevel": "face_level",
    "MultiModalVote": "multimodal_vote",
    "MultiModalLevel": "multimodal_level",
}
ANSWERS = "finishedResponses.csv"
VOICE = "1"  # queryType: 1 voice, 2 face, 3 both


def named(name: str) -> Utterance | None:
    """What a recording's name alone tells.

    Examples
    --------
    >>> named("cremad-1052-WSI-ANG-XX").id
    '1052_WSI_ANG_XX'
    """
    field = NAME.search(name)
    if field is None or not "1001" <= field["actor"] <= "1091":
        return None
    stem = "_".join(field.groups())
    return Utterance(
        id=stem,
        path=f"AudioWAV/{stem}.wav",
        speaker=field["actor"],
        emotion=EMOTIONS[field["emotion"]],
        extra={"text": field["text"], "intensity": INTENSITIES[field["intensity"]]},
    )


def utterances(root: Path, options: Mapping[str, object]) -> Iterator[Utterance | Rating | Finding]:
    """Utterances of a CREMA-D folder in path order, then what single raters heard."""
    items = list(named_recordings(root, named, corpus="CREMA-D"))
    recorded = {item.id for item in items if isinstance(item, Utterance)}
    if not recorded:
        yield from items
        return
    home = _home(root)
    actors: dict[str, dict[str, str]] = {}
    votes: dict[str, dict[str, str]] = {}
    yield from _actors(root, home + ACTORS, actors)
    yield from _votes(root, home + SUMMARY, votes)
    for item in items:
        if isinstance(item, Utterance):
            if votes and item.id not in votes:
                yield Finding("recordings without perceived labels", item.path)
            actor = actors.get(item.speaker, dict.fromkeys(DEMOGRAPHICS, ""))
            perceived = {column: votes.get(item.id, {}).get(column, "") for column in VOTES.values()}
            item = dataclasses.replace(item, extra={**actor, **item.extra, **perceived})
        yield item
    yield from (Finding(ABSENT, vote["place"]) for stem, vote in votes.items() if stem not in recorded)
    yield from _answers(root, home + ANSWERS, recorded)


def _home(root: Path) -> str:
    """Where the label files are, with a final ``/``: the root, or a folder in it."""
    inner = sorted(path.name for path in root.iterdir() if path.is_dir() and not path.name.startswith("."))
    for folder in ("", *(f"{name}/" for name in inner)):
        if any((root / folder / name).is_file() for name in (ACTORS, SUMMARY, ANSWERS)):
            return folder
    return ""


def _actors(root: Path, name: str, actors: dict[str, dict[str, str]]) -> Iterator[Finding]:
    """Fill in what is known of the actors."""
    if not (root / name).is_file():
        yield Finding("no gender, age, race and ethnicity, as a file is missing", name)
        return
    rows, findings = read_table(root, name, columns=("ActorID", "Age", "Sex", "Race", "Ethnicity"))
    yield from findings
    for row in rows:
        cells = row.cells
        told = (GENDERS.get(cells["Sex"], ""), cells["Age"], cells["Race"], cells["Ethnicity"])
        actors[cells["ActorID"]] = dict(zip(DEMOGRAPHICS, told, strict=True))


def _votes(root: Path, name: str, votes: dict[str, dict[str, str]]) -> Iterator[Finding]:
    """Fill in what the majority perceived, and where that stands."""
    if not (root / name).is_file():
        yield Finding("no perceived labels, as a file is missing", name)
        return
    rows, findings = read_table(root, name, columns=("FileName", *VOTES), older={"fileName": "FileName"})
    yield from findings
    for row in rows:
        for column in ("VoiceVote", "FaceVote", "MultiModalVote"):
            vote = row.cells[column]
            if vote and not set(vote.split(":")) <= LETTERS.keys():
                raise CorpusError(
                    f"{one_line(root / row.place)}: unknown {column} {vote!r}; "
                    f"expected letters of {', '.join(LETTERS)}, ties with colons"
                )
        told = {ours: row.cells[column] for column, ours in VOTES.items()}
        votes[PurePosixPath(row.cells["FileName"]).stem] = {**told, "place": row.place}


def _answers(root: Path, name: str, recorded: set[str]) -> Iterator[Rating | Finding]:
    """What single raters heard in the recordings that are there."""
    if not (root / name).is_file():
        yield Finding("no answers of single raters, as a file is missing", name)
        return
    rows, findings = read_table(root, name, columns=("localid", "queryType", "clipName", "respEmo", "respLevel"))
    yield from findings
    for row in rows:
        cells = row.cells
        stem = PurePosixPath(cells["clipName"]).stem
        if cells["queryType"] != VOICE or stem not in recorded:
            continue
        if cells["respEmo"] not in LETTERS:
            yield Finding(f"answers that are none of {', '.join(LETTERS)} passed over", row.place)
            continue
        heard = LETTERS[cells["respEmo"]]
        yield Rating(id=stem, rater=cells["localid"], emotions=(heard,), comment=f"level {cells['respLevel']}")


CORPUS = Corpus(
    name="crema_d",
    title="CREMA-D",
    release="2014",
    licence="ODbL 1.0 / DbCL 1.0",
    source="https://github.com/CheyneyComputerScience/CREMA-D",
    citation="Cao, Cooper, Keutmann, Gur, Nenkova and Verma, CREMA-D: Crowd-sourced Emotional Multimodal "
    "Actors Dataset, IEEE Transactions on Affective Computing 5(4), 2014",
    use="For research on how acted emotion is recognised across many speakers. Twelve fixed sentences by 91 "
    "actors: says how emotion is acted, not how it is felt or shown in life; the label is the emotion that "
    "was asked for, and listeners often heard another.",
    layout="AudioWAV/<actor>_<sentence>_<emotion>_<intensity>.wav",
    utterances=utterances,
    named=named,
    n_utterances=7442,
    n_speakers=91,
    n_per_emotion={name: 1087 if name == "neutral" else 1271 for name in EMOTIONS.values()},
    n_per={
        "speaker": {
            **dict.fromkeys(map(str, range(1001, 1092)), 82),
            "1002": 81,
            "1008": 76,
            "1009": 76,
            "1019": 76,
            "1076": 81,
        },
        "text": {
            **dict.fromkeys(SENTENCES, 546),
            "IEO": 1456,
            "ITH": 540,
            "ITS": 545,
            "MTI": 540,
            "TIE": 545,
            "WSI": 540,
        },
    },
)
