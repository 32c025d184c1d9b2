"""A folder nobody has described yet → the reader that fits it, and what it says.

First the corpora whose layout is known, then a table that names recordings, then a
pattern that most names follow, by the words for emotions in them.
"""

import re
import unicodedata
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from serprep.audio.decode import SUFFIXES
from serprep.columns import OWN
from serprep.corpora import READERS, Reading, read_corpus
from serprep.corpora.pattern import OTHER_NAMES
from serprep.corpora.table import read_rows
from serprep.errors import CorpusError, one_line
from serprep.files import without_suffix
from serprep.place.corpus import walk

TABLES = (".csv", ".tsv", ".parquet")
_ROWS = 500  # of a table that are looked at
_ENOUGH = 0.6  # share of the recordings that a guess has to explain
#: Words for emotions, as folders and file names have them.
WORDS = """
    anger angry ang angr boredom bored bor calm cal contempt contemptuous confident disgust disgusted dis disg
    excited excitement exc fear fearful fea scared anxious anxiety frustrated frustration fru happiness happy hap
    joy joyful neutral neu neut normal sad sadness sadly pain sarcastic sleepy sleepiness surprise surprised sur
    surp ps pleasantsurprise annoyed amused amusement tender passion pride relief interest irritation despair
    wut ärger freude angst trauer ekel langeweile rabbia gioia paura tristezza disgusto sorpresa neutrale neutro
    colère joie peur tristesse dégoût neutre enojo alegría miedo tristeza asco ira raiva alegria medo
    apologetic assertive concerned encouraging enthusiastic sorrow hatred guilt shame worried nervous bitter
    kızgın mutlu üzgün sakin gniew radość smutek strach wstyd
"""
EMOTIONS = frozenset(WORDS.split())
_SPEAKER = {**{name: "speaker" for name, meant in OTHER_NAMES.items() if meant == "speaker"}, "speaker": "speaker"}
_EMOTION = {**{name: "emotion" for name, meant in OTHER_NAMES.items() if meant == "emotion"}, "emotion": "emotion"}
_NAMES = {**_SPEAKER, **_EMOTION, "split": "partition", "partition": "partition", "set": "partition"}
_NAMES |= {name: name for name in ("start", "end", *OWN)} | {"sex": "gender", "utterance": "text", "words": "text"}
#: Words that other parts of names consist of, and what such a part tells.
_OTHER_PARTS = {
    "f m female male woman man women men": "gender",
    "low lo medium med mid md high hi xx weak strong mild intense faible fort": "intensity",
    "train training dev devel val valid validation test eval evaluation": "partition",
}
_BEFORE = {**dict.fromkeys(("spk", "speaker", "actor", "subj", "subject"), "speaker"), "level": "intensity"}
_SEPARATOR = re.compile(r"([/_\-. ()\[\]]+)")


@dataclass(frozen=True)
class Guess:
    """How a folder can be read, and what reading it gave."""

    reader: str
    options: Mapping[str, object]
    reading: Reading
    n_recordings: int  # in the folder

    @property
    def n_speakers(self) -> int:
        """Different speakers."""
        return len(set(self.reading.utterances.column("speaker")) - {""})

    @property
    def emotions(self) -> dict[str, int]:
        """Emotion → utterances, sorted."""
        return dict(sorted(Counter(filter(None, self.reading.utterances.column("emotion"))).items()))


def guess(root: Path) -> Guess:
    """The way to read a folder that explains most of its recordings.

    Raises
    ------
    CorpusError
        If there are no recordings, or nothing fits; the message says what was seen.
    """
    if not root.is_dir():
        raise CorpusError(f"{one_line(root)}: no such folder; expected the folder of a corpus")
    paths = list(walk(root, SUFFIXES))
    if not paths:
        raise CorpusError(
            f"{one_line(root)}: no recordings (*{', *'.join(SUFFIXES)}) lie in it or below it; name their folder, "
            "or convert those in other formats to wav or flac"
        )
    for candidates in (_known(), _tables(root, paths), _patterns(paths)):
        guesses: list[Guess] = []
        for reader, options in candidates:
            try:
                guesses.append(Guess(reader, options, read_corpus(reader, root, options), len(paths)))
            except Exception:  # whatever a reader, perhaps of another package, makes of a folder that is not its own
                continue
        there = {*paths, *map(without_suffix, paths)}  # tables may leave the suffix out
        explained = [len(there & set(guessed.reading.utterances.column("path"))) for guessed in guesses]
        if explained and max(explained) >= _ENOUGH * len(paths):
            told = [
                (n, bool(guess.emotions), guess.n_speakers > 1) for n, guess in zip(explained, guesses, strict=True)
            ]
            return guesses[told.index(max(told))]
    _refuse_one_emotion(root, paths)
    raise CorpusError(
        f"{one_line(root)}: {len(paths)} recordings, such as {one_line(paths[0])}, whose names tell no emotion, and no "
        'table that names them; write a recipe with reader "table" or "pattern" (docs/recipe.md)'
    )


def _refuse_one_emotion(root: Path, paths: Sequence[str]) -> None:
    """Raise if all names, or the folder itself, tell the same emotion."""
    here = {_word(root.resolve().name)}
    shared = set.intersection(*(set(map(_word, _SEPARATOR.split(without_suffix(path)))) for path in paths))
    if told := sorted((here | shared) & EMOTIONS):
        where = "it lies in a folder of others: name that one" if here & EMOTIONS else "add recordings of others"
        raise CorpusError(
            f"{one_line(root)}: {len(paths)} recordings of one emotion, {told[0]!r}: nothing to tell apart; {where}"
        )


def _known() -> Iterator[tuple[str, dict[str, object]]]:
    """Readers that need to be told nothing."""
    yield from ((name, {}) for name, corpus in READERS.usable().items() if not corpus.required)


# -- tables --------------------------------------------------------------------------


def _tables(root: Path, paths: Sequence[str]) -> Iterator[tuple[str, dict[str, object]]]:
    """Tables in the folder that have a column of its recordings."""
    files = sorted(walk(root, TABLES), key=lambda name: (name.count("/"), name))[:20]
    for file in files:
        rows = []
        try:
            for _, cells in read_rows(root / file):
                rows.append(cells)
                if len(rows) == _ROWS:
                    break
        except CorpusError:
            continue
        if not rows:
            continue
        path_column = _path_column(rows, paths)
        if path_column is None:
            continue
        column, prefix = path_column
        columns = {} if column == "path" else {"path": column}
        for name in rows[0]:
            role = _NAMES.get(re.sub(r"\W+", "_", name.strip().lower()), "")
            if role and role != name and role not in rows[0] and role not in columns and name != column:
                columns[role] = name
        if "emotion" not in {*rows[0], *columns}:
            emotional = [name for name in rows[0] if name != column and _are_emotions(rows, name)]
            columns.update({} if not emotional else {"emotion": emotional[0]})
        options: dict[str, object] = {"file": file}
        if prefix:
            options["prefix"] = prefix
        if columns:
            options["columns"] = columns
        yield "table", options


def _are_emotions(rows: Sequence[Mapping[str, str]], column: str) -> bool:
    """Whether a column holds different emotions, whatever it is called."""
    words = [_word(row[column]) for row in rows if row[column]]
    return len(set(words)) > 1 and sum(word in EMOTIONS for word in words) >= 0.8 * len(rows)


def _path_column(rows: Sequence[Mapping[str, str]], paths: Sequence[str]) -> tuple[str, str] | None:
    """The column that names recordings, and the folder that its cells lack."""
    there = {*paths, *map(without_suffix, paths)}
    by_name: dict[str, list[str]] = {}
    for path in sorted(there):
        by_name.setdefault(PurePosixPath(path).name, []).append(path)
    best: tuple[int, str, str] = (0, "", "")
    for column in rows[0]:
        prefixes = Counter[str]()
        for row in rows:
            cell = str(PurePosixPath(row[column].replace("\\", "/"))) if row[column] else ""
            if cell in there:
                prefixes[""] += 1
            elif cell:
                candidates = by_name.get(PurePosixPath(cell).name, ())
                prefixes.update({path.removesuffix(f"/{cell}") for path in candidates if path.endswith(f"/{cell}")})
        for prefix, count in prefixes.most_common(1):
            if count > best[0]:
                best = (count, column, prefix)
    return best[1:] if best[0] >= len(rows) / 2 else None


# -- patterns ------------------------------------------------------------------------


def _patterns(paths: Sequence[str]) -> Iterator[tuple[str, dict[str, object]]]:
    """The pattern of the form that most names have."""
    split = [_SEPARATOR.split(without_suffix(path)) for path in paths]
    form, n = Counter((len(parts), *parts[1::2]) for parts in split).most_common(1)[0]
    if n < _ENOUGH * len(paths):
        return
    alike = [parts for parts in split if (len(parts), *parts[1::2]) == form]
    columns = [list(column) for column in zip(*alike, strict=True)]
    names = _named(columns)
    if "emotion" not in names.values():
        return
    suffixes = Counter(PurePosixPath(path).suffix.lower() for path in paths)
    body = "".join(names[i] and f"{{{names[i]}}}" if i in names else column[0] for i, column in enumerate(columns))
    yield "pattern", {"pattern": f"{body}{suffixes.most_common(1)[0][0]}"}


def _named(columns: Sequence[Sequence[str]]) -> dict[int, str]:
    """Number of a part of the names → what it tells; parts that are always the same are left out."""
    n = len(columns[0])
    varying = [i for i in range(0, len(columns), 2) if len(set(columns[i])) > 1]
    told = {i: sum(_word(word) in EMOTIONS for word in columns[i]) / n for i in varying}
    emotional = [i for i in varying if told[i] >= 0.8 and len(set(columns[i])) <= 30]
    if not emotional:
        return {}
    by_emotion = max(emotional, key=lambda i: told[i])
    names = {by_emotion: "emotion"}
    for i in varying:
        meant = _by_words(columns[i]) or _BEFORE.get(_word(columns[i - 2][0]) if i and i - 2 not in varying else "", "")
        if i not in names and meant not in {"", *names.values()}:
            names[i] = meant
    rest = [i for i in varying if i not in names]
    speakers = {
        i: _speaker_score(columns[i], columns[by_emotion], is_first=i == rest[0], is_last=i == varying[-1])
        for i in rest
    }
    if "speaker" not in names.values() and max(speakers.values(), default=0) > 0:
        names[max(speakers, key=lambda i: speakers[i])] = "speaker"
    known = [columns[i] for i, name in names.items()]
    speaker = [columns[i] for i, name in names.items() if name == "speaker"]
    left = []
    for i in [i for i in rest if i not in names]:
        same = any(_tells(columns[i], values) and _tells(values, columns[i]) for values in known)
        if same or any(_tells(values, columns[i]) for values in speaker):
            names[i] = "_"  # what another part says already
        else:
            left.append(i)
    takes = [i for i in left if all(value.isdigit() for value in columns[i])][-1:]
    texts = sorted(set(left) - set(takes), key=lambda i: -len(set(columns[i])))[:1]
    return names | {i: "take" if i in takes else "text" if i in texts else "_" for i in left}


def _word(part: str) -> str:
    """A part of a name as it is compared with the known words."""
    return unicodedata.normalize("NFC", part).casefold()


def _by_words(values: Sequence[str]) -> str:
    """What a part tells that consists of words that all mean the same thing; "" for any other."""
    words = set(map(_word, values))
    return next((meant for known, meant in _OTHER_PARTS.items() if words <= set(known.split())), "")


def _tells(values: Sequence[str], others: Sequence[str]) -> bool:
    """Whether each of `values` comes with one of `others` only."""
    return len(set(zip(values, others, strict=True))) == len(set(values))


def _speaker_score(values: Sequence[str], emotions: Sequence[str], *, is_first: bool, is_last: bool) -> float:
    """How likely a part of the names is the speaker; 0 where it cannot be."""
    counts = Counter(values)
    called = all(re.fullmatch(r"(?i)(?:spk|speaker|actor|subj(?:ect)?)[0-9]+", value) for value in counts)
    if min(counts.values()) < 2 or (len(counts) > max(2, len(values) / 4) and not called):
        return 0.0
    if _tells(values, emotions) and not called:  # of such speakers none could be told from an emotion
        return 0.0
    digits = all(value.isdigit() for value in counts)
    like = sum(bool(re.fullmatch(r"(?i)(?:spk|speaker|actor|subj(?:ect)?|[sfmp])[0-9]+", v)) for v in counts) / len(
        counts
    )
    first = 0.4 if digits and max(map(len, counts)) < 3 else 1.0  # "01" may be anything, "1001" hardly
    score = 2 * like + first * is_first + 0.5 * (not digits) - 1.5 * (digits and is_last)
    return max(score, 0.0)
