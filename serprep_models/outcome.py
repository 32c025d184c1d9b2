"""What a recipe's experiments gave."""

import shlex
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pandas as pd

from serprep.split import Split
from serprep.store.store import Store
from serprep.systems import is_floor
from serprep_models.conditioned import ConditionScore
from serprep_models.scores import Pair, Result, Summary, Verdict, judge, pairs_json
from serprep_models.scores.dimensions import DimensionScores
from serprep_models.scores.distributions import RaterScore
from serprep_models.scores.groups import Groups


@dataclass(frozen=True, kw_only=True)
class Outcome:
    """What a recipe's experiments gave."""

    store: Store
    split: Split
    folder: Path
    results: list[Result]
    summary: list[Summary]
    comparisons: list[Pair]
    groups: Groups  # for whom they fail
    conditions: tuple[ConditionScore, ...]  # in other rooms and over other lines
    predictions: pd.DataFrame
    n_kept: int  # experiments that were finished before
    seconds: float
    notes: tuple[str, ...] = ()  # what a reader of the scores must know
    partial: str = ""  # which experiments of the recipe are missing
    missing: tuple[tuple[str, str, int], ...] = ()  # system, fold, seed of those that were asked for and are unfinished
    scored: str = "test"  # the role that is scored
    submissions: tuple[str, ...] = ()  # files with predictions of the test part, as a challenge takes them
    warnings: tuple[str, ...] = ()  # what makes scores other than they seem: leaks, label conflicts, confounding
    audit: tuple[dict[str, Any], ...] = ()  # what an audit of the split found, per kind; class counts left out
    raters: tuple[RaterScore, ...] = ()  # how far systems are from what raters said, where that is learnt
    dimensions: DimensionScores = field(default_factory=DimensionScores)  # of numbers that are learnt, as arousal

    def _repr_html_(self) -> str:
        """What a notebook shows."""
        from serprep.pages import percent
        from serprep.pages.notebook import table

        scores = {
            row.system: f"UA {percent(row.ua)} %"
            + (" ({}–{})".format(*map(percent, row.ua_interval)) if row.ua_interval else "")
            for row in self.summary
        }
        return table(f"Outcome: {self.verdict.words or len(self.results)}", {**scores, "partial": self.partial})

    @property
    def verdict(self) -> Verdict:
        """Whether one system is the best."""
        leaks = any(row["severity"] == "leak" for row in self.audit)
        if self.dimensions.scores:
            return self.dimensions.verdict(partial=bool(self.partial), leaks=leaks)
        return judge(self.summary, self.comparisons, partial=bool(self.partial), leaks=leaks)

    def predict_command(self, system: str, *, shared: bool = False) -> str:
        """What to type to predict recordings by a system, the mean of its folds and seeds; "" if it keeps none.

        Where it is `shared` with others, it names the folder from that of the data set on.
        """
        own = [result for result in self.results if result.system == system]
        if is_floor(system) or not own:
            return ""
        transductive = any(result.transductive for result in own)
        enrol = " --enrol FILES_OF_THE_SPEAKER" if transductive else ""
        folder = Path(*self.folder.parts[-3:]) if shared else self.folder
        return f"serprep predict {shlex.quote(str(folder / system))} RECORDINGS{enrol}"


def scores_json(outcome: Outcome) -> dict[str, Any]:
    """Results, summary and comparisons as files and ``--json`` have them."""
    return {
        "results": [result.json for result in outcome.results],
        "summary": [row.json for row in outcome.summary],
        "comparisons": pairs_json(outcome.comparisons, outcome.summary),
    }
