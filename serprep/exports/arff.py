"""Predictions as ARFF, as the ComParE challenges take them: names and predictions."""

import re
from collections.abc import Iterable, Iterator, Sequence

from serprep.errors import one_line
from serprep.exports.exporter import Exporter, Predicted

_PLAIN = re.compile(r"[A-Za-z0-9_.+-]+")
_ESCAPES = str.maketrans({"\\": "\\\\", "'": "\\'", "\n": "\\n", "\r": "\\r", "\t": "\\t", "%": "\\%"})


class _ARFF(Exporter):
    name = "arff"

    def predictions(self, rows: Iterable[Predicted], labels: Sequence[str]) -> Iterator[str]:
        named = ((one_line(row.id), one_line(row.label)) for row in rows)
        return arff_lines(named, relation="serprep_predictions", labels=[one_line(label) for label in labels])


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


def _quoted(text: str) -> str:
    """Between single quotes, escaped by backslash as Weka does."""
    return f"'{text.translate(_ESCAPES)}'"


def _nominal(text: str) -> str:
    return text if _PLAIN.fullmatch(text) else _quoted(text)


ARFF = _ARFF()
