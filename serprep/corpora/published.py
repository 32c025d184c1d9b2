"""Recordings as a label file names them, whatever suffix they have on this disk."""

import math
from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath

from serprep.audio import SUFFIXES
from serprep.corpora.corpus import Finding
from serprep.corpora.table import read_rows
from serprep.errors import CorpusError, one_line
from serprep.files import walk

ABSENT = "recordings named in the label file are absent"
UNLABELLED = "recordings without a row in the label file passed over"


def recordings(root: Path, folder: str = "") -> dict[str, str]:
    """Stem → path relative to `root` of the recordings in a folder.

    Of several with one stem the first wav has it; the others stand under their paths,
    so that `unused` tells of them.
    """
    prefix = f"{folder}/" if folder else ""
    paths = [prefix + path for path in walk(root / folder, SUFFIXES)] if (root / folder).is_dir() else []
    found: dict[str, str] = {}
    for path in sorted(paths, key=lambda path: not path.lower().endswith(".wav")):  # sorting is stable
        stem = PurePosixPath(path).stem
        found[path if stem in found else stem] = path
    return found


def number(cell: str, place: str) -> str:
    """The cell itself, a finite number or empty.

    Raises
    ------
    CorpusError
        If it is anything else.
    """
    try:
        finite = not cell or math.isfinite(float(cell))
    except ValueError:
        finite = False
    if not finite:
        raise CorpusError(f"{place}: {cell!r} is not a number; expected one such as 4.5, or nothing")
    return cell


def labelled_rows(path: Path, *columns: Iterable[str]) -> Iterator[tuple[str, list[str], dict[str, str]]]:
    """Rows of a label file as (place, the cells asked for, all cells).

    Parameters
    ----------
    path : Path
    *columns : iterable of str
        For each cell asked for, the names its column may have.

    Raises
    ------
    CorpusError
        If the file is missing, not UTF-8, or lacks a column; the message names file and line.
    """
    for place, cells in read_rows(path):
        wanted = []
        for names in columns:
            name = next((name for name in names if name in cells), None)
            if name is None:
                raise CorpusError(
                    f"{one_line(path)}:1: no column {' or '.join(map(repr, names))}; it has "
                    f"{one_line(', '.join(cells))}: use the label file as published"
                )
            wanted.append(cells[name])
        yield place, wanted, cells


def unused(found: dict[str, str], used: Iterable[str]) -> Iterator[Finding]:
    """A finding for each recording that no row named."""
    names = set(used)
    yield from (Finding(UNLABELLED, path) for stem, path in sorted(found.items()) if stem not in names)
