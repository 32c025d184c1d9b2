"""What a listener marked: a CSV that the browser writes and a recipe names (``[corpus] marks``).

Columns ``id``, ``mark`` and ``emotion``: which utterance, what is doubtful about it, and which
label it should have ("" where it stays).  Whoever is marked "leave out" is left out; other marks
are for people, and change nothing.
"""

import csv
import io
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from serprep.errors import ManifestError, first_ten, one_line
from serprep.files import read_regular
from serprep.text import not_text

COLUMNS = ("id", "mark", "emotion")
LEAVE_OUT = "leave out"
#: What the keys 1 to 9 say.
MARKS = (
    "label in doubt",
    "another emotion",
    "mixed emotions",
    "no emotion",
    "acted badly",
    "noise or damage",
    "cut or incomplete",
    "another speaker",
    LEAVE_OUT,
)


@dataclass(frozen=True)
class Mark:
    """What was marked about one utterance."""

    id: str
    mark: str = ""
    emotion: str = ""  # the label that it should have; "": as it is


def read_marks(path: Path) -> tuple[Mark, ...]:
    """Marks as the browser writes them.

    Raises
    ------
    ManifestError
        If the file cannot be read, is no such table, or names an utterance twice.
    """
    place = one_line(path)
    try:
        data = read_regular(path)
        if why := not_text(data):
            raise ManifestError(f"{place} is {why}")
        rows = list(csv.reader(io.StringIO(data.decode("utf-8-sig"), newline=""), strict=True))
    except OSError as error:
        raise ManifestError(f"{place}: {error.strerror}; expected marks, as `serprep browse` saves them") from None
    except (UnicodeDecodeError, csv.Error) as error:
        raise ManifestError(f"{place}: {one_line(error)}; expected a CSV in UTF-8: {','.join(COLUMNS)}") from None
    if not rows or tuple(rows[0]) != COLUMNS:
        raise ManifestError(f"{place}:1: expected the columns {','.join(COLUMNS)}, as `serprep browse` saves them")
    cells = [(number, row) for number, row in enumerate(rows[1:], start=2) if row]
    problems = [f"{place}:{number}: {len(row)} cells; expected 3" for number, row in cells if len(row) != len(COLUMNS)]
    ids: set[str] = set()
    for number, (id_, *_) in cells:
        if id_ in ids:
            problems.append(f"{place}:{number}: utterance {one_line(id_)!r} is marked twice")
        ids.add(id_)
    if problems:
        raise ManifestError(first_ten(problems))
    return tuple(Mark(*row) for _, row in cells)


def left_out(marks: Iterable[Mark]) -> list[str]:
    """Ids of utterances that are to be left out."""
    return [mark.id for mark in marks if mark.mark == LEAVE_OUT]


def corrections(marks: Iterable[Mark]) -> dict[str, str]:
    """Id → the label that it should have."""
    return {mark.id: mark.emotion for mark in marks if mark.emotion and mark.mark != LEAVE_OUT}
