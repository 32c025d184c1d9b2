"""What of a store was in a system's training."""

import shutil

import pytest

from serprep.errors import TrainError
from serprep.split import read_split
from serprep_models.checkpoint import read_checkpoint
from serprep_models.seen import Seen, find_seen


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
