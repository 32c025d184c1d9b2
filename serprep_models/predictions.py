"""What trained systems say of utterances, and its forms as text."""

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

import numpy as np

from serprep._typing import FloatArray
from serprep.errors import TrainError, one_line
from serprep.exports import FORMS
from serprep.exports.csv_table import line as csv_line
from serprep.exports.exporter import Predicted
from serprep_models.scores.calibration import Abstention


@dataclass(frozen=True)
class Predictions:
    """Probabilities of utterances, or numbers such as arousal, and what could not be predicted."""

    ids: tuple[str, ...]
    labels: tuple[str, ...]  # or names of numbers
    probabilities: FloatArray  # (n, n_labels), rows sum to 1; or numbers, on the scales of the recipe
    reasons: Mapping[str, str]  # id → why it could not be used
    notes: tuple[str, ...] = ()  # what a reader must know
    transductive: bool = False  # whether recordings of the predicted speakers made the statistics
    abstention: Abstention | None = None  # below which probability no label is given
    numbers: bool = False

    def predicted(self) -> list[str]:
        """The most probable label of each utterance; ties to the first; "" where the system abstains."""
        least = self.abstention.threshold if self.abstention else 0.0
        best = zip(self.probabilities.argmax(axis=1), self.probabilities.max(axis=1), strict=True)
        return [self.labels[place] if chance >= least else "" for place, chance in best]

    def abstaining(self, abstention: Abstention) -> "Predictions":
        """The same without labels below a probability, and a note that says what it was worth."""
        return replace(self, abstention=abstention, notes=(*self.notes, abstention.words))


def _csv(predictions: Predictions) -> Iterator[str]:
    """Numbers as CSV: id, and a column of each."""
    for cells in (("id", *predictions.labels), *zip(predictions.ids, *_columns(predictions), strict=True)):
        yield csv_line([one_line(cell) for cell in cells])


def _jsonl(predictions: Predictions) -> Iterator[str]:
    """Numbers as lines of JSON: id, and a table of each."""
    for name, *values in zip(predictions.ids, *_columns(predictions), strict=True):
        yield json.dumps({"id": name, "numbers": dict(zip(predictions.labels, values, strict=True))}) + "\n"


def _columns(predictions: Predictions) -> list[list[float]]:
    """The numbers of each name."""
    return predictions.probabilities.astype(np.float64).round(6).T.tolist()  # type: ignore[no-any-return]


NUMBERS = {"csv": _csv, "jsonl": _jsonl}


def render(predictions: Predictions, form: str) -> str:
    """Predictions as text of a form, one of `serprep.exports.FORMS`.

    Raises
    ------
    TrainError
        If the form is one of labels, and numbers are predicted.
    """
    if predictions.numbers:
        if form not in NUMBERS:
            raise TrainError(f"form {one_line(form)} is one of labels; expected {' or '.join(NUMBERS)} for numbers")
        return "".join(NUMBERS[form](predictions))
    rows = map(Predicted, predictions.ids, predictions.predicted(), map(tuple, predictions.probabilities.tolist()))
    return "".join(FORMS[form].predictions(rows, predictions.labels))
