"""The classic: a linear SVM on rows, above all on the functionals.

It is that of the ComParE challenges (Schuller et al., 2018): one against the rest,
rare labels weighted or upsampled, and C chosen on the development part, or by folds of the
training part that keep speakers together.  The same folds turn its margins to
probabilities, by one factor for all labels, so that the most probable label is the SVM's.
"""

import hashlib
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Literal

import numpy as np

from serprep._json import canonical_json
from serprep._typing import AnyArray, DoubleArray, FloatArray, IntArray
from serprep.config import within
from serprep.features.extract import Features
from serprep.metrics import ranking_ua
from serprep.systems import Shapes, SystemSpec, options_of, row_kinds

if TYPE_CHECKING:
    from serprep_models.fold import Fitted, Fold

N_FOLDS = 5  # of the training part, where there is no development part
NEVER = -1e4  # logit of a label that no training utterance has
_TOLERANCE = 1e-7  # of the margins on the support, which are about 1
_AXES = 128  # of the preconditioner
_STEPS, _TURNS = 100, 2000  # at most: a C so large that they do not do is hardly the best


@dataclass(frozen=True, kw_only=True)
class Labelled:
    """Rows of some utterances, and what is known of them."""

    values: FloatArray  # (n, n_features), standardised
    labels: IntArray  # (n,) places among the declared labels
    speakers: Sequence[str]  # "" where unknown
    parents: IntArray | None = None  # (n,) place of what each was made from, its own for recordings; None: all are

    @property
    def recordings(self) -> IntArray:
        """Places of those that were made from no other."""
        own = np.arange(len(self.labels))
        return own if self.parents is None else own[self.parents == own]


@dataclass(frozen=True, kw_only=True)
class LinearSVM:
    """A linear SVM, one against the rest.

    Attributes
    ----------
    weights : ndarray, shape (n_labels, n_features), float32
        Scaled, so that the softmax of ``values @ weights.T + bias`` are probabilities.
    bias : ndarray, shape (n_labels,), float32
        Very low for a label that no training utterance has.
    choice : dict
        ``c``, ``chosen_on`` and ``ua``: of each C, on what it was chosen on.
    """

    weights: FloatArray
    bias: FloatArray
    choice: dict[str, Any]

    def probabilities(self, values: FloatArray) -> FloatArray:
        """Of each label, shape (n, n_labels)."""
        logits = values.astype(np.float64) @ self.weights.T.astype(np.float64) + self.bias
        return _softmax(logits).astype(np.float32)


def compare_svm(
    train: Labelled, *, n_labels: int, c: Sequence[float], dev: Labelled | None = None, balance: str = "weights"
) -> LinearSVM:
    """A linear SVM whose C and scale are chosen without the test part.

    Parameters
    ----------
    train : Labelled
    n_labels : int
    c : sequence of float
        C to choose from; of equally good ones, the smallest.
    dev : Labelled, optional
        On what to choose; default folds of the training part.
    balance : {"weights", "upsampling"}
        What makes up for labels being rare.
    """
    present = np.unique(train.labels)
    if len(present) < 2:
        w, b = fit(train.values, train.labels, c=1.0, n_labels=n_labels)
        nothing: dict[str, Any] = {"c": None, "chosen_on": "nothing: one label", "ua": {}}
        return LinearSVM(weights=w.astype(np.float32), bias=b.astype(np.float32), choice=nothing)
    everything = train.values if dev is None else np.concatenate([train.values, dev.values])
    wide = len(everything) < everything.shape[1]  # then inner products are less than the values, and all that counts
    seen: FloatArray | DoubleArray = everything
    learning: Callable[..., Iterator[tuple[DoubleArray, DoubleArray]]] = fits
    if wide:
        seen = gram(everything)
        learning = partial(fits_wide, few=few_axes(seen))
    learning = partial(learning, n_labels=n_labels, balance=balance)
    # (what learns, what is predicted, its labels)
    parts: list[tuple[IntArray, FloatArray | DoubleArray, IntArray]]
    if dev is not None:
        on, parts = "dev", [(np.arange(len(train.labels)), seen[len(train.labels) :], dev.labels)]
    else:
        on, numbers = inner_folds(train, present)
        heard = np.isin(np.arange(len(numbers)), train.recordings)  # a child is learnt from, and chooses nothing
        held = [numbers == number for number in np.unique(numbers)]
        parts = [(np.flatnonzero(~own), seen[own & heard], train.labels[own & heard]) for own in held]
    truth = np.concatenate([train.labels[:0], *(labels for _, _, labels in parts)])
    grid, pieces = sorted(c), []
    for rows, values, _ in parts:
        machines = learning(seen, rows, train.labels[rows], c=grid)
        pieces.append([values @ w.T + b for w, b in machines])
    margins = dict(zip(grid, map(np.concatenate, zip(*pieces, strict=True)), strict=bool(parts)))
    uas = {cost: ranking_ua(truth, values.argmax(1), n_labels) for cost, values in margins.items()}
    best = max(uas, key=lambda cost: (uas[cost], -cost)) if uas else min(c)
    ((w, b),) = learning(seen, np.arange(len(train.labels)), train.labels, c=[best])
    scale = scale_of(margins[best], truth) if margins else 1.0
    absent = ~np.isin(np.arange(n_labels), present)
    choice = {"c": best, "chosen_on": on, "ua": {repr(cost): ua for cost, ua in uas.items()}}
    return LinearSVM(
        weights=(scale * (w @ everything if wide else w)).astype(np.float32),
        bias=np.where(absent, NEVER, scale * b).astype(np.float32),
        choice=choice,
    )


def gram(values: FloatArray) -> DoubleArray:
    """Inner products of all rows, shape (n, n)."""
    exact = values.astype(np.float64)
    products: DoubleArray = exact @ exact.T
    return products


def few_axes(products: DoubleArray) -> DoubleArray:
    """Values on the few axes that matter most, shape (n, at most 128): their inner products are nearly `products`."""
    n_axes = min(_AXES, len(products))
    drawn = np.random.default_rng(0).standard_normal((len(products), n_axes))
    basis = np.linalg.qr(products @ (products @ drawn))[0]
    sizes, axes = np.linalg.eigh(basis.T @ products @ basis)
    few: DoubleArray = basis @ (axes * np.sqrt(np.maximum(sizes, 0)))
    return few


def fits_wide(
    products: DoubleArray,
    rows: IntArray,
    labels: IntArray,
    *,
    few: DoubleArray,
    c: Sequence[float],
    n_labels: int,
    balance: str,
) -> Iterator[tuple[DoubleArray, DoubleArray]]:
    """The machines of `fits`, from inner products alone: weights (n_labels, n) are of utterances.

    The loss is that of `fit`, ``|w|² / 2 + Σ cᵢ max(0, 1 - yᵢ fᵢ)²`` with the bias as one more weight,
    minimised by Newton's method (Chapelle, "Training a support vector machine in the primal", 2007):
    of those with ``yᵢ fᵢ < 1``, the support, ``(K + 1 + diag(1 / 2cᵢ)) β = y``, all others' β are 0.
    All labels are solved for at once, each C from the one before.

    Parameters
    ----------
    products : ndarray, shape (n, n)
    rows : ndarray, shape (m,)
        Those who learn.
    labels : ndarray, shape (m,)
        Theirs.
    few : ndarray, shape (n, n_axes)
        As of `few_axes`; they make it fast, and change nothing.
    c : sequence of float
        Ascending.
    n_labels, balance
        As of `compare_svm`.
    """
    present, counts = np.unique(labels, return_counts=True)
    kernel = products[np.ix_(rows, rows)] + 1
    mine = labels[:, None] == present
    y = np.where(mine, 1.0, -1.0)
    share = len(labels) / (len(present) * counts)  # what makes labels alike
    if balance == "upsampling":
        copies = np.bincount(balanced_rows(labels), minlength=len(labels))[:, None]
        weight = np.broadcast_to(copies.astype(np.float64), y.shape)
    else:  # of the others of several labels none is rare
        weight = np.where(mine, share, share[::-1] if len(present) == 2 else 1.0)
    low = np.column_stack([few[rows], np.ones(len(rows))])
    beta = np.zeros_like(y)
    for cost in c:
        if len(present) > 1:
            beta = _newton(kernel, low, y, cost * weight, beta)
        weights, bias = np.zeros((n_labels, len(products))), np.full(n_labels, NEVER)
        weights[np.ix_(present, rows)], bias[present] = beta.T, beta.sum(axis=0)
        yield weights, bias


def _newton(kernel: DoubleArray, low: DoubleArray, y: DoubleArray, c: DoubleArray, beta: DoubleArray) -> DoubleArray:
    """The β of each column of `y`, beginning at `beta`."""
    margins, support, tolerance = kernel @ beta, np.zeros(y.shape, bool), 1e-1
    for _ in range(_STEPS):
        before, support = support, y * margins < 1
        tolerance = max(_TOLERANCE, tolerance / 10)
        if tolerance == _TOLERANCE and (support == before).all():
            break
        step = _solve(kernel, low, y, c, support, beta * support, tolerance) - beta
        ahead = kernel @ step

        def loss(part: DoubleArray, step: DoubleArray = step, ahead: DoubleArray = ahead) -> DoubleArray:
            f = margins + part * ahead  # noqa: B023 - called in this turn
            size = ((beta + part * step) * f).sum(axis=0) / 2  # noqa: B023
            total: DoubleArray = size + (c * np.square(np.maximum(0, 1 - y * f))).sum(axis=0)
            return total

        part, now = np.ones(y.shape[1]), loss(np.zeros(y.shape[1]))
        while ((worse := loss(part) > now * (1 + 1e-12)) & (part > 1e-6)).any():
            part = np.where(worse, part / 2, part)
        beta, margins = beta + part * step, margins + part * ahead
    return beta


def _solve(
    kernel: DoubleArray,
    low: DoubleArray,
    y: DoubleArray,
    c: DoubleArray,
    support: AnyArray,
    beta: DoubleArray,
    tolerance: float,
) -> DoubleArray:
    """``(K + diag(1 / 2c)) β = y`` on the support of each column, by conjugate gradients.

    They are preconditioned by the inverse of what `low` says of K, and the mean of the rest on the diagonal.
    """
    ridge = 1 / (2 * c)
    tail = float((kernel.diagonal() - np.square(low).sum(axis=1)).mean())
    scale = support / (ridge + max(tail, 0.0))
    inner = np.linalg.inv([np.eye(low.shape[1]) + (low.T * column) @ low for column in scale.T])

    def nearly(rest: DoubleArray) -> DoubleArray:
        part = scale * rest
        part -= scale * (low @ np.einsum("lkm,ml->kl", inner, low.T @ part))
        return part

    rest = np.where(support, y - kernel @ beta - ridge * beta, 0.0)
    toward = ahead = nearly(rest)
    power, goal = (rest * toward).sum(axis=0), tolerance**2 * (y * nearly(y * support)).sum(axis=0)
    for _ in range(_TURNS):
        if (power <= goal).all():
            break
        along = np.where(support, kernel @ ahead + ridge * ahead, 0.0)
        length = power / np.maximum((ahead * along).sum(axis=0), 1e-300)
        length[power <= goal] = 0  # done: it waits for the others
        beta, rest = beta + length * ahead, rest - length * along
        toward = nearly(rest)
        last, power = power, (rest * toward).sum(axis=0)
        ahead = toward + power / np.maximum(last, 1e-300) * ahead
    return beta


def balanced_rows(labels: IntArray) -> IntArray:
    """Rows with repetitions, so many of each label as the most frequent one has."""
    most = np.bincount(labels).max()
    return np.concatenate([np.resize(np.flatnonzero(labels == label), most) for label in np.unique(labels)])


def fits(
    values: FloatArray | DoubleArray,
    rows: IntArray,
    labels: IntArray,
    *,
    c: Sequence[float],
    n_labels: int,
    balance: str,
) -> Iterator[tuple[DoubleArray, DoubleArray]]:
    """The machines of some rows, one of each C."""
    return (fit(values[rows], labels, c=cost, n_labels=n_labels, balance=balance) for cost in c)


def fit(
    values: FloatArray | DoubleArray, labels: IntArray, *, c: float, n_labels: int, balance: str = "weights"
) -> tuple[DoubleArray, DoubleArray]:
    """Weights (n_labels, n_features) and bias (n_labels,) of a linear SVM; a label nobody has gets ``NEVER``."""
    from sklearn.exceptions import ConvergenceWarning
    from sklearn.svm import LinearSVC

    weights, bias = np.zeros((n_labels, values.shape[1])), np.full(n_labels, NEVER)
    rows = np.arange(len(labels))
    if balance == "upsampling":
        rows = balanced_rows(labels)
    if len(np.unique(labels)) < 2:
        bias[labels[:1]] = 0
        return weights, bias
    machine = LinearSVC(C=c, class_weight="balanced" if balance == "weights" else None, random_state=0, max_iter=2000)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", ConvergenceWarning)  # of a large C, which then is hardly the best
        machine.fit(values[rows], labels[rows])
    if len(machine.classes_) == 2:
        weights[machine.classes_] = np.concatenate([-machine.coef_, machine.coef_])
        bias[machine.classes_] = np.concatenate([-machine.intercept_, machine.intercept_])
    else:
        weights[machine.classes_], bias[machine.classes_] = machine.coef_, machine.intercept_
    return weights, bias


def inner_folds(train: Labelled, present: IntArray) -> tuple[str, IntArray]:
    """On what C is chosen, in words, and the number of each utterance's fold, shape (n,).

    Folds keep speakers together where there are two or more of them, children with their parents, and are
    balanced by label.
    """
    from sklearn.model_selection import StratifiedGroupKFold, StratifiedKFold

    recordings = train.recordings
    speakers, labels = np.array(train.speakers)[recordings], train.labels[recordings]
    n_speakers, counts = len(np.unique(speakers)), np.bincount(labels)[present]
    parts: IntArray = np.zeros(len(recordings), np.int64)
    by_speaker = "" not in set(train.speakers) and n_speakers > 1
    # scikit-learn wants some label in every fold, or, where speakers do not matter, each of them
    n_folds = min(N_FOLDS, n_speakers, int(counts.max())) if by_speaker else min(N_FOLDS, int(counts.min()))
    if n_folds < 2:
        return "nothing: too few utterances", parts[:0]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", UserWarning)  # a label may have fewer utterances than there are folds
        kind = StratifiedGroupKFold if by_speaker else StratifiedKFold
        folds = kind(n_folds, shuffle=True, random_state=0)
        for number, (_, held) in enumerate(folds.split(np.zeros(len(parts)), labels, speakers)):
            parts[held] = number
    if train.parents is not None:
        parts = parts[np.searchsorted(recordings, train.parents)]
    return f"{n_folds} folds of the training part, by {'speaker' if by_speaker else 'utterance'}", parts


def scale_of(margins: DoubleArray, truth: IntArray) -> float:
    """The factor that makes the softmax of margins (n, n_labels) most likely, every label counting alike.

    One factor for all labels leaves their order as it is (temperature scaling, Guo et al., 2017).
    """
    from scipy.optimize import minimize_scalar

    seen = margins[np.arange(len(truth)), truth] > NEVER  # of other labels no factor can make up
    margins, truth = margins[seen], truth[seen]
    weight = 1 / np.bincount(truth, minlength=margins.shape[1])[truth]

    def loss(logarithm: float) -> float:
        chances = _softmax(np.exp(logarithm) * margins)[np.arange(len(truth)), truth]
        return float(-(weight * np.log(np.maximum(chances, 1e-300))).sum())

    return float(np.exp(minimize_scalar(loss, bounds=(-5, 5), method="bounded").x))


def _softmax(logits: DoubleArray) -> DoubleArray:
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    chances: DoubleArray = powers / powers.sum(axis=1, keepdims=True)
    return chances


# -- the systems ---------------------------------------------------------------------


@dataclass(frozen=True, kw_only=True)
class Options:
    """``[train.compare-svm]``."""

    c: tuple[float, ...] = within(0, 1e9, default=(1e-5, 1e-4, 1e-3), above=True)  # chosen from, without the test
    balance: Literal["weights", "upsampling"] = "weights"  # of rare labels


@dataclass(frozen=True, kw_only=True)
class OfFeatures(Options):
    """``[train.svm]``."""

    features: tuple[str, ...] = ("functionals",)  # kinds of feature with a row per utterance


def machine_of(fold: "Fold", features: tuple[str, ...], options: Options | None = None) -> LinearSVM:
    """The linear SVM of a fold; the same for all systems and seeds, so what one of them made is taken.

    Parameters
    ----------
    fold : Fold
        Every training row has a label.
    features : tuple of str
    options : Options, optional
        Default those of compare-svm.
    """
    own = options or options_of(COMPARE_SVM.name, fold.how.options)
    learns, how = fold.labelled("train"), fold.how
    chooses = fold.labelled("dev") if fold.use_dev and how.keep == "best" else []

    def labelled(rows: Sequence[int]) -> Labelled:
        return Labelled(
            values=fold.values(features, rows),
            labels=fold.labels(rows),
            speakers=fold.speakers(rows),
            parents=fold.parents(rows),
        )

    def fill(out: FloatArray) -> dict[str, Any]:
        dev = labelled(chooses) if chooses else None
        svm = compare_svm(labelled(learns), n_labels=fold.n_labels, c=own.c, dev=dev, balance=own.balance)
        out[:, :-1], out[:, -1] = svm.weights, svm.bias
        return svm.choice

    origin = [fold.store.seal, learns, chooses, own.c, own.balance, how.standardisation, how.enrol]
    origin += [] if features == OfFeatures.features else [features]  # as before there was a choice
    name = hashlib.sha256(canonical_json([learns, chooses, *origin[7:]])).hexdigest()[:16]
    shape = (fold.n_labels, sum(fold.shapes(features)[name][0] for name in features) + 1)
    values, choice = fold.remembered(f"svm-{name}", shape, origin=origin, fill=fill)
    return LinearSVM(weights=np.array(values[:, :-1]), bias=np.array(values[:, -1]), choice=choice)


class SVM(SystemSpec[OfFeatures]):
    """A linear SVM on rows of any kinds."""

    name = "svm"
    options = OfFeatures
    seeded = False
    by_gradient = False

    def features(self, options: OfFeatures) -> tuple[str, ...]:
        """What it reads."""
        return options.features

    def inputs(self, options: OfFeatures, features: Features) -> tuple[str, ...]:
        """Rows."""
        return row_kinds(self.name, self.features(options), features)

    def make(self, options: OfFeatures, shapes: Shapes, n_labels: int) -> Any:
        """The machine as a module."""
        from serprep_models.system import LinearMachine

        names = self.features(options)
        return LinearMachine(names, sum(shapes[name][0] for name in names), n_labels)

    def share(self, options: OfFeatures) -> str:
        """The machine."""
        return "linear SVMs"

    def shares(self, options: OfFeatures, fold: "Fold") -> None:
        """Train it."""
        machine_of(fold, self.features(options), options)

    def fit(self, options: OfFeatures, fold: "Fold") -> "Fitted":
        """Train it, and score by it."""
        import torch

        from serprep_models.fold import Fitted

        names = self.features(options)
        svm = machine_of(fold, names, options)
        module = self.make(options, fold.shapes(names), fold.n_labels)
        module.load_state_dict({"svm.weight": torch.from_numpy(svm.weights), "svm.bias": torch.from_numpy(svm.bias)})
        scores = {role: svm.probabilities(fold.values(names, fold.rows[role])) for role in fold.scored}
        return Fitted(scores=scores, module=module, note={"svm": svm.choice})

    def graph(self, layers: Any, options: OfFeatures, inputs: Mapping[str, str]) -> str:
        """The machine as ONNX."""
        rows = layers.beside(*(inputs[name] for name in self.features(options)))
        return layers.softmax(layers.linear("svm", rows))  # type: ignore[no-any-return]


class CompareSVM(SVM):
    """The same on the functionals, as in the ComParE challenges."""

    name = "compare-svm"
    options = Options  # type: ignore[assignment]  # it has no choice of features
    by_default = True
    formerly: ClassVar[Mapping[str, str]] = {"svm_c": "c", "svm_balance": "balance"}

    def features(self, options: Options) -> tuple[str, ...]:
        """The functionals."""
        return OfFeatures.features


COMPARE_SVM, LINEAR_SVM = CompareSVM(), SVM()
