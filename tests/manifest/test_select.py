"""What a recipe keeps."""

import pytest

from serprep.errors import ManifestError
from serprep.manifest.select import select
from serprep.manifest.table import make_manifest
from serprep.utterance import Utterance


def utterance(name="a", **changes):
    return Utterance(**{"id": name, "path": f"{name}.wav", **changes})


def labelled():
    emotions = {"a": "sad", "b": "joy", "c": "excited", "d": "bored", "e": "", "f": "joy"}
    rows = [utterance(name, emotion=emotion) for name, emotion in emotions.items()]
    return make_manifest([*rows, utterance("t", partition="test")], {"corpus": "x"})


def test_emotions_are_renamed_merged_and_dropped_where_not_named():
    selection = select(labelled(), emotions={"sad": "sadness", "joy": "happy", "excited": "happy"})
    kept = {row.id: row.emotion for row in selection.manifest.utterances}
    assert kept == {"a": "sadness", "b": "happy", "c": "happy", "f": "happy", "t": ""}
    assert selection.labels == ("sadness", "happy")
    assert selection.dropped == {"emotion 'bored' not named in [corpus.emotions]": 1, "no label": 1}
    assert selection.manifest.info == {"corpus": "x"}


def test_a_name_in_another_unicode_form_is_the_same_name():
    manifest = make_manifest(
        [Utterance(id="e\u0301", path="a.wav", emotion="Cole\u0300re"), Utterance(id="b", path="b.wav")]
    )
    chosen = select(manifest, emotions={"Col\u00e8re": "anger", "": ""}, exclude=["b"])
    assert (chosen.labels, list(chosen.manifest.column("emotion"))) == (("anger",), ["anger"])
    assert list(select(manifest, exclude=["\u00e9"]).manifest.column("id")) == ["b"]


def test_labels_keep_the_order_of_the_table():
    for order in (["sad", "joy", "bored"], ["joy", "bored", "sad"]):
        assert select(labelled(), emotions={name: name for name in order}).labels == tuple(order)


def test_excluded_utterances_are_counted_before_anything_else():
    selection = select(labelled(), emotions={"sad": "sad"}, exclude=["a", "d", "t", "a"])
    assert selection.manifest.utterances == ()
    assert selection.labels == ("sad",)  # declared, though nothing is left of it
    assert selection.dropped["excluded by the recipe's list"] == 3
    assert sum(selection.dropped.values()) == len(labelled())


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        ({"emotions": {"hapiness": "h"}}, r"names 'hapiness', which no utterance has; .* has bored, excited, joy, sad"),
        ({"exclude": ["a", "zz", "yy"]}, "2 excluded ids are not in the corpus, such as 'yy'"),
        ({"emotions": {"x": "x"}, "exclude": ["zz"]}, r"(?s)names 'x'.*1 excluded ids.*\(2 problems\)"),
    ],
)
def test_typing_errors_do_not_drop_anything_silently(choice, message):
    with pytest.raises(ManifestError, match=message):
        select(labelled(), **choice)
