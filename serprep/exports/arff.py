"""ARFF, as the ComParE challenges have it: predictions as names and labels; stores as names, vectors and classes."""

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from serprep.errors import one_line
from serprep.exports.compare_layout import Line, feature_columns, role_columns, write_partitions
from serprep.exports.exporter import Exporter, Predicted
from serprep.exports.source import Source

_PLAIN = re.compile(r"[A-Za-z0-9_.+-]+")
_ESCAPES = str.maketrans({"\\": "\\\\", "'": "\\'", "\n": "\\n", "\r": "\\r", "\t": "\\t", "%": "\\%"})


class _ARFF(Exporter):
    name = "arff"

    def predictions(self, rows: Iterable[Predicted], labels: Sequence[str]) -> Iterator[str]:
        named = ((one_line(row.id), one_line(row.label)) for row in rows)
        return arff_lines(named, relation="serprep_predictions", labels=[one_line(label) for label in labels])

    def write(self, source: Source, folder: Path) -> None:
        about = json.dumps(source.about, indent=1, allow_nan=False).splitlines()
        declared = [
            "@attribute name string",
            *(f"@attribute {_nominal(name)} {{train,dev,test,unused}}" for name in role_columns(source)),
            *(f"@attribute {_nominal(name)} numeric" for name in feature_columns(source)),
            f"@attribute class {{{','.join(map(_nominal, source.store.labels))}}}",
            "@data",
        ]

        def head(part: str) -> Iterator[str]:
            yield from (f"% {line}\n" for line in about)
            yield f"@relation {_nominal(f'serprep_{source.store.version[:12]}_{part}')}\n"
            yield from (f"{line}\n" for line in declared)

        write_partitions(source, folder, suffix="arff", head=head, line=_data)


def arff_lines(rows: Iterable[tuple[str, str]], *, relation: str, labels: Sequence[str]) -> Iterator[str]:
    """(name, prediction) rows as the lines of an ARFF file.

    Names are always quoted; labels where they are more than letters, digits and ``_.+-``.

    Examples
    --------
    >>> print("".join(arff_lines([("test_0001.wav", "sad")], relation="r", labels=["happy", "sad"])), end="")
    @relation r
    @attribute name string
    @attribute prediction {happy,sad}
    @data
    'test_0001.wav',sad
    """
    yield f"@relation {_nominal(relation)}\n"
    yield "@attribute name string\n"
    yield f"@attribute prediction {{{','.join(map(_nominal, labels))}}}\n"
    yield "@data\n"
    yield from (f"{_quoted(name)},{_nominal(label)}\n" for name, label in rows)


def _data(row: Line) -> str:
    (name, *roles), numbers, label = row
    known = ["?" if number == "nan" else number for number in numbers]
    return (
        ",".join([_quoted(name), *(role or "unused" for role in roles), *known, _nominal(label) if label else "?"])
        + "\n"
    )


def _quoted(text: str) -> str:
    """Between single quotes, escaped by backslash as Weka does."""
    return f"'{text.translate(_ESCAPES)}'"


def _nominal(text: str) -> str:
    return text if _PLAIN.fullmatch(text) else _quoted(text)


ARFF = _ARFF()
