"""Label files as corpora ship them: UTF-8 or Latin-1, any line ends, with or without a byte-order mark.

A place such as ``Labels/labels.csv:3`` is a file relative to the corpus root, and a line
counted from 1.  What is wrong with a whole file is an error; what was repaired or passed
over is a `Finding` for the reader to yield on.
"""

import csv
import dataclasses
import errno
import io
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from serprep.audio.decode import SUFFIXES
from serprep.corpora.corpus import Finding
from serprep.errors import CorpusError, brief, one_line
from serprep.place.corpus import read_file, walk
from serprep.text import not_text
from serprep.utterance import Utterance

LATIN_1 = "label files that are not UTF-8, read as Latin-1"
ABSENT = "recordings that a label file names but that are not there"
UNLABELLED = "recordings that no label file names passed over"
TWICE = "recordings of a name that is there already passed over"
LOSSY = (".mp3", ".ogg")


@dataclass(frozen=True)
class Line:
    """A line of a label file, without its end."""

    place: str
    text: str


@dataclass(frozen=True)
class Row:
    """A row of a table: column → stripped cell."""

    place: str
    cells: Mapping[str, str]


def find(root: Path, *names: str) -> str:
    """The first of `names`, relative to `root`, that is a file.

    Raises
    ------
    CorpusError
        If none is.
    """
    for name in names:
        if (root / name).is_file():
            return name
    others = f" (or {', '.join(names[1:])})" if names[1:] else ""
    raise CorpusError(f"{one_line(root / names[0])}: no such file; expected a label file{others}")


def is_there(recording: Path) -> bool:
    """Whether a recording that a label file names is there; whatever has too long a name is not."""
    try:
        return recording.is_file()
    except OSError as error:
        if error.errno != errno.ENAMETOOLONG:
            raise
        return False


def read_text(root: Path, name: str) -> tuple[str, list[Finding]]:
    r"""The text of a label file with ``\n`` line ends, and what was repaired.

    Raises
    ------
    CorpusError
        If it cannot be read or is not text.
    """
    try:
        data = read_file(root / name)
    except OSError as error:
        raise CorpusError(f"{one_line(root / name)}: {error.strerror}; expected a label file") from None
    if why := not_text(data):
        raise CorpusError(f"{one_line(root / name)}:1: the file is {why}")
    findings = []
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        text = data.decode("latin-1")
        findings = [Finding(LATIN_1, f"{name}:{_line_of(data, error.start)}")]
    if "\0" in text:
        place = f"{one_line(root / name)}:{_line_of(data, data.index(0))}"
        raise CorpusError(f"{place}: a zero byte; expected text in UTF-8 or Latin-1")
    return text.replace("\r\n", "\n").replace("\r", "\n"), findings


def _line_of(data: bytes, position: int) -> int:
    return data[:position].replace(b"\r\n", b"\n").replace(b"\r", b"\n").count(b"\n") + 1


def read_lines(root: Path, name: str) -> tuple[list[Line], list[Finding]]:
    """Lines of a label file that are not blank, and what was repaired.

    Raises
    ------
    CorpusError
        If it cannot be read or is not text.
    """
    text, findings = read_text(root, name)
    numbered = enumerate(text.split("\n"), start=1)  # splitlines() would split at U+0085 and U+2028 as well
    lines = [Line(f"{name}:{number}", line) for number, line in numbered if line.strip()]
    if not lines:
        findings.append(Finding("label files that hold nothing", name))
    return lines, findings


def read_table(
    root: Path, name: str, *, columns: Iterable[str], older: Mapping[str, str] | None = None
) -> tuple[list[Row], list[Finding]]:
    """Rows of a CSV or TSV file with a header, and what was repaired.

    Parameters
    ----------
    root, name : Path, str
        The corpus root, and the file relative to it.
    columns : iterable of str
        What the header must hold, in any order; it may hold more.
    older : mapping of str to str
        Names that older releases give to columns → the name in `columns`.

    Raises
    ------
    CorpusError
        If the file cannot be read, lacks a column, or has rows longer or shorter than its header.
    """
    text, findings = read_text(root, name)
    rows = [
        Row(place, {(older or {}).get(column, column): cell for column, cell in cells.items()})
        for place, cells in csv_rows(text, root=root, name=name, columns=columns, older=older)
    ]
    return rows, findings


def csv_rows(
    text: str, *, root: Path, name: str, columns: Iterable[str] = (), older: Mapping[str, str] | None = None
) -> Iterator[tuple[str, dict[str, str]]]:
    """Rows of a table's text as (place, column → stripped cell); columns keep their names.

    The separator is the commonest of ``,``, ``;`` and tab in the header, and tab in a ``.tsv``.

    Raises
    ------
    CorpusError
        As `read_table`.
    """
    path = one_line(root / name)
    header = text.partition("\n")[0]
    tabs = PurePosixPath(name).suffix.lower() in {".tsv", ".tab"}
    delimiter = "\t" if tabs else max(",;\t", key=header.count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=delimiter, strict=True)
    try:
        names = [cell.strip() for cell in next(reader, [])]
        if len(set(names)) < len(names):
            twice = next(cell for number, cell in enumerate(names) if cell in names[:number])
            raise CorpusError(f"{path}:1: a column name stands twice, {brief(twice, 40)!r}; rename one")
        known = {(older or {}).get(column, column) for column in names}
        missing = [column for column in columns if column not in known]
        if missing:
            raise CorpusError(f"{path}:1: no column {missing[0]!r}; it has {', '.join(map(repr, names)) or 'none'}")
        for cells in reader:
            if not any(cell.strip() for cell in cells):
                continue
            if len(cells) != len(names):
                raise CorpusError(
                    f"{path}:{reader.line_num}: {len(cells)} cells, the header has {len(names)}; "
                    f"quote cells that hold {delimiter!r}"
                )
            yield f"{name}:{reader.line_num}", dict(zip(names, (cell.strip() for cell in cells), strict=True))
    except csv.Error as error:
        raise CorpusError(f"{path}:{reader.line_num}: {error}; expected a table separated by {delimiter!r}") from None


def recordings(root: Path, folder: str = ".") -> tuple[dict[str, str], list[Finding]]:
    """Recordings below a folder by stem, as paths relative to `root`, and those whose stem is there already.

    Of several recordings of one stem a lossless one counts, then the shallowest, then the
    first in path order: unpacking a corpus twice, one copy inside the other, must not double it.
    """
    path_of: dict[str, str] = {}
    findings = []
    for path in _paths(root, folder):
        if path_of.setdefault(PurePosixPath(path).stem, path) != path:
            findings.append(Finding(TWICE, path))
    return dict(sorted(path_of.items(), key=lambda item: item[1])), findings


def named_recordings(
    root: Path, named: Callable[[str], Utterance | None], *, corpus: str
) -> Iterator[Utterance | Finding]:
    """What the names of the recordings below `root` tell, in path order; each id once, as in `recordings`."""
    items: dict[str, Utterance | Finding] = {}
    seen: set[str] = set()
    for path in _paths(root, "."):
        utterance = named(path)
        if utterance is None:
            items[path] = Finding(f"recordings not named like {corpus} passed over", path)
        elif utterance.id in seen:
            items[path] = Finding(TWICE, path)
        else:
            seen.add(utterance.id)
            items[path] = dataclasses.replace(utterance, path=path)
    yield from (items[path] for path in sorted(items))


def _paths(root: Path, folder: str) -> list[str]:
    """Recordings below a folder, relative to `root`, those first that count when there are several."""
    prefix = "" if folder == "." else f"{folder}/"
    paths = [f"{prefix}{path}" for path in walk(root / folder, SUFFIXES)] if (root / folder).is_dir() else []
    return sorted(paths, key=lambda path: (path.lower().endswith(LOSSY), path.count("/"), path))
