"""Any corpus described by one table: CSV, TSV or Parquet with a path column.

Columns are ``path``, ``id``, ``speaker``, ``emotion``, ``start``, ``end`` (seconds)
and ``partition`` unless ``[corpus.columns]`` says otherwise; only the path is
required.  ``id`` defaults to the path without suffix, and its times for an excerpt.  Other columns are carried
along; `serprep.columns.OWN` may be named in ``[corpus.columns]``, too.  ``prefix`` is a folder that the paths lack.
Cells are stripped; "" and "?" are missing labels.  Text is UTF-8.
"""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath

from serprep.columns import OWN, RESERVED, TOLD
from serprep.corpora.corpus import SAID, About, Corpus, Finding, told_about
from serprep.corpora.labels import csv_rows
from serprep.errors import CorpusError, one_line
from serprep.files import without_suffix
from serprep.place.corpus import read_file
from serprep.text import as_float, described, did_you_mean, not_table, not_text
from serprep.utterance import Utterance


def column_name(name: str) -> str:
    """`name` as a column of a manifest: word characters only.

    Examples
    --------
    >>> column_name("Age (years)")
    'Age_years'
    """
    return re.sub(r"\W+", "_", name.strip()).strip("_")


def read_text(path: Path) -> str:
    """A label file's text.

    Raises
    ------
    CorpusError
        If the file is missing or not UTF-8; the message names the line.
    """
    try:
        data = read_file(path)
    except OSError as error:
        raise CorpusError(f"{one_line(path)}: {error.strerror}; expected a label file") from None
    if why := not_text(data):
        raise CorpusError(f"{one_line(path)} is {why}")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = data[: error.start].count(b"\n") + 1
        raise CorpusError(
            f"{one_line(path)}:{line}: byte 0x{data[error.start]:02x} is not UTF-8; "
            "convert it, for example with `iconv -f latin1 -t utf-8`"
        ) from None
    if "\0" in text:
        line = text[: text.index("\0")].count("\n") + 1
        raise CorpusError(f"{one_line(path)}:{line}: a zero byte; expected a table in UTF-8")
    if why := not_table(text):
        raise CorpusError(f"{one_line(path)} is {why}")
    return text


def read_rows(path: Path) -> Iterator[tuple[str, dict[str, str]]]:
    """Rows of a CSV, TSV or Parquet file, as (place, column → stripped cell)."""
    if path.suffix.lower() == ".parquet":
        yield from _parquet_rows(path)
        return
    for place, cells in csv_rows(read_text(path), root=path.parent, name=path.name):
        yield one_line(path.parent / place), cells


def _parquet_rows(path: Path) -> Iterator[tuple[str, dict[str, str]]]:
    import pyarrow
    import pyarrow.parquet

    try:
        frame = pyarrow.parquet.read_table(pyarrow.BufferReader(read_file(path)))
    except (OSError, pyarrow.ArrowException) as error:
        reason = getattr(error, "strerror", None) or one_line(error)
        raise CorpusError(f"{one_line(path)}: {reason}; expected a Parquet file") from None
    for number, row in enumerate(frame.to_pylist()):
        yield f"{one_line(path)}, row {number}", {str(name).strip(): cell_of(value) for name, value in row.items()}


def cell_of(value: object) -> str:
    """A value of a Parquet file as text; "" where it is missing, seconds where it is a span of time."""
    if value is None or value != value:
        return ""
    return repr(value.total_seconds()) if hasattr(value, "total_seconds") else str(value).strip()


def utterances(root: Path, options: Mapping[str, object]) -> Iterator[Utterance | Finding | About]:
    """Utterances of a table, in its order."""
    path = root / str(options["file"])
    columns = options.get("columns") or {}
    if not isinstance(columns, Mapping):
        raise CorpusError(f'[corpus.columns] is {columns!r}; expected a table such as path = "file"')
    known = (*TOLD, *OWN)
    unknown = sorted(set(columns) - set(known))
    if unknown:
        meant = did_you_mean(unknown[0], known)
        raise CorpusError(f"[corpus.columns] has no {unknown[0]!r}; expected {', '.join(known)}{meant}")
    yield from told_about(options, CORPUS)
    for place, cells in read_rows(path):
        wanted = {role: str(columns.get(role, role)) for role in (*TOLD, *columns)}
        for role in ("path", *columns):
            if wanted[role] not in cells:
                meant = did_you_mean(wanted[role], cells) or (did_you_mean("path", cells) if role == "path" else "")
                raise CorpusError(
                    f"{one_line(path)}: no column {wanted[role]!r} for {role}; "
                    f"it has {one_line(', '.join(cells))}: name one in [corpus.columns]{meant}"
                )
        yield utterance_of(place, cells, wanted, root=root, prefix=str(options.get("prefix", "")))


def utterance_of(
    place: str, cells: Mapping[str, str], wanted: Mapping[str, str], *, root: Path, prefix: str
) -> Utterance | Finding:
    """One row; absolute paths below the root become relative ones."""
    value = {role: cells.get(column, "") for role, column in wanted.items()}
    if not value["path"]:
        return Finding("rows without a path passed over", place)
    given = PurePosixPath(value["path"])  # "./a.wav" is "a.wav"
    absolute = given.is_absolute()
    if absolute:
        above = [base for base in map(str, (root.absolute(), root.resolve())) if given.is_relative_to(base)]
        given = given.relative_to(above[0]) if above else given
    name = without_suffix(str(given))  # without the prefix: ids stay as they are when a folder is renamed
    path = str(given) if absolute or not prefix else str(PurePosixPath(prefix.replace("\\", "/")) / given)
    times = [cell for cell in (value["start"], value["end"]) if cell]
    extra = {role: value[role] for role in wanted if role in OWN}
    for column, cell in cells.items():
        key = column_name(column)
        if column in wanted.values() or not key:
            continue
        while key in RESERVED or key in extra or key[0].isdigit():
            key = f"table_{key}"
        extra[key] = cell
    return Utterance(
        id=value["id"] or "_".join([name, *times]),  # several excerpts of one file differ in time
        path=path,
        start=_seconds(value["start"], place),
        end=_seconds(value["end"], place),
        speaker=value["speaker"],
        emotion="" if value["emotion"] == "?" else value["emotion"],
        partition=value["partition"],
        extra=extra,
    )


def _seconds(cell: str, place: str) -> float | None:
    if not cell:
        return None
    seconds = as_float(cell)
    if seconds is None or seconds < 0:
        raise CorpusError(f"{place}: {described(cell)} is not a time; expected seconds such as 1.25, or nothing")
    return seconds


CORPUS = Corpus(
    name="table",
    title="a corpus described by a table",
    licence="unknown: yours to know",
    source="local folder",
    citation="",
    layout="a CSV, TSV or Parquet file with a path column",
    utterances=utterances,
    options=("file", "columns", "prefix", *SAID),
    required=("file",),
)
