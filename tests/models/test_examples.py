"""Examples and batches against the store, read one utterance at a time."""

import numpy as np
import pytest
import torch

from serprep.errors import TrainError
from serprep_models.examples import check_store, kinds_of, load
from serprep_models.standardise import CLIP, training_statistics


@pytest.fixture(scope="module")
def examples(small):
    _, store = small
    rows = list(range(20, 5, -1))
    kinds = ("short", "long", "functionals")
    statistics = training_statistics(store, rows, kinds)
    return store, rows, statistics, load(store, rows, kinds=kinds, statistics=statistics)


def test_a_batch_holds_each_utterances_own_features(examples) -> None:
    store, rows, statistics, loaded = examples
    chosen = torch.tensor([3, 0, 14, 3])
    batch = loaded.batch(chosen)
    begin = 0
    for place, i in enumerate(chosen.tolist()):
        expected = statistics["short"].apply(store.segments(rows[i], 30))
        count = int(batch.counts["short"][place])
        assert np.array_equal(batch.segments["short"][begin : begin + count].numpy(), expected)
        begin += count
        functionals = statistics["functionals"].apply(store.functionals(rows[i])[None], clip=CLIP)[0]
        assert np.array_equal(batch.functionals[place].numpy(), functionals)
        assert store.labels[int(batch.labels[place])] == store.emotions[rows[i]]
    assert begin == len(batch.segments["short"])


def test_kinds_each_system_reads() -> None:
    assert kinds_of("plain-crnn") == ("short",)
    assert kinds_of("multi-crnn") == ("short", "long")
    assert kinds_of("hsf-crnn") == ("short", "functionals")


def test_a_store_without_the_wanted_features_says_what_to_do(small) -> None:
    _, store = small
    with pytest.raises(TrainError, match=r"no segments named 'huge': add them to \[features.segments\]"):
        check_store(store, ("huge",))
