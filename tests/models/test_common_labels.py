"""Labels of two sides, brought together."""

import numpy as np
import pandas as pd
import pytest

from serprep.errors import TrainError
from serprep_models.common_labels import common_labels


def test_what_is_not_in_both_is_dropped_and_counted():
    found = common_labels({"joy": 3, "sad": 2, "fear": 4, "": 1}, ("happy", "sad", "bored"), {"joy": "happy"})
    assert found.labels == ("happy", "sad")  # in the system's order
    assert found.n_dropped == 5
    assert {row.label: row.scored_as for row in found.rows} == {
        "happy": "happy",
        "sad": "sad",
        "bored": "",
        "joy": "happy",
        "fear": "",
        "": "",
    }
    assert found.notes == [
        "5 of 10 utterances are dropped: fear 4, (no label) 1",
        "the system also knows bored: left out, and the other probabilities divided by their sum",
    ]


def test_probabilities_of_merged_labels_add_up_and_sum_to_one():
    found = common_labels({"calm": 1, "angry": 1}, ("neutral", "calm", "angry", "sad"), {"neutral": "calm"})
    table = pd.DataFrame({"id": ["a", "b"], "truth": ["calm", "angry"]})
    table[["p_neutral", "p_calm", "p_angry", "p_sad"]] = [[0.2, 0.2, 0.1, 0.5], [0.0, 0.0, 0.0, 1.0]]
    kept = found.restrict(table)
    assert list(kept.columns) == ["id", "truth", "prediction", "p_calm", "p_angry"]
    np.testing.assert_allclose(kept[["p_calm", "p_angry"]], [[0.8, 0.2], [0.5, 0.5]])  # nothing left: even
    assert list(kept["prediction"]) == ["calm", "calm"]


@pytest.mark.parametrize(
    ("counts", "mapping", "message"),
    [
        ({"joy": 1, "fear": 1}, {}, "no label in common: the system knows happy, sad, the utterances are joy, fear;"),
        ({"happy": 1, "fear": 1}, {}, "only 'happy' in common"),
        ({"happy": 1, "sad": 1}, {"hapy": "sad"}, "no label 'hapy' to map; did you mean 'happy'"),
        ({"happy": 1, "sad": 1}, {"x\x1b": "sad"}, r"no label 'x\\x1b' to map; expected one of happy, sad"),
    ],
)
def test_what_cannot_be_scored_is_told(counts, mapping, message):
    with pytest.raises(TrainError, match=message):
        common_labels(counts, ("happy", "sad"), mapping)
