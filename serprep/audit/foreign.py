"""Split files of any origin → who is listed where, still by the names that the files use.

What is understood is in ``docs/audit.md``: our own split files, JSON lines, JSON, CSV
and TSV tables, and plain lists.  Fold and role come from a row, or else from the names
of file and folders.  A fold that is there twice is merged, or kept twice where the two
differ, and said so.
"""

import csv
import io
import json
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from serprep.errors import SplitError, one_line
from serprep.folds import PARTITIONS
from serprep.split import ROLES, Split, read_split

#: What split files call their sides → role.
WORDS = PARTITIONS | {
    "trn": "train",
    "val": "dev",
    "valid": "dev",
    "eval": "test",
    "evaluation": "test",
    "testing": "test",
    "tst": "test",
    "tt": "test",
}
#: Columns that may name an utterance, and those that may tell side, fold and speaker.
NAMES = (
    *("id", "key", "utt", "utt_id", "utterance", "utterance_id", "uttid", "segment_id", "name"),
    *("path", "file", "filename", "file_name", "filepath", "file_path", "wav", "audio", "wav_path", "audio_path"),
    *("audio_filepath", "audio_digest", "sha256", "digest"),
)
SIDES = ("role", "split", "partition", "set", "subset", "split_set", "fold", "usage")
FOLDS = ("fold", "fold_id", "cv_fold", "fold_number")
SPEAKERS = ("speaker", "speaker_id", "spk", "spk_id", "spkr_id", "spkrid")
SUFFIXES = (".jsonl", ".json", ".csv", ".tsv", ".txt", ".lst", ".list", ".scp")

LABELS = ("emotion", "emo", "label")

_LARGEST = 1 << 29  # bytes of one split file
_FOLD = re.compile(r"(?:fold|cv|split)[\W_]*([0-9]+)", re.IGNORECASE)


@dataclass(frozen=True)
class Entry:
    """One line of a split file."""

    names: tuple[str, ...]  # whatever may name the utterance: id, path, digest
    role: str
    start: float | None = None  # seconds, where the line tells an excerpt
    speaker: str = ""  # as the file has it
    label: str = ""  # the same


@dataclass(frozen=True)
class Listing:
    """What split files list."""

    folds: Mapping[str, tuple[Entry, ...]]
    notes: tuple[str, ...]  # what was merged or passed over, one line each


@dataclass(frozen=True)
class _Row:
    entry: Entry  # with role "" where the line does not tell
    fold: str = ""
    tested_in: str = ""  # the one fold that tests it, where that is all the line tells


def list_split(split: Split) -> Listing:
    """The entries of one of our own splits."""
    folds = {
        fold: tuple(
            Entry((name,), row.roles[number], speaker=row.speaker)
            for name, row in split.utterances.items()
            if row.roles[number]
        )
        for number, fold in enumerate(split.folds)
    }
    return Listing(folds, split.notes)


def read_listing(path: Path) -> Listing:
    """Read a split file, or all split files of a folder.

    Raises
    ------
    SplitError
        If nothing in it can be understood as a split; the message says what is.
    """
    if not path.is_dir() and _is_ours(path):
        return list_split(read_split(path))
    files = _files(path)
    parts: dict[tuple[str, str], dict[str, list[Entry]]] = {}  # (plain fold, its spelling) → file → entries
    tested: dict[str, list[_Row]] = {}
    notes, passed = [], []
    for file in files:
        within = PurePosixPath(file.relative_to(path).as_posix()) if path.is_dir() else PurePosixPath(file.name)
        rows = _rows(file)
        role, fold = _role_of(within), _fold_of(within)
        known = 0
        for row in rows:
            side = row.entry.role or role
            if row.tested_in and not role:
                tested.setdefault(row.tested_in, []).append(row)
            elif side:
                entry = replace(row.entry, role=side)
                spelt = row.fold or fold
                parts.setdefault((_plain(spelt), spelt), {}).setdefault(str(within), []).append(entry)
            else:
                continue
            known += 1
        if not known:
            passed.append(str(within))
    if passed and (parts or tested):
        notes.append(
            f"{one_line(passed[0])} tells no side and was passed over"
            if len(passed) == 1
            else f"{len(passed)} files tell no side and were passed over, such as {one_line(passed[0])}"
        )
    folds = _merge(parts, notes) | _leave_out(tested)
    if not folds or not any(entries for entries in folds.values()):
        raise SplitError(
            f"{one_line(path)}: no sides found; expected names with a role (train, dev, test) per line, "
            "or in the names of files and folders; see docs/audit.md"
        )
    return Listing(folds, tuple(notes))


def _is_ours(path: Path) -> bool:
    if path.suffix.lower() != ".json":
        return False
    try:
        values = json.loads(path.read_bytes())
    except (OSError, ValueError, RecursionError):
        return False
    return isinstance(values, dict) and {"format", "protocol", "utterances"} <= set(values)


def _files(path: Path) -> list[Path]:
    if path.is_dir():
        found = sorted(
            file
            for file in path.rglob("*")
            if file.suffix.lower() in SUFFIXES
            and file.is_file()
            and not any(part.startswith(".") for part in file.relative_to(path).parts)
        )
        if not found:
            raise SplitError(f"{one_line(path)}: no split files; expected some that end in {', '.join(SUFFIXES)}")
        return found
    if not path.is_file():
        raise SplitError(f"{one_line(path)}: no such file or folder; expected a split; see docs/audit.md")
    return [path]


# -- one file → rows -----------------------------------------------------------------


def _rows(file: Path) -> list[_Row]:
    place = one_line(file)
    try:
        if file.stat().st_size > _LARGEST:
            raise SplitError(f"{place}: larger than {_LARGEST >> 20} MiB; expected a list of names")
        text = file.read_bytes().decode("utf-8-sig")
    except OSError as error:
        raise SplitError(f"{place}: {error.strerror}; make it readable") from None
    except UnicodeDecodeError as error:
        raise SplitError(f"{place}: {error.reason} at byte {error.start}; expected UTF-8") from None
    suffix = file.suffix.lower()
    if suffix == ".jsonl" or (suffix == ".json" and _has_lines(text)):
        return list(_from_lines(text, place))
    if suffix == ".json":
        try:
            return list(_from_json(json.loads(text)))
        except (ValueError, RecursionError) as error:
            raise SplitError(f"{place}: {one_line(error)}; expected JSON") from None
    if suffix in (".csv", ".tsv"):
        return list(_from_table(text, place))
    return [_from_line(line) for line in text.splitlines() if line.strip() and not line.startswith("#")]


def _has_lines(text: str) -> bool:
    """Whether it is JSON lines in spite of its suffix."""
    first, _, rest = text.strip().partition("\n")
    return first.startswith("{") and first.rstrip().endswith("}") and bool(rest)


def _from_lines(text: str, place: str) -> Iterator[_Row]:
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        try:
            value = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise SplitError(f"{place}:{number}: {one_line(error)}; expected a JSON object per line") from None
        rows = list(_from_json(value))
        if len(rows) != 1:
            raise SplitError(f"{place}:{number}: no name; expected an object with one of {', '.join(NAMES[:2])}, wav …")
        yield rows[0]


def _from_json(value: object, role: str = "", fold: str = "") -> Iterator[_Row]:
    """Objects that name an utterance, lists of them, or both under keys that are folds or roles."""
    if isinstance(value, str):
        yield _Row(Entry((value,), role), fold)
    elif isinstance(value, list):
        for item in value:
            yield from _from_json(item, role, fold)
    elif isinstance(value, dict):
        row = _from_cells({str(name): cell for name, cell in value.items()}, role, fold)
        if row is not None:
            yield row
            return
        for name, inner in value.items():
            side = _side(name)
            if isinstance(inner, str):
                if _side(inner):
                    yield _Row(Entry((name,), _side(inner)), fold)
            elif side:
                yield from _from_json(inner, side, fold)
            elif _FOLD.search(name) or name.isdecimal():
                yield from _from_json(inner, role, name)
            elif isinstance(inner, list) and any(isinstance(item, dict) for item in inner):
                yield from _from_json([item for item in inner if isinstance(item, dict)], role, fold)


def _from_cells(cells: Mapping[str, object], role: str = "", fold: str = "") -> _Row | None:
    """A row from its named cells; None where none of them names an utterance."""
    low = {name.strip().lower(): cell for name, cell in cells.items()}
    names = [low[name] for name in NAMES if isinstance(low.get(name), str) and low[name]]
    if not names:
        return None
    side, number, tested_in = role, fold, ""
    for name in SIDES:
        told = _side(_text(low.get(name)))
        if told:
            side = told
            break
    for name in FOLDS:
        text = _text(low.get(name))
        if text and not _side(text):
            number = text
            break
    if number and not side and not fold:
        tested_in = number
    speaker, label = (next((_text(low[n]) for n in some if _text(low.get(n))), "") for some in (SPEAKERS, LABELS))
    entry = Entry(tuple(dict.fromkeys(map(str, names))), side, _seconds(low.get("start")), speaker, label)
    return _Row(entry, number, tested_in)


def _text(cell: object) -> str:
    return str(cell).strip() if isinstance(cell, str | int) and not isinstance(cell, bool) else ""


def _seconds(cell: object) -> float | None:
    """Seconds, also as "0 days 00:01:02.5"."""
    clock = re.fullmatch(r"(?:0 days )?(\d+):(\d+):(\d+(?:\.\d+)?)", str(cell).strip())
    if clock:
        return 3600 * int(clock[1]) + 60 * int(clock[2]) + float(clock[3])
    try:
        return float(str(cell))
    except ValueError:
        return None


def _from_table(text: str, place: str) -> Iterator[_Row]:
    first = text.partition("\n")[0]
    delimiter = max("\t,;", key=first.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    try:
        lines = [cells for cells in reader if cells]
    except csv.Error as error:
        raise SplitError(f"{place}:{reader.line_num}: {error}; expected a table") from None
    header = [cell.strip().lower() for cell in lines[0]] if lines else []
    if not set(header) & set(NAMES):
        if len(header) > 1 and not any(map(_side, header)):
            if not _headed(lines):
                raise SplitError(f"{place}:1: no column that names utterances; expected one of {', '.join(NAMES)}")
            header = ["id", *header[1:]]
        else:
            yield from (_from_line("\t".join(cells)) for cells in lines)
            return
    wide = [i for i, name in enumerate(header) if _FOLD.fullmatch(name)]
    for number, cells in enumerate(lines[1:], 2):
        if len(cells) != len(header):
            raise SplitError(f"{place}:{number}: {len(cells)} cells, the header has {len(header)}")
        row = _from_cells(dict(zip(header, cells, strict=True)))
        if row is None:
            raise SplitError(f"{place}:{number}: no name; expected one in {', '.join(set(header) & set(NAMES))}")
        roles = {header[i]: _side(cells[i]) for i in wide}
        if any(roles.values()):
            yield from (_Row(replace(row.entry, role=role), fold) for fold, role in roles.items() if role)
        else:
            yield row


def _headed(lines: Sequence[Sequence[str]]) -> bool:
    """Whether a table whose first column has an unknown name tells sides or folds in another one."""
    return any(cell.strip().lower() in {*SIDES, *FOLDS} or _FOLD.fullmatch(cell.strip()) for cell in lines[0][1:])


def _from_line(line: str) -> _Row:
    """A plain list's line: a name, or several of one utterance; maybe with its role."""
    tokens = [token.strip() for token in re.split(r"[\t,;]" if re.search(r"[\t,;]", line) else r"\s+", line.strip())]
    roles = [_side(token) for token in tokens if _side(token)]
    names = [token for token in tokens if token and not _side(token)]
    if len(tokens) == 1 or not names:
        return _Row(Entry((line.strip(),), ""))
    return _Row(Entry((*names, line.strip()), roles[0] if roles else ""))


# -- roles and folds from names ------------------------------------------------------


def _side(text: str) -> str:
    """The role that a word tells; several test sets are all tested."""
    return WORDS.get(re.sub(r"(?<=^test)[ _-]?[0-9]+$", "", text.strip().lower()), "")


def _words(name: str) -> list[str]:
    return re.findall(r"[a-z]+", name.lower())


def _role_of(path: PurePosixPath) -> str:
    """The role that a file name tells, or else the nearest folder."""
    for name in (path.stem, *reversed(path.parts[:-1])):
        for word in _words(name):
            if word in WORDS:
                return WORDS[word]
    return ""


def _fold_of(path: PurePosixPath) -> str:
    """The fold as spelt in the file name, or else in the nearest folder; else what is left without the role."""
    for name in (path.stem, *reversed(path.parts[:-1])):
        found = _FOLD.search(name)
        if found:
            return found[0]
    rest = [
        "_".join(word for word in re.split(r"[\W_]+", name) if word and word.lower() not in WORDS)
        for name in (*path.parts[:-1], path.stem)
    ]
    return "/".join(filter(None, rest))


def _plain(fold: str) -> str:
    """ "fold_01", "fold1" and "1" are one fold."""
    found = _FOLD.fullmatch(fold)
    return (found[1] if found else fold).lstrip("0") or fold


# -- folds that are there twice ------------------------------------------------------


def _merge(
    parts: Mapping[tuple[str, str], Mapping[str, list[Entry]]], notes: list[str]
) -> dict[str, tuple[Entry, ...]]:
    """One entry list per fold.  Copies of a fold under another spelling are merged, or told apart."""
    spellings: dict[str, dict[str, Mapping[str, list[Entry]]]] = {}
    for (plain, spelt), files in parts.items():
        spellings.setdefault(plain, {})[spelt] = files
    folds: dict[str, tuple[Entry, ...]] = {}
    for plain, variants in spellings.items():
        sides = {spelt: _sides(files) for spelt, files in variants.items()}
        first, *others = variants
        entries = {spelt: tuple(e for part in files.values() for e in part) for spelt, files in variants.items()}
        if not any(
            sides[other].keys() & sides[spelt].keys() for other in variants for spelt in variants if other > spelt
        ):
            folds[plain] = tuple(entry for spelt in variants for entry in entries[spelt])
        elif all(sides[other] == sides[first] for other in others):
            names = ", ".join(repr(one_line(spelt)) for spelt in variants)
            notes.append(
                f"fold {one_line(plain)} is there {_times(len(variants))}, as {names}, with the same utterances: merged"
            )
            folds[plain] = entries[first]
        else:
            names = ", ".join(repr(one_line(spelt)) for spelt in variants)
            n_other = max(_n_different(sides[first], sides[other]) for other in others)
            notes.append(
                f"fold {one_line(plain)} is there {_times(len(variants))}, as {names}, and they differ in {n_other} utterances: "
                "both are audited"
            )
            folds |= {spelt: entries[spelt] for spelt in variants}
    if len(folds) == 1:
        return {"fixed" if not next(iter(folds)).isdecimal() else name: rows for name, rows in folds.items()}
    return dict(sorted(folds.items(), key=lambda item: (len(_plain(item[0])), _plain(item[0]), item[0])))


def _times(n: int) -> str:
    return "twice" if n == 2 else f"{n} times"


def _sides(files: Mapping[str, list[Entry]]) -> dict[str, set[tuple[str, ...]]]:
    found: dict[str, set[tuple[str, ...]]] = {}
    for entries in files.values():
        for entry in entries:
            found.setdefault(entry.role, set()).add(entry.names)
    return found


def _n_different(one: Mapping[str, set[tuple[str, ...]]], other: Mapping[str, set[tuple[str, ...]]]) -> int:
    """Utterances that stand on other sides, or on one only."""
    none: set[tuple[str, ...]] = set()
    return len(set[tuple[str, ...]]().union(*(one.get(role, none) ^ other.get(role, none) for role in ROLES)))


def _leave_out(tested: Mapping[str, list[_Row]]) -> dict[str, tuple[Entry, ...]]:
    """Where lines tell one fold each: that fold tests them, the others train on them."""
    if len(tested) < 2:
        return {}
    return {
        fold: tuple(
            replace(row.entry, role="test" if other == fold else "train")
            for other, rows in tested.items()
            for row in rows
        )
        for fold in sorted(tested, key=lambda name: (len(name), name))
    }
