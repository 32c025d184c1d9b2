"""Scores of a system that exists on a store that exists, and what of the store was in its training."""

import json
import shutil
from types import SimpleNamespace

import numpy as np
import pytest

from serprep.errors import TrainError
from serprep.metrics import uar
from serprep.split import read_split
from serprep_models.checkpoint import read_checkpoint
from serprep_models.predict import predict_store
from serprep_models.score_store import score_store
from serprep_models.seen import Seen, copies_within, find_seen

MAP = {"joy": "happy"}


def test_scores_are_of_what_the_system_says_over_the_common_labels(svm, other):
    _, store, _ = other
    found = score_store([svm[0]], store, mapping=MAP)
    assert found.labels.labels == ("angry", "happy", "sad")
    assert found.labels.n_dropped == 2  # bored
    told = predict_store([svm[0]], store)
    truth, said = [], []
    for name, chances in zip(store.emotions, told.probabilities, strict=True):
        if name != "bored":
            truth.append(MAP.get(name, name))
            kept = [label for label in told.labels if label != "neutral"]
            said.append(max(kept, key=lambda label: chances[told.labels.index(label)]))
    (row,) = found.summary
    assert row.ua == pytest.approx(uar(truth, said, list(found.labels.labels)))
    assert row.ua_interval is not None and row.nll > 0 and row.macro_f1 is not None
    assert np.sum(found.results[0].confusion) == len(truth) == 8
    assert "2 of 10 utterances are dropped: bored 2" in found.notes


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


def test_only_train_and_dev_of_its_fold_count_as_seen(svm, small):
    _, store = small
    ids = read_split(svm[0].parents[2] / "split.json").ids(0, "test")
    checkpoint = read_checkpoint(svm[0])
    rows = [row for row, name in enumerate(store.ids) if name in set(ids)]
    seen = find_seen([checkpoint], [svm[0]], store, rows=rows)
    assert (seen.speakers, seen.recordings, seen.sounds, seen.warnings) == ((), (), (), ())
    every = find_seen([checkpoint], [svm[0]], store, rows=range(len(store)))
    assert {here for here, _ in every.recordings} == set(store.ids) - set(ids)
    assert set(every.speakers) == {store.speakers[row] for row in range(len(store)) if row not in rows}


def test_a_checkpoint_that_was_moved_is_told_its_store(svm, small, other, tmp_path):
    _, store = small
    moved = tmp_path / "moved"
    shutil.copytree(svm[0], moved)
    checkpoint = read_checkpoint(moved)
    alone = find_seen([checkpoint], [moved], other[1], rows=[0])
    assert alone.notes == (
        "the store of training is not there: speakers and recordings were not compared; name it with --trained-on",
    )
    every = find_seen([checkpoint], [moved], other[1], rows=range(10), trained_on=store)  # without its split: all rows
    assert len(every.recordings) == 1
    with pytest.raises(TrainError, match=r"is not what .*moved was trained on; expected version"):
        find_seen([checkpoint], [moved], store, rows=[0], trained_on=other[1])


def test_names_of_speakers_of_other_corpora_are_no_proof():
    same, others = (Seen(speakers=("03", "08"), same_corpus=known) for known in (True, False))
    assert same.warnings[0].startswith("2 speakers of training are in it: 03, 08; ") and same.remarks == ()
    assert others.warnings == () and others.remarks[0].startswith("2 speakers have names of training speakers: 03, 08;")


def test_the_command_says_all_of_it(svm, other, serprep):
    _, store, copied = other
    told = serprep("score", svm[0], store.path, "--map", "joy=happy")
    assert told.returncode == 0, told.stderr
    assert "warning: 1 of 8 scored utterances sound like recordings of training" in told.stderr
    assert "bored    dropped" in told.stdout and "joy      happy" in told.stdout
    assert "compare-svm" in told.stdout and "truth" in told.stdout
    found = json.loads(serprep("score", svm[0], store.path, "--map", "joy=happy", "--json").stdout)
    assert found["labels"] == ["angry", "happy", "sad"] and found["n_dropped"] == 2
    assert found["seen"]["recordings"][0][1] == copied[0]
    assert {row["label"]: row["scored_as"] for row in found["mapping"]}["joy"] == "happy"
    assert serprep("score", svm[0], store.path, "--map", "joy").returncode == 2
    wrong = serprep("score", svm[0], store.path, "--map", "jy=happy")
    assert (wrong.returncode, wrong.stderr.strip()) == (1, "Error: no label 'jy' to map; did you mean 'joy'?")


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
