import numpy as np
import pytest

from helpers.late import Late
from serprep.corpora import read_corpus
from serprep.corpora.table import column_name
from serprep.errors import CorpusError
from serprep.utterance import Utterance

pandas = Late("pandas")

EXPECTED = (
    Utterance(id="a", path="wav/a.wav", speaker="f 1", emotion="joy", extra={"age": "31", "text": "hi, you"}),
    Utterance(id="b", path="wav/b.wav", speaker="m2", emotion="", extra={"age": "", "text": "Grüße"}),
)
CELLS = [
    ["id", "path", "speaker", "emotion", "age", "text"],
    ["a", "wav/a.wav", "f 1", "joy", "31", "hi, you"],
    ["b", "wav/b.wav", "m2", "?", "", "Grüße"],
]


def text_of(separator, *, end="\n", pad=""):
    def quoted(cell):
        return f'"{cell}"' if separator in cell else cell

    return "".join(separator.join(pad + quoted(cell) + pad for cell in line) + end for line in CELLS)


def read(root, text, *, file="labels.csv", **options):
    (root / file).write_bytes(text if isinstance(text, bytes) else text.encode())
    return read_corpus("table", root, {"file": file, **options}).utterances


# -- forms of a table ----------------------------------------------------------------


@pytest.mark.parametrize("end", ["\n", "\r\n", "\r"])
@pytest.mark.parametrize("mark", ["", "\ufeff"])
@pytest.mark.parametrize(
    ("file", "separator"),
    [
        ("labels.csv", ","),
        ("labels.csv", ";"),
        ("labels.csv", "\t"),
        ("labels.tsv", "\t"),
        ("a/L.TSV", "\t"),
        ("x", ","),
    ],
)
def test_every_form_of_text_gives_the_same_utterances(tmp_path, file, separator, mark, end):
    (tmp_path / "a").mkdir()
    assert read(tmp_path, mark + text_of(separator, end=end), file=file) == EXPECTED


def test_cells_are_stripped(tmp_path):
    assert read(tmp_path, text_of(";", pad="  ")) == EXPECTED


def test_the_last_line_needs_no_end_and_empty_lines_do_not_count(tmp_path):
    assert read(tmp_path, text_of(",").rstrip("\n")) == EXPECTED
    assert read(tmp_path, text_of(",").replace("\nb", "\n\n,,,,,\nb") + "\n \n") == EXPECTED


def test_a_tsv_may_hold_more_commas_than_tabs(tmp_path):
    text = "path\ta,b,c,d\nx.wav\t1\n"
    assert read(tmp_path, text, file="labels.tsv")[0].extra == {"a_b_c_d": "1"}


def test_a_parquet_file_gives_the_same_utterances(tmp_path):
    frame = pandas.DataFrame(CELLS[1:], columns=CELLS[0])
    frame.loc[1, "age"] = None
    frame.to_parquet(tmp_path / "labels.parquet", index=False)
    assert read_corpus("table", tmp_path, {"file": "labels.parquet"}).utterances == EXPECTED


def test_numbers_of_a_parquet_file_become_text_and_gaps_empty(tmp_path):
    frame = pandas.DataFrame(
        {
            "path": ["a.wav", "b.wav"],
            "start": [0.5, np.nan],
            "end": [1.25, np.nan],
            "take": [1, 2],
            "emotion": ["joy", None],
            "arousal": [np.nan, 0.1],
        }
    )
    frame.to_parquet(tmp_path / "labels.parquet", index=False)
    first, second = read_corpus("table", tmp_path, {"file": "labels.parquet"}).utterances
    assert (first.start, first.end, first.emotion) == (0.5, 1.25, "joy")
    assert (second.start, second.end, second.emotion) == (None, None, "")
    assert first.extra == {"take": "1", "arousal": ""}
    assert second.extra == {"take": "2", "arousal": "0.1"}


def test_a_table_is_read_in_its_own_order(tmp_path):
    names = ["c", "a", "b"]
    text = "path\n" + "".join(f"{name}.wav\n" for name in names)
    assert [utterance.id for utterance in read(tmp_path, text)] == names


# -- columns -------------------------------------------------------------------------


def test_the_id_defaults_to_the_path_without_suffix(tmp_path):
    utterances = read(tmp_path, "path,id\nspk/a.b.wav,\nspk/c.wav,own\n")
    assert [utterance.id for utterance in utterances] == ["spk/a.b", "own"]


def test_columns_may_have_other_names(tmp_path):
    text = "File Name,who,label,Set,speaker\na.wav,f1,joy,devel,loud\n"
    columns = {"path": "File Name", "speaker": "who", "emotion": "label", "partition": "Set"}
    assert read(tmp_path, text, columns=columns) == (
        Utterance(
            id="a", path="a.wav", speaker="f1", emotion="joy", partition="devel", extra={"table_speaker": "loud"}
        ),
    )


def test_excerpts_have_start_and_end(tmp_path):
    text = "id,path,start,end\nx,a.wav,0.5,1.25\ny,a.wav,,2\nz,a.wav,3e0,\n"
    found = [(u.id, u.path, u.start, u.end) for u in read(tmp_path, text)]
    assert found == [("x", "a.wav", 0.5, 1.25), ("y", "a.wav", None, 2.0), ("z", "a.wav", 3.0, None)]


def test_other_columns_are_carried_along_under_possible_names(tmp_path):
    text = "path,Age (years),duration,2nd,n_frames,größe,---\na.wav,31,1.5,x,7,180,gone\n"
    assert read(tmp_path, text)[0].extra == {
        "Age_years": "31",
        "table_duration": "1.5",
        "table_2nd": "x",
        "table_n_frames": "7",
        "größe": "180",
    }


@pytest.mark.parametrize(
    ("name", "column"),
    [
        ("speaker", "speaker"),
        (" a  b ", "a_b"),
        ("Age (years)", "Age_years"),
        ("x-y.z", "x_y_z"),
        ("_a_", "a"),
        ("--", ""),
    ],
)
def test_column_names_are_words(name, column):
    assert column_name(name) == column


@pytest.mark.parametrize("missing", ["", "?", " ? "])
def test_missing_labels_are_empty(tmp_path, missing):
    assert read(tmp_path, f"path,emotion\na.wav,{missing}\n")[0].emotion == ""


def test_a_row_without_a_path_is_passed_over_and_counted(tmp_path):
    (tmp_path / "labels.csv").write_text("id,path\na,a.wav\nb,\nc,\n", encoding="utf-8")
    reading = read_corpus("table", tmp_path, {"file": "labels.csv"})
    assert [utterance.id for utterance in reading.utterances] == ["a"]
    assert reading.warnings == (f"2 rows without a path passed over, such as {tmp_path}/labels.csv:3",)


# -- what is refused -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("id,path\na,a.wav\nb,Mädchen.wav\n".encode("latin-1"), r"labels\.csv:3: byte 0xe4 is not UTF-8; convert it"),
        ("file,emotion\na.wav,joy\n", r"labels\.csv: no column 'path' for path; it has file, emotion: name one"),
        ("id,path\na,a.wav\nb,b.wav,joy\n", r"labels\.csv:3: 3 cells, the header has 2; quote cells that hold ','"),
        ("id,path\na,a.wav\nb\n", r"labels\.csv:3: 1 cells, the header has 2"),
        ("id;path\na;a.wav;\n", r"labels\.csv:2: 3 cells, the header has 2; quote cells that hold ';'"),
        ("id,path,id\na,a.wav,b\n", r"labels\.csv:1: a column name stands twice"),
        ('id,path\na,"a.wav\n', r"labels\.csv:2: .*; expected a table separated by ','"),
        ('id,path\na,"a".wav\n', r"labels\.csv:2: .*; expected a table separated by ','"),
        ("path,start\na.wav,0.5\nb.wav,soon\n", r"labels\.csv:3: 'soon' is not a time; expected seconds such as 1\.25"),
        ("path,end\na.wav,-1\n", r"labels\.csv:2: '-1' is not a time"),
        ("path,end\na.wav,nan\n", r"labels\.csv:2: 'nan' \(no number.*\) is not a time"),
        ("path,end\na.wav,inf\n", r"labels\.csv:2: 'inf' \(no number.*\) is not a time"),
        (
            "path,end\na.wav,00:01:02\n",
            r"labels\.csv:2: '00:01:02' \(a clock time: write seconds, 62.0\) is not a time",
        ),
        ("path,end\na.wav,1_0\n", r"labels\.csv:2: '1_0' \(digits joined by underscores.*\) is not a time"),
        ('path,end\na.wav,"1,5"\n', r"labels\.csv:2: '1,5' \(a decimal comma: write 1.5\) is not a time"),
        ("path;end\na.wav;1,5\n", r"labels\.csv:2: '1,5' \(a decimal comma"),
        ("path,end\na.wav,0 days 00:00:01.5\n", r"labels\.csv:2: .*write seconds, 1.5"),
        ("path,end\na.wav,١\n", r"labels\.csv:2: '١' \(written with other signs"),
        ("path,emotion\na.wav,joy\n".encode("utf-16"), r"labels\.csv is UTF-16: save it as UTF-8"),
        ("path,emotion\na.wav,joy\n".encode("utf-16-le"), r"labels\.csv is UTF-16"),
        (b"PK\x03\x04 xl/workbook.xml", r"labels\.csv is an Excel workbook \(xlsx\): export it as CSV"),
        ('[{"path": "a.wav"}]', r"labels\.csv is JSON: write the rows as CSV"),
        ("", "no utterance of a corpus described by a table found"),
        ("path\n", "no utterance of a corpus described by a table found"),
    ],
)
def test_a_table_that_cannot_be_read_is_refused_with_its_line(tmp_path, text, message):
    with pytest.raises(CorpusError, match=message):
        read(tmp_path, text)


def test_a_missing_table_is_refused(tmp_path):
    for file in ("gone.csv", "gone.parquet"):
        with pytest.raises(CorpusError, match=rf"{file}: .*; expected a (label|Parquet) file"):
            read_corpus("table", tmp_path, {"file": file})


def test_what_is_no_parquet_file_is_refused(tmp_path):
    with pytest.raises(CorpusError, match=r"labels\.parquet: .*; expected a Parquet file"):
        read(tmp_path, text_of(","), file="labels.parquet")


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"speeker": "c"}, r"\[corpus\.columns\] has no 'speeker'; expected id, .*; did you mean 'speaker'\?"),
        ({"colour": "c"}, r"\[corpus\.columns\] has no 'colour'; expected id, path, start, end"),
        ({"emotion": "label"}, r"no column 'label' for emotion; it has id, path"),
        ("path", r"\[corpus\.columns\] is 'path'; expected a table"),
    ],
)
def test_impossible_columns_are_refused(tmp_path, columns, message):
    with pytest.raises(CorpusError, match=message):
        read(tmp_path, text_of(","), columns=columns)


def test_absolute_paths_below_the_root_are_relative_ones(tmp_path):
    (tmp_path / "real").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "real")
    rows = read(tmp_path / "link", f"path\n{tmp_path}/real/a.wav\n{tmp_path}/link/b.wav\nc.wav\n/elsewhere/d.wav\n")
    assert [(row.id, row.path) for row in rows] == [
        ("a", "a.wav"),
        ("b", "b.wav"),
        ("c", "c.wav"),
        ("/elsewhere/d", "/elsewhere/d.wav"),
    ]


def test_a_prefix_comes_before_the_paths_and_not_into_the_ids(tmp_path):
    text = f"path\nb/a.wav\n{tmp_path}/elsewhere/c.wav\n"
    for prefix in ("samples", "samples/", "./samples"):
        found = [(row.id, row.path) for row in read(tmp_path, text, prefix=prefix)]
        assert found == [("b/a", "samples/b/a.wav"), ("elsewhere/c", "elsewhere/c.wav")]


def test_columns_that_the_audit_knows_may_be_named(tmp_path):
    text = "path,utt_text,Sex,text\na.wav,hello,f,other\n"
    (row,) = read(tmp_path, text, columns={"text": "utt_text", "gender": "Sex"})
    assert row.extra == {"text": "hello", "gender": "f", "table_text": "other"}


def test_title_licence_and_source_are_the_users_to_say(tmp_path):
    (tmp_path / "labels.csv").write_text("path\na.wav\n")
    plain = read_corpus("table", tmp_path, {"file": "labels.csv"}).corpus
    said = read_corpus("table", tmp_path, {"file": "labels.csv", "title": "nEMO", "licence": "CC BY 4.0"}).corpus
    assert (said.title, said.licence, said.source) == ("nEMO", "CC BY 4.0", plain.source)


def test_spans_of_time_in_a_parquet_file_are_seconds(tmp_path):
    frame = pandas.DataFrame({"path": ["a.wav"], "start": pandas.to_timedelta([1.5], unit="s")})
    frame.to_parquet(tmp_path / "labels.parquet", index=False)
    assert read_corpus("table", tmp_path, {"file": "labels.parquet"}).utterances[0].start == 1.5
