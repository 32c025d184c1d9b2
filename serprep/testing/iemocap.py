"""A folder in the exact layout of IEMOCAP, with made-up sound, words and ratings.

``python -m serprep.testing.iemocap turns.csv FOLDER`` writes the full size: 10039 turns in
151 dialogues, 12.5 hours, 1.5 GB.  The table of turns is facts about the corpus and is not
part of serprep: a CSV with the columns ``utterance``, ``emotion``, ``n_annotators``,
``agreement`` and ``n_samples`` (at 16 kHz; empty where it is not known).

What each turn is labelled, how many of how many raters agree, and its length are the
table's.  Words, comments, dimensions, times and sound are chosen by chance, seeded by the
turn's name: same table, same bytes.  Real copies are full of files that are no labels and
no recordings, so this one is too.
"""

import argparse
import csv
import re
import sys
import zlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import numpy as np
import soundfile

from serprep._typing import FloatArray
from serprep.testing.voice import synthetic_utterance

RELEASE = "IEMOCAP_full_release"
SAMPLE_RATE = 16_000  # Hz
N_WITHOUT_DOMINANCE = 36  # rater lines of the release
MAX_SAMPLES = 600 * SAMPLE_RATE
N_TAKES = 4  # synthetic utterances per speaker and emotion, from which turns are put together
LITTER = b"\0\x05\x16\x07\0\x02\0\0Mac OS X        \xff\xfe"

COLUMNS = {"utterance", "emotion", "n_annotators", "agreement", "n_samples"}
TURN = re.compile(r"Ses0[1-5][FM]_(impro|script)[0-9]{2}\w*_[FM][0-9]{3}", re.ASCII)
WORDS = {
    "ang": "Anger",
    "dis": "Disgust",
    "exc": "Excited",
    "fea": "Fear",
    "fru": "Frustration",
    "hap": "Happiness",
    "neu": "Neutral",
    "oth": "Other",
    "sad": "Sadness",
    "sur": "Surprise",
}
CENTRES = {  # valence, arousal, dominance around which ratings lie
    "ang": (2, 4, 4),
    "dis": (2, 3, 3),
    "exc": (4, 4, 3),
    "fea": (2, 3, 2),
    "fru": (2, 3, 3),
    "hap": (4, 3, 3),
    "neu": (3, 2, 3),
    "sad": (2, 2, 2),
    "sur": (3, 4, 3),
}
STYLES = {"ang": "angry", "exc": "happy", "hap": "happy", "neu": "neutral", "sad": "sad"}
SENTENCES = (
    "Excuse me.",
    "Do you have your forms?",
    "Yeah.",
    "Let me see them.",
    "Is there a problem?",
    "I don't know, I just -- I can't.",
    "It's all right.  You'll see.",
    "That's out of control.",
    "What did he say to you?",
    "[LAUGHTER] Oh my God.",
)
COMMENTS = ("", "", "", "curious", "amused", "annoyed; tired", "cafés are loud")

README = """\
SYNTHETIC SPEECH

Every recording in this folder is SYNTHETIC: computed by serprep (serprep.testing.iemocap) in the layout of IEMOCAP.
There is no human voice in it, and its words and ratings are made up. A score on it says that software runs,
not how well it recognises emotion.
"""


@dataclass(frozen=True, kw_only=True)
class Turn:
    """One turn: what the table says of it."""

    name: str  # such as Ses01F_impro01_M003
    emotion: str
    n_annotators: int = 3  # raters that chose an emotion; 0 where there is no majority
    agreement: int = 2  # how many of them chose `emotion`
    n_samples: int | None = None

    @property
    def dialogue(self) -> str:
        """The dialogue it belongs to."""
        return self.name.rpartition("_")[0]

    @property
    def session(self) -> str:
        """The folder of its session."""
        return f"{RELEASE}/Session{self.name[4]}"

    @property
    def path(self) -> str:
        """Its recording."""
        return f"{self.session}/sentences/wav/{self.dialogue}/{self.name}.wav"

    @property
    def speaker(self) -> int:
        """Who of the synthetic speakers speaks it: odd numbers are male-like."""
        return 2 * int(self.name[4]) - (self.name[-4] == "M")

    @property
    def style(self) -> str:
        """What the synthesiser calls its emotion."""
        return STYLES.get(self.emotion, self.emotion)

    @cached_property
    def length(self) -> int:
        """Samples: the true number where it is known, else one that might be."""
        drawn = int(np.clip(np.exp(self.rng("length").normal(10.95, 0.67)), 9_359, 546_220))
        return self.n_samples or drawn

    def rng(self, purpose: str) -> np.random.Generator:
        """Chance that belongs to this turn."""
        return np.random.default_rng([zlib.crc32(self.name.encode()), zlib.crc32(purpose.encode())])


def read_turns(path: Path) -> list[Turn]:
    """The table of turns.

    Raises
    ------
    ValueError
        If it lacks a column, or a line cannot be a turn; the message names the line.
    """
    with path.open(encoding="utf-8", newline="") as file:
        rows = csv.DictReader(file)
        if COLUMNS - set(rows.fieldnames or ()):
            raise ValueError(f"{path}:1: expected the columns {', '.join(sorted(COLUMNS))}")
        turns = []
        for row in rows:
            try:
                turns.append(_turn({name: row[name] or "" for name in COLUMNS}))
            except ValueError as error:
                raise ValueError(f"{path}:{rows.line_num}: {error}") from None
    return turns


def _turn(cells: Mapping[str, str]) -> Turn:
    """A turn from its cells; ValueError says what is wrong."""
    name, emotion = cells["utterance"], cells["emotion"]
    n_annotators, agreement = int(cells["n_annotators"]), int(cells["agreement"])
    n_samples = int(cells["n_samples"]) if cells["n_samples"] else None
    if not TURN.fullmatch(name):
        raise ValueError(f"{name!r} is no turn of IEMOCAP")
    if emotion not in WORDS and emotion != "xxx":
        raise ValueError(f"unknown emotion {emotion!r}; expected xxx or one of {', '.join(WORDS)}")
    if not (0 <= agreement <= n_annotators and n_annotators in (0, 3, 4)):
        raise ValueError(f"{agreement} of {n_annotators} raters agree; expected some of 3 or 4, or 0 of 0")
    if n_samples is not None and not 0 < n_samples <= MAX_SAMPLES:
        raise ValueError(f"n_samples is {n_samples}; expected up to {MAX_SAMPLES}, or nothing")
    return Turn(name=name, emotion=emotion, n_annotators=n_annotators, agreement=agreement, n_samples=n_samples)


# -- label files ---------------------------------------------------------------------


def label_files(turns: Iterable[Turn]) -> Iterator[tuple[str, str]]:
    """Paths and texts of everything but sound: label files, those by rater, transcripts."""
    dialogues: dict[str, list[Turn]] = {}
    for turn in turns:
        dialogues.setdefault(turn.dialogue, []).append(turn)
    every = [turn for members in dialogues.values() for turn in members]
    chance = {turn.name: zlib.crc32(f"dominance {turn.name}".encode()) for turn in every}
    lacking = set(sorted(chance, key=lambda name: chance[name])[: min(N_WITHOUT_DOMINANCE, len(every) // 10)])
    for dialogue, members in sorted(dialogues.items()):
        ordered = sorted(members, key=lambda turn: (turn.name[-3:], turn.name[-4]))
        yield from _dialogue_files(f"{ordered[0].session}/dialog", dialogue, ordered, lacking=lacking)


def _dialogue_files(
    folder: str, dialogue: str, turns: Sequence[Turn], *, lacking: set[str]
) -> Iterator[tuple[str, str]]:
    """The files of one dialogue."""
    now = 6.2901  # s
    labels = ["% [START_TIME - END_TIME] TURN_NAME EMOTION [V, A, D]\n\n"]
    spoken, by_rater = [], dict[str, list[str]]()
    for number, turn in enumerate(turns):
        end = now + turn.length / SAMPLE_RATE
        chosen = _choices(turn)
        rated = _dimensions(turn, raters=chosen)
        means = [np.mean([values[i] for rater, values in rated.items() if "-E" in rater]) for i in range(3)]
        mean = ", ".join(f"{value:.4f}" for value in means)
        labels.append(f"[{now:.4f} - {end:.4f}]\t{turn.name}\t{turn.emotion}\t[{mean}]\n")
        comments = turn.rng("comments").choice(COMMENTS, size=len(chosen))
        for (rater, words), comment in zip(chosen.items(), comments, strict=True):
            labels.append(f"{rater}:\t{' '.join(f'{word};' for word in words)}\t({comment})\n")
            by_rater.setdefault(rater, []).append(
                f"{turn.name} {' '.join(f':{word};' for word in words)} ({comment})\n"
            )
        for place, (rater, (valence, arousal, dominance)) in enumerate(rated.items()):
            third = "" if place == 0 and turn.name in lacking else f" {dominance}"
            labels.append(f"{rater}:\tval {valence}; act {arousal}; dom {third};\t()\n")
            by_rater.setdefault(rater, []).append(f"{turn.name} :act {arousal}; :val {valence}; :dom {dominance}; ()\n")
        labels.append("\n")
        if number % 7 == 3:  # a sound between turns, which no label file names
            spoken.append(f"{dialogue}_{turn.name[-4]}XX{number} [{now - 0.1:08.4f}-{now:08.4f}]: [BREATHING]\n")
        spoken.append(f"{turn.name} [{now:08.4f}-{end:08.4f}]: {_words(turn)}\n")
        now = end + float(turn.rng("pause").uniform(0.1, 1.5))
    yield f"{folder}/EmoEvaluation/{dialogue}.txt", "".join(labels)
    yield f"{folder}/transcriptions/{dialogue}.txt", "".join([*spoken, "M: Mmhmm.\n"])
    for rater, lines in sorted(by_rater.items()):
        kind, who = rater.split("-")
        where = ("Categorical" if kind == "C" else "Attribute") if who.startswith("E") else "Self-evaluation"
        name = f"{dialogue}_{who.lower()}_{'cat' if kind == 'C' else 'atr'}.txt"
        yield f"{folder}/EmoEvaluation/{where}/{name}", "".join(lines)


def _choices(turn: Turn) -> dict[str, list[str]]:
    """Rater → emotions chosen, such that as many agree as the table says."""
    rng = turn.rng("raters")
    n = turn.n_annotators or int(rng.integers(3, 5))
    raters = [f"C-E{number}" for number in sorted(rng.choice([1, 2, 3, 4, 5, 6], size=3, replace=False))]
    raters = [*raters, f"C-{turn.name[-4]}1"][:n]
    others = [word for code, word in WORDS.items() if code != turn.emotion]
    rng.shuffle(others)
    agreeing = [0, 1, *(2 + rng.permutation(n - 2)).tolist()][: turn.agreement]
    choices = {}
    for place, rater in enumerate(raters):
        words = [WORDS[turn.emotion]] if place in agreeing else [others[place]]
        if rng.random() < 0.1:
            words.append(others[-1 - place])
        choices[rater] = words
    return choices


def _dimensions(turn: Turn, *, raters: Iterable[str]) -> dict[str, tuple[int, int, int]]:
    """Rater → valence, arousal, dominance."""
    rng = turn.rng("dimensions")
    names = [rater.replace("C-", "A-") for rater in raters]
    names = [name for place, name in enumerate(names) if place < 2 or "-E" not in name]  # two evaluators and the actor
    centre = CENTRES.get(turn.emotion, (3, 3, 3))
    return {
        name: tuple(int(np.clip(middle + rng.integers(-1, 2), 1, 5)) for middle in centre)  # type: ignore[misc]
        for name in names
    }


def _words(turn: Turn) -> str:
    """What is said: a script's words are the same in all sessions."""
    said = turn.name if "_impro" in turn.name else turn.name[7:]
    rng = np.random.default_rng(zlib.crc32(said.encode()))
    return " ".join(rng.choice(SENTENCES, size=rng.integers(1, 4)))


# -- sound ---------------------------------------------------------------------------


class Bank:
    """Synthetic utterances by speaker and style, from which turns of any length are put together."""

    def __init__(self) -> None:
        self._takes: dict[tuple[int, str], list[FloatArray]] = {}

    def sound(self, turn: Turn) -> FloatArray:
        """The sound of a turn, shape (turn.length,)."""
        key = (turn.speaker, turn.style)
        if key not in self._takes:
            self._takes[key] = [
                synthetic_utterance(speaker=turn.speaker, emotion=turn.style, text=number, take=number)
                for number in range(N_TAKES)
            ]
        takes, rng = self._takes[key], turn.rng("sound")
        pieces, missing = [], turn.length
        while missing > 0:
            take = takes[rng.integers(len(takes))]
            piece = take[rng.integers(len(take) // 4) :][:missing]
            pieces.append(piece * np.float32(rng.uniform(0.8, 1.0)))
            missing -= len(piece)
        return np.concatenate(pieces)


# -- the whole folder ----------------------------------------------------------------


def write_iemocap(turns: Iterable[Turn], folder: Path, *, litter: bool = True, sound: bool = True) -> list[Path]:
    """Write turns as the release has them; returns their recordings.

    Parameters
    ----------
    turns : iterable of Turn
    folder : Path
        Parent of the release folder; made if missing.
    litter : bool
        Add the hidden files that real copies are full of.
    sound : bool
        Write the recordings; otherwise they are absent.
    """
    turns = list(turns)
    bank = Bank()
    for place in (folder, folder / RELEASE):
        place.mkdir(parents=True, exist_ok=True)
        (place / "README.txt").write_text(README, encoding="utf-8", newline="\n")  # first: no sound without it
    files = []
    for name, text in label_files(turns):
        path = folder / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8", newline="\n")
        files.append(path)
    recordings = [folder / turn.path for turn in turns]
    for turn, path in zip(turns, recordings, strict=True) if sound else ():
        path.parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(path, bank.sound(turn), SAMPLE_RATE, subtype="PCM_16")
        files.append(path)
    if litter:
        for path in files:
            path.with_name(f"._{path.name}").write_bytes(LITTER)
        for place in {path.parent for path in files}:
            (place / ".DS_Store").write_bytes(LITTER)
    return recordings


def main(arguments: Sequence[str] | None = None) -> None:
    """Write a folder from a table of turns; what is wrong is one line."""
    parser = argparse.ArgumentParser(prog="python -m serprep.testing.iemocap", description=__doc__.partition("\n")[0])
    parser.add_argument("table", type=Path, help="the table of turns")
    parser.add_argument("folder", type=Path, help="where the release folder is made")
    given = parser.parse_args(arguments)
    try:
        recordings = write_iemocap(read_turns(given.table), given.folder)
    except OSError as error:
        sys.exit(f"Error: {error.filename}: {error.strerror}")
    except ValueError as error:
        sys.exit(f"Error: {error}")
    print(f"{len(recordings)} turns in {given.folder / RELEASE}")


if __name__ == "__main__":
    main()
