"""Utterances and their features as Parquet: a row per utterance, a list column per table.

Roles are either files, so that a fold is a list of them, or columns of one file.

"""

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
from pyarrow import parquet

from serprep._typing import AnyArray
from serprep.columns import dtype_of
from serprep.exports.roles import Groups, numbers_of
from serprep.exports.source import Source
from serprep.store.layout import Table

AUDIO = "audio"
_TYPES = {"string": pyarrow.string(), "float64": pyarrow.float64(), "int64": pyarrow.int64()}


@dataclass(frozen=True)
class Columns:
    """The columns of an export, in order.

    Attributes
    ----------
    texts : mapping of str to str
        Column of the store → its type: "string", "float64" or "int64".
    tables : mapping of str to Table
        Column → table.
    roles : tuple of str
        Columns of roles.
    audio : bool
        Whether the last one holds recordings.
    """

    texts: Mapping[str, str]
    tables: Mapping[str, Table]
    roles: tuple[str, ...]
    audio: bool

    @classmethod
    def of(cls, source: Source, *, roles: bool = False) -> "Columns":
        """Those of a store, with the roles of each fold or without."""
        store = source.store
        texts = {name: "float64" if name in store.numbers else dtype_of(name) for name in store.columns}
        tables = {source.name_of(table): table for table in store.tables}
        return cls(texts, tables, role_columns(source) if roles else (), source.audio is not None)

    def schema(self, metadata: Mapping[str, str]) -> pyarrow.Schema:
        """Emotions are numbers of labels."""
        types = {name: pyarrow.int64() if name == "emotion" else _TYPES[kind] for name, kind in self.texts.items()}
        types |= {name: _list_type(table) for name, table in self.tables.items()}
        types |= dict.fromkeys(self.roles, pyarrow.string())
        if self.audio:
            types[AUDIO] = pyarrow.struct({"bytes": pyarrow.binary(), "path": pyarrow.string()})
        return pyarrow.schema(types, {name.encode(): text.encode() for name, text in metadata.items()})


def role_columns(source: Source) -> tuple[str, ...]:
    """A column per fold."""
    return tuple(f"role_{fold}" for fold in source.folds)


def _list_type(table: Table) -> pyarrow.DataType:
    kind = pyarrow.from_numpy_dtype(np.dtype(table.dtype))
    for size in reversed(table.row):
        kind = pyarrow.list_(kind, size)
    return kind if table.per_utterance else pyarrow.list_(kind)


def nested(arrays: Sequence[AnyArray], table: Table) -> pyarrow.Array:
    """Features of some utterances, a list each."""
    rows = np.stack(arrays) if table.per_utterance else np.concatenate(arrays)
    values = pyarrow.array(np.ascontiguousarray(rows).reshape(-1))
    for size in reversed(table.row):
        values = pyarrow.FixedSizeListArray.from_arrays(values, size)
    if table.per_utterance:
        return values
    offsets = np.cumsum([0, *map(len, arrays)], dtype=np.int32)
    return pyarrow.ListArray.from_arrays(offsets, values)


def write_parquet(source: Source, folder: Path, *, metadata: Mapping[str, str], by_roles: bool = True) -> list[str]:
    """Write ``part-<number>.parquet`` into a folder; their names.

    Utterances of the same roles lie together; or else all in one file, with columns of roles.
    """
    columns = Columns.of(source, roles=not by_roles)
    schema = columns.schema(metadata)
    labels = {label: number for number, label in enumerate(source.store.labels)}
    numbers = numbers_of(source) if by_roles else dict.fromkeys(source.patterns, 0)
    names = [file_name(number) for number in sorted(set(numbers.values()))]
    folder.mkdir(parents=True, exist_ok=True)
    with ExitStack() as files:
        writers = [
            files.enter_context(parquet.ParquetWriter(folder / name, schema, compression="zstd")) for name in names
        ]

        def write(number: int, rows: list[tuple[dict[str, Any], list[AnyArray]]]) -> None:
            cells: list[Any] = [
                pyarrow.array([row[name] for row, _ in rows], schema.field(name).type) for name in columns.texts
            ]
            vectors = zip(*(arrays for _, arrays in rows), strict=True)
            cells += [nested(own, table) for own, table in zip(vectors, columns.tables.values(), strict=True)]
            cells += [[row[name] for row, _ in rows] for name in columns.roles]
            if columns.audio:
                cells.append(pyarrow.array([row[AUDIO] for row, _ in rows], schema.field(AUDIO).type))
            writers[number].write_table(pyarrow.table(cells, schema=schema))

        groups = Groups(write)
        for batch in source.batches():
            for place, i in enumerate(batch.rows):
                arrays = [batch.values[table.name][place] for table in columns.tables.values()]
                row = source.record(i)
                row["emotion"] = labels.get(row["emotion"])
                row |= dict(zip(columns.roles, source.roles(i), strict=False))
                size = sum(array.nbytes for array in arrays)
                if columns.audio:
                    suffix, data = source.recording(i)
                    row[AUDIO] = {"bytes": data, "path": f"{row['id'].replace('/', '_')}.{suffix}"}
                    size += len(data)
                groups.add(numbers[source.roles(i)], (row, arrays), size)
        groups.close()
    return names


def file_name(number: int) -> str:
    """Of the file of some roles."""
    return f"part-{number:03}.parquet"
