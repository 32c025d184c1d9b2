"""Each form a split file may have."""

import json

import pytest

from serprep.audit.rows import read_rows, side_of
from serprep.errors import SplitError


def write(tmp_path, name, text):
    path = tmp_path / name
    path.write_text(text, encoding="utf-8")
    return path


def told(rows):
    return [(row.entry.names[0], row.entry.role, row.fold) for row in rows]


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.csv", "id,role\na,train\nb,test\n"),
        ("a.csv", "filename;partition\r\na;Train\r\nb;TEST\r\n"),
        ("a.tsv", "path\tsplit\na\ttraining\nb\tevaluation\n"),
        ("a.csv", "FileName,EmoClass,Split_Set\na,H,Train\nb,N,Test2\n"),
        ("a.csv", "\ufeffclip,set\na,train\nb,test\n"),
        ("a.jsonl", '{"key": "a", "split": "train"}\n\n{"key": "b", "split": "test"}\n'),
        ("a.json", '[{"file": "a", "set": "train"}, {"file": "b", "set": "test"}]'),
        ("a.json", '{"train": ["a"], "test": [{"path": "b"}]}'),
        ("a.json", '{"a": "train", "b": "test"}'),
        ("a.txt", "# who\na train\nb test\n"),
        ("a.lst", "train\ta\ntest\tb\n"),
        ("a.csv", "a,train\nb,test\n"),
    ],
)
def test_one_split_in_many_forms(tmp_path, name, text):
    assert told(read_rows(write(tmp_path, name, text))) == [("a", "train", ""), ("b", "test", "")]


def test_names_in_all_columns_are_kept_with_label_speaker_and_start(tmp_path):
    line = {
        "key": "emodb-03a01Wa",
        "wav": "downloads/03a01Wa.wav",
        "emo": "anger",
        "spk": "03",
        "start": "0 days 00:01:02.5",
    }
    (row,) = read_rows(write(tmp_path, "train.jsonl", json.dumps(line)))
    assert row.entry.names == ("emodb-03a01Wa", "downloads/03a01Wa.wav")
    assert (row.entry.label, row.entry.speaker, row.entry.start, row.entry.role) == ("anger", "03", 62.5, "")


def test_a_fold_column_tells_where_it_is_tested(tmp_path):
    rows = read_rows(write(tmp_path, "a.csv", "file,fold\na,1\nb,2\n"))
    assert [row.tested_in for row in rows] == ["1", "2"]
    rows = read_rows(write(tmp_path, "a.csv", "file,fold,role\na,1,train\nb,1,test\n"))
    assert told(rows) == [("a", "train", "1"), ("b", "test", "1")]


def test_a_column_per_fold(tmp_path):
    rows = read_rows(write(tmp_path, "a.csv", "id,fold_1,fold_2\na,train,test\nb,test,\n"))
    assert told(rows) == [("a", "train", "fold_1"), ("a", "test", "fold_2"), ("b", "test", "fold_1")]


def test_folds_and_meta_data_in_json(tmp_path):
    text = json.dumps({"fold1": {"train": ["a"], "test": ["b"]}, "labels": {"happy": 0}})
    assert told(read_rows(write(tmp_path, "a.json", text))) == [("a", "train", "fold1"), ("b", "test", "fold1")]
    text = json.dumps({"labels": {"neu": 0}, "meta_data": [{"path": "x/y.wav", "label": "neu", "speaker": "Ses01F"}]})
    assert told(read_rows(write(tmp_path, "train.json", text))) == [("x/y.wav", "", "")]
    assert read_rows(write(tmp_path, "label_map.json", '{"anger": "Angry"}')) == []


@pytest.mark.parametrize(
    ("word", "role"), [("Test3", "test"), ("test-1", "test"), ("devel", "dev"), ("contest", ""), ("1", "")]
)
def test_words_of_sides(word, role):
    assert side_of(word) == role


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("a.jsonl", '{"key": "a"}\n{oops\n', r"a\.jsonl:2: .*; expected a JSON object per line"),
        ("a.jsonl", '{"emotion": "a"}\n', r"a\.jsonl:1: no name; expected an object with one of id, key, wav"),
        ("a.jsonl", '{"a":' * 900 + "1" + "}" * 900, r"a\.jsonl:1: .*"),
        ("a.json", "{", r"a\.json: .*; expected JSON"),
        ("a.json", "[" * 100_000, r"a\.json: .*; expected JSON"),
        ("a.csv", "clip,emotion\na,happy\n", r"a\.csv:1: no column that names utterances; expected one of id, key"),
        ("a.csv", "id,role\na,train,x\n", r"a\.csv:2: 3 cells, the header has 2"),
        ("a.csv", "id,role\n,train\n", r"a\.csv:2: no name; expected one in id"),
    ],
)
def test_what_cannot_be_read_is_named_with_its_line(tmp_path, name, text, message):
    with pytest.raises(SplitError, match=message) as error:
        list(read_rows(write(tmp_path, name, text)))
    assert "\n" not in str(error.value)


def test_bytes_that_are_no_text(tmp_path):
    (tmp_path / "a.csv").write_bytes(b"id,role\n\xff\xfe,train\n")
    with pytest.raises(SplitError, match=r"a\.csv: invalid start byte at byte 8; expected UTF-8"):
        read_rows(tmp_path / "a.csv")


@pytest.mark.parametrize("cell", ["1_0", "1,5", "soon", "١"])
def test_a_start_that_is_no_time_is_refused_with_its_line(tmp_path, cell):
    for name, text in (
        ("a.csv", f'id,role,start\na,train,0.5\nb,test,"{cell}"\n'),
        ("a.jsonl", f'{{"id": "a", "role": "train", "start": 0.5}}\n\n{{"id": "b", "start": "{cell}"}}\n'),
    ):
        with pytest.raises(SplitError, match=rf"{name}:3: start is '{cell}'.*expected"):
            read_rows(write(tmp_path, name, text))


def test_starts_of_excerpts(tmp_path):
    text = "id\trole\tstart\n" + "".join(f"a\ttrain\t{cell}\n" for cell in ("1.5", "0 days 00:00:01.5", "nan", "", "-"))
    assert [row.entry.start for row in read_rows(write(tmp_path, "a.tsv", text))] == [1.5, 1.5, None, None, None]
