"""The forms that results are written in for other programs, one file per form.

To add a form: a subclass of `Exporter` in one file and a line in `EXPORTS`; or, in a package of
your own, an entry point of the group ``serprep.exports``.
"""

from serprep.errors import SerprepError
from serprep.exports.arff import ARFF
from serprep.exports.csv_table import CSV
from serprep.exports.exporter import Exporter
from serprep.exports.jsonl import JSONL
from serprep.plugins import Registry

EXPORTS: dict[str, Exporter] = {"csv": CSV, "jsonl": JSONL, "arff": ARFF}

#: These, and those of packages installed beside serprep.
FORMS = Registry(
    group="serprep.exports",
    what="form",
    own=EXPORTS,
    base=Exporter,
    error=SerprepError,
    without="the other forms are written",
)
