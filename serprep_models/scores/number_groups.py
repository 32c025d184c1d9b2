"""For whom numbers are predicted worse, and where: scores of `dimensions` within groups, and in other conditions.

Groups, their intervals and the permutations between them are those of `groups`.
"""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from itertools import combinations

import pandas as pd

from serprep._typing import DoubleArray
from serprep.systems import is_floor
from serprep_models.scores.dimensions import (
    MEAN,
    DimensionCondition,
    DimensionGroup,
    DimensionGroupDifference,
    DimensionScores,
    concordances,
    names_of,
    speaker_sums,
    summarise_numbers,
    truth_of,
)
from serprep_models.scores.groups import FEWEST, UNKNOWN, exchange, in_order, worst_marked
from serprep_models.scores.metrics import holm

Rows = tuple[tuple[DimensionGroup, ...], tuple[DimensionGroupDifference, ...]]


def score_number_groups(
    predictions: pd.DataFrame, dimensions: Sequence[str], columns: Mapping[str, Mapping[str, str]]
) -> Rows:
    """Scores within the groups of each column, of every system but floors, and differences of groups in concordance.

    Parameters
    ----------
    predictions : DataFrame
        As `summarise_numbers` takes them.
    dimensions : sequence of str
    columns : mapping
        Column → utterance's id → its group; see `group_columns`.
    """
    known = predictions[~predictions["system"].map(is_floor).astype(bool)]
    scores: list[DimensionGroup] = []
    differences: list[DimensionGroupDifference] = []
    for system, own in known.groupby("system", sort=False):
        tests: list[DimensionGroupDifference] = []
        sure = bool((own["speaker"] != "").all())
        for column, group_of in columns.items():
            groups = own["id"].map(group_of).fillna(UNKNOWN)
            parts = {name: groups == name for name in in_order(groups)}
            rows = [_scored(own[part], dimensions, (column, name), sure) for name, part in parts.items()]
            for of_dimension in zip(*rows, strict=True):
                scores += worst_marked(of_dimension, by="ccc")
            sums = {name: _sums(own, part, dimensions) for name, part in parts.items()}
            for first, second in combinations(parts, 2) if sure else ():
                exchanges = exchange(sums[first], sums[second], score=concordances)
                for dimension, exchanged in zip(names_of(dimensions), exchanges, strict=True):
                    if exchanged is not None:
                        tests.append(
                            DimensionGroupDifference(
                                system=str(system),
                                column=column,
                                dimension=dimension,
                                first=first,
                                second=second,
                                ccc=exchanged.difference,
                                ccc_interval=exchanged.interval,
                                p=exchanged.p,
                                p_holm=None,
                                within_speakers=exchanged.within_speakers,
                            )
                        )
        corrected = holm([1.0 if row.p is None else row.p for row in tests])
        differences += [
            replace(row, p_holm=None if row.p is None else p) for row, p in zip(tests, corrected, strict=True)
        ]
    return tuple(scores), tuple(differences)


def score_number_conditions(predictions: pd.DataFrame, dimensions: Sequence[str]) -> tuple[DimensionCondition, ...]:
    """Scores per condition, system and dimension, conditions in the order of the rows, which name theirs."""
    return tuple(
        DimensionCondition(condition=str(condition), **vars(row))
        for condition, own in predictions.groupby("condition", sort=False)
        for row in summarise_numbers(own, dimensions)
    )


def with_groups(
    scores: DimensionScores, predictions: pd.DataFrame, columns: Mapping[str, Mapping[str, str]]
) -> DimensionScores:
    """Scores of numbers, and those of groups besides."""
    groups, differences = score_number_groups(predictions, list(scores.scales), columns)
    return replace(scores, groups=groups, group_differences=differences)


def with_conditions(scores: DimensionScores, predictions: pd.DataFrame) -> DimensionScores:
    """Scores of numbers, and those in other conditions besides, if there are predictions of these."""
    rows = score_number_conditions(predictions, list(scores.scales)) if len(predictions) else ()
    return replace(scores, conditions=rows)


def _scored(own: pd.DataFrame, dimensions: Sequence[str], where: tuple[str, str], sure: bool) -> list[DimensionGroup]:
    """A row per dimension, and one of the mean, of the utterances of a group."""
    rows = []
    for row in summarise_numbers(own, dimensions):
        names = dimensions if row.dimension == MEAN else [row.dimension]
        told = own[own[[truth_of(name) for name in names]].notna().any(axis=1)]
        n_speakers = int(told["speaker"].nunique()) if sure else 0
        few = n_speakers < FEWEST
        rows.append(DimensionGroup(column=where[0], group=where[1], n_speakers=n_speakers, too_few=few, **vars(row)))
    return rows


def _sums(own: pd.DataFrame, part: "pd.Series[bool]", dimensions: Sequence[str]) -> DoubleArray:
    """Sums of one group, of all speakers."""
    truth = [truth_of(name) for name in dimensions]
    return speaker_sums(own.assign(**{name: own[name].where(part) for name in truth}), dimensions)
