"""Split files of any origin → who is listed where, still by the names that the files use.

What is understood is in ``docs/audit.md``: our own split files, JSON lines, JSON, CSV
and TSV tables, and plain lists.  Fold and role come from a row, or else from the names
of file and folders.  A fold that is there twice is merged, or kept twice where the two
differ, and said so.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from serprep._json import load_json
from serprep.audit.rows import FOLD, WORDS, Entry, Row, read_rows
from serprep.errors import SplitError, one_line
from serprep.files import read_regular
from serprep.split import ROLES, Split, read_split

MOST_FOLDS = 1000  # a column with more values tells something else
SUFFIXES = (".jsonl", ".json", ".csv", ".tsv", ".txt", ".lst", ".list", ".scp")


@dataclass(frozen=True)
class Listing:
    """What split files list."""

    folds: Mapping[str, tuple[Entry, ...]]
    notes: tuple[str, ...]  # what was merged or passed over, one line each


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


def read_ours(path: Path) -> Split | Path:
    """A split of our own form, or the path of another."""
    return read_split(path) if not path.is_dir() and _is_ours(path) else path


def read_listing(path: Path) -> Listing:
    """Read a split file, or all split files of a folder.

    Raises
    ------
    SplitError
        If nothing in it can be understood as a split; the message says what is.
    """
    if isinstance(ours := read_ours(path), Split):
        return list_split(ours)
    files = _files(path)
    parts: dict[tuple[str, str], dict[str, list[Entry]]] = {}  # (plain fold, its spelling) → file → entries
    tested: dict[str, list[Row]] = {}
    notes, passed = [], []
    for file in files:
        within = PurePosixPath(file.relative_to(path).as_posix()) if path.is_dir() else PurePosixPath(file.name)
        rows = read_rows(file)
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
        values = load_json(read_regular(path))
    except (OSError, ValueError):
        return False
    return isinstance(values, dict) and {"format", "protocol", "utterances"} <= set(values)


def _files(path: Path) -> list[Path]:
    if path.is_dir():
        files = sorted(
            file
            for file in path.rglob("*")
            if file.suffix.lower() in SUFFIXES
            and file.is_file()
            and not any(part.startswith(".") for part in file.relative_to(path).parts)
        )
        if not files:
            raise SplitError(f"{one_line(path)}: no split files; expected some that end in {', '.join(SUFFIXES)}")
        return files
    if not path.is_file():
        raise SplitError(f"{one_line(path)}: no such file or folder; expected a split; see docs/audit.md")
    return [path]


# -- roles and folds from names ------------------------------------------------------


def _words(name: str) -> list[str]:
    return re.findall(r"[a-z]+", re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).lower())


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
        numbered = FOLD.search(name)
        if numbered:
            return numbered[0]
    rest = [
        "_".join(word for word in re.split(r"[\W_]+", name) if word and word.lower() not in WORDS)
        for name in (*path.parts[:-1], path.stem)
    ]
    return "/".join(filter(None, rest))


def _plain(fold: str) -> str:
    """ "fold_01", "fold1" and "1" are one fold."""
    numbered = FOLD.fullmatch(fold)
    return (numbered[1] if numbered else fold).lstrip("0") or fold


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
                f"fold {one_line(plain)} is there {_times(len(variants))}, as {names}, and they differ in "
                f"{n_other} utterances: both are audited"
            )
            folds |= {spelt: entries[spelt] for spelt in variants}
    if len(folds) == 1:
        return {"fixed" if not next(iter(folds)).isdecimal() else name: rows for name, rows in folds.items()}
    return dict(sorted(folds.items(), key=lambda item: (len(_plain(item[0])), _plain(item[0]), item[0])))


def _times(n: int) -> str:
    return "twice" if n == 2 else f"{n} times"


def _sides(files: Mapping[str, list[Entry]]) -> dict[str, set[tuple[str, ...]]]:
    sides: dict[str, set[tuple[str, ...]]] = {}
    for entries in files.values():
        for entry in entries:
            sides.setdefault(entry.role, set()).add(entry.names)
    return sides


def _n_different(sides: Mapping[str, set[tuple[str, ...]]], others: Mapping[str, set[tuple[str, ...]]]) -> int:
    """Utterances that stand on other sides, or on one only."""
    none: set[tuple[str, ...]] = set()
    return len(set[tuple[str, ...]]().union(*(sides.get(role, none) ^ others.get(role, none) for role in ROLES)))


def _leave_out(tested: Mapping[str, list[Row]]) -> dict[str, tuple[Entry, ...]]:
    """Where lines tell one fold each: that fold tests them, the others train on them."""
    if len(tested) < 2:
        return {}
    if len(tested) > MOST_FOLDS:
        raise SplitError(f"a column of folds has {len(tested)} values; expected at most {MOST_FOLDS}, each a fold")
    return {
        fold: tuple(
            replace(row.entry, role="test" if other == fold else "train")
            for other, rows in tested.items()
            for row in rows
        )
        for fold in sorted(tested, key=lambda name: (len(name), name))
    }
