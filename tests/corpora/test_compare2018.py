"""ComParE 2018 Atypical Affect: partitions from names, a test part without labels."""

from collections import Counter

import pytest

from serprep.corpora import read_corpus
from serprep.errors import CorpusError
from serprep.testing import write_layout

LABELS = "lab/ComParE2018_AtypicalAffect.tsv"
CONFIDENTIAL = "lab/ComParE2018_AtypicalAffect.confidential.tsv"


@pytest.fixture
def folder(tmp_path):
    write_layout("compare2018", tmp_path, sound=False)
    return tmp_path


def edit(folder, old, new):
    path = folder / LABELS
    path.write_text(path.read_text().replace(old, new))


def emotions(reading, partition):
    return Counter(u.emotion for u in reading.utterances if u.partition == partition)


def test_train_and_devel_have_labels_and_test_has_none(folder):
    reading = read_corpus("compare2018", folder)
    known = {"angry": 2, "happy": 2, "neutral": 2, "sad": 2}
    assert (emotions(reading, "train"), emotions(reading, "devel")) == (known, known)
    assert emotions(reading, "test") == {"": 8}
    assert {u.speaker for u in reading.utterances} == {""}
    assert reading.warnings == ()


def test_test_rows_with_question_marks_say_no_more_than_missing_rows(folder):
    without = read_corpus("compare2018", folder)
    with (folder / LABELS).open("a") as file:
        file.writelines(f"test_{number:04}.wav\t?\n" for number in range(1, 9))
    assert read_corpus("compare2018", folder).utterances == without.utterances


def test_the_older_release_calls_the_column_label(folder):
    newer = read_corpus("compare2018", folder)
    edit(folder, "file_name\temotion", "file_name\tlabel")
    assert read_corpus("compare2018", folder).utterances == newer.utterances


def test_confidential_labels_are_used_for_the_test_part_alone_and_said_so(folder):
    rows = "".join(f"test_{number:04}.wav\tsad\n" for number in range(1, 8))
    (folder / CONFIDENTIAL).write_text(f"file_name\temotion\n{rows}train_0001.wav\tsad\ntrain_0002.wav\tsad\n")
    edit(folder, "train_0002.wav\thappy", "train_0002.wav\t?")
    reading = read_corpus("compare2018", folder)
    assert emotions(reading, "test") == {"sad": 7, "": 1}
    assert {u.id: u.emotion for u in reading.utterances}["train_0001"] == "angry"
    assert {u.id: u.emotion for u in reading.utterances}["train_0002"] == ""
    assert reading.warnings == (
        f"test labels read from the organisers' confidential file: the test part is not blind: {CONFIDENTIAL}",
    )


def test_a_missing_label_file_is_named(folder):
    (folder / LABELS).unlink()
    with pytest.raises(CorpusError, match=r"lab/ComParE2018_AtypicalAffect\.tsv: no such file; expected a label file"):
        read_corpus("compare2018", folder)


def test_a_wrong_header_is_named(folder):
    edit(folder, "file_name\temotion", "name\temotion")
    with pytest.raises(CorpusError, match=r"AtypicalAffect\.tsv:1: no column 'file_name'; it has 'name', 'emotion'"):
        read_corpus("compare2018", folder)


def test_an_unknown_emotion_is_named_with_its_line(folder):
    edit(folder, "train_0002.wav\thappy", "train_0002.wav\thapiness")
    with pytest.raises(CorpusError, match=r"AtypicalAffect\.tsv:3: unknown emotion 'hapiness'; expected one of angry"):
        read_corpus("compare2018", folder)


def test_two_labels_for_one_file_are_an_error(folder):
    with (folder / LABELS).open("a") as file:
        file.write("train_0001.wav\tsad\n")
    with pytest.raises(CorpusError, match=r"tsv:18: 'train_0001\.wav' has another label in .*tsv:2; remove one"):
        read_corpus("compare2018", folder)


def test_windows_line_ends_and_a_byte_order_mark_change_nothing(folder):
    clean = read_corpus("compare2018", folder)
    (folder / LABELS).write_bytes(b"\xef\xbb\xbf" + (folder / LABELS).read_bytes().replace(b"\n", b"\r\n"))
    assert read_corpus("compare2018", folder) == clean


def test_a_latin_1_label_file_is_read_and_said_so(folder):
    (folder / LABELS).write_bytes((folder / LABELS).read_bytes() + b"train_\xe9.wav\tsad\n")
    (folder / "wav" / "train_é.wav").touch()
    reading = read_corpus("compare2018", folder)
    assert "train_é" in {u.id for u in reading.utterances}
    assert reading.warnings == (f"label files that are not UTF-8, read as Latin-1: {LABELS}:18",)


def test_absent_and_extra_recordings_are_counted_with_file_and_line(folder):
    (folder / "wav" / "train_0003.wav").unlink()
    (folder / "wav" / "train_0999.wav").touch()
    (folder / "wav" / "test_0999.wav").touch()  # a test recording needs no row
    reading = read_corpus("compare2018", folder)
    missing = next(u for u in reading.utterances if u.id == "train_0003")
    assert (missing.path, missing.emotion) == ("wav/train_0003.wav", "neutral")
    assert "test_0999" in {u.id for u in reading.utterances}
    assert reading.warnings == (
        f"recordings that a label file names but that are not there: {LABELS}:4",
        "recordings that no label file names passed over: wav/train_0999.wav",
    )


def test_names_of_no_partition_are_passed_over_and_counted(folder):
    with (folder / LABELS).open("a") as file:
        file.write("extra_0001.wav\tsad\n")
    reading = read_corpus("compare2018", folder)
    assert len(reading.utterances) == 24
    assert reading.warnings == (f"rows whose names begin with none of train, devel and test passed over: {LABELS}:18",)
