"""Files by roles: utterances that have the same role in every fold lie together, so that a fold is a list of files.

Nothing is written twice, however many folds there are.
"""

from collections.abc import Callable, Iterator
from typing import Generic, TypeVar

from serprep.errors import SplitError
from serprep.exports.source import Source

MOST = 400  # files that are open at a time
HELD = 64 << 20  # bytes in all files' groups of rows that are not full

Row = TypeVar("Row")


class Groups(Generic[Row]):
    """Rows by the roles of their utterance, written in groups of some size; memory holds `HELD` bytes."""

    def __init__(self, write: Callable[[int, list[Row]], None], *, full: int = 8 << 20) -> None:
        self.write, self.full = write, full
        self._rows: dict[int, list[Row]] = {}
        self._sizes: dict[int, int] = {}

    def add(self, number: int, row: Row, n_bytes: int) -> None:
        """A row of the file of that number."""
        self._rows.setdefault(number, []).append(row)
        self._sizes[number] = self._sizes.get(number, 0) + n_bytes
        if self._sizes[number] >= self.full:
            self._flush(number)
        elif sum(self._sizes.values()) >= HELD:
            self._flush(max(self._sizes, key=lambda file: self._sizes[file]))

    def close(self) -> None:
        """Write what is left."""
        for number in sorted(self._rows):
            self._flush(number)

    def _flush(self, number: int) -> None:
        rows = self._rows.pop(number)
        del self._sizes[number]
        self.write(number, rows)


def numbers_of(source: Source) -> dict[tuple[str, ...], int]:
    """Roles in all folds → the number of their file.

    Raises
    ------
    SplitError
        If there are too many.
    """
    patterns = list(source.patterns)
    if len(patterns) > MOST:
        raise SplitError(
            f"the split gives {len(patterns)} different sequences of roles over its {len(source.folds)} folds; "
            f"this form writes a file for each, {MOST} at most: export with fewer folds, or as npz"
        )
    return {roles: number for number, roles in enumerate(patterns)}


def fold_files(source: Source, names: Callable[[int], str]) -> Iterator[tuple[str, dict[str, list[str]]]]:
    """Fold → role → names of its files."""
    for place, fold in enumerate(source.folds):
        files: dict[str, list[str]] = {}
        for roles, number in numbers_of(source).items():
            if roles[place]:
                files.setdefault(roles[place], []).append(names(number))
        yield fold, dict(sorted(files.items(), key=lambda item: ("train", "dev", "test").index(item[0])))
