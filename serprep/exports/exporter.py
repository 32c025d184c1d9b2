"""One form that results are written in."""

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass


@dataclass(frozen=True)
class Predicted:
    """What a system says of one utterance."""

    id: str
    label: str
    probabilities: tuple[float, ...]  # in the order of the labels


class Exporter(ABC):
    """A form; subclasses say how it is written.

    Attributes
    ----------
    name : str
        What it is asked for by, such as ``serprep predict --format NAME``.
    """

    name: str

    @abstractmethod
    def predictions(self, rows: Iterable[Predicted], labels: Sequence[str]) -> Iterator[str]:
        """The text of predictions, piece by piece: as many rows as there are need not be in memory.

        Ids and labels may hold anything, and a terminal may read what comes out.

        Parameters
        ----------
        rows : iterable of Predicted
        labels : sequence of str
            All labels, in the order of the probabilities.
        """
