"""The floor."""

import numpy as np

from serprep_models.systems.majority import majority


def test_majority_predicts_the_most_frequent_training_label() -> None:
    scores = majority(np.array([2, 2, 0]), 4, 3)
    assert scores.tolist() == [[0, 0, 1]] * 4
