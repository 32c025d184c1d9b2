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
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path, PurePosixPath

from serprep._json import load_json
from serprep.columns import COLUMNS, DIMENSIONS, FIRST, LAST, REQUIRED, RESERVED
from serprep.errors import ManifestError, first_ten, one_line
from serprep.files import read_regular, write_whole
from serprep.text import as_float, described, not_table, not_text, why_no_number
from serprep.utterance import Texts, Utterance, Utterances

FORMAT = 1
_COLUMN = re.compile(r"(?!__)[^\W\d]\w*")
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

    @property
    def digest(self) -> str:
        """SHA-256 of the CSV, hex."""
        total = hashlib.sha256()
        for line in csv_lines(self):
            total.update(line.encode())
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
    for row in rows:
        problem = _problem(row)
        if problem:
            problems.append(f"utterance {one_line(row.id)!r}: {problem}")
    if problems:
        raise ManifestError(first_ten(problems))
    return Manifest(_sorted(rows), dict(info or {}))


def _sorted(rows: Utterances) -> Utterances:
    """By id, and by the other cells where ids are the same; identical rows once."""
    columns = [rows.column(name) for name in (*FIRST, *rows.extra, *LAST)]
    by_id = sorted(range(len(rows)), key=columns[0].__getitem__)
    order: list[int] = []
    for _, group in itertools.groupby(by_id, key=columns[0].__getitem__):
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


def _problem(row: Utterance) -> str:
    """What is wrong with one row, or ""."""
    path = PurePosixPath(row.path)
    if not all(getattr(row, name) for name in REQUIRED):
        return f"{' and '.join(REQUIRED)} must not be empty"
    if (
        path.is_absolute()
        or ".." in re.split(r"[/\\]", row.path)
        or re.match(r"[A-Za-z]:|\\", row.path)
        or "\0" in row.path
    ):
        return f"path {one_line(row.path)!r} leaves the corpus root; expected a relative path"
    try:
        "".join((row.id, row.path, row.speaker, row.emotion, row.partition, *row.extra.values())).encode()
    except UnicodeEncodeError:
        return "its name is not UTF-8; rename the file"
    if row.start is not None and row.end is not None and not row.start < row.end:
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
    rows = zip(*(manifest.utterances.column(name) for name in manifest.columns), strict=True)
    for line in itertools.chain([manifest.columns], rows):
        yield ",".join(_quoted(_cell(value)) for value in line) + "\n"


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
    problems: list[str] = []
    rows = Utterances(_rows(text, place, problems))
    if problems:
        raise ManifestError(first_ten(problems))
    try:
        return make_manifest(rows, _info(path.with_name("manifest.json")))
    except ManifestError as error:
        raise ManifestError(f"{place}: {error}") from None


def _rows(text: str, place: str, problems: list[str]) -> Iterator[Utterance]:
    """The rows of a CSV; lines that are none are added to `problems`."""
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        header = tuple(next(reader, ()))
        if len(set(header)) < len(header) or not set(REQUIRED) <= set(header):
            raise ManifestError(
                f"{place}:1: header is {','.join(header)[:80]!r}; expected {','.join((*FIRST, '…', *LAST))}"
            )
        for cells in reader:
            try:
                if len(cells) != len(header):
                    raise ValueError(f"{len(cells)} cells, the header has {len(header)}; quote cells that hold commas")
                yield _row(dict(zip(header, cells, strict=True)))
            except ValueError as error:
                problems.append(f"{place}:{reader.line_num}: {error}")
    except csv.Error as error:
        raise ManifestError(f"{place}:{reader.line_num}: {error}; expected comma-separated cells") from None


def _row(cells: Mapping[str, str]) -> Utterance:
    """One row from its cells; ValueError says which is wrong."""
    values = {name: COLUMNS[name].value(cells.get(name, "")) for name in (*FIRST, *LAST)}
    return Utterance(**values, extra={name: cell for name, cell in cells.items() if name not in RESERVED})


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
