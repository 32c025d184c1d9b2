"""The layout of the ComParE challenges: a line per utterance with its name, its vectors, and its class at the end.

With one fold a file per partition (``train``, ``devel``, ``test``), as the challenges have it; with several
one file ``all``, and columns ``role_<fold>`` behind the name.  Numbers are the shortest that give the same float32.
"""

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path

import numpy as np

from serprep._typing import AnyArray
from serprep.errors import StoreError, one_line
from serprep.exports.source import Source

PARTITIONS = {"train": "train", "dev": "devel", "test": "test", "": "unused"}

Line = tuple[list[str], list[str], str]  # name and roles, numbers ("nan" where there is none), label


def write_partitions(
    source: Source, folder: Path, *, suffix: str, head: Callable[[str], Iterable[str]], line: Callable[[Line], str]
) -> None:
    """A file per partition: what `head` says of its name, then a line per utterance.

    Raises
    ------
    StoreError
        If the store has no vectors.
    """
    if not source.row_tables:
        raise StoreError(
            f"{one_line(source.store.path)}: it has no kind with one vector per utterance, which this form holds; "
            "take npz, huggingface or another, or build with functionals"
        )
    with ExitStack() as files:
        opened = {}
        for i, row in _lines(source):
            stem = PARTITIONS[source.roles(i)[0]] if len(source.folds) == 1 else "all"
            if stem not in opened:
                file = (folder / f"{stem}.{suffix}").open("w", encoding="utf-8", newline="")
                opened[stem] = files.enter_context(file)
                file.writelines(head(stem))
            opened[stem].write(line(row))


def role_columns(source: Source) -> list[str]:
    """Names of the columns of roles: none where a file is a partition."""
    return [f"role_{fold}" for fold in source.folds] if len(source.folds) > 1 else []


def feature_columns(source: Source) -> list[str]:
    """Names of all values of an utterance's vectors; led by their kind's where two have one."""
    names = [source.column_names(table) for table in source.row_tables]
    flat = [name for own in names for name in own]
    if len(set(flat)) < len(flat):
        return [f"{source.name_of(t)}.{name}" for t, own in zip(source.row_tables, names, strict=True) for name in own]
    return flat


def _lines(source: Source) -> Iterator[tuple[int, Line]]:
    store, tables = source.store, source.row_tables
    with_roles = len(source.folds) > 1
    for batch in source.batches(tables):
        for i, *vectors in zip(batch.rows, *(batch.values[table.name] for table in tables), strict=True):
            numbers = [text for vector in vectors for text in shortest(vector)]
            yield i, ([store.ids[i], *(source.roles(i) if with_roles else ())], numbers, store.emotions[i])


def shortest(values: AnyArray) -> list[str]:
    """The shortest decimal numbers that give the same values of their type.

    Examples
    --------
    >>> shortest(np.float32([0.1, 1e-10, np.nan]))
    ['0.1', '1e-10', 'nan']
    """
    import pyarrow

    wide = values.astype(np.float32) if values.dtype == np.float16 else values
    texts: list[str] = pyarrow.array(wide).cast(pyarrow.string()).to_pylist()
    return texts
