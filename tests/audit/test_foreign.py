"""Files and folders → folds."""

import pytest

from serprep.audit.foreign import read_listing
from serprep.errors import SplitError
from serprep.split import Assignment, Split, write_split


def write(root, **files):
    for name, text in files.items():
        path = root / name.replace("__", "/").replace("_DOT_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return root


def table(listing):
    return {
        fold: {role: [e.names[0] for e in entries if e.role == role] for role in dict.fromkeys(e.role for e in entries)}
        for fold, entries in listing.folds.items()
    }


ONE = {"1": {"test": ["b"], "train": ["a"]}, "2": {"test": ["a"], "train": ["b"]}}


@pytest.mark.parametrize(
    "names",
    [
        ("fold_1/x_test_fold_1", "fold_1/x_train_fold_1", "fold_2/x_test_fold_2", "fold_2/x_train_fold_2"),
        ("fold1/test", "fold1/train", "fold2/test", "fold2/train"),
        ("testFold1", "trainFold1", "testFold2", "trainFold2"),
        ("test/fold-01", "train/fold-01", "test/fold-02", "train/fold-02"),
    ],
)
def test_names_of_files_and_folders_tell_fold_and_role(tmp_path, names):
    for name, text in zip(names, "baab", strict=True):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / f"{name}.txt").write_text(f"{text}\n")
    listing = read_listing(tmp_path)
    assert table(listing) == ONE
    assert listing.notes == ()


def test_two_files_without_a_fold_are_one(tmp_path):
    write(tmp_path, emodb_train_DOT_txt="a\n", emodb_test_DOT_txt="b\n", _DOT_hidden_DOT_txt="train c\n")
    assert table(read_listing(tmp_path)) == {"fixed": {"test": ["b"], "train": ["a"]}}


def test_folds_named_otherwise_are_told_from_what_is_left_of_the_name(tmp_path):
    for name, text in (("s1_train", "a"), ("s1_test", "b"), ("s2_train", "b"), ("s2_test", "a")):
        (tmp_path / f"{name}.txt").write_text(f"{text}\n")
    assert table(read_listing(tmp_path)) == {"s1": ONE["1"], "s2": ONE["2"]}


def test_a_fold_that_is_there_twice_is_merged_and_said_so(tmp_path):
    for spelt in ("fold1", "fold_1"):
        (tmp_path / f"train_{spelt}.txt").write_text("a\n")
        (tmp_path / f"test_{spelt}.txt").write_text("b\n")
    listing = read_listing(tmp_path)
    assert table(listing) == {"1": ONE["1"]}
    assert listing.notes == ("fold 1 is there twice, as 'fold1', 'fold_1', with the same utterances: merged",)


def test_a_fold_that_is_there_twice_and_differs_is_audited_twice(tmp_path):
    for spelt, tested in (("fold1", "b"), ("fold_1", "b\nc")):
        (tmp_path / f"train_{spelt}.txt").write_text("a\n")
        (tmp_path / f"test_{spelt}.txt").write_text(f"{tested}\n")
    listing = read_listing(tmp_path)
    assert set(listing.folds) == {"fold1", "fold_1"}
    assert listing.notes == (
        "fold 1 is there twice, as 'fold1', 'fold_1', and they differ in 1 utterances: both are audited",
    )


def test_a_fold_column_leaves_one_out(tmp_path):
    write(tmp_path, x_DOT_csv="id,fold\na,1\nb,2\nc,2\n")
    assert table(read_listing(tmp_path / "x.csv")) == {
        "1": {"test": ["a"], "train": ["b", "c"]},
        "2": {"train": ["a"], "test": ["b", "c"]},
    }


def test_a_column_that_tells_something_else_than_folds_is_refused(tmp_path):
    (tmp_path / "x.csv").write_text("id,fold\n" + "".join(f"u{i},{i}\n" for i in range(1001)))
    with pytest.raises(SplitError, match="a column of folds has 1001 values; expected at most 1000"):
        read_listing(tmp_path / "x.csv")


def test_files_that_tell_no_side_are_passed_over_and_named(tmp_path):
    write(tmp_path, train_DOT_txt="a\n", test_DOT_txt="b\n", label_map_DOT_json='{"x": "y"}', notes_DOT_txt="hello\n")
    assert read_listing(tmp_path).notes == ("2 files tell no side and were passed over, such as label_map.json",)


def test_our_own_split(tmp_path):
    rows = {"a": Assignment("s1", "", ("train", "")), "b": Assignment("s2", "", ("test", "train"))}
    split = Split(protocol="list", group="", seed=0, folds=("x", "y"), utterances=rows)
    listing = read_listing(write_split(split, tmp_path / "split.json"))
    assert table(listing) == {"x": {"train": ["a"], "test": ["b"]}, "y": {"train": ["b"]}}
    assert [entry.speaker for entry in listing.folds["x"]] == ["s1", "s2"]


def test_what_is_no_split_is_refused(tmp_path):
    with pytest.raises(SplitError, match="no such file or folder; expected a split"):
        read_listing(tmp_path / "none")
    with pytest.raises(SplitError, match=r"no split files; expected some that end in \.jsonl"):
        read_listing(tmp_path)
    write(tmp_path, names_DOT_txt="a\nb\n")
    with pytest.raises(SplitError, match=r"names\.txt: no sides found; expected names with a role"):
        read_listing(tmp_path / "names.txt")


def test_the_published_folders(corpora):
    root = corpora / "published_splits" / "emobox"
    counts = {"emodb": (5, 535), "cremad": (1, 7442), "ravdess": (6, 1440), "emovo": (6, 588), "iemocap": (5, 5531)}
    for name, (n_folds, n) in counts.items():
        listing = read_listing(root / name)
        assert list(listing.folds) == [str(k) for k in range(1, n_folds + 1)]
        assert {len(entries) for entries in listing.folds.values()} == {n}
        assert sum("merged" in note for note in listing.notes) == (5 if name == "emodb" else 0)
