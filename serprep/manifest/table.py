"""The table of a corpus's utterances, with what its audio is (``docs/manifest.md``).

A manifest is ``utterances.csv``, which people diff, review and commit, and
``manifest.json`` beside it.  Its digest is the SHA-256 of the CSV.
"""

import csv
import hashlib
import io
import itertools
import json
import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from serprep._json import load_json
from serprep.columns import COLUMNS, DIMENSIONS, FIRST, LAST, REQUIRED, RESERVED
from serprep.errors import ManifestError, first_ten, one_line
from serprep.files import read_regular, write_whole
from serprep.text import as_float, described, not_table, not_text, why_no_number
from serprep.utterance import FIELDS, Column, Numbers, Texts, Utterance, Utterances, column_of

FORMAT = 1
_AT_ONCE = 4096  # rows
_COLUMN = re.compile(r"(?!__)[^\W\d]\w*")
_LEAVES = re.compile(r"^(?:[/\\]|[A-Za-z]:)|(?:^|[/\\])\.\.(?:[/\\]|\Z)|\0")  # of a path
_NEEDS_QUOTES = re.compile(r'[",\r\n]|^\s|\s$')


@dataclass(frozen=True)
class Manifest:
    """Utterances sorted by id, all with the same extra columns."""

    utterances: Utterances
    info: Mapping[str, object] = field(default_factory=dict)  # corpus, release, licence, source …

    @property
    def columns(self) -> tuple[str, ...]:
        """Column names, in order."""
        return (*FIRST, *self.utterances.extra, *LAST)

    @cached_property
    def digest(self) -> str:
        """SHA-256 of the CSV, hex."""
        total = hashlib.sha256()
        lines = csv_lines(self)
        while some := list(itertools.islice(lines, _AT_ONCE)):
            total.update("".join(some).encode())
        return total.hexdigest()

    @property
    def numbers(self) -> tuple[str, ...]:
        """Those of `DIMENSIONS` that hold numbers, and nothing else."""
        return tuple(
            name
            for name in self.columns
            if name in DIMENSIONS and all(cell in ("", _as_number(cell)) for cell in self.column(name))
        )

    def _repr_html_(self) -> str:
        """What a notebook shows."""
        from serprep.pages.notebook import table

        counts = Counter(self.utterances.column("emotion"))
        speakers = set(self.utterances.column("speaker")) - {""}
        labels = ", ".join(f"{label or '(none)'} {n}" for label, n in sorted(counts.items()))
        about = {name: self.info[name] for name in ("corpus", "release", "licence") if self.info.get(name)}
        return table("Manifest", {**about, "utterances": f"{len(self)} of {len(speakers)} speakers", "labels": labels})

    def column(self, name: str) -> list[str]:
        """One column as text.

        Raises
        ------
        ManifestError
            If there is no such column; the message lists the known ones.
        """
        if name not in self.columns:
            raise ManifestError(f"no column {name!r}; the manifest has {', '.join(self.columns)}")
        return [_cell(value) for value in self.utterances.column(name)]

    def __len__(self) -> int:
        return len(self.utterances)


def value_of(utterance: Utterance, column: str) -> str | float | int | None:
    """The value of a manifest column."""
    if column in RESERVED:
        return getattr(utterance, column)  # type: ignore[no-any-return]
    return utterance.extra.get(column, "")


def make_manifest(
    utterances: Iterable[Utterance], info: Mapping[str, object] | None = None, *, as_written: bool = False
) -> Manifest:
    """Sort utterances, give all the same columns, and check names and paths.

    Identical rows are kept once; rows that share an id but differ stay, and the
    build quarantines them.  Numbers in the columns valence, arousal and dominance are
    written by repr, unless `as_written`.

    Raises
    ------
    ManifestError
        If a path leaves the corpus root, a column has an impossible name, or valence,
        arousal or dominance is a number in some rows and a word in others.
    """
    rows = utterances if isinstance(utterances, Utterances) else Utterances(utterances)
    problems = [
        f"column {name!r}: expected a word that is not one of {', '.join(sorted(RESERVED))}"
        for name in rows.extra
        if not _COLUMN.fullmatch(name) or name in RESERVED
    ]
    for name in () if as_written else DIMENSIONS:
        if name in rows.extra:
            rows, words = _with_numbers(rows, name)
            problems += words
    if problems:
        raise ManifestError(first_ten(problems))
    cells = zip(*(rows.column(name) for name in ("id", "path", "start", "end")), strict=True)
    if any(map(_is_wrong, cells)) or not rows.is_utf8:
        problems = [f"utterance {one_line(row.id)!r}: {problem}" for row in rows if (problem := _problem(row))]
    if problems:
        raise ManifestError(first_ten(problems))
    return Manifest(_sorted(rows), dict(info or {}))


def _sorted(rows: Utterances) -> Utterances:
    """By id, and by the other cells where ids are the same; identical rows once."""
    ids = list(rows.column("id"))
    if all(a < b for a, b in itertools.pairwise(ids)):
        return rows
    columns = [rows.column(name) for name in (*FIRST, *rows.extra, *LAST)]
    by_id = sorted(range(len(rows)), key=ids.__getitem__)
    order: list[int] = []
    for _, group in itertools.groupby(by_id, key=ids.__getitem__):
        alike = list(group)
        if len(alike) > 1:
            unique = {tuple(_cell(column[i]) for column in columns): i for i in reversed(alike)}
            alike = [i for _, i in sorted(unique.items())]
        order += alike
    return rows.take(order)


def _as_number(cell: str) -> str:
    """The finite number in a cell, by repr, or "".

    Examples
    --------
    >>> _as_number("2.5000"), _as_number("3"), _as_number("high"), _as_number("nan")
    ('2.5', '3.0', '', '')
    """
    value = as_float(cell)
    return "" if value is None else repr(value)


def _with_numbers(rows: Utterances, name: str) -> tuple[Utterances, list[str]]:
    """Rows whose column `name` has its numbers by repr, and what is wrong with it; words alone stay as they are."""
    numbers = Texts(_as_number(cell) for cell in rows.column(name))
    are_numbers = any(numbers)
    cells = zip(rows.column("id"), rows.column(name), numbers, strict=True)
    wrong = [
        f"utterance {one_line(id_)!r}: {name} is {described(cell)}; expected a number, or nothing"
        for id_, cell, number in cells
        if cell and not number and (are_numbers or _is_miswritten(cell))
    ]
    return rows.replace(**{name: numbers}) if are_numbers else rows, wrong


def _is_miswritten(cell: str) -> bool:
    """Whether a cell is a number that only serprep cannot read, as ``2,5`` is; "nan" stands among words, too."""
    return bool(why := why_no_number(cell)) and not why.startswith("no number")


def _is_wrong(cells: tuple[str, str, float | None, float | None]) -> bool:
    """Whether id, path, start and end cannot be those of a row."""
    id_, path, start, end = cells
    return not id_ or not path or bool(_LEAVES.search(path)) or (start is not None and end is not None and start >= end)


def _problem(row: Utterance) -> str:
    """What is wrong with one row, or ""."""
    if not all(getattr(row, name) for name in REQUIRED):
        return f"{' and '.join(REQUIRED)} must not be empty"
    if _LEAVES.search(row.path):
        return f"path {one_line(row.path)!r} leaves the corpus root; expected a relative path"
    if not Utterances([row]).is_utf8:
        return "its name is not UTF-8; rename the file"
    if _is_wrong((row.id, row.path, row.start, row.end)):
        return f"start {row.start} is not before end {row.end}"
    return ""


def to_csv(manifest: Manifest) -> str:
    """The CSV of a manifest: UTF-8, LF, header, minimal quoting, floats by repr.

    Examples
    --------
    >>> print(to_csv(make_manifest([Utterance(id="a", path="a.wav", speaker="f, 1")])), end="")
    id,path,start,end,speaker,emotion,partition,duration,sample_rate,audio_digest
    a,a.wav,,,"f, 1",,,,,
    """
    return "".join(csv_lines(manifest))


def csv_lines(manifest: Manifest) -> Iterator[str]:
    """The lines of `to_csv`, one by one: the text of a large manifest need not be in memory."""
    columns = (_quoted_cells(manifest.utterances.column(name)) for name in manifest.columns)
    for line in itertools.chain([manifest.columns], zip(*columns, strict=True)):
        yield ",".join(line) + "\n"


def _quoted_cells(column: Column) -> Iterator[str]:
    """The cells of a column as a CSV has them."""
    if isinstance(column, Numbers):
        yield from map(_cell, column)  # which need no quotes
    else:
        yield from map(_quoted, column)


def _cell(value: str | float | int | None) -> str:
    if value is None:
        return ""
    return repr(value) if isinstance(value, float) else str(value)


def _quoted(cell: str) -> str:
    return '"' + cell.replace('"', '""') + '"' if _NEEDS_QUOTES.search(cell) else cell


def write_manifest(manifest: Manifest, folder: Path) -> Path:
    """Write ``utterances.csv`` and ``manifest.json`` into `folder`; returns the CSV's path."""
    text = to_csv(manifest)
    about = {
        "format": FORMAT,
        **manifest.info,
        "n_utterances": len(manifest),
        "digest": hashlib.sha256(text.encode()).hexdigest(),
    }
    path = folder / "utterances.csv"
    write_whole(path, text.encode())
    write_whole(folder / "manifest.json", (json.dumps(about, indent=2, ensure_ascii=False) + "\n").encode())
    return path


def read_manifest(path: Path) -> Manifest:
    """Read a manifest: its CSV, or the folder that holds it.

    Raises
    ------
    ManifestError
        If it breaks a rule of ``docs/manifest.md``; the message names the line.
    """
    if path.is_dir():
        path = path / "utterances.csv"
    place = one_line(path)
    try:
        data = read_regular(path)
    except OSError as error:
        raise ManifestError(f"{place}: {error.strerror}; expected a manifest written by `serprep manifest`") from None
    if why := not_text(data):
        raise ManifestError(f"{place} is {why}")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ManifestError(f"{place}: {error.reason} at byte {error.start}; expected UTF-8") from None
    if why := not_table(text):
        raise ManifestError(f"{place} is {why}; expected a manifest written by `serprep manifest`")
    del text  # as long as the data once more
    rows = _rows(data, place)
    try:
        return make_manifest(rows, _info(path.with_name("manifest.json")))
    except ManifestError as error:
        raise ManifestError(f"{place}: {error}") from None


def _rows(data: bytes, place: str) -> Utterances:
    """The rows of a CSV, some at a time, by column.

    Raises
    ------
    ManifestError
        If it is none; the message names the line.
    """
    reader = csv.reader(io.TextIOWrapper(io.BytesIO(data), "utf-8-sig", newline=""), strict=True)
    problems: list[str] = []
    try:
        header = tuple(next(reader, ()))
        if len(set(header)) < len(header) or not set(REQUIRED) <= set(header):
            raise ManifestError(
                f"{place}:1: header is {','.join(header)[:80]!r}; expected {','.join((*FIRST, '…', *LAST))}"
            )
        columns: dict[str, Column] = {name: column_of(name) for name in FIELDS}
        columns |= {name: Texts() for name in header if name not in RESERVED}
        numbered = ((reader.line_num, cells) for cells in reader)
        while some := list(itertools.islice(numbered, _AT_ONCE)):
            try:
                _append(columns, header, [cells for _, cells in some])
            except ValueError:  # which of them it is
                problems += _problems_in(some, header, place)
    except csv.Error as error:
        raise ManifestError(f"{place}:{reader.line_num}: {error}; expected comma-separated cells") from None
    if problems:
        raise ManifestError(first_ten(problems))
    return Utterances.of_columns(columns)


def _append(columns: Mapping[str, Column], header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Add rows to columns; those that the header does not name are empty.

    Raises
    ------
    ValueError
        If a cell is wrong, or a row has too many or too few.
    """
    for row in rows:
        if len(row) != len(header):
            raise ValueError(f"{len(row)} cells, the header has {len(header)}; quote cells that hold commas")
    cells_of = dict(zip(header, zip(*rows, strict=True), strict=True))
    for name, column in columns.items():
        texts: Sequence[Any] = cells_of.get(name) or [""] * len(rows)
        plain = name not in FIELDS or COLUMNS[name].type == "text"
        column.extend(texts if plain else map(COLUMNS[name].value, texts))


def _problems_in(rows: Iterable[tuple[int, Sequence[str]]], header: Sequence[str], place: str) -> Iterator[str]:
    """What is wrong with rows, by the numbers of their lines."""
    for line, cells in rows:
        try:
            _append({name: column_of(name) for name in FIELDS}, header, [cells])
        except ValueError as error:
            yield f"{place}:{line}: {error}"


def _info(path: Path) -> dict[str, object]:
    """The small JSON file beside a manifest; {} where there is none."""
    try:
        about = load_json(read_regular(path))
    except FileNotFoundError:
        return {}
    except (OSError, ValueError) as error:
        raise ManifestError(f"{one_line(path)}: {one_line(error)}; expected JSON") from None
    if not isinstance(about, dict) or about.get("format", FORMAT) != FORMAT:
        raise ManifestError(f"{one_line(path)}: expected a JSON object with format {FORMAT}; make the manifest again")
    return {name: value for name, value in about.items() if name not in {"format", "n_utterances", "digest"}}
