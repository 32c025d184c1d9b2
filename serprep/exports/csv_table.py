"""CSV: predictions as id, label and a column of probabilities per label; stores as the ComParE challenges have them."""

import csv
import io
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

from serprep.errors import one_line
from serprep.exports.compare_layout import feature_columns, role_columns, write_partitions
from serprep.exports.exporter import Exporter, Predicted
from serprep.exports.source import Source


class _CSV(Exporter):
    name = "csv"

    def predictions(self, rows: Iterable[Predicted], labels: Sequence[str]) -> Iterator[str]:
        yield line(["id", "label", *(f"p_{one_line(label)}" for label in labels)])
        for row in rows:
            yield line([one_line(row.id), one_line(row.label), *map(repr, row.probabilities)])

    def write(self, source: Source, folder: Path) -> None:
        head = line(["name", *role_columns(source), *feature_columns(source), "class"])
        write_partitions(
            source,
            folder,
            suffix="csv",
            head=lambda _: [head],
            line=lambda row: line([*row[0], *row[1], row[2]]),
        )


def line(cells: Sequence[str]) -> str:
    """A line of CSV."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerow(cells)
    return text.getvalue()


CSV = _CSV()
