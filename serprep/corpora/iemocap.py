"""IEMOCAP: Interactive Emotional Dyadic Motion Capture Database.

| what | |
| --- | --- |
| origin | Busso and others, University of Southern California, 2008; sail.usc.edu/iemocap |
| size | 10039 turns of 151 dialogues (4784 improvised, 5255 scripted), English, 16 kHz |
| speakers | 10: a woman and a man in each of 5 sessions, Ses01F and Ses01M … Ses05M |
| labels | fru 1849, neu 1708, ang 1103, sad 1084, exc 1041, hap 595, sur 107, fea 40, oth 3, dis 2, xxx 2507 |
| licence | on request from the authors: research only, no redistribution |

Tree: ``IEMOCAP_full_release/Session{1..5}/``, and in each

- ``sentences/wav/<dialogue>/<turn>.wav``
- ``dialog/EmoEvaluation/<dialogue>.txt``: a line per turn with the majority's emotion and mean
  valence, arousal and dominance (1 to 5), then a line per rater; its sub-folders hold the same by rater
- ``dialog/transcriptions/<dialogue>.txt``

::

    % [START_TIME - END_TIME] TURN_NAME EMOTION [V, A, D]

    [6.2901 - 8.2357]<TAB>Ses01F_impro01_F000<TAB>neu<TAB>[2.5000, 2.5000, 2.5000]
    C-E2:<TAB>Neutral;<TAB>()
    C-F1:<TAB>Neutral;<TAB>(curious)
    A-E3:<TAB>val 3; act 2; dom  2;<TAB>()

``C-`` lines choose among emotions, several if need be, ``A-`` lines rate dimensions; ``E`` is an
evaluator, ``F`` and ``M`` are the actors on themselves.  36 ``A-`` lines lack dominance.

The speaker is the letter of the **last** field: ``Ses01F_impro01_M003`` is spoken by Ses01M.  What the
name begins with, Ses01F, only says who wears the markers.  Dialogues are not all of one length:
Ses03M_impro05a, Ses05M_script01_1b.  Scripted dialogues share their text over sessions.
Real copies hold binary ``._Ses…`` files in all folders.
"""

import dataclasses
import re
from collections.abc import Container, Iterator, Mapping, Sequence
from pathlib import Path

from serprep.corpora.corpus import Corpus, Finding, Rating
from serprep.corpora.labels import ABSENT, UNLABELLED, Line, read_lines, recordings
from serprep.errors import CorpusError, one_line
from serprep.utterance import Utterance

EMOTIONS = {  # code → how raters choose it
    "ang": ("Anger",),
    "dis": ("Disgust",),
    "exc": ("Excited",),
    "fea": ("Fear",),
    "fru": ("Frustration",),
    "hap": ("Happiness",),
    "neu": ("Neutral", "Neutral state"),
    "oth": ("Other",),
    "sad": ("Sadness",),
    "sur": ("Surprise",),
    "xxx": (),  # no majority of the evaluators for one emotion
}
CODES = {word: code for code, words in EMOTIONS.items() for word in words}
GENDERS = {"F": "female", "M": "male"}
PARTNERS = {"F": "M", "M": "F"}

NAME = re.compile(
    r"(?<![^\W_])(?P<dialogue>Ses0(?P<session>[1-5])[FM]_(?P<method>impro|script)(?P<scene>[0-9]{2}(?:_[0-9])?)[a-z]?)"
    r"_(?P<gender>[FM])[0-9]{3}(?![^\W_])"
)
HEADER = "% [START_TIME - END_TIME] TURN_NAME EMOTION [V, A, D]"
TURN = re.compile(
    r"\[\s*[0-9.]+ - [0-9.]+\]\t(?P<turn>\S+)\t(?P<emotion>\S+)\t"
    r"\[(?P<valence>{0}), (?P<arousal>{0}), (?P<dominance>{0})\]".format(r"[0-9]+(?:\.[0-9]+)?")
)
RATER = re.compile(r"(?P<rater>[CA]-[EFM][0-9]+):\t(?P<said>[^()]*)(?:\((?P<comment>.*)\))?")
DIMENSION = re.compile(r"(?P<name>val|act|dom)\s*(?P<value>[0-9]+(?:\.[0-9]+)?)?\s*;")
SPOKEN = re.compile(r"(?P<turn>\S+) \[[^\]]*\]:(?P<words>.*)")


def named(name: str) -> Utterance | None:
    """What a turn's name alone tells; no label, and the path within the release folder.

    Examples
    --------
    >>> named("Ses01F_impro01_M003.wav").speaker, named("Ses01F_impro01.wav")
    ('Ses01M', None)
    """
    field = NAME.search(name)
    if field is None:
        return None
    scripted = field["method"] == "script"
    return Utterance(
        id=field[0],
        path=f"Session{field['session']}/sentences/wav/{field['dialogue']}/{field[0]}.wav",
        speaker=f"Ses0{field['session']}{field['gender']}",
        extra={
            "session": field["session"],
            "dialogue": field["dialogue"],
            "method": field["method"],
            "text": f"script{field['scene']}" if scripted else "",
            "partner": f"Ses0{field['session']}{PARTNERS[field['gender']]}",
            "gender": GENDERS[field["gender"]],
        },
    )


def utterances(root: Path, options: Mapping[str, object]) -> Iterator[Utterance | Rating | Finding]:
    """Turns and what their raters said, by session, dialogue and time."""
    release = _release(root)
    for session in sorted(path.name for path in (root / release).glob("Session[1-5]")):
        path_of, findings = recordings(root, f"{release}{session}/sentences/wav")
        yield from findings
        labelled = set()
        folder = f"{release}{session}/dialog/EmoEvaluation"
        for name in sorted(path.name for path in (root / folder).glob("Ses*.txt")):
            for item in _dialogue(root, f"{folder}/{name}", recorded=path_of):
                if isinstance(item, Utterance):
                    labelled.add(item.id)
                    item = dataclasses.replace(item, path=path_of.get(item.id, f"{release}{item.path}"))
                yield item
        yield from (Finding(UNLABELLED, path) for name, path in path_of.items() if name not in labelled)


def _release(root: Path) -> str:
    """What paths begin with: "" where `root` is the release folder, else the folder in it that is."""
    inner = sorted(path.name for path in root.iterdir() if not path.name.startswith("."))
    places = ["", *(f"{name}/" for name in inner)]
    return next((place for place in places if any((root / place).glob("Session[1-5]/dialog"))), "")


def _dialogue(root: Path, name: str, *, recorded: Container[str]) -> Iterator[Utterance | Rating | Finding]:
    """One label file, with the transcripts of its turns."""
    lines, findings = read_lines(root, name)
    header = lines[0] if lines else Line(f"{name}:1", "")
    if header.text.split() != HEADER.split():
        raise CorpusError(f"{one_line(root / header.place)}: header is {header.text[:80]!r}; expected {HEADER!r}")
    transcripts = name.replace("/EmoEvaluation/", "/transcriptions/")
    spoken: dict[str, str] = {}
    if (root / transcripts).is_file():
        said, more = read_lines(root, transcripts)
        findings += more
        for field in filter(None, (SPOKEN.fullmatch(line.text) for line in said)):  # others are talk between turns
            spoken.setdefault(field["turn"], field["words"].strip())
    else:
        findings.append(Finding("transcripts that are not there", transcripts))
    yield from findings
    starts = [i for i, line in enumerate(lines) if line.text.startswith("[")]
    for first, last in zip(starts, [*starts[1:], len(lines)], strict=True):
        yield from _turn(root, lines[first:last], spoken=spoken, recorded=recorded)


def _turn(
    root: Path, lines: Sequence[Line], *, spoken: Mapping[str, str], recorded: Container[str]
) -> Iterator[Utterance | Rating | Finding]:
    """A turn's line and those of its raters."""
    place = lines[0].place
    field = TURN.fullmatch(lines[0].text.strip())
    turn = named(field["turn"]) if field else None
    if field is None or turn is None or turn.id != field["turn"]:
        yield Finding("turns not written like IEMOCAP's passed over", place)
        return
    emotion = field["emotion"]
    if emotion not in EMOTIONS:
        raise CorpusError(
            f"{one_line(root / place)}: unknown emotion {emotion!r}; expected one of {', '.join(EMOTIONS)}"
        )
    if turn.id not in recorded:
        yield Finding(ABSENT, place)
    if spoken and turn.id not in spoken:
        yield Finding("turns without a transcript", place)
    ratings = []
    for line in lines[1:]:
        rating = _rating(turn.id, line.text.strip())
        if rating is None:
            yield Finding("rater lines not written like IEMOCAP's passed over", line.place)
        else:
            ratings.append(rating)
    chosen = [rating.emotions for rating in ratings if rating.emotions]
    told = {
        "transcript": spoken.get(turn.id, ""),
        **{name: repr(float(field[name])) for name in ("valence", "arousal", "dominance")},
        "n_raters": str(len(chosen)),
        "agreement": str(sum(emotion in emotions for emotions in chosen)),
    }
    yield dataclasses.replace(turn, emotion=emotion, extra={**turn.extra, **told})
    yield from ratings


def _rating(turn: str, line: str) -> Rating | None:
    """What one rater said of a turn; None where the line has another form.

    Examples
    --------
    >>> _rating("Ses01F_impro01_F000", "C-E4:\\tHappiness; Excited;\\t()").emotions
    ('hap', 'exc')
    """
    field = RATER.fullmatch(line)
    if field is None:
        return None
    comment = (field["comment"] or "").strip()
    words = [word.strip() for word in field["said"].split(";") if word.strip()]
    if field["rater"].startswith("C"):
        emotions = tuple(CODES.get(word, word) for word in words)
        return Rating(id=turn, rater=field["rater"], emotions=emotions, comment=comment) if emotions else None
    if DIMENSION.sub("", field["said"]).strip():  # such as "act 3_0;", which must not be left out silently
        return None
    said = {scale["name"]: scale["value"] for scale in DIMENSION.finditer(field["said"])}
    valence, arousal, dominance = (float(said[name]) if said.get(name) else None for name in ("val", "act", "dom"))
    if valence is arousal is dominance is None:
        return None
    return Rating(id=turn, rater=field["rater"], valence=valence, arousal=arousal, dominance=dominance, comment=comment)


CORPUS = Corpus(
    name="iemocap",
    title="IEMOCAP",
    release="full release (2008)",
    licence="on request from the authors: research only, no redistribution",
    source="https://sail.usc.edu/iemocap",
    citation="Busso, Bulut, Lee, Kazemzadeh, Mower, Kim, Chang, Lee and Narayanan, IEMOCAP: Interactive Emotional "
    "Dyadic Motion Capture Database, Language Resources and Evaluation 42(4), 2008",
    use="For research on acted and improvised dialogue. Ten actors, American English; labels are the majority of "
    "a few raters who often disagree, and the same dialogue is on both sides of a split that is not by "
    "session.",
    layout="[IEMOCAP_full_release/]Session{1..5}/dialog/EmoEvaluation/<dialogue>.txt and "
    "Session{1..5}/sentences/wav/<dialogue>/<turn>.wav",
    utterances=utterances,
    named=named,
    n_utterances=10039,
    n_speakers=10,
    n_per_emotion={
        "ang": 1103,
        "dis": 2,
        "exc": 1041,
        "fea": 40,
        "fru": 1849,
        "hap": 595,
        "neu": 1708,
        "oth": 3,
        "sad": 1084,
        "sur": 107,
        "xxx": 2507,
    },
    n_per={
        "session": {"1": 1819, "2": 1811, "3": 2136, "4": 2103, "5": 2170},
        "method": {"impro": 4784, "script": 5255},
    },
    n_different={"dialogue": 151},
)
