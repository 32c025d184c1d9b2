"""Predictions of many experiments → scores, with intervals over speakers, and differences between systems."""

from serprep_models.scores.intervals import SCORES
from serprep_models.scores.result import Pair, Result, Summary, marks_in, pairs_json
from serprep_models.scores.summary import (
    Verdict,
    compare,
    corrected,
    judge,
    reason_of,
    recall_of,
    score,
    scored,
    shown,
    speaker_counts,
    summarise,
)

__all__ = [
    "SCORES",
    "Pair",
    "Result",
    "Summary",
    "Verdict",
    "compare",
    "corrected",
    "judge",
    "marks_in",
    "pairs_json",
    "reason_of",
    "recall_of",
    "score",
    "scored",
    "shown",
    "speaker_counts",
    "summarise",
]
