import pytest

from serprep.errors import ManifestError
from serprep.manifest.marks import LEAVE_OUT, MARKS, Mark, corrections, left_out, read_marks
from serprep.manifest.select import select
from serprep.manifest.table import make_manifest
from serprep.utterance import Utterance

ROWS = make_manifest([Utterance(id=name, path=f"{name}.wav", emotion=name[0]) for name in ("a1", "a2", "s1", 'x"\n,')])


def test_marks_are_read_as_the_page_writes_them(tmp_path):
    path = tmp_path / "marks.csv"
    path.write_bytes('\ufeffid,mark,emotion\na1,leave out,s\na2,,s\n"x""\n,",acted badly,\n'.encode())
    marks = read_marks(path)
    assert marks == (Mark("a1", LEAVE_OUT, "s"), Mark("a2", "", "s"), Mark('x"\n,', "acted badly", ""))
    assert left_out(marks) == ["a1"]
    assert corrections(marks) == {"a2": "s"}  # who is left out needs no label
    assert len(MARKS) == 9  # one a key


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "marks.csv:1: expected the columns id,mark,emotion"),
        ("id,emotion\n", "marks.csv:1: expected the columns"),
        ("id,mark,emotion\na\n", "marks.csv:2: 1 cells; expected 3"),
        ("id,mark,emotion\na,,\na,,\n", "marks.csv:3: utterance 'a' is marked twice"),
        ('id,mark,emotion\n"a', "expected a CSV in UTF-8"),
        (b"id,mark,emotion\n\xff,,\n", "expected a CSV in UTF-8"),
        (None, "No such file or directory; expected marks"),
    ],
)
def test_what_is_no_table_of_marks_is_refused_in_one_line(tmp_path, text, message):
    path = tmp_path / "marks.csv"
    if text is not None:
        path.write_bytes(text if isinstance(text, bytes) else text.encode())
    with pytest.raises(ManifestError, match=message) as refused:
        read_marks(path)
    assert "\n" not in str(refused.value)


def test_marked_utterances_are_left_out_or_have_the_label_that_they_should():
    words = {"a": "angry", "s": "sad"}
    marks = [Mark("a1", LEAVE_OUT), Mark("a2", "another emotion", "sad"), Mark("s1", "noise or damage")]
    chosen = select(ROWS, emotions=words, marks=marks)
    assert dict(zip(chosen.manifest.column("id"), chosen.manifest.column("emotion"), strict=True)) == {
        "a2": "sad",
        "s1": "sad",
    }
    assert chosen.dropped["marked to be left out"] == 1
    assert chosen.labels == ("angry", "sad")
    assert select(ROWS, marks=[Mark("a1", "", "s")]).manifest.column("emotion") == ["s", "a", "s", "x"]


@pytest.mark.parametrize(
    ("mark", "message"),
    [
        (Mark("nobody"), "1 marked ids are not in the corpus, such as 'nobody'"),
        (Mark("a1", "", "joy"), "utterance 'a1' is marked 'joy'; expected one of a, s, x"),
    ],
)
def test_a_mark_that_fits_nothing_is_refused(mark, message):
    with pytest.raises(ManifestError, match=message):
        select(ROWS, marks=[mark])
