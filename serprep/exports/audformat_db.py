"""A store as a database in audformat: a header, and tables as Parquet.

``utterances`` has the columns of the store (labels, speakers, dimensions) and ``role.<fold>``; each kind with one
vector per utterance is a table of its own; with one fold ``emotion.train``, ``emotion.dev`` and ``emotion.test``
are its splits.  Contours and segments have no place there and are left out.  Recordings, where asked for, are
copied to their paths.
"""

import json
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow
from pyarrow import parquet

from serprep.columns import dtype_of
from serprep.exports.exporter import Exporter
from serprep.exports.source import Source
from serprep.store.layout import Table

GROUP = 2048  # rows: each group describes thousands of columns
_TYPES = {"string": "str", "float64": "float", "int64": "int"}
_ARROW = {"str": pyarrow.string(), "float": pyarrow.float64(), "int": pyarrow.int64()}


class _Audformat(Exporter):
    name = "audformat"

    def write(self, source: Source, folder: Path) -> None:
        store, everyone = source.store, range(len(source))
        roles = {f"role.{fold}": number for number, fold in enumerate(source.folds)}
        own = [name for name in store.columns if name not in ("path", "start", "end")]
        types = {name: "float" if name in store.numbers else _TYPES[dtype_of(name)] for name in own}
        columns = {name: _scheme(name, types) for name in own} | {name: {"scheme_id": "role"} for name in roles}
        segmented = any(map(source.is_excerpt, everyone))
        form = {"type": "segmented" if segmented else "filewise"}
        tables: dict[str, Any] = {"utterances": form | {"columns": columns}}
        arrays = {name: pyarrow.array(store.column(name), _ARROW[types[name]], from_pandas=True) for name in own}
        arrays["emotion"] = _labels(store.emotions)
        arrays |= {name: _labels([source.roles(i)[number] for i in everyone]) for name, number in roles.items()}
        index = _index(source, everyone, segmented=segmented)
        parquet.write_table(pyarrow.table({**index, **arrays}), folder / "db.utterances.parquet")
        if len(roles) == 1:
            for role in ("train", "dev", "test"):
                rows = [i for i in everyone if source.roles(i)[0] == role]
                some = _index(source, rows, segmented=segmented) | {
                    "emotion": arrays["emotion"].take(pyarrow.array(rows, "int64"))
                }
                parquet.write_table(pyarrow.table(some), folder / f"db.emotion.{role}.parquet")
                tables[f"emotion.{role}"] = form | {"split_id": role, "columns": {"emotion": columns["emotion"]}}
        for table in source.row_tables:
            names = source.column_names(table)
            tables[source.name_of(table)] = form | {"columns": {name: {} for name in names}}
            _write_vectors(source, table, folder, segmented=segmented)
        if source.audio:
            _copy_recordings(source, folder)
        header = _header(source) | {"tables": dict(sorted(tables.items()))}
        (folder / "db.yaml").write_text(json.dumps(header, indent=1, ensure_ascii=True, allow_nan=False) + "\n")


def _scheme(name: str, types: dict[str, str]) -> dict[str, str]:
    if name == "emotion":
        return {"scheme_id": name, "rater_id": "gold"}
    return {"scheme_id": types[name]}


def _header(source: Source) -> dict[str, Any]:
    """``db.yaml``, in JSON, which is YAML."""
    about, store = source.about, source.store
    used = {kind: {"dtype": kind} for kind in ("str", "float", "int")}
    left_out = [source.name_of(table) for table in store.tables if not table.per_utterance]
    return {
        "name": f"{about['corpus'].get('corpus') or 'corpus'}-{store.version[:12]}",
        "source": str(about["corpus"].get("source") or "unknown"),
        "usage": "other",
        "license": source.licence,
        "description": f"Written by serprep from the store of version {store.version}."
        + (f"  Left out, since they are no tables: {', '.join(left_out)}." if left_out else ""),
        "raters": {"gold": {"type": "other"}},
        "schemes": {
            **used,
            "emotion": {"dtype": "str", "labels": list(store.labels)},
            "role": {"dtype": "str", "labels": ["train", "dev", "test"]},
        },
        "splits": {role: {"type": role} for role in ("train", "dev", "test")},
        "serprep": about,
    }


def _labels(values: Sequence[str]) -> pyarrow.Array:
    return pyarrow.array([value or None for value in values], pyarrow.string()).dictionary_encode()


def _index(source: Source, rows: Sequence[int], *, segmented: bool) -> dict[str, pyarrow.Array]:
    """The index of some utterances: files, and where they begin and end in them."""
    store = source.store
    index = {"file": pyarrow.array([store.column("path")[i] for i in rows], pyarrow.string())}
    if segmented:
        for name, missing in (("start", 0), ("end", None)):
            times = [store.column(name)[i] for i in rows]
            spans = [missing if time != time else round(time * 1e9) for time in times]
            index[name] = pyarrow.array(spans, pyarrow.duration("ns"))
    return index


def _write_vectors(source: Source, table: Table, folder: Path, *, segmented: bool) -> None:
    """A table of vectors, a column per value."""
    kind = pyarrow.from_numpy_dtype(np.dtype(table.dtype))
    names = source.column_names(table)
    index = _index(source, [], segmented=segmented)
    schema = pyarrow.schema([*((name, own.type) for name, own in index.items()), *((name, kind) for name in names)])
    with parquet.ParquetWriter(folder / f"db.{source.name_of(table)}.parquet", schema) as writer:
        for rows, values in _groups(source, table):
            arrays = [*_index(source, rows, segmented=segmented).values(), *np.ascontiguousarray(values.T)]
            writer.write_table(pyarrow.table(arrays, schema=schema))


def _groups(source: Source, table: Table) -> Iterator[tuple[list[int], np.ndarray[Any, Any]]]:
    rows: list[int] = []
    held: list[Any] = []
    for batch in source.batches([table]):
        rows += batch.rows
        held += batch.values[table.name]
        if len(rows) >= GROUP or batch.last == len(source):
            yield rows, np.stack(held)
            rows, held = [], []


def _copy_recordings(source: Source, folder: Path) -> None:
    done = set()
    for i, path in enumerate(source.store.column("path")):
        if path not in done:
            done.add(path)
            copy = folder / path
            copy.parent.mkdir(parents=True, exist_ok=True)
            copy.write_bytes(source.file_bytes(i))


AUDFORMAT = _Audformat()
