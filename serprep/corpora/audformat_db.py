"""Any database in audformat: a header, tables by file or by segment, as CSV or Parquet.

| what | |
| --- | --- |
| origin | whoever made the database; the format is audEERING's, audeering.github.io/audformat |
| size, speakers, labels, licence | as the header ``db.yaml`` says |

Tree: ``db.yaml``, ``db.<table>.csv`` or ``db.<table>.parquet``, and recordings at the paths that the
tables name.  The index of a table is ``file``, or ``file,start,end``.

The emotion is the column of that name, or the only column of the scheme ``emotion`` that is no single
rater's; ``[corpus.columns]`` names another one.  It may stand in several tables, such as one per split;
``file`` names the table to take.  Columns of a human or machine rater become ratings.  Other columns are
carried along, those of a table by file to each of its segments; and so is what a scheme or a misc table
says of a label, such as the gender of a speaker.

A header is read as plain YAML and a pickled table is never opened: either could run code.
"""

import csv
import io
import itertools
import math
import re
import warnings
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from serprep.audio.decode import SUFFIXES
from serprep.columns import DIMENSIONS, RESERVED
from serprep.corpora.corpus import About, Corpus, Finding, Rating
from serprep.corpora.labels import ABSENT, UNLABELLED, is_there, read_text
from serprep.corpora.table import column_name
from serprep.errors import CorpusError, one_line
from serprep.files import without_suffix
from serprep.place.corpus import walk
from serprep.text import as_float, described
from serprep.utterance import Utterance

HEADER = "db.yaml"
ROLES = ("emotion", "speaker")
EMOTION = ""  # no column of a table has this name
PARTITIONS = {"train": "train", "dev": "dev", "test": "test"}
RATERS = ("human", "machine")  # types of raters that are one of several; truth, vote and other are not

TIME = re.compile(
    r"(?:[0-9]+ days?,? ?)?(?:\+?[0-9]+:[0-9]{1,2}:[0-9]{1,2}(?:\.[0-9]+)?)?|NaT|P[0-9DTHMS.]+"
    r"|[0-9]+(?:\.[0-9]+)? ?(?:ns|us|µs|ms|s|sec|seconds?|min|minutes?|m|h|hours?)"
)

Key = tuple[str, float | None, float | None]  # file, start and end in seconds


@dataclass
class _Row:
    """What the tables say of one file or segment."""

    cells: dict[str, str] = field(default_factory=dict)
    ratings: dict[str, dict[str, str]] = field(default_factory=dict)  # rater → scheme → value


def utterances(root: Path, options: Mapping[str, object]) -> Iterator[Utterance | Rating | Finding | About]:
    """Labelled files or segments of a database, sorted, and what single raters said of them."""
    if not (root / HEADER).is_file():
        return
    text, repaired = read_text(root, HEADER)
    yield from repaired
    database = _header(text, root / HEADER)
    yield About(
        title=f"{database.name} (audformat)",
        licence=str(database.license or f"unknown; usage: {database.usage}"),
        source=str(database.source),
    )
    columns = {role: role for role in ROLES} | _columns(options)
    emotion, tables = _emotion_tables(database, columns, chosen=str(options.get("file", "")))
    for name in [*database.misc_tables, *database.tables]:
        yield from _load(root, database[name], name)
    frames = {name: database[name].df for name in database.tables}
    rows = {name: _rows(database, name, frames[name], emotion=emotion) for name in database.tables}
    labelled: dict[Key, str] = {}  # key → its partition
    places: dict[Key, str] = {}  # key → table and line
    for name in tables:
        split = database.tables[name].split_id
        partition = PARTITIONS.get(str(database.splits[split].type), "") if split else ""
        for number, index in enumerate(frames[name].index, 2):
            key = _key(index)
            labelled[key] = labelled.get(key) or partition
            places.setdefault(key, f"db.{name}.csv:{number}" if (root / f"db.{name}.csv").is_file() else f"db.{name}")
    there = {without_suffix(path): path for path in walk(root, SUFFIXES)}
    known = set(there.values())
    told = {without_suffix(key[0]) for table in rows.values() for key in table}
    yield from (Finding(UNLABELLED, path) for stem, path in there.items() if stem not in told)
    for key in sorted(labelled, key=lambda key: (key[0], key[1] or 0.0, key[2] or math.inf)):
        row = _joined(rows, key, tables=tables)
        path = key[0] if key[0] in known else there.get(without_suffix(key[0]), key[0])
        name = "_".join([without_suffix(key[0]), *(repr(time) for time in key[1:] if time is not None)])
        if path not in known and not is_there(root / path):  # it may lie behind a link
            yield Finding(ABSENT, f"{places[key]}: {key[0]}")
        label, speaker = row.cells.pop(EMOTION, ""), row.cells.pop(columns["speaker"], "")
        yield Utterance(
            id=name,
            path=path,
            start=key[1],
            end=key[2],
            speaker=speaker,
            emotion=label,
            partition=labelled[key],
            extra=_extra(row.cells),
        )
        for rater, said in row.ratings.items():
            yield _rating(name, rater, said)


def _columns(options: Mapping[str, object]) -> dict[str, str]:
    """``[corpus.columns]``, checked."""
    given = options.get("columns") or {}
    if not isinstance(given, Mapping) or not set(given) <= set(ROLES):
        raise CorpusError(f"[corpus.columns] is {one_line(given)}; reader 'audformat' takes {' and '.join(ROLES)}")
    return {str(role): str(column) for role, column in given.items()}


def _header(text: str, path: Path) -> Any:
    """The database of a header, without its tables."""
    try:
        import audformat
    except ModuleNotFoundError:
        raise CorpusError("reader 'audformat' needs the package audformat: `pip install serprep[audformat]`") from None
    import yaml

    try:
        header = yaml.safe_load(text)
        database = audformat.Database.load_header_from_yaml(header)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise CorpusError(f"{one_line(path)}:{line}: {one_line(error.problem)}; expected plain YAML") from None
    except Exception as error:  # whatever a header that is none leads to
        raise CorpusError(
            f"{one_line(path)}: {type(error).__name__}: {one_line(error)}; expected the header of an audformat database"
        ) from None
    for name in [*database.misc_tables, *database.tables]:
        if not re.fullmatch(r"\w[\w.-]*", str(name)):
            raise CorpusError(f"{one_line(path)}: table {one_line(name)!r}; expected a word, dots and dashes")
        for kind, wanted in _referred(database, name):
            if wanted is not None and wanted not in getattr(database, kind):
                raise CorpusError(
                    f"{one_line(path)}: table {name!r} refers to {one_line(wanted)!r} of {kind}; add it there"
                )
    return database


def _referred(database: Any, name: str) -> Iterator[tuple[str, Any]]:
    """What a table refers to: section of the header, and the name there or None."""
    table = database[name]
    yield "splits", table.split_id
    for column in table.columns.values():
        yield "schemes", column.scheme_id
        yield "raters", column.rater_id
        labels = database.schemes[column.scheme_id].labels if column.scheme_id in database.schemes else None
        if isinstance(labels, str):
            yield "misc_tables", labels


def _load(root: Path, table: Any, name: str) -> list[Finding]:
    """Read a table's frame; what was repaired in its text.

    The package gets a folder of its own with clean text: where there is a pickled table, it would prefer that.
    """
    there = [suffix for suffix in (".parquet", ".csv") if (root / f"db.{name}{suffix}").is_file()]
    if not there:
        place = one_line(root / f"db.{name}.csv")
        pickled = (root / f"db.{name}.pkl").is_file()
        why = "; a pickled table is not opened, since it could run code" if pickled else ""
        raise CorpusError(f"{place}: no such file, and no .parquet{why}; the header names it")
    path = root / f"db.{name}{there[0]}"
    repaired: list[Finding] = []
    if there[0] == ".csv":
        text, repaired = read_text(root, path.name)
        _check_columns(text, path, table)
        data = text.encode()
    else:
        data = path.read_bytes()
    try:
        with TemporaryDirectory() as folder, warnings.catch_warnings():
            warnings.simplefilter("ignore")  # what the package does with pandas is not the user's to mend
            (Path(folder) / f"table{there[0]}").write_bytes(data)
            table.load(str(Path(folder) / "table"))
    except Exception as error:  # whatever a table that is not as its header says leads to
        reason = one_line(str(error).partition("\n")[0])
        raise CorpusError(f"{one_line(path)}: {reason}; expected the table that {HEADER} describes") from None
    return repaired


def _check_columns(text: str, path: Path, table: Any) -> None:
    """Refuse a CSV whose columns are not those of the header in that order: the package takes them by place."""
    levels = list(table.levels) if hasattr(table, "levels") else ["file"]
    if getattr(table, "is_segmented", False):
        levels += ["start", "end"]
    expected = [str(name) for name in (*levels, *table.columns)]
    header = next(csv.reader([text.partition("\n")[0]]), [])
    if header != expected:
        raise CorpusError(f"{one_line(path)}:1: columns {','.join(header)[:80]!r}; expected {','.join(expected)}")
    if {"start", "end"} <= set(levels):
        _check_times(text, path, [levels.index("start"), levels.index("end")])


def _check_times(text: str, path: Path, places: list[int]) -> None:
    """Refuse times without a unit, which the package takes for nanoseconds, and those before the file begins."""
    reader = csv.reader(io.StringIO(text, newline=""))
    try:
        for cells in itertools.islice(reader, 1, None):
            for cell in (cells[i].strip() for i in places if i < len(cells)):
                if not TIME.fullmatch(cell):
                    raise CorpusError(
                        f"{one_line(path)}:{reader.line_num}: {described(cell)} is no time of an audformat table; "
                        "expected such as 0 days 00:00:01.5"
                    )
    except csv.Error as error:
        raise CorpusError(f"{one_line(path)}:{reader.line_num}: {error}; expected comma-separated cells") from None


def _emotion_tables(database: Any, columns: Mapping[str, str], *, chosen: str) -> tuple[str, list[str]]:
    """The column that holds emotions, and the tables to take it from."""
    tables = {name: database.tables[name].columns for name in database.tables}
    if chosen and chosen not in tables:
        raise CorpusError(f"no table {chosen!r}; the database has {', '.join(tables) or 'none'}")
    wanted = columns["emotion"]
    if chosen:
        tables = {chosen: tables[chosen]}
    if not any(wanted in of_table for of_table in tables.values()):
        of_scheme = {
            column
            for of_table in tables.values()
            for column in of_table
            if of_table[column].scheme_id == "emotion" and not _is_single(database, of_table[column])
        }
        if len(of_scheme) != 1 or wanted != "emotion":
            known = ", ".join(sorted({f"{name}.{column}" for name, of_table in tables.items() for column in of_table}))
            raise CorpusError(f"no column {wanted!r} for emotion among {known or 'none'}; name one in [corpus.columns]")
        wanted = of_scheme.pop()
    return wanted, [name for name, of_table in tables.items() if wanted in of_table]


def _is_single(database: Any, column: Any) -> bool:
    """Whether a column is what one of several raters said."""
    return column.rater_id is not None and str(database.raters[column.rater_id].type) in RATERS


def _rows(database: Any, name: str, frame: Any, *, emotion: str) -> dict[Key, _Row]:
    """The rows of a table; the emotion goes by one name, whatever its column is called."""
    columns = database.tables[name].columns
    told = {column: _attributes(database, columns[column].scheme_id) for column in columns}
    by_key: dict[Key, _Row] = {}
    for index, *values in frame.itertuples(name=None):
        row = by_key.setdefault(_key(index), _Row())
        for column, value in zip(columns, values, strict=True):
            cell, about = _cell(value), columns[column]
            if column != emotion and _is_single(database, about):
                if cell:
                    row.ratings.setdefault(str(about.rater_id), {})[str(about.scheme_id or column)] = cell
            elif column == emotion:
                row.cells[EMOTION] = cell
            else:
                row.cells[column] = cell
                row.cells.update(told[column].get(cell, {}))
    return by_key


def _key(index: Any) -> Key:
    """A row's file, start and end; a whole file has neither."""
    if not isinstance(index, tuple):
        return str(index), None, None
    file, start, end = index
    seconds = [time.as_unit("ns").value / 1e9 if time == time else None for time in (start, end)]  # NaT is not itself
    return str(file), seconds[0] or None, seconds[1]


def _attributes(database: Any, scheme_id: str | None) -> dict[str, dict[str, str]]:
    """Label → what the scheme, or the misc table it refers to, says of it."""
    labels = database.schemes[scheme_id].labels if scheme_id is not None else None
    if isinstance(labels, str):
        frame = database.misc_tables[labels].df
        return {
            _cell(label): dict(zip(frame, map(_cell, row), strict=True)) for label, *row in frame.itertuples(name=None)
        }
    if not isinstance(labels, dict):
        return {}
    return {
        _cell(label): {str(name): _cell(value) for name, value in about.items()}
        for label, about in labels.items()
        if isinstance(about, dict)
    }


def _cell(value: Any) -> str:
    """A value as text; "" where it is missing."""
    import pandas

    if pandas.api.types.is_scalar(value) and pandas.isna(value):
        return ""
    if hasattr(value, "total_seconds"):
        return repr(value.total_seconds())
    return repr(float(value)) if isinstance(value, float) else str(value)


def _joined(rows: Mapping[str, Mapping[Key, _Row]], key: Key, *, tables: list[str]) -> _Row:
    """What all tables say of a segment, and of its file."""
    joined = _Row()
    whole = (key[0], None, None)
    for name, table in rows.items():
        for place in dict.fromkeys((whole, key)):
            row = table.get(place)
            if row is None:
                continue
            for column, cell in row.cells.items():
                if column == EMOTION and (name not in tables or place != key):
                    continue
                before = joined.cells.get(column)
                if column == EMOTION and before and cell and before != cell:
                    raise CorpusError(
                        f"{one_line(key[0])} is {before!r} in one table and {cell!r} in {name!r}; "
                        f"name one table as file: {', '.join(tables)}"
                    )
                joined.cells[column] = before or cell
            for rater, said in row.ratings.items() if place == key else ():
                joined.ratings.setdefault(rater, {}).update(said)
    return joined


def _extra(cells: Mapping[str, str]) -> dict[str, str]:
    """Columns that are carried along, under names a manifest can have."""
    extra: dict[str, str] = {}
    for column, cell in cells.items():
        name = column_name(column) or "column"
        while name in RESERVED or name in extra or name[0].isdigit():
            name = f"table_{name}"
        extra[name] = cell
    return extra


def _rating(name: str, rater: str, said: Mapping[str, str]) -> Rating:
    """What one rater said; schemes other than emotion and the dimensions stand in the comment."""
    numbers = {scale: _number(said.get(scale, "")) for scale in DIMENSIONS}
    rest = [
        f"{scheme}: {value}" for scheme, value in said.items() if numbers.get(scheme) is None and scheme != "emotion"
    ]
    emotions = (said["emotion"],) if "emotion" in said else ()
    return Rating(id=name, rater=rater, emotions=emotions, comment="; ".join(rest), **numbers)


def _number(cell: str) -> float | None:
    return as_float(cell)


CORPUS = Corpus(
    name="audformat",
    title="a database in audformat",
    licence="as the header says",
    source="as the header says",
    citation="",
    layout="db.yaml, db.<table>.csv or .parquet, and recordings at the paths in the tables",
    utterances=utterances,
    options=("file", "columns"),
)
