"""One form that results and stores are written in."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from serprep.errors import SerprepError

if TYPE_CHECKING:
    from serprep.exports.source import Source


@dataclass(frozen=True)
class Predicted:
    """What a system says of one utterance."""

    id: str
    label: str
    probabilities: tuple[float, ...]  # in the order of the labels


class Exporter:
    """A form; subclasses say how it is written, and override at least one of the two methods.

    Attributes
    ----------
    name : str
        What it is asked for by, such as ``serprep predict --format NAME`` and ``serprep export --to NAME``.
    """

    name: str

    def predictions(self, rows: Iterable[Predicted], labels: Sequence[str]) -> Iterator[str]:
        """The text of predictions, piece by piece: as many rows as there are need not be in memory.

        Ids and labels may hold anything, and a terminal may read what comes out.

        Parameters
        ----------
        rows : iterable of Predicted
        labels : sequence of str
            All labels, in the order of the probabilities.
        """
        raise SerprepError(f"form {self.name!r} is one of stores, not of predictions; take csv, jsonl or arff")

    def write(self, source: "Source", folder: Path) -> None:
        """Write a store into an empty folder, batch by batch; who calls makes it appear whole.

        ``serprep.json`` and ``split.json`` are there already.
        """
        raise SerprepError(
            f"form {self.name!r} is one of predictions, not of stores; take csv, arff, npz, kaldi or another"
        )
