from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from serprep.errors import SplitError
from serprep.manifest.table import make_manifest
from serprep.split import ROLES, Assignment, SplitConfig, make_split, shared_speakers
from serprep.utterance import Utterance

EMOTIONS = ("angry", "happy", "neutral", "sad")


def check_group_split(split, manifest, column):
    """What must hold for every split by group, checked row by row."""
    group = dict(zip(manifest.column("id"), manifest.column(column), strict=True))
    tested = Counter()
    for fold in range(len(split.folds)):
        roles = {name: row.roles[fold] for name, row in split.utterances.items()}
        assert set(roles) == set(group)
        assert set(roles.values()) <= {"train", "dev", "test"}
        where = {}
        for name, role in roles.items():
            where.setdefault(group[name], set()).add(role)
        assert all(len(sides) == 1 for sides in where.values()), f"fold {fold}: a group on two sides"
        assert {"train", "test"} <= set(roles.values()), f"fold {fold}: an empty side"
        tested.update(name for name, role in roles.items() if role == "test")
    assert tested == dict.fromkeys(group, 1), "every utterance is tested exactly once"


# -- protocols -----------------------------------------------------------------------


@pytest.mark.parametrize("column", ["speaker", "session", "text"])
@pytest.mark.parametrize("dev_groups", [0, 1, 2])
def test_leave_one_group_out(column, dev_groups, corpus):
    manifest = corpus()
    split = make_split(manifest, SplitConfig(group=column, dev_groups=dev_groups))
    check_group_split(split, manifest, column)
    groups = sorted(set(manifest.column(column)))
    assert list(split.folds) == groups
    for number, group in enumerate(groups):
        tested = {row.group for row in split.utterances.values() if row.roles[number] == "test"}
        assert tested == {group}
        developed = {row.group for row in split.utterances.values() if row.roles[number] == "dev"}
        assert len(developed) == dev_groups


@pytest.mark.parametrize("folds", [2, 3, 5, 12])
@pytest.mark.parametrize("seed", [0, 1, 2])
@pytest.mark.parametrize("dev_groups", [0, 1])
def test_group_k_fold(folds, seed, dev_groups, corpus):
    manifest = corpus(seed=seed)
    split = make_split(manifest, SplitConfig(protocol="group-k-fold", folds=folds, seed=seed, dev_groups=dev_groups))
    check_group_split(split, manifest, "speaker")
    assert split.folds == tuple(str(number) for number in range(1, folds + 1))


def imbalance(assignment, table):
    """Sum over folds and classes of squared distance to an even share; `table` is (n_groups, n_classes)."""
    folds = np.array([table[assignment == fold].sum(axis=0) for fold in range(max(assignment) + 1)])
    return float(np.square(folds - table.sum(axis=0) / len(folds)).sum())


@pytest.mark.parametrize("seed", range(3))
def test_group_k_fold_balances_classes_better_than_chance(seed, corpus):
    manifest = corpus(n_speakers=20, seed=seed)
    split = make_split(manifest, SplitConfig(protocol="group-k-fold", folds=4, seed=seed))
    speakers = sorted(set(manifest.column("speaker")))
    table = np.zeros((len(speakers), len(EMOTIONS)))
    for row in manifest.utterances:
        table[speakers.index(row.speaker), EMOTIONS.index(row.emotion)] += 1
    held = {row.speaker: row.roles.index("test") for row in split.utterances.values()}
    ours = imbalance(np.array([held[speaker] for speaker in speakers]), table)
    rng = np.random.default_rng(seed)
    even = np.arange(len(speakers)) % 4  # five speakers in each fold
    chance = [imbalance(rng.permutation(even), table) for _ in range(200)]
    assert ours < np.quantile(chance, 0.05)


def test_group_k_fold_with_as_many_folds_as_groups_is_leave_one_group_out(corpus):
    manifest = corpus(n_speakers=6)
    k_fold = make_split(manifest, SplitConfig(protocol="group-k-fold", folds=6))
    left_out = make_split(manifest, SplitConfig())

    def tested(split):
        return {tuple(split.ids(fold, "test")) for fold in range(6)}

    assert tested(k_fold) == tested(left_out)


@pytest.mark.parametrize("emotion", ["", "angry"])
def test_group_k_fold_of_one_class_or_without_labels(emotion, corpus):
    manifest = corpus(n_speakers=6, emotion=emotion)
    check_group_split(make_split(manifest, SplitConfig(protocol="group-k-fold", folds=3)), manifest, "speaker")


def test_every_training_side_has_its_own_development_groups(corpus):
    split = make_split(corpus(n_speakers=12), SplitConfig(dev_groups=3))
    chosen = [frozenset(split.utterances[name].speaker for name in split.ids(fold, "dev")) for fold in range(12)]
    assert len(set(chosen)) > 6  # 165 triples of 11 groups: not always the same one


@pytest.mark.parametrize("protocol", ["leave-one-group-out", "group-k-fold"])
@pytest.mark.parametrize("dev_groups", [1, 3])
def test_development_groups_may_be_of_another_column(protocol, dev_groups, corpus):
    manifest = corpus(n_speakers=12)
    config = SplitConfig(protocol=protocol, group="session", folds=3, dev_groups=dev_groups, dev_group="speaker")
    split = make_split(manifest, config)
    without = make_split(manifest, SplitConfig(protocol=protocol, group="session", folds=3))
    assert split.folds == without.folds
    for fold in range(len(split.folds)):
        assert split.ids(fold, "test") == without.ids(fold, "test")
        speakers = {role: {split.utterances[name].speaker for name in split.ids(fold, role)} for role in ROLES}
        assert len(speakers["dev"]) == dev_groups
        assert not speakers["train"] & speakers["dev"] and not shared_speakers(split)
        assert sorted(split.ids(fold, "train") + split.ids(fold, "dev")) == without.ids(fold, "train")
    same = SplitConfig(protocol=protocol, folds=3, dev_groups=dev_groups)
    assert make_split(manifest, replace(same, dev_group="speaker")) == make_split(manifest, same)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"dev_group": "colour"}, "no column 'colour' for development; the manifest has id, path"),
        ({"dev_group": "partition", "dev_groups": 3}, "3 values of 'partition' in training leave none after 3 for dev"),
        ({"dev_group": "start"}, "240 of 240 utterances have no start"),
    ],
)
def test_impossible_development_groups(options, message, corpus):
    with pytest.raises(SplitError, match=message):
        make_split(corpus(), SplitConfig(**{"group": "session", "dev_groups": 1, **options}))


def test_fixed_partitions_are_the_corpus_s(corpus):
    manifest = corpus()
    split = make_split(manifest, SplitConfig(protocol="fixed"))
    assert split.folds == ("fixed",)
    roles = {"train": "train", "devel": "dev", "test": "test"}
    for row in manifest.utterances:
        assert split.utterances[row.id] == Assignment(row.speaker, row.partition, (roles[row.partition],))


@pytest.mark.parametrize(
    ("word", "role"),
    [
        ("dev", "dev"),
        ("Devel", "dev"),
        ("development", "dev"),
        ("validation", "dev"),
        ("TEST", "test"),
        ("test1", "test"),
    ],
)
def test_words_for_partitions(word, role):
    rows = [
        Utterance(id="a", path="a", partition="train"),
        Utterance(id="b", path="b", partition=word),
        Utterance(id="c", path="c"),
    ]
    split = make_split(make_manifest(rows), SplitConfig(protocol="fixed"))
    assert [row.roles for row in split.utterances.values()] == [("train",), (role,), ("",)]


def test_fixed_partitions_of_any_column():
    rows = [Utterance(id=name, path=name, extra={"usage": usage}) for name, usage in (("a", "train"), ("b", "test"))]
    split = make_split(make_manifest(rows), SplitConfig(protocol="fixed", column="usage"))
    assert split.ids(0, "test") == ["b"]


@pytest.mark.parametrize("protocol", ["leave-one-group-out", "group-k-fold"])
def test_same_seed_same_split_whatever_the_order_of_the_rows(protocol, corpus):
    manifest = corpus()
    turned = make_manifest(reversed(manifest.utterances))
    config = {"protocol": protocol, "dev_groups": 2, "folds": 4}
    first, again = (make_split(m, SplitConfig(**config, seed=5)) for m in (manifest, turned))
    assert first == again
    assert make_split(manifest, SplitConfig(**config, seed=6)).digest != first.digest


# -- what is refused -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("manifest", "config", "message"),
    [
        (lambda _: make_manifest([]), {}, "no utterances to split"),
        (lambda c: c(1), {}, "'speaker' has 1 values, leave-one-group-out needs 2"),
        (
            lambda c: c(4),
            {"protocol": "group-k-fold"},
            "'speaker' has 4 values, group-k-fold needs 5; ask for fewer folds",
        ),
        (lambda c: c(4), {"dev_groups": 3}, "3 training groups leave none after 3 for development"),
        (
            lambda c: c(2, emotion="sad"),
            {"protocol": "group-k-fold", "folds": 2, "dev_groups": 1},
            "1 training groups leave none after 1 for development",
        ),
        (
            lambda c: c(4),
            {"group": "dialogue"},
            "no column 'dialogue' to split by; the manifest has id, path, start, end, sp",
        ),
        (lambda c: c(4), {"group": "n_frames"}, "no column 'n_frames' to split by"),
        (lambda c: c(4), {"protocol": "fixed", "column": "set"}, "no column 'set' to split by"),
        (
            lambda c: c(4),
            {"protocol": "fixed", "column": "emotion"},
            "column 'emotion' holds 'angry'; expected train, dev",
        ),
        (
            lambda c: c(4, partition=""),
            {"protocol": "fixed"},
            "column 'partition' gives no roles; expected train, and dev or",
        ),
        (
            lambda c: c(4, partition="train"),
            {"protocol": "fixed"},
            r"gives \['train'\]; expected train, and dev or test",
        ),
        (
            lambda c: c(4, partition="test"),
            {"protocol": "fixed"},
            r"gives \['test'\]; expected train, and dev or test",
        ),
        (
            lambda c: c(4, speaker=""),
            {},
            "80 of 80 utterances have no speaker, such as '[^']+', '[^']+', '[^']+'; exclude them, or ask for another "
            "grouping by name: "
            'group = "session", group = "text", protocol = "fixed" with column = "partition"$',
        ),
        (
            lambda _: make_manifest([Utterance(id="a", path="a"), Utterance(id="b", path="b")]),
            {},
            "2 of 2 utterances have no speaker, such as 'a', 'b'; .* by name, but no other column is complete$",
        ),
        (lambda c: c(4), {"protocol": "list", "file": "x"}, "a list is read from its file"),
        (lambda c: c(4, id="same"), {}, "1 ids stand more than once, such as 'same'; make them unique"),
    ],
)
def test_splits_that_are_impossible(corpus, manifest, config, message):
    with pytest.raises(SplitError, match=message):
        make_split(manifest(corpus), SplitConfig(**config))


def test_one_utterance_without_a_group_is_enough(corpus):
    rows = [*corpus(4).utterances, Utterance(id="x", path="x", extra={"session": "", "text": "t1"})]
    with pytest.raises(SplitError, match="1 of 81 utterances have no speaker, such as 'x'; "):
        make_split(make_manifest(rows), SplitConfig())


def test_five_groups_are_enough_for_five_folds_with_a_development_group(corpus):
    manifest = corpus(5)
    split = make_split(manifest, SplitConfig(protocol="group-k-fold", folds=5, dev_groups=1))
    check_group_split(split, manifest, "speaker")


def test_a_corpus_without_speakers_says_so(corpus):
    split = make_split(corpus(speaker=""), SplitConfig(protocol="fixed"))
    assert split.notes == ("no speaker ids: speaker-independence rests on the corpus's own partition",)
    split = make_split(corpus(speaker=""), SplitConfig(group="session"))
    assert split.notes[0] == "no speaker ids: speaker-independence rests on the column 'session'"
    rows = [*corpus().utterances, Utterance(id="x", path="x", partition="train")]
    split = make_split(make_manifest(rows), SplitConfig(protocol="fixed"))
    assert split.notes[0] == "1 of 241 utterances have no speaker, such as 'x': they may be anybody's"


def rows_of(*cells):
    """A manifest of (speaker, emotion, partition)."""
    return make_manifest(
        Utterance(id=f"u{i:02}", path=f"{i}.wav", speaker=speaker, emotion=emotion, partition=partition)
        for i, (speaker, emotion, partition) in enumerate(cells)
    )


def test_notes_count_what_is_left_out():
    partitions = ["Train", "Development", "Test1", "Test2", "Test2", "Test3", ""]
    manifest = rows_of(*[(f"s{i}", e, p) for i, p in enumerate(partitions) for e in ("angry", "sad")])
    split = make_split(manifest, SplitConfig(protocol="fixed", test="test2"))
    assert split.notes == (
        "split by 'partition', not by speaker",
        "6 utterances are left out: (empty) 2, Test1 2, Test3 2",
    )
    assert len(split.ids(0, "test")) == 4


def test_notes_name_emotions_that_a_side_does_not_have():
    manifest = rows_of(*[(s, e, "") for s, es in (("a", "xyz"), ("b", "xy"), ("c", "xyz")) for e in es])
    assert make_split(manifest, SplitConfig()).notes == ("test has no 'z' in fold b",)
    many = rows_of(*[(f"s{i}", e, "") for i in range(9) for e in ("xyz" if i < 2 else "xy")])
    assert make_split(many, SplitConfig()).notes == ("test has no 'z' in 7 of 9 folds: s2, s3, s4, s5, s6 …",)
    one = rows_of(("a", "x", ""), ("b", "x", ""))
    assert make_split(one, SplitConfig()).notes == (
        "all utterances have one emotion, 'x': there is nothing to tell apart; add recordings of others",
    )
    none = rows_of(("a", "", ""), ("b", "", ""))
    assert make_split(none, SplitConfig()).notes == ("no utterance has an emotion",)


def test_a_challenge_s_test_part_has_no_labels():
    cells = [("", e, p) for p in ("train", "devel") for e in ("angry", "sad")] + [("", "", "test")] * 3
    split = make_split(rows_of(*cells), SplitConfig(protocol="fixed"))
    assert split.notes[1:] == ("test has no emotions at all in fold fixed",)
    assert len(split.ids(0, "test")) == 3


def test_by_default_many_speakers_are_tested_in_folds_and_few_one_by_one(many):
    few = make_split(many(100), SplitConfig())
    assert (few.protocol, len(few.folds), few.notes) == ("leave-one-group-out", 100, ())
    assert few == make_split(many(100), SplitConfig(protocol="leave-one-group-out"))
    lots = make_split(many(101), SplitConfig())
    assert (lots.protocol, len(lots.folds)) == ("group-k-fold", 5)
    assert "101 values of 'speaker' are many: they are tested in folds" in lots.notes[0]
    assert make_split(many(4000), SplitConfig()).protocol == "group-k-fold"


def test_more_than_a_thousand_are_not_left_out_one_by_one(many):
    with pytest.raises(SplitError, match=r'1001 values of .speaker. would be as many folds.*"group-k-fold"'):
        make_split(many(1001), SplitConfig(protocol="leave-one-group-out"))
