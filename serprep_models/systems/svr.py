"""The linear baseline for numbers: a support vector regression on rows, one per dimension.

It is scikit-learn's `LinearSVR` (Ho and Lin, 2012).  C is chosen by concordance on the
development part, or in folds of the training part that keep speakers together.
"""

import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from serprep._typing import DoubleArray, FloatArray, IntArray
from serprep.config import within
from serprep.features.extract import Features
from serprep.systems import Shapes, SystemSpec, row_kinds

if TYPE_CHECKING:
    from serprep_models.fold import Fitted, Fold

N_FOLDS = 5  # of the training part, where there is no development part


@dataclass(frozen=True, kw_only=True)
class Options:
    """``[train.svr]``."""

    features: tuple[str, ...] = ("functionals",)  # kinds of feature with a row per utterance
    c: tuple[float, ...] = within(0, 1e9, default=(1e-5, 1e-4, 1e-3, 1e-2), above=True)  # chosen from, without the test
    epsilon: float = within(0, 1, default=0.0)  # errors up to it cost nothing, on a scale from 0 to 1


@dataclass(frozen=True, kw_only=True)
class _Part:
    """Rows of which a dimension is known."""

    values: FloatArray
    numbers: DoubleArray


class SVR(SystemSpec[Options]):
    """Linear support vector regression."""

    name = "svr"
    options = Options
    by_default = True
    seeded = False
    by_gradient = False
    labels = False
    numbers = True

    def inputs(self, options: Options, features: Features) -> tuple[str, ...]:
        """Rows."""
        return row_kinds(self.name, options.features, features)

    def make(self, options: Options, shapes: Shapes, n_labels: int) -> Any:
        """The machine as a module."""
        from serprep_models.system import LinearMachine

        return LinearMachine(options.features, sum(shapes[name][0] for name in options.features), n_labels)

    def fit(self, options: Options, fold: "Fold") -> "Fitted":
        """Train one machine per dimension, and score by them."""
        import torch

        from serprep_models.fold import Fitted

        names, rows = options.features, fold.rows["train"]
        values, truth = fold.values(names, rows), fold.truth(rows)
        speakers = fold.speakers(rows)
        chooses = fold.rows["dev"] if fold.use_dev and fold.how.keep == "best" else []
        dev = (fold.values(names, chooses), fold.truth(chooses)) if chooses else None
        weights, notes = [], {}
        for place, name in enumerate(fold.how.dimensions):
            known = ~np.isnan(truth[:, place])
            train = _Part(values=values[known], numbers=truth[known, place].astype(np.float64))
            own = [speaker for speaker, told in zip(speakers, known, strict=True) if told]
            parents = (np.cumsum(known) - 1)[fold.parents(rows)[known]]
            sides = _inner(train, own, parents) if dev is None else [(train, _known(*dev, place))]
            scores = {c: _mean_concordance(sides, c=c, epsilon=options.epsilon) for c in options.c}
            best = max(options.c, key=lambda c: (-1.0 if scores[c] is None else scores[c], -c))
            weights.append(_fitted(train, c=best, epsilon=options.epsilon))
            on = "dev" if dev is not None else f"{len(sides)} folds of the training part"
            notes[name] = {"c": best, "chosen_on": on, "ccc": {f"{c:g}": scores[c] for c in options.c}}
        table = np.stack(weights).astype(np.float32)
        module = self.make(options, fold.shapes(names), len(table))
        state = {
            "svm.weight": torch.from_numpy(table[:, :-1].copy()),
            "svm.bias": torch.from_numpy(table[:, -1].copy()),
        }
        module.load_state_dict(state)
        given = {
            role: _predicted(fold.values(names, fold.rows[role]), table).astype(np.float32) for role in fold.scored
        }
        return Fitted(scores=given, module=module, note={"svr": notes})

    def graph(self, layers: Any, options: Options, inputs: Mapping[str, str]) -> str:
        """The machine as ONNX."""
        return layers.linear("svm", layers.beside(*(inputs[name] for name in options.features)))  # type: ignore[no-any-return]


def _known(values: FloatArray, truth: FloatArray, place: int) -> _Part:
    known = ~np.isnan(truth[:, place])
    return _Part(values=values[known], numbers=truth[known, place].astype(np.float64))


def _inner(train: _Part, speakers: Sequence[str], parents: IntArray) -> list[tuple[_Part, _Part]]:
    """Sides to learn from and to try on; speakers are kept together where there are two or more.

    Children are learnt from beside their parents, and nothing is tried on them.
    """
    from sklearn.model_selection import GroupKFold, KFold

    groups, recordings = len(set(speakers)), np.flatnonzero(parents == np.arange(len(parents)))
    n_folds = min(N_FOLDS, groups if groups > 1 else len(recordings))
    if n_folds < 2:
        return []
    folds = GroupKFold(n_folds) if groups > 1 else KFold(n_folds)

    def part(chosen: IntArray) -> _Part:
        return _Part(values=train.values[chosen], numbers=train.numbers[chosen])

    own = [speakers[place] for place in recordings.tolist()] if groups > 1 else None
    return [
        (part(np.flatnonzero(np.isin(parents, recordings[learn]))), part(recordings[tried]))
        for learn, tried in folds.split(recordings, groups=own)
    ]


def _mean_concordance(sides: Sequence[tuple[_Part, _Part]], *, c: float, epsilon: float) -> float | None:
    from serprep_models.scores.concordance import concordance

    tried = [
        concordance(part.numbers, _predicted(part.values, _fitted(learn, c=c, epsilon=epsilon)[None])[:, 0])
        for learn, part in sides
    ]
    defined = [value for value in tried if value == value]
    return float(np.mean(defined)) if defined else None


def _fitted(train: _Part, *, c: float, epsilon: float) -> DoubleArray:
    """Weights, and the intercept behind them."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.svm import LinearSVR

    mean = train.numbers.mean() if len(train.numbers) else 0.0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # a C so large that it does not do is hardly the best
        machine = LinearSVR(C=c, epsilon=epsilon, random_state=0).fit(train.values, train.numbers - mean)
    return np.append(machine.coef_, machine.intercept_ + mean)


def _predicted(values: FloatArray, table: FloatArray | DoubleArray) -> DoubleArray:
    """Of rows (n, d) by weights and intercepts (k, d + 1), shape (n, k)."""
    weights = table.astype(np.float64)
    return values.astype(np.float64) @ weights[:, :-1].T + weights[:, -1]


SPEC = SVR()
