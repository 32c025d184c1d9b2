"""The classic."""

import numpy as np
import pytest
import scipy

from serprep_models.systems.svm import (
    NEVER,
    Labelled,
    compare_svm,
    few_axes,
    fit,
    fits_wide,
    gram,
    inner_folds,
    scale_of,
)


def drawn(n: int, n_features: int, *, n_labels: int = 3, apart: float = 0.3, seed: int = 0) -> Labelled:
    """Utterances of 6 speakers, labels in turn, a few features that tell them apart."""
    rng = np.random.default_rng(seed)
    labels = np.arange(n) % n_labels
    values = rng.normal(size=(n, n_features))
    values[:, :n_labels] += apart * np.eye(n_labels)[labels] * np.sqrt(n_features)
    return Labelled(values=values.astype("f4"), labels=labels, speakers=[f"s{i // 3 % 6}" for i in range(n)])


def test_svm_separates_what_is_separable_and_names_labels_by_place() -> None:
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 2], 50)
    values = rng.normal(0, 0.1, (100, 300)).astype("f4") + labels[:, None]
    train = Labelled(values=values, labels=labels, speakers=["a", "b", "c", "d"] * 25)
    found = compare_svm(train, n_labels=3, c=(1e-3,)).probabilities(values)
    assert (found.argmax(1) == labels).all()
    assert found.sum(1) == pytest.approx(1)
    assert (found[:, 1] == 0).all()  # nobody has it


def test_svm_with_one_class_falls_back_to_it() -> None:
    train = Labelled(values=np.zeros((4, 3), "f4"), labels=np.full(4, 1), speakers=["a", "a", "b", "b"])
    assert compare_svm(train, n_labels=2, c=(1e-4, 1)).probabilities(train.values).argmax(1).tolist() == [1, 1, 1, 1]


def wide(train: Labelled, c: tuple[float, ...], *, n_labels: int, balance: str = "weights", n_axes: int = 128):
    """Weights of all rows and bias of each C, from inner products."""
    products, rows = gram(train.values), np.arange(len(train.labels))
    few = few_axes(products)[:, :n_axes]
    return list(fits_wide(products, rows, train.labels, few=few, c=c, n_labels=n_labels, balance=balance))


@pytest.mark.parametrize("balance", ["weights", "upsampling"])
@pytest.mark.parametrize("n_labels", [2, 4])
def test_inner_products_give_the_machine_of_all_features(n_labels: int, balance: str) -> None:
    """Against scikit-learn on the features themselves, which is told to be exact."""
    from sklearn.svm import LinearSVC

    train = drawn(90, 700, n_labels=n_labels)
    kept = np.r_[:60, 60:90:3, 61]  # labels are not equally frequent
    train = Labelled(values=train.values[kept], labels=train.labels[kept], speakers=[""] * len(kept))
    rows, weights = np.arange(len(kept)), "balanced" if balance == "weights" else None
    if balance == "upsampling":
        alike = [np.flatnonzero(train.labels == label) for label in range(n_labels)]
        rows = np.concatenate([np.resize(own, max(map(len, alike))) for own in alike])
    for c, (w, b) in zip((1e-3, 1e-1), wide(train, (1e-3, 1e-1), n_labels=n_labels, balance=balance), strict=True):
        exact = LinearSVC(C=c, class_weight=weights, dual=True, random_state=0, tol=1e-10, max_iter=100_000)
        exact.fit(train.values[rows].astype("f8"), train.labels[rows])
        margins = exact.decision_function(train.values.astype("f8"))
        ours = gram(train.values) @ w.T + b
        np.testing.assert_allclose(ours, np.stack([-margins, margins], 1) if n_labels == 2 else margins, atol=1e-5)


def test_support_and_optimum_do_not_depend_on_the_preconditioner() -> None:
    train = drawn(90, 400, apart=0.1)
    ((w, b),) = wide(train, (1e-2,), n_labels=3)
    ((other, bias),) = wide(train, (1e-2,), n_labels=3, n_axes=1)
    np.testing.assert_allclose(other, w, atol=1e-7)
    np.testing.assert_allclose(bias, b, atol=1e-6)
    ratio = 3 * np.bincount(train.labels) / 90
    for label in range(3):  # the condition of the optimum: β = 2 c y (1 - y f) where that is above 0
        y = np.where(train.labels == label, 1.0, -1.0)
        short = np.maximum(0, 1 - y * (gram(train.values) @ w[label] + b[label]))
        np.testing.assert_allclose(w[label], 2e-2 / ratio[0] * y * short, atol=1e-7)


def test_as_many_utterances_as_features_are_left_to_scikit_learn() -> None:
    train = drawn(60, 60, apart=1)
    found = compare_svm(train, n_labels=3, c=(1e-3,))
    ratio = found.weights / fit(train.values, train.labels, c=1e-3, n_labels=3)[0]
    np.testing.assert_allclose(ratio, ratio[0, 0], rtol=1e-5)  # one factor for all


def test_c_is_the_best_on_the_development_part_and_the_smaller_of_equals() -> None:
    train, dev = drawn(120, 300, apart=0.1), drawn(60, 300, apart=0.1, seed=1)
    grid = (1e-7, 1e-3, 1e1)
    choice = compare_svm(train, n_labels=3, c=grid, dev=dev).choice
    expected = {}
    for c in grid:
        weights, bias = fit(train.values, train.labels, c=c, n_labels=3)
        predicted = (dev.values @ weights.T + bias).argmax(1)
        expected[repr(c)] = np.mean([(predicted[dev.labels == label] == label).mean() for label in range(3)])
    assert choice["ua"] == pytest.approx(expected)
    assert choice["chosen_on"] == "dev"
    assert choice["c"] == min(c for c in grid if expected[repr(c)] == max(expected.values()))
    easy = drawn(60, 300, apart=2)
    assert compare_svm(easy, n_labels=3, c=(1.0, 1e-2, 1e-1)).choice["c"] == 1e-2  # all are perfect


def test_inner_folds_keep_speakers_together() -> None:
    train = drawn(120, 4)
    on, parts = inner_folds(train, np.arange(3))
    assert on == "5 folds of the training part, by speaker"
    speakers = np.array(train.speakers)
    assert all(len(set(parts[speakers == name])) == 1 for name in set(train.speakers))
    unknown = Labelled(values=train.values, labels=train.labels, speakers=[""] * 120)
    assert inner_folds(unknown, np.arange(3))[0] == "5 folds of the training part, by utterance"
    lonely = Labelled(values=train.values[:3], labels=train.labels[:3], speakers=["a"] * 3)
    assert compare_svm(lonely, n_labels=3, c=(1e-2, 1e-3)).choice["chosen_on"] == "nothing: too few utterances"


def test_few_utterances_have_no_more_folds_than_any_label_has_utterances() -> None:
    """Eight utterances, two of each label, of eight speakers: scikit-learn refuses five folds."""
    few = drawn(8, 40, n_labels=4)
    few = Labelled(values=few.values, labels=few.labels, speakers=[f"s{i}" for i in range(8)])
    assert compare_svm(few, n_labels=4, c=(1e-3, 1e-2)).choice["chosen_on"].startswith("2 folds")
    one_each = Labelled(values=few.values[:4], labels=few.labels[:4], speakers=few.speakers[:4])
    assert compare_svm(one_each, n_labels=4, c=(1e-3, 1e-2)).choice["chosen_on"].startswith("nothing")


def test_upsampling_repeats_rare_labels_as_weights_would_count_them() -> None:
    """Utterances that all count n times are the same machine as n copies of them."""
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 1], [30, 10])
    values = rng.normal(size=(40, 5)) + labels[:, None]
    copies = np.concatenate([np.arange(30), np.tile(np.arange(30, 40), 3)])
    expected = fit(values[copies], labels[copies], c=0.1, n_labels=2)  # balanced already: every weight is 1
    found = fit(values, labels, c=0.1, n_labels=2, balance="upsampling")
    for ours, theirs in zip(found, expected, strict=True):
        np.testing.assert_allclose(ours, theirs, atol=1e-3)


def test_the_factor_for_margins_is_the_one_that_made_them() -> None:
    """Labels drawn by the softmax of 2.5 times the margins: the factor found is 2.5, up to chance."""
    rng = np.random.default_rng(0)
    margins = rng.normal(size=(40_000, 3))
    chances = scipy.special.softmax(2.5 * margins, axis=1)
    truth = (rng.random(len(chances))[:, None] > chances.cumsum(1)).sum(1)
    assert scale_of(margins, truth) == pytest.approx(2.5, rel=0.05)
    unseen = np.concatenate([margins, np.tile([0.0, 0.0, NEVER], (50, 1))])
    assert scale_of(unseen, np.append(truth, np.full(50, 2))) == pytest.approx(scale_of(margins, truth))
