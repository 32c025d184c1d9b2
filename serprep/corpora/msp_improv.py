"""MSP-IMPROV: pairs of actors improvise scenes around twenty sentences.

| what | |
| --- | --- |
| origin | Busso and others, The University of Texas at Dallas, 2017 |
| size | 8438 turns, English, 44.1 or 48 kHz |
| speakers | 12 in 6 sessions of two: F01 and M01 in the first … F06 and M06 in the sixth |
| labels | A (angry) 792, H (happy) 2644, S (sad) 885, N (neutral) 3477, O (other) 85, X (no agreement) 555 |
| licence | on request: research only |

Tree: ``session[1-6]/S01A/{P,R,S,T}/MSP-IMPROV-S01A-F01-P-FM01.wav``, in some copies below
``Audio/``, and ``Evaluation.txt`` (spelt ``Evalution.txt`` in one release).  A name holds the
scenario (sentence 01 to 20 and the emotion it is meant to bring about), the speaker (the
**fourth** field; gender and session), the kind of recording (P natural interaction, R target
sentence read, S other turns of an improvisation, T target sentence improvised) and the turn.

::

    UTD-IMPROV-S01A-F01-P-FM01.avi; N; A:3.0; V:3.0; D:3.0 ; N:4.0;
    WORKER00000001; Neutral; Neutral,Concerned; A:3.0; V:3.0; D:3.0; N:4.0;

First the consensus of a turn, then a line per rater: activation, valence, dominance,
naturalness, each from 1 to 5.  ``UTD-`` stands for ``MSP-``.  Numbers are kept as they
stand; activation is reported to run the other way, from 1 (active) to 5 (calm).
"""

import dataclasses
import re
from collections.abc import Iterator, Mapping
from pathlib import Path

from serprep.corpora.corpus import Corpus, Finding, Rating
from serprep.corpora.labels import ABSENT, UNLABELLED, find, read_lines, recordings
from serprep.errors import CorpusError, one_line
from serprep.text import as_float, described
from serprep.utterance import Utterance

EMOTIONS = {  # code → what raters call it
    "A": "Angry",
    "H": "Happy",
    "S": "Sad",
    "N": "Neutral",
    "O": "Other",
    "X": "",  # no agreement
}
CODES = {word: code for code, word in EMOTIONS.items() if word}
GENDERS = {"F": "female", "M": "male"}
PARTNERS = {"F": "M", "M": "F"}
SCRIPTED = ("R", "T")  # kinds of recording that hold the target sentence
LABELS = ("Evaluation.txt", "Evalution.txt")
DIMENSIONS = {"A": "arousal", "V": "valence", "D": "dominance", "N": "naturalness"}
NAME = re.compile(
    r"(?:MSP|UTD)-IMPROV-(?P<scenario>S(?P<sentence>[0-9]{2})[AHSN])-(?P<speaker>(?P<gender>[FM])0(?P<session>[1-6]))"
    r"-(?P<kind>[PRST])-(?P<turn>[A-Z]{1,2}[0-9]+)"
)
AVI = re.compile(r"\s*\S+\.avi\s*;")  # how the line of a turn begins
DIMENSION = re.compile(r"(?P<name>[AVDN]):\s*(?P<value>[^\s;:]+)")


def named(name: str) -> Utterance | None:
    """What a turn's name alone tells: all but the label.  The path is the name as given.

    Examples
    --------
    >>> named("MSP-IMPROV-S01A-F01-P-FM01").extra["partner"]
    'M01'
    """
    field = NAME.search(name)
    if field is None:
        return None
    stem = "MSP" + field[0][3:]
    return Utterance(
        id=stem,
        path=name,
        speaker=field["speaker"],
        extra={
            "session": field["session"],
            "partner": f"{PARTNERS[field['gender']]}0{field['session']}",
            "gender": GENDERS[field["gender"]],
            "scenario": field["scenario"],
            "text": field["sentence"] if field["kind"] in SCRIPTED else "",
            "kind": field["kind"],
        },
    )


def _published(turn: Utterance) -> str:
    """Where the release has a turn's recording."""
    return f"session{turn.extra['session']}/{turn.extra['scenario']}/{turn.extra['kind']}/{turn.id}.wav"


def utterances(root: Path, options: Mapping[str, object]) -> Iterator[Utterance | Rating | Finding]:
    """Turns and what their raters said, in the label file's order."""
    lines, findings = read_lines(root, find(root, *LABELS))
    path_of, twice = recordings(root)
    yield from (*findings, *twice)
    turns: set[str] = set()
    seen: set[Rating] = set()
    current = ""
    for line in lines:
        if AVI.match(line.text):
            item = _turn(line.text, one_line(root / line.place))
            if isinstance(item, Finding):
                current = ""
                yield Finding(item.kind, line.place)
                continue
            current = item.id
            turns.add(item.id)
            if item.id not in path_of:
                yield Finding(ABSENT, line.place)
            yield dataclasses.replace(item, path=path_of.get(item.id) or _published(item))
            continue
        rating = rating_of(line.text, current, codes=CODES) if current else None
        if rating is None:
            yield Finding("lines of another form passed over", line.place)
        elif rating in seen:
            yield Finding("rater lines that stand twice taken once", line.place)
        else:
            seen.add(rating)
            yield rating
    yield from (Finding(UNLABELLED, path) for stem, path in path_of.items() if stem not in turns)


def _turn(line: str, place: str) -> Utterance | Finding:
    """The consensus of a turn."""
    name, code, *rest = [part.strip() for part in line.split(";")]
    turn = named(name)
    if turn is None or not NAME.fullmatch(name.removesuffix(".avi")):
        return Finding("turns not named like MSP-IMPROV passed over", place)
    if code not in EMOTIONS:
        raise CorpusError(f"{place}: unknown emotion {code!r}; expected one of {', '.join(EMOTIONS)}")
    try:
        values = dimensions("; ".join(rest))
    except ValueError as error:
        raise CorpusError(f"{place}: {error}") from None
    if not {"A", "V", "D"} <= values.keys():
        raise CorpusError(f"{place}: {line.strip()[:80]!r}; expected A:…; V:…; D:… after the emotion, numbers or NaN")
    told = {word: "" if values.get(letter) is None else repr(values[letter]) for letter, word in DIMENSIONS.items()}
    return dataclasses.replace(turn, emotion=code, extra={**turn.extra, **told})


def dimensions(text: str) -> dict[str, float | None]:
    """Letter → number of such as ``A:3.0; V:NaN``; None for NaN.

    Raises
    ------
    ValueError
        If something else stands in its place.

    Examples
    --------
    >>> dimensions("A:3.0; V:NaN")
    {'A': 3.0, 'V': None}
    """
    numbers: dict[str, float | None] = {}
    for field in DIMENSION.finditer(text):
        numbers[field["name"]] = as_float(field["value"])
        if numbers[field["name"]] is None and field["value"] != "NaN":
            raise ValueError(f"{field['name']} is {described(field['value'])}; expected a number or NaN")
    return numbers


def rating_of(line: str, turn: str, *, codes: Mapping[str, str]) -> Rating | None:
    """What one rater said of a turn: ``rater; emotion; further words; A:…; V:…; D:…;``.

    The further words are free text, with semicolons now and then; some lines have none.
    None where the line has another form.
    """
    rater, _, rest = line.partition(";")
    emotion, _, rest = rest.partition(";")
    word = emotion.strip()
    code = codes.get(word, codes["Other"] if word.startswith("Other") else "")
    numbers = DIMENSION.search(rest)
    if not rater.strip() or not code or numbers is None:
        return None
    try:
        values = dimensions(rest[numbers.start() :])
    except ValueError:
        return None
    words = rest[: numbers.start()].strip(" ;")
    return Rating(
        id=turn,
        rater=rater.strip(),
        emotions=(code,),
        valence=values.get("V"),
        arousal=values.get("A"),
        dominance=values.get("D"),
        comment="; ".join(filter(None, [word if word not in codes else "", words])),
    )


CORPUS = Corpus(
    name="msp_improv",
    title="MSP-IMPROV",
    release="2017",
    licence="on request: research only",
    source="https://ecs.utdallas.edu/research/researchlabs/msp-lab/MSP-Improv.html",
    citation="Busso, Parthasarathy, Burmania, AbdelWahab, Sadoughi and Mower Provost, MSP-IMPROV: "
    "An Acted Corpus of Dyadic Interactions to Study Emotion Perception, "
    "IEEE Transactions on Affective Computing 8(1), 2017",
    use="For research on acted and improvised dialogue. Twelve actors, American English; what is between takes "
    "is natural, the rest is brought about by a scenario.",
    layout="session[1-6]/S01A/{P,R,S,T}/MSP-IMPROV-S01A-F01-P-FM01.wav and Evaluation.txt",
    utterances=utterances,
    named=named,
    n_utterances=8438,
    n_speakers=12,
    n_per_emotion={"A": 792, "H": 2644, "S": 885, "N": 3477, "O": 85, "X": 555},
)
