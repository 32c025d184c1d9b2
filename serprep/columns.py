"""The columns of a manifest, once: readers, writers, checks, types of arrays and ``docs/manifest.md`` follow from it.

Columns that are not here are a corpus's own, and text.
"""

import re
from dataclasses import dataclass
from typing import Any, Literal

from serprep.text import as_float, as_int, described

_DIGEST = re.compile(r"[0-9a-f]{64}")


@dataclass(frozen=True)
class Column:
    """One column.

    Attributes
    ----------
    name : str
    type : {"text", "number", "count", "digest", "scale"}
        A scale holds numbers, or words; a number and a count are 0 or more.
    place : {"first", "own", "last", "store"}
        Where it stands: at the beginning, among the corpus's own, at the end, or in stores alone.
    by : {"corpus", "audio"}
        Who says it.
    unit, meaning : str
    required : bool
        Whether no cell may be empty.
    """

    name: str
    type: Literal["text", "number", "count", "digest", "scale"]
    place: Literal["first", "own", "last", "store"]
    by: Literal["corpus", "audio"]
    unit: str
    meaning: str
    required: bool = False

    @property
    def dtype(self) -> str:
        """Type of its array in a store, where it holds what its type says."""
        return {"number": "float64", "count": "int64"}.get(self.type, "string")

    @property
    def expected(self) -> str:
        """What its cells hold, in words."""
        return EXPECTED[self.type]

    def value(self, cell: str) -> Any:
        """What a cell of a CSV holds: text, a number, or None.

        Raises
        ------
        ValueError
            If it is something else; the message is one line.

        Examples
        --------
        >>> COLUMNS["start"].value("1.5"), COLUMNS["start"].value(""), COLUMNS["sample_rate"].value("16000")
        (1.5, None, 16000)
        """
        if self.type in ("number", "count"):
            number = as_float(cell) if self.type == "number" else as_int(cell)
            if cell and (number is None or number < 0):
                raise ValueError(f"{self.name} is {described(cell)}; expected {self.expected}, or nothing")
            return number
        if self.type == "digest" and cell and not _DIGEST.fullmatch(cell):
            raise ValueError(f"{self.name} is {described(cell)}; expected {self.expected}, or nothing")
        return cell


EXPECTED = {
    "text": "text",
    "number": "a number from 0",
    "count": "a whole number from 0",
    "digest": "64 lower-case hexadecimal digits",
    "scale": "a number, or text",
}

# fmt: off
#: In the order of the CSV.
COLUMNS: dict[str, Column] = {column.name: column for column in (
    Column("id", "text", "first", "corpus", "", "names the utterance within the corpus", required=True),
    Column("path", "text", "first", "corpus", "", "the recording, relative to the corpus root, with `/`",
           required=True),
    Column("start", "number", "first", "corpus", "s",
           "where the utterance begins in the file; empty: at its beginning"),
    Column("end", "number", "first", "corpus", "s", "where it ends; empty: at the file's end"),
    Column("speaker", "text", "first", "corpus", "", "who speaks; empty: the corpus does not tell"),
    Column("text", "text", "own", "corpus", "", "what is said: the words, or the corpus's code of them"),
    Column("sentence", "text", "own", "corpus", "", "the same, where a corpus calls it so"),
    Column("transcript", "text", "own", "corpus", "", "the same, where a corpus calls it so"),
    Column("session", "text", "own", "corpus", "", "the recording session"),
    Column("dialogue", "text", "own", "corpus", "", "the conversation that it is cut from"),
    Column("partner", "text", "own", "corpus", "", "who is spoken to there"),
    Column("gender", "text", "own", "corpus", "", "of the speaker"),
    Column("valence", "scale", "own", "corpus", "the corpus's scale", "unpleasant to pleasant"),
    Column("arousal", "scale", "own", "corpus", "the corpus's scale", "calm to excited"),
    Column("dominance", "scale", "own", "corpus", "the corpus's scale", "weak to strong"),
    Column("emotion", "text", "last", "corpus", "", "the corpus's own word or code; empty: no label"),
    Column("partition", "text", "last", "corpus", "", "the corpus's own division, such as train, devel, test"),
    Column("duration", "number", "last", "audio", "s",
           "of this utterance; empty: its audio was missing or unreadable, or not looked at"),
    Column("sample_rate", "count", "last", "audio", "Hz", "of the file"),
    Column("audio_digest", "digest", "last", "audio", "", "SHA-256 of the whole file's bytes"),
    Column("n_samples", "count", "store", "audio", "samples", "of the signal, at the configured rate"),
    Column("n_frames", "count", "store", "audio", "frames", "of the contour that segments are cut from"),
)}
# fmt: on

FIRST = tuple(name for name, column in COLUMNS.items() if column.place == "first")
LAST = tuple(name for name, column in COLUMNS.items() if column.place == "last")
OWN = tuple(name for name, column in COLUMNS.items() if column.place == "own")  # of a corpus; known by these names
REQUIRED = tuple(name for name, column in COLUMNS.items() if column.required)
RESERVED = frozenset(name for name, column in COLUMNS.items() if column.place != "own")
DIMENSIONS = tuple(name for name, column in COLUMNS.items() if column.type == "scale")
TOLD = tuple(name for name in (*FIRST, *LAST) if COLUMNS[name].by == "corpus")  # what a label file can tell


def dtype_of(name: str) -> str:
    """Type of a column's array in a store."""
    return COLUMNS[name].dtype if name in COLUMNS else "string"
