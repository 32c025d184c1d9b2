"""The floor and the classic."""

import numpy as np

from serprep_models.baselines import compare_svm, majority


def test_majority_predicts_the_most_frequent_training_label() -> None:
    scores = majority(np.array([2, 2, 0]), 4, 3)
    assert scores.tolist() == [[0, 0, 1]] * 4


def test_svm_separates_what_is_separable_and_names_labels_by_place() -> None:
    rng = np.random.default_rng(0)
    labels = np.repeat([0, 2], 50)
    values = rng.normal(0, 0.1, (100, 300)).astype("f4") + labels[:, None]
    scores = compare_svm(values, labels, values, n_labels=3)
    assert (scores.argmax(1) == labels).all()
    assert (scores.sum(1) == 1).all()


def test_svm_with_one_class_falls_back_to_it() -> None:
    values = np.zeros((4, 3), "f4")
    assert compare_svm(values, np.full(4, 1), values, n_labels=2).argmax(1).tolist() == [1, 1, 1, 1]
