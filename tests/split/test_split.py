import pytest

from serprep._json import canonical_json
from serprep.errors import SplitError
from serprep.split import Assignment, Split, SplitConfig, describe, make_split, refuse_leaks, shared_speakers


def test_shared_speakers_against_brute_force(corpus):
    manifest = corpus()
    split = make_split(manifest, SplitConfig(group="text", dev_groups=1))
    expected = {}
    for number, fold in enumerate(split.folds):
        for speaker in sorted({row.speaker for row in manifest.utterances}):
            sides = {row.roles[number] for row in split.utterances.values() if row.speaker == speaker}
            if len(sides) > 1:
                expected.setdefault(speaker, []).append(fold)
    assert shared_speakers(split) == expected
    assert len(expected) == 12
    assert any("12 speakers are on both sides of a fold: not speaker-independent" in note for note in split.notes)
    with pytest.raises(SplitError, match="12 speakers are on both sides, such as 's00' in fold 't0'"):
        refuse_leaks(split)


@pytest.mark.parametrize("config", [{}, {"protocol": "group-k-fold"}, {"group": "session"}, {"protocol": "fixed"}])
def test_splits_by_speaker_or_by_what_holds_speakers_do_not_leak(config, corpus):
    split = make_split(corpus(), SplitConfig(**config))
    assert shared_speakers(split) == {}
    refuse_leaks(split)
    assert any(note.endswith("not by speaker") for note in split.notes) == (split.group != "speaker")


def test_unknown_speakers_and_left_out_utterances_are_no_leak():
    rows = {
        "a": Assignment("", "", ("train",)),
        "b": Assignment("", "", ("test",)),
        "c": Assignment("x", "", ("train",)),
        "d": Assignment("x", "", ("",)),
    }
    assert shared_speakers(Split(protocol="list", group="", seed=0, folds=("1",), utterances=rows)) == {}
    rows["d"] = Assignment("x", "", ("dev",))
    assert shared_speakers(Split(protocol="list", group="", seed=0, folds=("1",), utterances=rows)) == {"x": ["1"]}


def test_digest_depends_on_every_role_and_on_no_order(corpus):
    split = make_split(corpus(3, 2), SplitConfig())
    turned = Split(**{**split.__dict__, "utterances": dict(reversed(split.utterances.items())), "notes": ("x",)})
    assert (turned.digest, turned.rows_digest) == (split.digest, split.rows_digest)
    for name, row in split.utterances.items():
        other = Assignment(row.speaker, row.group, (*row.roles[:-1], ""))
        moved = Split(**{**split.__dict__, "utterances": {**split.utterances, name: other}})
        assert moved.digest != split.digest and moved.rows_digest == split.rows_digest
    assert canonical_json(split.folds) == b'["s00","s01","s02"]'


def test_describe_counts_each_role(corpus):
    manifest = corpus(4, 5)
    for fold, row in enumerate(describe(make_split(manifest, SplitConfig(dev_groups=1)))):
        assert row == {"fold": f"s{fold:02}", "train": 10, "dev": 5, "test": 5, "test_groups": f"s{fold:02}"}
