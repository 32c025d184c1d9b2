"""The forms that results and stores are written in for other programs, one file per form.

To add a form: a subclass of `Exporter` in one file and a line in `EXPORTS`; or, in a package of
your own, an entry point of the group ``serprep.exports``.
"""

from collections.abc import Mapping

from serprep.errors import SerprepError
from serprep.exports.exporter import Exporter
from serprep.plugins import ByName, Registry

EXPORTS: Mapping[str, Exporter] = ByName(
    {
        "csv": "serprep.exports.csv_table:CSV",
        "jsonl": "serprep.exports.jsonl:JSONL",
        "arff": "serprep.exports.arff:ARFF",
        "npz": "serprep.exports.npz:NPZ",
        "kaldi": "serprep.exports.kaldi:KALDI",
        "audformat": "serprep.exports.audformat_db:AUDFORMAT",
        "huggingface": "serprep.exports.huggingface:HUGGINGFACE",
        "webdataset": "serprep.exports.webdataset:WEBDATASET",
        "lhotse": "serprep.exports.lhotse:LHOTSE",
        "croissant": "serprep.exports.croissant:CROISSANT",
    }
)

#: These, and those of packages installed beside serprep.
FORMS = Registry(
    group="serprep.exports",
    what="form",
    own=EXPORTS,
    base=Exporter,
    error=SerprepError,
    without="the other forms are written",
)
