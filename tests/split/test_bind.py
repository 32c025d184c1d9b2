from dataclasses import replace

import pytest

from serprep.errors import SplitError
from serprep.manifest.table import make_manifest
from serprep.split import SplitConfig, bind, make_split


def test_bind_gives_the_rows_of_each_role(corpus):
    manifest = corpus()
    split = make_split(manifest, SplitConfig(dev_groups=1))
    bound = bind(split, manifest)
    assert bound.n_dropped == 0
    for fold in range(len(split.folds)):
        for role in ("train", "dev", "test"):
            assert [manifest.utterances[i].id for i in bound.rows(fold, role)] == split.ids(fold, role)


def test_rows_that_are_gone_are_dropped_and_counted(corpus):
    manifest = corpus()
    split = make_split(manifest, SplitConfig())
    kept = [row for number, row in enumerate(manifest.utterances) if number % 7]
    bound = bind(split, make_manifest(kept))
    assert bound.n_dropped == len(manifest) - len(kept) > 0
    tested = [kept[i].id for fold in range(len(split.folds)) for i in bound.rows(fold, "test")]
    assert sorted(tested) == [row.id for row in kept]


def changed(manifest, number, **values):

    rows = list(manifest.utterances)
    rows[number] = replace(rows[number], **values)
    return make_manifest(rows)


def test_labels_paths_and_audio_may_change(corpus):
    manifest = corpus()
    split = make_split(manifest, SplitConfig())
    other = changed(manifest, 3, emotion="bored", path="elsewhere.flac", audio_digest="0" * 64, partition="x")
    assert bind(split, other).roles == bind(split, manifest).roles


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"id": "new"}, "^utterance 'new' is not in the split; make the split again$"),
        ({"speaker": "s99"}, "^utterance 's00_03' has speaker 's99', in the split 's00'$"),
        ({"extra": {"session": "Ses9", "text": "t3"}}, "^utterance 's00_03' has session 'Ses9', in the split 'Ses0'$"),
        ({"extra": {"session": "", "text": "t3"}}, "^utterance 's00_03' has session '', in the split 'Ses0'$"),
    ],
)
def test_another_id_speaker_or_group_is_an_error(values, message, corpus):
    manifest = corpus()
    split = make_split(manifest, SplitConfig(group="session"))
    with pytest.raises(SplitError, match=message):
        bind(split, changed(manifest, 3, **values))


def test_many_differences_are_counted(corpus):
    split = make_split(corpus(), SplitConfig())
    with pytest.raises(SplitError, match=r"(?s)has speaker 'x', in the split 's00'.*… and 230 more.*\(240 problems\)"):
        bind(split, corpus(speaker="x"))
