"""Two columns apart: properties of every fold, and what is lost against a count by hand."""

from dataclasses import replace

import pytest

from serprep.errors import SplitError
from serprep.manifest.table import make_manifest
from serprep.split import SplitConfig, bind, make_split
from serprep.split.apart import apart


def sides(split, manifest, fold, column):
    """Role → the values of a column that have it in a fold."""
    found = {}
    for name, value in zip(manifest.column("id"), manifest.column(column), strict=True):
        found.setdefault(split.utterances[name].roles[fold], set()).add(value)
    return found


@pytest.mark.parametrize("other_folds", [2, 5, 9])
@pytest.mark.parametrize("protocol", ["leave-one-group-out", "group-k-fold"])
def test_neither_a_speaker_nor_a_text_is_on_both_sides_and_everything_is_tested_once(corpus, protocol, other_folds):
    manifest = corpus(n_speakers=6)  # who say five texts
    config = SplitConfig(protocol=protocol, group=("speaker", "text"), folds=3, other_folds=other_folds, dev_groups=1)
    split = make_split(manifest, config)
    assert len(split.folds) == (6 if protocol == "leave-one-group-out" else 3) * min(other_folds, 5)
    tested = []
    for fold in range(len(split.folds)):
        tested += split.ids(fold, "test")
        for column in ("speaker", "text"):
            of = sides(split, manifest, fold, column)
            assert not of["train"] & of["test"]
            assert not of["dev"] & of["test"]
        assert not sides(split, manifest, fold, "speaker")["dev"] & sides(split, manifest, fold, "speaker")["train"]
    assert sorted(tested) == sorted(split.utterances)
    assert split.group == "speaker + text" and split.utterances["s00_03"].group == "s00 + t3"


def test_what_is_lost_is_counted(corpus):
    """Six speakers say five texts four times: with one left out 100 train, without two or three texts 60 or 40."""
    split = make_split(corpus(n_speakers=6), SplitConfig(group=("speaker", "text"), other_folds=2))
    assert "'text' is apart as well: a fold trains on 50 utterances in place of 100 (50 % are lost)" in split.notes[0]
    assert "12 folds in place of 6" in split.notes[0]


def test_without_parts_training_loses_what_is_tested():
    class Two:
        def column(self, name):
            return ["hello", "hello", "well", "who", "why", "why"]

    roles = [["test", "train", "train", "train", "test", "dev"]]
    folds, parts, lost = apart(["1"], roles, Two(), column="text", n_parts=0, seed=0)
    assert (folds, parts) == (["1"], [["test", "", "train", "train", "test", ""]])
    assert "trains on 2 utterances in place of 3 (33 % are lost), and there are 1 folds in place of 1" in lost


def test_a_fold_without_training_or_an_utterance_without_text_is_an_error(corpus):
    with pytest.raises(SplitError, match=r"has nothing to train with 'text' apart; .* other_folds = 2"):
        make_split(corpus(), SplitConfig(group=("speaker", "text"), other_folds=0))
    with pytest.raises(SplitError, match=r"240 of 240 utterances have no text; exclude them, or leave 'text' out"):
        make_split(corpus(extra={"text": ""}), SplitConfig(group=("speaker", "text")))
    with pytest.raises(SplitError, match=r"group is \['a', 'a'\]; expected a column, or two"):
        SplitConfig(group=("a", "a"))
    with pytest.raises(SplitError, match=r"other_folds is 1; expected 0, or 2"):
        SplitConfig(other_folds=1)


def test_a_split_by_two_columns_is_bound_to_both(corpus):
    manifest = corpus(n_speakers=4)
    split = make_split(manifest, SplitConfig(group=("speaker", "text")))
    assert bind(split, manifest).n_dropped == 0
    rows = list(manifest.utterances)
    rows[0] = replace(rows[0], extra={**rows[0].extra, "text": "t9"})
    with pytest.raises(SplitError, match=r"has speaker \+ text 's00 \+ t9', in the split 's00 \+ t0'"):
        bind(split, make_manifest(rows))
