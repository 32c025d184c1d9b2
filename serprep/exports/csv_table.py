"""Predictions as CSV: id, label, and a column of probabilities per label."""

import csv
import io
from collections.abc import Iterable, Iterator, Sequence

from serprep.errors import one_line
from serprep.exports.exporter import Exporter, Predicted


class _CSV(Exporter):
    name = "csv"

    def predictions(self, rows: Iterable[Predicted], labels: Sequence[str]) -> Iterator[str]:
        yield _line(["id", "label", *(f"p_{one_line(label)}" for label in labels)])
        for row in rows:
            yield _line([one_line(row.id), one_line(row.label), *map(repr, row.probabilities)])


def _line(cells: Sequence[str]) -> str:
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(cells)
    return text.getvalue()


CSV = _CSV()
