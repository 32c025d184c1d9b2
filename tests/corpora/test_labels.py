import pytest

from serprep.corpora.corpus import Finding
from serprep.corpora.labels import LATIN_1, TWICE, Line, Row, find, read_lines, read_table, read_text, recordings
from serprep.errors import CorpusError


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize("encoding", ["utf-8", "latin-1"])
def test_lines_are_the_same_whatever_ends_mark_and_encoding(tmp_path, end, mark, encoding):
    if mark and encoding == "latin-1":
        pytest.skip("a mark says that it is UTF-8")
    text = mark + end.join(["first", "", "größer \x85 one line", " "])
    (tmp_path / "a.txt").write_bytes(text.encode(encoding))
    lines, findings = read_lines(tmp_path, "a.txt")
    assert lines == [Line("a.txt:1", "first"), Line("a.txt:3", "größer \x85 one line")]
    assert findings == ([Finding(LATIN_1, "a.txt:3")] if encoding == "latin-1" else [])


@pytest.mark.parametrize("data", [b"", b"\xef\xbb\xbf", b" \r\n\t\r\n"])
def test_a_file_that_holds_nothing_is_told(tmp_path, data):
    (tmp_path / "a.txt").write_bytes(data)
    assert read_lines(tmp_path, "a.txt") == ([], [Finding("label files that hold nothing", "a.txt")])


def test_what_is_no_text_is_refused_with_its_line(tmp_path):
    (tmp_path / "a.txt").write_bytes(b"a\r\nb\r\n\0")
    with pytest.raises(CorpusError, match=r"a\.txt:3: a zero byte; expected text in UTF-8 or Latin-1"):
        read_text(tmp_path, "a.txt")
    (tmp_path / "b.txt").write_bytes("file,emotion\n".encode("utf-16"))
    with pytest.raises(CorpusError, match=r"b\.txt:1: the file is UTF-16: save it as UTF-8"):
        read_text(tmp_path, "b.txt")
    (tmp_path / "c.txt").mkdir()
    with pytest.raises(CorpusError, match=r"c\.txt: a folder; expected a label file"):
        read_text(tmp_path, "c.txt")


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.csv", 'label,file\nsad,"x, y"\n\njoy, z \n'),
        ("a.csv", 'label;file\r\nsad;"x, y"\r\n;\r\njoy;z'),
        ("a.tsv", "label\tfile\nsad\tx, y\n\t\njoy\tz\n"),
    ],
)
def test_a_table_is_read_by_its_header(tmp_path, name, text):
    (tmp_path / name).write_bytes(text.encode())
    rows, findings = read_table(tmp_path, name, columns=("file", "emotion"), older={"label": "emotion"})
    assert rows == [
        Row(f"{name}:2", {"emotion": "sad", "file": "x, y"}),
        Row(f"{name}:4", {"emotion": "joy", "file": "z"}),
    ]
    assert findings == []


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "a.csv:1: no column 'file'; it has none"),
        ("\n", "a.csv:1: no column 'file'; it has none"),
        ("File,emotion\n", "a.csv:1: no column 'file'; it has 'File', 'emotion'"),
        ("file\n", "a.csv:1: no column 'emotion'; it has 'file'"),
        ("file,file,emotion\n", "a.csv:1: a column name stands twice"),
        ("file,emotion\na,b\nc\n", "a.csv:3: 1 cells, the header has 2"),
        ("file,emotion\na,b,c\n", "a.csv:2: 3 cells, the header has 2; quote cells that hold ','"),
        ('file,emotion\na,"b\n', "a.csv:2: unexpected end of data; expected a table separated by ','"),
    ],
)
def test_a_table_of_another_form_is_refused_with_its_line(tmp_path, text, message):
    (tmp_path / "a.csv").write_text(text, encoding="utf-8")
    with pytest.raises(CorpusError, match=message):
        read_table(tmp_path, "a.csv", columns=("file", "emotion"))


def test_the_first_file_that_is_there_counts(tmp_path):
    (tmp_path / "b.csv").touch()
    (tmp_path / "c.csv").touch()
    assert find(tmp_path, "a.csv", "b.csv", "c.csv") == "b.csv"
    with pytest.raises(CorpusError, match=r"x\.csv: no such file; expected a label file \(or y\.csv, z\.csv\)"):
        find(tmp_path, "x.csv", "y.csv", "z.csv")
    with pytest.raises(CorpusError, match=r"x\.csv: no such file; expected a label file$"):
        find(tmp_path, "x.csv")


def test_a_second_copy_of_a_recording_does_not_count(tmp_path):
    for path in ("b.wav", "a/b.wav", "a/c.flac", "d/c.WAV", "d/._c.wav"):
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).touch()
    assert recordings(tmp_path) == (
        {"c": "a/c.flac", "b": "b.wav"},
        [Finding(TWICE, "a/b.wav"), Finding(TWICE, "d/c.WAV")],
    )
    assert recordings(tmp_path, "a") == ({"b": "a/b.wav", "c": "a/c.flac"}, [])
    assert recordings(tmp_path, "nowhere") == ({}, [])
