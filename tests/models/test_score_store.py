"""Scores of a system that exists on a store that exists, and what of the store was in its training."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest

from helpers.inline import Inline
from serprep.metrics import uar
from serprep_models.experiments import run_experiments
from serprep_models.predict_store import predict_store
from serprep_models.score_store import score_store
from serprep_models.seen import copies_within

MAP = {"joy": "happy"}


def test_scores_are_of_what_the_system_says_over_the_common_labels(svm, other):
    _, store, _ = other
    scores = score_store([svm[0]], store, mapping=MAP)
    assert scores.labels.labels == ("angry", "happy", "sad")
    assert scores.labels.n_dropped == 2  # bored
    told = predict_store([svm[0]], store)
    truth, said = [], []
    for name, chances in zip(store.emotions, told.probabilities, strict=True):
        if name != "bored":
            truth.append(MAP.get(name, name))
            kept = [label for label in told.labels if label != "neutral"]
            said.append(max(kept, key=lambda label: chances[told.labels.index(label)]))
    (row,) = scores.summary
    assert row.ua == pytest.approx(uar(truth, said, list(scores.labels.labels)))
    assert row.ua_interval is not None and row.nll > 0 and row.macro_f1 is not None
    assert np.sum(scores.results[0].confusion) == len(truth) == 8
    assert "2 of 10 utterances are dropped: bored 2" in scores.notes


def test_a_copy_of_a_training_utterance_is_named_scaled_or_not(svm, other):
    """A leak on purpose: one file as it was, one at 0.4 of its amplitude in other bytes."""
    _, store, copied = other
    seen = score_store([svm[0]], store, mapping=MAP).seen
    ids = dict(zip(store.column("path"), store.ids, strict=True))
    assert seen.recordings == ((ids["sad/new01_t08_1.wav"], copied[0]),)
    assert (ids["sad/new02_t09_1.wav"], copied[1]) in seen.sounds
    assert {here for here, _ in seen.sounds} == {ids["sad/new02_t09_1.wav"]}  # and nothing else
    first, second = seen.warnings
    assert first.startswith("1 of 8 scored utterances are recordings of training: ")
    assert f"({copied[1]} in training)" in second and "sound like" in second


def test_copies_are_named_for_numbers_as_for_labels(svm, small, other):
    """The same leak on purpose, of a system that says numbers."""
    recipe, store = small
    how = replace(recipe.train, target=("take",), scales={"take": [0, 9]})
    folder = run_experiments(replace(recipe, train=how), store, pool=Inline(), systems=["svr"], folds=["1"]).folder
    scores = score_store([folder / "svr/fold-01/seed-0"], other[1])
    of_labels = score_store([svm[0]], other[1], mapping=MAP).seen
    assert (scores.seen.recordings, scores.seen.sounds) == (of_labels.recordings, of_labels.sounds)
    assert [warning.split(":")[0] for warning in scores.warnings] == [
        "1 of 10 scored utterances are recordings of training",
        "1 of 10 scored utterances sound like recordings of training",
    ]
    assert scores.dimensions.scores[0].n_utterances == 10 and scores.summary == []


class Doubled:
    """A store whose row 1 sounds like row 0, and whose rows 2 and 3 are of one file."""

    def __init__(self, store, *, log_mels: bool = True) -> None:
        self.store, self.hidden = store, set() if log_mels else {"features"}

    def __getattr__(self, name):
        if name in self.hidden:
            return SimpleNamespace(configs={})
        return getattr(self.store, name)

    def __len__(self) -> int:
        return len(self.store)

    def column(self, name):
        values = list(self.store.column(name))
        if name == "audio_digest":
            values[3] = values[2]
        return values

    def segments(self, row, length):
        return self.store.segments(0 if row == 1 else row, length)


def test_copies_within_a_store_are_found_by_bytes_and_by_sound(small) -> None:
    _, store = small
    heard, seen = tuple(store.ids[:2]), tuple(store.ids[2:4])
    assert copies_within(Doubled(store)) == ([heard, seen], "")
    pairs, note = copies_within(Doubled(store), most_heard=len(store) - 1)
    assert pairs == [seen] and "bytes only, not by sound: more than 31 utterances" in note
    pairs, note = copies_within(Doubled(store, log_mels=False))
    assert pairs == [seen] and "no log-mels by the default configuration" in note


def test_excerpts_of_one_file_are_copies_only_where_they_overlap(small) -> None:
    _, store = small
    cut = Doubled(store, log_mels=False)
    for ends, expected in (((1.0, 1.0), 0), ((1.5, 1.0), 1)):  # rows 2 and 3: from 0 to the first, from the second on
        values = {"end": [ends[0] if row == 2 else np.nan for row in range(len(store))]}
        values["start"] = [ends[1] if row == 3 else np.nan for row in range(len(store))]
        cut.column = lambda name, values=values: values.get(name) or Doubled(store).column(name)
        assert len(copies_within(cut)[0]) == expected
