"""The floor and the classic: the majority class, and a linear SVM on the functionals."""

import numpy as np

from serprep._typing import FloatArray, IntArray

SVM_C = 1e-4


def majority(labels: IntArray, n_test: int, n_labels: int) -> FloatArray:
    """The most frequent training label for everybody, shape (n_test, n_labels); ties to the first."""
    scores = np.zeros((n_test, n_labels), np.float32)
    scores[:, np.bincount(labels, minlength=n_labels).argmax()] = 1
    return scores


def compare_svm(train: FloatArray, labels: IntArray, test: FloatArray, *, n_labels: int) -> FloatArray:
    """A linear SVM, C = 1e-4, balanced class weights.

    Parameters
    ----------
    train, test : ndarray, shape (n, 6373)
        Functionals, standardised with statistics of the training part.
    labels : ndarray, shape (n_train,)
        Places among the declared labels.

    Returns
    -------
    ndarray, shape (n_test, n_labels)
        1 for the predicted label, else 0: an SVM's margins are no probabilities.
    """
    from sklearn.svm import LinearSVC

    scores = np.zeros((len(test), n_labels), np.float32)
    if len(set(labels.tolist())) < 2:
        return majority(labels, len(test), n_labels)
    machine = LinearSVC(C=SVM_C, class_weight="balanced", random_state=0, max_iter=20_000)
    machine.fit(train, labels)
    scores[np.arange(len(test)), machine.predict(test)] = 1
    return scores
