"""A store as one ``.npz``: an array per column and table, written piece by piece.

``<column>`` (n,); ``<group>`` (n, n_columns) or (rows, …) with ``<group>_offsets`` (n + 1,) and
``<group>_names``; ``roles`` (n, n_folds) and ``folds``; ``about``, JSON.  It loads without pickle.
"""

import json
import zipfile
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from serprep._typing import AnyArray
from serprep.exports.exporter import Exporter
from serprep.exports.source import Source


class _NPZ(Exporter):
    name = "npz"

    def write(self, source: Source, folder: Path) -> None:
        store = source.store
        with zipfile.ZipFile(folder / "data.npz", "w") as file:
            small = {name: np.asarray(store.column(name)) for name in store.columns}
            small["about"] = np.asarray(json.dumps(source.about, ensure_ascii=False))
            if source.folds:
                small["folds"] = np.asarray(source.folds)
                small["roles"] = np.asarray([source.roles(i) for i in range(len(source))])
            for table in store.tables:
                name = source.name_of(table)
                if not table.per_utterance:
                    small[f"{name}_offsets"] = store.table_offsets(table)
                if table.names:
                    small[f"{name}_names"] = np.asarray(source.column_names(table))
            for name, values in small.items():
                _write(file, name, values.shape, values.dtype, [values])
            quiet = Source(store)
            for number, table in enumerate(store.tables):  # an archive's members are written one after the other
                rows = int(store.table_offsets(table)[-1])
                batches = (source if number == 0 else quiet).batches([table])
                parts = (part for batch in batches for part in batch.values[table.name])
                _write(file, source.name_of(table), (rows, *table.row), np.dtype(table.dtype), parts)


def _write(
    file: zipfile.ZipFile, name: str, shape: tuple[int, ...], dtype: np.dtype[np.generic], parts: Iterable[AnyArray]
) -> None:
    """One array; parts follow one another along the first axis."""
    member = zipfile.ZipInfo(f"{name}.npy")  # of 1980: same store, same bytes
    with file.open(member, "w", force_zip64=True) as out:
        about = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_2_0(out, about)
        for part in parts:
            out.write(np.ascontiguousarray(part).tobytes())


NPZ = _NPZ()
