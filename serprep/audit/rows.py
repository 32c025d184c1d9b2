"""One split file of any form → rows: names, and what the line tells of role, fold and speaker."""

import csv
import io
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from serprep._json import load_json
from serprep.errors import SplitError, one_line
from serprep.files import read_regular
from serprep.split.folds import PARTITIONS
from serprep.text import as_float, clock_seconds, described, not_table, not_text

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

LABELS = ("emotion", "emo", "label")

_LARGEST = 1 << 29  # bytes of one split file
_NO_TIME = ("", "nan", "nat", "none", "null", "na", "n/a", "-", "?")
FOLD = re.compile(r"(?:fold|cv|split)[\W_]*([0-9]+)", re.IGNORECASE)


@dataclass(frozen=True)
class Entry:
    """One line of a split file."""

    names: tuple[str, ...]  # whatever may name the utterance: id, path, digest
    role: str
    start: float | None = None  # seconds, where the line tells an excerpt
    speaker: str = ""  # as the file has it
    label: str = ""  # the same


@dataclass(frozen=True)
class Row:
    entry: Entry  # with role "" where the line does not tell
    fold: str = ""
    tested_in: str = ""  # the one fold that tests it, where that is all the line tells


def side_of(text: str) -> str:
    """The role that a word tells; several test sets are all tested."""
    return WORDS.get(re.sub(r"(?<=^test)[ _-]?[0-9]+$", "", text.strip().lower()), "")


def read_rows(file: Path) -> list[Row]:
    place = one_line(file)
    try:
        if file.stat().st_size > _LARGEST:
            raise SplitError(f"{place}: larger than {_LARGEST >> 20} MiB; expected a list of names")
        data = read_regular(file)
        if why := not_text(data):
            raise SplitError(f"{place} is {why}")
        text = data.decode("utf-8-sig")
    except OSError as error:
        raise SplitError(f"{place}: {error.strerror}; make it readable") from None
    except UnicodeDecodeError as error:
        raise SplitError(f"{place}: {error.reason} at byte {error.start}; expected UTF-8") from None
    suffix = file.suffix.lower()
    if suffix == ".jsonl" or (suffix == ".json" and _has_lines(text)):
        return list(_from_lines(text, place))
    if suffix == ".json":
        try:
            return list(_from_json(load_json(text)))
        except ValueError as error:
            raise SplitError(f"{place}: {one_line(error)}; expected JSON") from None
    if suffix in (".csv", ".tsv"):
        if why := not_table(text):
            raise SplitError(f"{place} is {why}")
        return list(_from_table(text, place))
    return [_from_line(line) for line in text.splitlines() if line.strip() and not line.startswith("#")]


def _has_lines(text: str) -> bool:
    """Whether it is JSON lines in spite of its suffix."""
    first, _, rest = text.strip().partition("\n")
    return first.startswith("{") and first.rstrip().endswith("}") and bool(rest)


def _from_lines(text: str, place: str) -> Iterator[Row]:
    for number, line in enumerate(text.splitlines(), 1):
        if not line.strip():
            continue
        try:
            rows = list(_from_json(load_json(line)))
        except ValueError as error:
            raise SplitError(f"{place}:{number}: {one_line(error)}; expected a JSON object per line") from None
        if len(rows) != 1:
            raise SplitError(f"{place}:{number}: no name; expected an object with one of {', '.join(NAMES[:2])}, wav …")
        yield rows[0]


def _from_json(value: object, role: str = "", fold: str = "") -> Iterator[Row]:
    """Objects that name an utterance, lists of them, or both under keys that are folds or roles."""
    if isinstance(value, str):
        yield Row(Entry((value,), role), fold)
    elif isinstance(value, list):
        for item in value:
            yield from _from_json(item, role, fold)
    elif isinstance(value, dict):
        row = _from_cells({str(name): cell for name, cell in value.items()}, role, fold)
        if row is not None:
            yield row
            return
        for name, inner in value.items():
            side = side_of(name)
            if isinstance(inner, str):
                if side_of(inner):
                    yield Row(Entry((name,), side_of(inner)), fold)
            elif side:
                yield from _from_json(inner, side, fold)
            elif FOLD.search(name) or name.isdecimal():
                yield from _from_json(inner, role, name)
            elif isinstance(inner, list) and any(isinstance(item, dict) for item in inner):
                yield from _from_json([item for item in inner if isinstance(item, dict)], role, fold)


def _from_cells(cells: Mapping[str, object], role: str = "", fold: str = "") -> Row | None:
    """A row from its named cells; None where none of them names an utterance."""
    low = {name.strip().lower(): cell for name, cell in cells.items()}
    names = [low[name] for name in NAMES if isinstance(low.get(name), str) and low[name]]
    if not names:
        return None
    side, number, tested_in = role, fold, ""
    for name in SIDES:
        told = side_of(_text(low.get(name)))
        if told:
            side = told
            break
    for name in FOLDS:
        text = _text(low.get(name))
        if text and not side_of(text):
            number = text
            break
    if number and not side and not fold:
        tested_in = number
    speaker, label = (next((_text(low[n]) for n in some if _text(low.get(n))), "") for some in (SPEAKERS, LABELS))
    entry = Entry(tuple(dict.fromkeys(map(str, names))), side, _seconds(low.get("start")), speaker, label)
    return Row(entry, number, tested_in)


def _text(cell: object) -> str:
    return str(cell).strip() if isinstance(cell, str | int) and not isinstance(cell, bool) else ""


def _seconds(cell: object) -> float | None:
    """Seconds, also as "0 days 00:01:02.5"; ValueError where it is something else, since it tells excerpts apart."""
    text = "" if cell is None else str(cell).strip()
    if text.lower() in _NO_TIME:
        return None
    seconds = clock_seconds(text)
    seconds = as_float(text) if seconds is None else seconds
    if seconds is None:
        raise ValueError(f"start is {described(text)}; expected seconds")
    return seconds


def _from_table(text: str, place: str) -> Iterator[Row]:
    first = text.partition("\n")[0]
    delimiter = max("\t,;", key=first.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter)
    try:
        lines = [cells for cells in reader if cells]
    except csv.Error as error:
        raise SplitError(f"{place}:{reader.line_num}: {error}; expected a table") from None
    header = [cell.strip().lower() for cell in lines[0]] if lines else []
    if not set(header) & set(NAMES):
        if len(header) > 1 and not any(map(side_of, header)):
            if not _headed(lines):
                raise SplitError(f"{place}:1: no column that names utterances; expected one of {', '.join(NAMES)}")
            header = ["id", *header[1:]]
        else:
            yield from (_from_line("\t".join(cells)) for cells in lines)
            return
    wide = [i for i, name in enumerate(header) if FOLD.fullmatch(name)]
    for number, cells in enumerate(lines[1:], 2):
        if len(cells) != len(header):
            raise SplitError(f"{place}:{number}: {len(cells)} cells, the header has {len(header)}")
        try:
            row = _from_cells(dict(zip(header, cells, strict=True)))
        except ValueError as error:
            raise SplitError(f"{place}:{number}: {error}") from None
        if row is None:
            raise SplitError(f"{place}:{number}: no name; expected one in {', '.join(set(header) & set(NAMES))}")
        roles = {header[i]: side_of(cells[i]) for i in wide}
        if any(roles.values()):
            yield from (Row(replace(row.entry, role=role), fold) for fold, role in roles.items() if role)
        else:
            yield row


def _headed(lines: Sequence[Sequence[str]]) -> bool:
    """Whether a table whose first column has an unknown name tells sides or folds in another one."""
    return any(cell.strip().lower() in {*SIDES, *FOLDS} or FOLD.fullmatch(cell.strip()) for cell in lines[0][1:])


def _from_line(line: str) -> Row:
    """A plain list's line: a name, or several of one utterance; maybe with its role."""
    tokens = [token.strip() for token in re.split(r"[\t,;]" if re.search(r"[\t,;]", line) else r"\s+", line.strip())]
    roles = [side_of(token) for token in tokens if side_of(token)]
    names = [token for token in tokens if token and not side_of(token)]
    if len(tokens) == 1 or not names:
        return Row(Entry((line.strip(),), ""))
    return Row(Entry((*names, line.strip()), roles[0] if roles else ""))
