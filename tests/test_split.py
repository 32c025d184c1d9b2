import hashlib
import json
from collections import Counter
from dataclasses import replace

import numpy as np
import pytest

from serprep._json import canonical_json
from serprep.errors import SplitError
from serprep.manifest.table import make_manifest
from serprep.split import (
    ROLES,
    Assignment,
    Split,
    SplitConfig,
    bind,
    describe,
    make_split,
    read_split,
    refuse_leaks,
    shared_speakers,
    write_split,
)
from serprep.utterance import Utterance

EMOTIONS = ("angry", "happy", "neutral", "sad")


def corpus(n_speakers=12, n_each=20, seed=0, **changes):
    """A manifest whose speakers prefer one emotion, two speakers to a session."""
    rng = np.random.default_rng(seed)
    rows = []
    for speaker in range(n_speakers):
        weights = rng.dirichlet([0.6] * 4)
        for number in range(n_each):
            row = {
                "id": f"s{speaker:02}_{number:02}",
                "path": f"s{speaker:02}/{number:02}.wav",
                "speaker": f"s{speaker:02}",
                "emotion": EMOTIONS[rng.choice(4, p=weights)],
                "partition": ("train", "devel", "test")[speaker % 3],
                "extra": {"session": f"Ses{speaker // 2}", "text": f"t{number % 5}"},
            }
            rows.append(Utterance(**{**row, **changes}))
    return make_manifest(rows)


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
def test_leave_one_group_out(column, dev_groups):
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
def test_group_k_fold(folds, seed, dev_groups):
    manifest = corpus(seed=seed)
    split = make_split(manifest, SplitConfig(protocol="group-k-fold", folds=folds, seed=seed, dev_groups=dev_groups))
    check_group_split(split, manifest, "speaker")
    assert split.folds == tuple(str(number) for number in range(1, folds + 1))


def imbalance(assignment, table):
    """Sum over folds and classes of squared distance to an even share; `table` is (n_groups, n_classes)."""
    folds = np.array([table[assignment == fold].sum(axis=0) for fold in range(max(assignment) + 1)])
    return float(np.square(folds - table.sum(axis=0) / len(folds)).sum())


@pytest.mark.parametrize("seed", range(3))
def test_group_k_fold_balances_classes_better_than_chance(seed):
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


def test_group_k_fold_with_as_many_folds_as_groups_is_leave_one_group_out():
    manifest = corpus(n_speakers=6)
    k_fold = make_split(manifest, SplitConfig(protocol="group-k-fold", folds=6))
    left_out = make_split(manifest, SplitConfig())

    def tested(split):
        return {tuple(split.ids(fold, "test")) for fold in range(6)}

    assert tested(k_fold) == tested(left_out)


@pytest.mark.parametrize("emotion", ["", "angry"])
def test_group_k_fold_of_one_class_or_without_labels(emotion):
    manifest = corpus(n_speakers=6, emotion=emotion)
    check_group_split(make_split(manifest, SplitConfig(protocol="group-k-fold", folds=3)), manifest, "speaker")


def test_every_training_side_has_its_own_development_groups():
    split = make_split(corpus(n_speakers=12), SplitConfig(dev_groups=3))
    chosen = [frozenset(split.utterances[name].speaker for name in split.ids(fold, "dev")) for fold in range(12)]
    assert len(set(chosen)) > 6  # 165 triples of 11 groups: not always the same one


@pytest.mark.parametrize("protocol", ["leave-one-group-out", "group-k-fold"])
@pytest.mark.parametrize("dev_groups", [1, 3])
def test_development_groups_may_be_of_another_column(protocol, dev_groups):
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
def test_impossible_development_groups(options, message):
    with pytest.raises(SplitError, match=message):
        make_split(corpus(), SplitConfig(**{"group": "session", "dev_groups": 1, **options}))


def test_fixed_partitions_are_the_corpus_s():
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
def test_same_seed_same_split_whatever_the_order_of_the_rows(protocol):
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
        (make_manifest([]), {}, "no utterances to split"),
        (corpus(1), {}, "'speaker' has 1 values, leave-one-group-out needs 2"),
        (corpus(4), {"protocol": "group-k-fold"}, "'speaker' has 4 values, group-k-fold needs 5; ask for fewer folds"),
        (corpus(4), {"dev_groups": 3}, "3 training groups leave none after 3 for development"),
        (
            corpus(2, emotion="sad"),
            {"protocol": "group-k-fold", "folds": 2, "dev_groups": 1},
            "1 training groups leave none after 1 for development",
        ),
        (
            corpus(4),
            {"group": "dialogue"},
            "no column 'dialogue' to split by; the manifest has id, path, start, end, sp",
        ),
        (corpus(4), {"group": "n_frames"}, "no column 'n_frames' to split by"),
        (corpus(4), {"protocol": "fixed", "column": "set"}, "no column 'set' to split by"),
        (corpus(4), {"protocol": "fixed", "column": "emotion"}, "column 'emotion' holds 'angry'; expected train, dev"),
        (
            corpus(4, partition=""),
            {"protocol": "fixed"},
            "column 'partition' gives no roles; expected train, and dev or",
        ),
        (corpus(4, partition="train"), {"protocol": "fixed"}, r"gives \['train'\]; expected train, and dev or test"),
        (corpus(4, partition="test"), {"protocol": "fixed"}, r"gives \['test'\]; expected train, and dev or test"),
        (
            corpus(4, speaker=""),
            {},
            "80 of 80 utterances have no speaker; exclude them, or ask for another grouping by name: "
            'group = "session", group = "text", protocol = "fixed" with column = "partition"$',
        ),
        (
            make_manifest([Utterance(id="a", path="a"), Utterance(id="b", path="b")]),
            {},
            "2 of 2 utterances have no speaker; .* by name, but no other column is complete$",
        ),
        (corpus(4), {"protocol": "list", "file": "x"}, "a list is read from its file"),
        (corpus(4, id="same"), {}, "1 ids stand more than once, such as 'same'; make them unique"),
    ],
)
def test_splits_that_are_impossible(manifest, config, message):
    with pytest.raises(SplitError, match=message):
        make_split(manifest, SplitConfig(**config))


def test_one_utterance_without_a_group_is_enough():
    rows = [*corpus(4).utterances, Utterance(id="x", path="x", extra={"session": "", "text": "t1"})]
    with pytest.raises(SplitError, match="1 of 81 utterances have no speaker"):
        make_split(make_manifest(rows), SplitConfig())


def test_five_groups_are_enough_for_five_folds_with_a_development_group():
    manifest = corpus(5)
    split = make_split(manifest, SplitConfig(protocol="group-k-fold", folds=5, dev_groups=1))
    check_group_split(split, manifest, "speaker")


# -- leaks ---------------------------------------------------------------------------


def test_shared_speakers_against_brute_force():
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
def test_splits_by_speaker_or_by_what_holds_speakers_do_not_leak(config):
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


def test_a_corpus_without_speakers_says_so():
    split = make_split(corpus(speaker=""), SplitConfig(protocol="fixed"))
    assert split.notes == ("no speaker ids: speaker-independence rests on the corpus's own partition",)
    split = make_split(corpus(speaker=""), SplitConfig(group="session"))
    assert split.notes[0] == "no speaker ids: speaker-independence rests on the column 'session'"
    rows = [*corpus().utterances, Utterance(id="x", path="x", partition="train")]
    split = make_split(make_manifest(rows), SplitConfig(protocol="fixed"))
    assert split.notes[0] == "1 of 241 utterances have no speaker: they may be anybody's"


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
        "all utterances have one emotion, 'x': there is nothing to tell apart",
    )
    none = rows_of(("a", "", ""), ("b", "", ""))
    assert make_split(none, SplitConfig()).notes == ("no utterance has an emotion",)


def test_a_challenge_s_test_part_has_no_labels():
    cells = [("", e, p) for p in ("train", "devel") for e in ("angry", "sad")] + [("", "", "test")] * 3
    split = make_split(rows_of(*cells), SplitConfig(protocol="fixed"))
    assert split.notes[1:] == ("test has no emotions at all in fold fixed",)
    assert len(split.ids(0, "test")) == 3


# -- bound to a manifest -------------------------------------------------------------


def test_bind_gives_the_rows_of_each_role():
    manifest = corpus()
    split = make_split(manifest, SplitConfig(dev_groups=1))
    bound = bind(split, manifest)
    assert bound.n_dropped == 0
    for fold in range(len(split.folds)):
        for role in ("train", "dev", "test"):
            assert [manifest.utterances[i].id for i in bound.rows(fold, role)] == split.ids(fold, role)


def test_rows_that_are_gone_are_dropped_and_counted():
    manifest = corpus()
    split = make_split(manifest, SplitConfig())
    kept = [row for number, row in enumerate(manifest.utterances) if number % 7]
    bound = bind(split, make_manifest(kept))
    assert bound.n_dropped == len(manifest) - len(kept) > 0
    tested = [kept[i].id for fold in range(len(split.folds)) for i in bound.rows(fold, "test")]
    assert sorted(tested) == [row.id for row in kept]


def changed(manifest, number, **values):
    from dataclasses import replace

    rows = list(manifest.utterances)
    rows[number] = replace(rows[number], **values)
    return make_manifest(rows)


def test_labels_paths_and_audio_may_change():
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
def test_another_id_speaker_or_group_is_an_error(values, message):
    manifest = corpus()
    split = make_split(manifest, SplitConfig(group="session"))
    with pytest.raises(SplitError, match=message):
        bind(split, changed(manifest, 3, **values))


def test_many_differences_are_counted():
    split = make_split(corpus(), SplitConfig())
    with pytest.raises(SplitError, match=r"(?s)has speaker 'x', in the split 's00'.*… and 230 more.*\(240 problems\)"):
        bind(split, corpus(speaker="x"))


# -- files ---------------------------------------------------------------------------


def odd_split():
    """Names that JSON, CSV and terminals dislike."""
    rows = [
        Utterance(id=name, path=f"{number}.wav", speaker=f"s{number % 3}\n", extra={"text": '"t" ü'})
        for number, name in enumerate(("a b", "ü@1", 'q"uote', "new\nline", "rows_digest", "ﬀ", "__proto__", "\u2028"))
    ]
    return make_split(make_manifest(rows), SplitConfig(dev_groups=1))


def test_a_split_is_what_was_written(tmp_path):
    for split in (odd_split(), make_split(corpus(), SplitConfig(protocol="group-k-fold"))):
        path = write_split(split, tmp_path / "folder" / "split.json")
        assert read_split(path) == split
        text = path.read_bytes()
        write_split(read_split(path), path)
        assert path.read_bytes() == text


def test_a_split_file_names_what_it_is_bound_to(tmp_path):
    manifest = corpus()
    values = json.loads(write_split(make_split(manifest, SplitConfig(seed=4)), tmp_path / "s.json").read_bytes())
    rows = sorted([row.id, row.speaker, row.speaker] for row in manifest.utterances)
    text = json.dumps(rows, separators=(",", ":"))
    assert values["rows_digest"] == hashlib.sha256(text.encode()).hexdigest()
    assert values["manifest_digest"] == manifest.digest
    assert (values["format"], values["protocol"], values["seed"]) == (1, "leave-one-group-out", 4)
    assert values["utterances"]["s00_00"] == {"speaker": "s00", "group": "s00", "roles": ["test"] + ["train"] * 11}
    assert ".wav" not in (tmp_path / "s.json").read_text()


def edited(tmp_path, change):
    path = write_split(make_split(corpus(3, 2), SplitConfig()), tmp_path / "split.json")
    values = json.loads(path.read_bytes())
    change(values)
    path.write_text(json.dumps(values))
    return path


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda v: v["utterances"]["s00_00"].update(speaker="s01"), "do not have the digest it names; it was edited"),
        (lambda v: v["utterances"]["s00_00"].update(group="s01"), "do not have the digest it names"),
        (lambda v: v["utterances"].pop("s00_00"), "do not have the digest it names"),
        (lambda v: v["utterances"].update(x=v["utterances"]["s00_00"]), "do not have the digest it names"),
        (lambda v: v.update(format=2), "has format 2, this serprep reads 1"),
        (lambda v: v.pop("format"), "'format' is missing or misplaced"),
        (lambda v: v.pop("utterances"), "'utterances' is missing or misplaced"),
        (lambda v: v.update(utterances=[1]), "is missing or misplaced"),
        (lambda v: v.update(utterances={}), "no folds or no utterances"),
        (lambda v: v.update(folds=[]), "expected 0 of train, dev, test or nothing"),
        (lambda v: v.update(folds=3), "expected a JSON object with a list of folds"),
        (lambda v: v.update(seed="x"), "seed is 'x'; expected a whole number"),
        (lambda v: v.update(seed=float("inf")), "Infinity is not JSON"),
        (lambda v: v.update(seed="1_0"), "expected a whole number"),
        (lambda v: v.update(seed=1.5), "expected a whole number"),
        (lambda v: v["utterances"]["s00_00"].update(speaker=None), "a speaker is 'None'; expected text"),
        (lambda v: v["utterances"]["s00_00"].update(roles=["test"]), "'s00_00' has roles .*expected 3 of train, dev"),
        (lambda v: v["utterances"]["s00_00"].update(roles=["x", "train", "test"]), "expected 3 of train, dev, test"),
        (lambda v: v["utterances"]["s00_00"].update(roles=[["train"], "", ""]), "is missing or misplaced"),
        (lambda v: v["utterances"]["s00_00"].update(roles=None), "is missing or misplaced"),
        (lambda v: v["utterances"].update({"\ud800": v["utterances"]["s00_00"]}), "half of a character"),
    ],
)
def test_edited_split_files(tmp_path, change, message):
    path = edited(tmp_path, change)
    with pytest.raises(SplitError, match=message) as caught:
        read_split(path)
    assert str(caught.value).startswith(str(path)) and "\n" not in str(caught.value)


def test_a_list_from_elsewhere_needs_no_digest(tmp_path):
    path = edited(tmp_path, lambda values: [values.pop(name) for name in ("rows_digest", "manifest_digest", "notes")])
    assert len(read_split(path).utterances) == 6


@pytest.mark.parametrize("data", [b"", b"[]", b"3", b"{", b"\xff", b"[" * 100_000], ids=range(6))
def test_files_that_are_no_split(tmp_path, data):
    path = tmp_path / "split.json"
    path.write_bytes(data)
    with pytest.raises(SplitError, match=r"expected (a )?JSON|missing or misplaced"):
        read_split(path)


def test_no_file(tmp_path):
    with pytest.raises(SplitError, match="No such file or directory; expected a split file"):
        read_split(tmp_path / "none.json")


def test_digest_depends_on_every_role_and_on_no_order():
    split = make_split(corpus(3, 2), SplitConfig())
    turned = Split(**{**split.__dict__, "utterances": dict(reversed(split.utterances.items())), "notes": ("x",)})
    assert (turned.digest, turned.rows_digest) == (split.digest, split.rows_digest)
    for name, row in split.utterances.items():
        other = Assignment(row.speaker, row.group, (*row.roles[:-1], ""))
        moved = Split(**{**split.__dict__, "utterances": {**split.utterances, name: other}})
        assert moved.digest != split.digest and moved.rows_digest == split.rows_digest
    assert canonical_json(split.folds) == b'["s00","s01","s02"]'


def test_describe_counts_each_role():
    manifest = corpus(4, 5)
    for fold, row in enumerate(describe(make_split(manifest, SplitConfig(dev_groups=1)))):
        assert row == {"fold": f"s{fold:02}", "train": 10, "dev": 5, "test": 5, "test_groups": f"s{fold:02}"}


def many(n):
    rows = [Utterance(id=f"{s:05}{e}", path="x", speaker=f"{s:05}", emotion=e) for s in range(n) for e in "ab"]
    return make_manifest(rows)


def test_by_default_many_speakers_are_tested_in_folds_and_few_one_by_one():
    few = make_split(many(100), SplitConfig())
    assert (few.protocol, len(few.folds), few.notes) == ("leave-one-group-out", 100, ())
    assert few == make_split(many(100), SplitConfig(protocol="leave-one-group-out"))
    lots = make_split(many(101), SplitConfig())
    assert (lots.protocol, len(lots.folds)) == ("group-k-fold", 5)
    assert "101 values of 'speaker' are many: they are tested in folds" in lots.notes[0]
    assert make_split(many(4000), SplitConfig()).protocol == "group-k-fold"


def test_more_than_a_thousand_are_not_left_out_one_by_one():
    with pytest.raises(SplitError, match=r'1001 values of .speaker. would be as many folds.*"group-k-fold"'):
        make_split(many(1001), SplitConfig(protocol="leave-one-group-out"))


def test_utterances_share_their_roles_in_memory(tmp_path):
    split = make_split(many(50), SplitConfig())
    again = read_split(write_split(split, tmp_path / "s.json"))
    for one in (split, again):
        assert len({id(row.roles) for row in one.utterances.values()}) == 50
    assert again == split
