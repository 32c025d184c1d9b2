"""Examples and batches against the store, read one utterance at a time."""

import numpy as np
import pytest
import torch

from serprep.errors import TrainError
from serprep.features.extract import Features
from serprep.store.store import Store
from serprep.systems import inputs_of
from serprep_models.examples import check_store, load
from serprep_models.standardise import CLIP, training_statistics


@pytest.fixture(scope="module")
def examples(small):
    _, store = small
    rows = list(range(20, 5, -1))
    kinds = ("short", "long", "functionals")
    statistics = training_statistics(store, rows, kinds)
    return store, rows, statistics, load(store, rows, names=kinds, statistics=statistics)


def test_a_batch_holds_each_utterances_own_features(examples) -> None:
    store, rows, statistics, loaded = examples
    chosen = torch.tensor([3, 0, 14, 3])
    batch = loaded.batch(chosen)
    begin = 0
    for place, i in enumerate(chosen.tolist()):
        expected = statistics["short"].apply(store.segments(rows[i], 30))
        count = int(batch.counts["short"][place])
        assert np.array_equal(batch.inputs["short"][begin : begin + count].numpy(), expected)
        begin += count
        functionals = statistics["functionals"].apply(store.functionals(rows[i])[None], clip=CLIP)[0]
        assert np.array_equal(batch.inputs["functionals"][place].numpy(), functionals)
        assert store.labels[int(batch.labels[place])] == store.emotions[rows[i]]
    assert begin == len(batch.inputs["short"])


def test_kinds_each_system_reads() -> None:
    assert inputs_of("plain-crnn", {}, Features()) == ("short",)
    assert inputs_of("multi-crnn", {}, Features()) == ("short", "long")
    assert inputs_of("hsf-crnn", {}, Features()) == ("short", "functionals")


def test_a_store_without_the_wanted_features_says_what_to_do(small) -> None:
    _, store = small
    with pytest.raises(TrainError, match=r"no segments named 'huge': add them to \[features.segments\]"):
        check_store(store, ("huge",))


@pytest.mark.parametrize("rows", [[5], [0, 31], [31, 0, 7], [4, 5, 6, 7], [1, 3, 5, 6, 9], list(range(31, -1, -1))])
def test_neighbours_gaps_and_any_order_are_read_alike(small, rows, monkeypatch) -> None:
    _, store = small
    kinds = ("long", "functionals")
    statistics = training_statistics(store, range(8), kinds)
    for reading in (1, 100_000, 8 << 20):  # bytes read at once: one utterance, a few, all
        monkeypatch.setattr("serprep_models.examples.READING", reading)
        loaded = load(store, rows, names=kinds, statistics=statistics)
        assert loaded.rows.tolist() == rows
        for place, row in enumerate(rows):
            begin, end = loaded.offsets["long"][place : place + 2].tolist()
            expected = statistics["long"].apply(store.segments(row, 50))
            assert np.array_equal(loaded.inputs["long"][begin:end].numpy(), expected)
            expected = statistics["functionals"].apply(store.functionals(row)[None], clip=CLIP)[0]
            assert np.array_equal(loaded.inputs["functionals"][place].numpy(), expected)
            assert store.labels[int(loaded.labels[place])] == store.emotions[row]


@pytest.mark.parametrize("kind", ["short", "functionals"])
def test_rows_in_another_order_than_the_utterances_are_noticed(small, kind, monkeypatch) -> None:
    _, store = small
    check_store(store, ("short", "long", "functionals"))
    keys = Store.keys
    monkeypatch.setattr(
        Store, "keys", lambda self, name: np.concatenate([keys(self, name)[1::-1], keys(self, name)[2:]])
    )
    with pytest.raises(TrainError, match=rf"row 0 of {kind} does not belong to utterance .*: verify the store"):
        check_store(store, (kind,))


def test_segments_of_two_kinds_with_other_rows_are_noticed(small, monkeypatch) -> None:
    _, store = small
    keys = Store.keys
    monkeypatch.setattr(Store, "keys", lambda self, name: keys(self, name)[:: -1 if "50" in name else 1])
    with pytest.raises(TrainError, match="do not belong to the same utterances"):
        check_store(store, ("short", "long"))


def test_rows_computed_by_other_libraries_are_not_compared(small, monkeypatch) -> None:
    _, store = small
    monkeypatch.setattr("serprep_models.examples.identities", lambda features: {"logmel": {}, "functionals": {}})
    check_store(store, ("short", "functionals"))
