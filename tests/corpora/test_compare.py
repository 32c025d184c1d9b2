"""ComParE from 2019 on: one label file, or one for each partition."""

import pytest

from serprep.corpora import read_corpus
from serprep.errors import CorpusError
from serprep.testing import write_layout


@pytest.fixture
def folder(tmp_path):
    """The layout from 2021 on."""
    write_layout("compare", tmp_path, sound=False)
    return tmp_path


def to_2019(folder):
    """The same challenge in the layout of 2019 and 2020."""
    rows = [
        line
        for name in ("train", "devel", "test")
        for line in (folder / f"lab/{name}.csv").read_text().splitlines()[1:]
    ]
    for name in ("train", "devel", "test"):
        (folder / f"lab/{name}.csv").unlink()
    (folder / "lab/labels.csv").write_text("\n".join(["file_name,label", *rows]) + "\n")


def test_both_layouts_give_the_same(folder):
    later = read_corpus("compare", folder)
    to_2019(folder)
    assert read_corpus("compare", folder) == later
    assert later.warnings == ()
    assert [(u.id, u.emotion, u.partition) for u in later.utterances][7:9] == [
        ("train_0008", "sad", "train"),
        ("devel_0001", "angry", "devel"),
    ]
    assert {u.emotion for u in later.utterances if u.partition == "test"} == {""}


def test_from_2021_on_the_file_says_the_partition_whatever_the_name(folder):
    (folder / "lab/devel.csv").write_text("filename,label\ntrain_0001.wav,angry\n")
    assert [u.partition for u in read_corpus("compare", folder).utterances if u.id == "train_0001"] == [
        "train",
        "devel",
    ]


@pytest.mark.parametrize("name", ["devel", "test"])
def test_a_missing_partition_is_named(folder, name):
    (folder / f"lab/{name}.csv").unlink()
    with pytest.raises(CorpusError, match=rf"lab/{name}\.csv: No such file or directory; expected a label file"):
        read_corpus("compare", folder)


def test_missing_label_files_are_named(folder):
    for path in (folder / "lab").iterdir():
        path.unlink()
    with pytest.raises(
        CorpusError, match=r"lab/labels\.csv: no such file; expected a label file \(or lab/train\.csv\)"
    ):
        read_corpus("compare", folder)


def test_a_wrong_header_is_named(folder):
    (folder / "lab/devel.csv").write_text("filename;emotion\ndevel_0001.wav;sad\n")
    with pytest.raises(CorpusError, match=r"lab/devel\.csv:1: no column 'label'; it has 'filename', 'emotion'"):
        read_corpus("compare", folder)


def test_windows_line_ends_change_nothing(folder):
    clean = read_corpus("compare", folder)
    for path in (folder / "lab").iterdir():
        path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    assert read_corpus("compare", folder) == clean


def test_a_latin_1_label_file_is_read_and_said_so(folder):
    (folder / "lab/train.csv").write_bytes(b"filename,label\ntrain_0001.wav,m\xfcde\n")
    reading = read_corpus("compare", folder)
    assert reading.utterances[0].emotion == "müde"
    assert "label files that are not UTF-8, read as Latin-1: lab/train.csv:2" in reading.warnings


def test_absent_extra_and_nameless_recordings_are_counted_with_file_and_line(folder):
    to_2019(folder)
    (folder / "wav/devel_0002.wav").unlink()
    (folder / "wav/more.wav").touch()
    with (folder / "lab/labels.csv").open("a") as file:
        file.write("nobody.wav,sad\n")
    reading = read_corpus("compare", folder)
    assert len(reading.utterances) == 24
    assert sorted(reading.warnings) == [
        "recordings that a label file names but that are not there: lab/labels.csv:11",
        "recordings that no label file names passed over: wav/more.wav",
        "rows whose names begin with none of train, devel and test passed over: lab/labels.csv:26",
    ]
