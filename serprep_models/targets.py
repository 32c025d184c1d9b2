"""What systems learn of an utterance: its label, what raters said of it, or numbers such as arousal.

A target says what is true of the rows of a store, which of them can be trained on, and how
predictions are written and scored.  Numbers are mapped from their scale, which the recipe
names, for single corpora otherwise, to 0 … 1; a value outside is refused.
"""

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import pandas as pd

from serprep._typing import AnyArray, DoubleArray, FloatArray
from serprep.errors import TrainError, first_ten, one_line
from serprep.recipe import TrainConfig
from serprep.store.store import Store
from serprep.text import as_float, did_you_mean
from serprep_models.children import parents_of
from serprep_models.raters import read_said
from serprep_models.scores import score
from serprep_models.scores.dimensions import Scales, predicted_of, score_numbers, truth_of
from serprep_models.scores.distributions import divergence_of

_ABOUT = ("id", "speaker", "role")  # columns of all predictions
CORPUS = "corpus"  # the column that tells several apart


class Target(ABC):
    """What is learnt.  Safe to pickle."""

    probabilities: ClassVar[bool] = True  # whether outputs are probabilities of labels

    @abstractmethod
    def names(self, store: Store) -> tuple[str, ...]:
        """Of the outputs."""

    def n_outputs(self, store: Store) -> int:
        """How many outputs are trained."""
        return len(self.names(store))

    @abstractmethod
    def truth(self, store: Store, rows: Any) -> AnyArray:
        """Of rows: places among labels (n,) int64, -1 where there is none, or numbers (n, k) float32, NaN likewise."""

    def known(self, store: Store) -> list[bool]:
        """Of every row of the store, whether it can be trained on."""
        truth = self.truth(store, range(len(store)))
        known = np.asarray(truth >= 0 if truth.ndim == 1 else (~np.isnan(truth)).any(axis=1))
        return [bool(each) for each in known]

    def check(self, store: Store) -> None:  # noqa: B027 - a store holds its labels
        """Raise a TrainError if the store does not hold what is to be learnt."""

    @abstractmethod
    def frame(self, store: Store, rows: Sequence[int], given: FloatArray, role: str) -> pd.DataFrame:
        """Predictions of some utterances, one a row."""

    @abstractmethod
    def score(self, predictions: pd.DataFrame, store: Store) -> dict[str, Any]:
        """What the result of an experiment says of the predictions of its scored part."""


@dataclass(frozen=True)
class Emotion(Target):
    """The declared label."""

    def names(self, store: Store) -> tuple[str, ...]:
        """The labels."""
        return store.labels

    def truth(self, store: Store, rows: Any) -> AnyArray:
        """Places among them."""
        place = {label: number for number, label in enumerate(store.labels)}
        emotions = store.emotions
        return np.array([place.get(emotions[row], -1) for row in rows], np.int64)

    def frame(self, store: Store, rows: Sequence[int], given: FloatArray, role: str) -> pd.DataFrame:
        """id, speaker, role, truth, prediction, and a probability per label."""
        frame = _about(store, rows, role)
        frame["truth"] = [store.emotions[row] for row in rows]
        frame["prediction"] = [store.labels[place] for place in given.argmax(axis=1)]
        for place, label in enumerate(store.labels):
            frame[f"p_{label}"] = given[:, place]
        return frame

    def score(self, predictions: pd.DataFrame, store: Store) -> dict[str, Any]:
        """WA, UA, recall, confusion."""
        return score(predictions, store.labels)


@dataclass(frozen=True)
class Raters(Emotion):
    """What raters said of the labels; predictions and scores are those of labels, and divergences besides."""

    path: str  # of what `serprep_models.raters` wrote

    def truth(self, store: Store, rows: Any) -> AnyArray:
        """Distributions."""
        said = read_said(Path(self.path))
        parents = parents_of(store)  # of what was made from another, raters heard that
        return said.of([store.ids[parents[row]] for row in rows]).astype(np.float32)

    def score(self, predictions: pd.DataFrame, store: Store) -> dict[str, Any]:
        """Of labels, and how far from the raters."""
        return super().score(predictions, store) | {
            "raters": divergence_of(predictions, read_said(Path(self.path)).frame())
        }


@dataclass(frozen=True)
class Dimensions(Target):
    """Numbers: column → where its scale begins and ends, of single corpora otherwise."""

    scales: Scales
    of_corpora: Mapping[str, Scales] = field(default_factory=dict)  # name of a [[corpus]] → its own
    emotion: bool = False  # whether the label is learnt beside: logits stand behind the numbers, its place in the truth
    probabilities = False

    def names(self, store: Store) -> tuple[str, ...]:
        """The columns."""
        return tuple(self.scales)

    def n_outputs(self, store: Store) -> int:
        """Numbers, and logits of labels learnt beside."""
        return len(self.scales) + (len(store.labels) if self.emotion else 0)

    def truth(self, store: Store, rows: Any) -> AnyArray:
        """Their values on a scale from 0 to 1; behind them the place of the label, where that is learnt beside."""
        chosen, columns = np.asarray(rows, np.int64), []
        for name in self.scales:
            low, high = self._ends(store, name)
            columns.append(((numbers_of(store, name) - low) / (high - low))[chosen])
        if self.emotion:
            places = EMOTION.truth(store, rows)
            columns.append(np.where(places < 0, np.nan, places))
        return np.stack(columns, axis=1).astype(np.float32)

    def _ends(self, store: Store, name: str) -> DoubleArray:
        """Where the scale of every row begins and ends, shape (2, n)."""
        corpora = corpora_of(store) if self.of_corpora else ()
        corpora = corpora or [""] * len(store)
        ends = [self.of_corpora.get(corpus, {}).get(name, self.scales[name]) for corpus in corpora]
        return np.array(ends, np.float64).T

    def check(self, store: Store, *, where: str = "[train.scales]") -> None:
        """Raise a TrainError if a column is none of numbers, or a value lies outside its scale, named `where`."""
        problems, there = [], set(corpora_of(store))
        for corpus in self.of_corpora:
            if corpus not in there:
                known = f"; it has {one_line(', '.join(sorted(there)))}" if there else ""
                problems.append(f"[train.scales.{one_line(corpus)}]: the store has no corpus of that name{known}")
        for name in self.scales:
            values, (low, high) = numbers_of(store, name), self._ends(store, name)
            for row in np.flatnonzero((values < low) | (values > high)):
                problems.append(
                    f"utterance {one_line(store.ids[row])!r}: {name} is {values[row]:g}, and its scale is "
                    f"[{low[row]:g}, {high[row]:g}]; name another in {where}, or leave the utterance out"
                )
            if np.isnan(values).all():
                remedy = "; leave it out of [train] target" if where == "[train.scales]" else ", which the system says"
                problems.append(f"no utterance has a number for {name}{remedy}")
        if problems:
            raise TrainError(first_ten(problems))

    def frame(self, store: Store, rows: Sequence[int], given: FloatArray, role: str) -> pd.DataFrame:
        """id, speaker, role, and per dimension what is true and what is predicted, both from 0 to 1."""
        frame, truth = _about(store, rows, role), self.truth(store, rows)
        for place, name in enumerate(self.scales):
            frame[truth_of(name)], frame[predicted_of(name)] = truth[:, place], given[:, place]
        if self.emotion:
            logits = given[:, len(self.scales) :].astype(np.float64)
            chances = np.exp(logits - logits.max(axis=1, keepdims=True))
            chances /= chances.sum(axis=1, keepdims=True)
            told = EMOTION.frame(store, rows, chances.astype(np.float32), role)
            frame = pd.concat([frame, told.drop(columns=list(_ABOUT))], axis=1)
        return frame

    def score(self, predictions: pd.DataFrame, store: Store) -> dict[str, Any]:
        """Concordance, correlation and error per dimension, and the scales."""
        return {
            **(EMOTION.score(predictions, store) if self.emotion else {}),
            "n_test": len(predictions),
            "dimensions": score_numbers(predictions, self.names(store)),
            "scales": {name: list(ends) for name, ends in self.scales.items()},
            **({"scales_of": self.of_corpora} if self.of_corpora else {}),
        }


def corpora_of(store: Store) -> Sequence[str]:
    """The corpus of every row; nothing where a store is of one."""
    return list(store.column(CORPUS)) if CORPUS in store.columns else ()


def numbers_of(store: Store, name: str) -> DoubleArray:
    """A column of numbers, shape (n,), NaN where a cell is empty.

    Raises
    ------
    TrainError
        If there is no such column, or a cell holds something else.
    """
    if name not in store.columns:
        known = [column for column in store.columns if column in store.numbers] or list(store.columns)
        raise TrainError(
            f"[train] target: the store has no column {one_line(name)!r}; expected some of "
            f"{one_line(', '.join(known))}{did_you_mean(name, store.columns)}"
        )
    numbers = np.full(len(store), np.nan)
    for row, cell in enumerate(store.column(name)):
        value = as_float(cell) if isinstance(cell, str) else float(cell)
        if cell != "" and value is None:
            raise TrainError(
                f"utterance {one_line(store.ids[row])!r}: {one_line(name)} is {one_line(cell)!r}; expected a number, "
                "or nothing"
            )
        numbers[row] = np.nan if value is None else value
    return numbers


def _about(store: Store, rows: Sequence[int], role: str) -> pd.DataFrame:
    ids, speakers = store.ids, store.speakers
    values = ([ids[row] for row in rows], [speakers[row] for row in rows], role)
    return pd.DataFrame(dict(zip(_ABOUT, values, strict=True)))


EMOTION = Emotion()


def target_of(how: TrainConfig, raters: str = "") -> Target:
    """What a configuration asks to learn; `raters` is where it stands what they said."""
    if how.target == "raters":
        return Raters(raters)
    if not how.dimensions:
        return EMOTION
    return replace(dimensions_of(how.dimensions, how.scales), emotion=how.emotion_weight > 0)


def dimensions_of(names: Sequence[str], scales: Mapping[str, Any]) -> Dimensions:
    """Columns of numbers, with scales as ``[train.scales]`` has them."""

    def ends(table: Mapping[str, Any]) -> dict[str, tuple[float, float]]:
        return {name: (float(table[name][0]), float(table[name][1])) for name in names if name in table}

    tables = {corpus: table for corpus, table in scales.items() if isinstance(table, Mapping)}
    return Dimensions(ends(scales), {corpus: ends(table) for corpus, table in tables.items()})
