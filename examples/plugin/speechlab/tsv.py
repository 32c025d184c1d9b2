"""An export form: predictions as tab-separated values, with the probability of the label alone."""

from serprep.errors import one_line
from serprep.exports.exporter import Exporter


class _TSV(Exporter):
    name = "tsv"

    def predictions(self, rows, labels):
        yield "id\tlabel\tprobability\n"
        for row in rows:
            yield f"{one_line(row.id)}\t{one_line(row.label)}\t{max(row.probabilities):.3f}\n"


TSV = _TSV()
