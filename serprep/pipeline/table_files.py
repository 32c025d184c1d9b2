"""Rows of features → a file: CSV, ARFF (Weka's), or Parquet.

Blocks come one after the other, so that a large table need not be in memory.  A recording's name is written
with control characters and what is no UTF-8 escaped: no terminal obeys it, and every row stays one line.
Numbers are the shortest that give the same float32.
"""

import csv
import io
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple

import numpy as np

from serprep._typing import AnyArray, FloatArray
from serprep.errors import FeatureError, one_line

_PLAIN = re.compile(r"[A-Za-z0-9_.+-]+")
_ESCAPES = str.maketrans({"\\": "\\\\", "'": "\\'", "%": "\\%"})


class Head(NamedTuple):
    """What stands above the rows."""

    title: str
    place: str  # the column beside "file": "start" (s), "row" (number), or "" for one row per recording
    names: tuple[str, ...]  # of the features


class Block(NamedTuple):
    """Rows of some recordings."""

    files: Sequence[str]  # the recording of each row
    places: AnyArray  # (n,) start or number of each row
    values: FloatArray  # (n, n_columns)


Writer = Callable[[BinaryIO, Head, Iterable[Block]], None]


def _rows(head: Head, blocks: Iterable[Block]) -> Iterator[tuple[list[str], Iterable[Any]]]:
    """Name and place, and the numbers, of each row."""
    for block in blocks:
        places = ([f"{place:.10g}"] if head.place else [] for place in block.places.tolist())
        for file, place, values in zip(block.files, places, block.values, strict=True):
            yield [one_line(file), *place], values


def write_csv(file: BinaryIO, head: Head, blocks: Iterable[Block]) -> None:
    """UTF-8, LF, a header, minimal quoting; openSMILE's names of columns."""
    text = io.TextIOWrapper(file, encoding="utf-8", newline="", write_through=True)
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow([*_leading(head), *head.names])
    writer.writerows([*lead, *values] for lead, values in _rows(head, blocks))
    text.detach()


def write_arff(file: BinaryIO, head: Head, blocks: Iterable[Block]) -> None:
    """Weka's form: attributes, then data; what is not a number is missing (``?``)."""
    names = [f"@attribute {_quoted(name)} numeric" for name in (*_leading(head)[1:], *head.names)]
    lines = [f"@relation {_quoted(head.title)}", "@attribute file string", *names, "@data"]
    file.write("".join(f"{line}\n" for line in lines).encode())
    for (name, *place), values in _rows(head, blocks):
        numbers = ("?" if value != value else str(value) for value in values)
        file.write((",".join([f"'{name.translate(_ESCAPES)}'", *place, *numbers]) + "\n").encode())


def _quoted(name: str) -> str:
    return name if _PLAIN.fullmatch(name) else f"'{one_line(name).translate(_ESCAPES)}'"


def write_parquet(file: BinaryIO, head: Head, blocks: Iterable[Block]) -> None:
    """Columns of float32; a group of rows for each block."""
    import pyarrow
    from pyarrow import parquet

    kinds = {"": [], "start": [("start", pyarrow.float64())], "row": [("row", pyarrow.int64())]}[head.place]
    schema = pyarrow.schema([("file", pyarrow.string()), *kinds, *((name, pyarrow.float32()) for name in head.names)])
    with parquet.ParquetWriter(file, schema) as writer:
        for block in blocks:
            places = [block.places] if head.place else []
            columns = [list(map(one_line, block.files)), *places, *np.ascontiguousarray(block.values.T)]
            writer.write_table(pyarrow.table(columns, schema=schema))


def _leading(head: Head) -> tuple[str, ...]:
    return ("file", head.place) if head.place else ("file",)


def is_alike(path: Path, write: Writer, head: Head) -> bool:
    """Whether a file holds what would be written: a table of the same columns, or nothing."""
    start = io.BytesIO()
    write(start, head, ())
    if write is not write_parquet:
        with path.open("rb") as file:
            there = file.read(len(start.getvalue()))
        return there in (b"", start.getvalue())
    from pyarrow import parquet

    try:
        return not path.stat().st_size or bool(parquet.read_schema(path).equals(parquet.read_schema(start)))
    except ValueError:  # no Parquet
        return False


WRITERS: dict[str, Writer] = {".csv": write_csv, ".arff": write_arff, ".parquet": write_parquet}


def writer_of(suffix: str) -> Writer:
    """What writes files of that suffix.

    Raises
    ------
    FeatureError
        If nothing does here.
    """
    if suffix.lower() not in WRITERS:
        raise FeatureError(f"a table's suffix is {one_line(suffix)!r}; expected one of {', '.join(WRITERS)}")
    if suffix.lower() == ".parquet" and find_spec("pyarrow") is None:
        raise FeatureError("a table in Parquet needs pyarrow, which is not installed; add it, or write .csv or .arff")
    return WRITERS[suffix.lower()]
