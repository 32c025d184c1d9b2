import csv
import io

import numpy as np
import pytest

from serprep.errors import FeatureError
from serprep.pipeline import table_files
from serprep.pipeline.table_files import WRITERS, Block, Head, is_alike, writer_of

VALUES = np.array([[0.1, -1e-20], [3.4028235e38, np.nan], [1 / 3, 4096.5]], np.float32)
BLOCKS = [
    Block(['a, "b".wav', "it's 5%\\.wav"], np.array([0.0, 0.01]), VALUES[:2]),
    Block(["\x1b[2Jx\n.wav"], np.array([0.3 * 0.1]), VALUES[2:]),
]


def written(suffix, place):
    file = io.BytesIO()
    WRITERS[suffix](file, Head("serprep x", place, ("mfcc[1]", "plain_0.5")), BLOCKS)
    return file.getvalue()


def test_csv_has_the_shortest_numbers_and_no_line_break_inside_a_row():
    text = written(".csv", "start").decode()
    assert text.splitlines()[0] == "file,start,mfcc[1],plain_0.5"
    assert text.splitlines()[1] == '"a, ""b"".wav",0,0.1,-1e-20'
    rows = list(csv.reader(io.StringIO(text)))[1:]
    assert [row[0] for row in rows] == ['a, "b".wav', "it's 5%\\.wav", "\\x1b[2Jx\\n.wav"]
    assert [row[1] for row in rows] == ["0", "0.01", "0.03"]
    np.testing.assert_array_equal(np.array([row[2:] for row in rows], np.float32), VALUES)


def test_arff_quotes_what_weka_would_take_for_something_else():
    lines = written(".arff", "").decode().splitlines()
    assert lines[:5] == [
        "@relation 'serprep x'",
        "@attribute file string",
        "@attribute 'mfcc[1]' numeric",
        "@attribute plain_0.5 numeric",
        "@data",
    ]
    assert lines[5:] == [
        "'a, \"b\".wav',0.1,-1e-20",
        r"'it\'s 5\%\\.wav',3.4028235e+38,?",
        r"'\\x1b[2Jx\\n.wav',0.33333334,4096.5",
    ]


@pytest.mark.parametrize(("place", "kind"), [("start", "double"), ("", None)])
def test_parquet_has_float32_and_the_same_names(place, kind):
    parquet = pytest.importorskip("pyarrow.parquet")
    found = parquet.read_table(io.BytesIO(written(".parquet", place)))
    assert found.column_names == ["file", *([place] if place else []), "mfcc[1]", "plain_0.5"]
    assert found.column("file").to_pylist()[2] == "\\x1b[2Jx\\n.wav"
    assert not kind or str(found.schema.field("start").type) == kind
    assert str(found.schema.field("plain_0.5").type) == "float"
    np.testing.assert_array_equal(np.column_stack([found.column(name) for name in found.column_names[-2:]]), VALUES)


@pytest.mark.parametrize("suffix", WRITERS)
def test_a_file_of_the_same_columns_is_told_from_others(suffix, tmp_path):
    path, head = tmp_path / "x", Head("serprep x", "start", ("mfcc[1]", "plain_0.5"))
    for data, alike in ((written(suffix, "start"), True), (written(suffix, ""), False), (b"", True), (b"old", False)):
        path.write_bytes(data)
        assert is_alike(path, WRITERS[suffix], head) == alike


def test_a_suffix_that_nothing_writes_is_refused(monkeypatch):
    assert writer_of(".CSV") is WRITERS[".csv"]
    with pytest.raises(FeatureError, match=r"suffix is '.xlsx'; expected one of .csv, .arff, .parquet"):
        writer_of(".xlsx")
    monkeypatch.setattr(table_files, "find_spec", lambda name: None)
    with pytest.raises(FeatureError, match="needs pyarrow, which is not installed"):
        writer_of(".parquet")
