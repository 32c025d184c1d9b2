import gzip
import io
import math
import zipfile

import pytest

from serprep.text import as_float, as_int, clock_seconds, described, did_you_mean, nearest, not_table, not_text

NUMBERS = {"0": 0.0, "-0": -0.0, "1.": 1.0, ".5": 0.5, "+2.5": 2.5, "1e5": 1e5, "3E-2": 0.03, "5e-324": 5e-324}
#: What Python's float or int takes, and what else people write, which no table may mean.
NOT_NUMBERS = [
    *("", "1_0", "1_000.5", "1e1_0", "nan", "NaN", "inf", "-Infinity", "1e999", " 1", "1 ", "1\n", "\t1"),
    *("١٢", "１.５", "१", "𝟙", "²", "1,5", "1.000,5", "0x10", "0b1", "1d3", "1.5f", "1.5s", "--1", "1e", "e5", "."),
    *("0 days 00:00:01.500000", "00:00:01", "P0DT0H0M1.5S", "(1)", "1/2", "50%", "−1", "1" * 400 + ".", "True"),
]


@pytest.mark.parametrize(("cell", "value"), NUMBERS.items())
def test_what_a_table_may_hold_is_read(cell, value):
    assert as_float(cell) == value
    assert math.copysign(1, as_float(cell)) == math.copysign(1, value)


@pytest.mark.parametrize("cell", NOT_NUMBERS)
def test_nothing_else_is_a_number(cell):
    assert as_float(cell) is None
    assert as_int(cell) is None


def test_every_finite_float_survives():
    for value in (1 / 3, 1e-300, 1.7976931348623157e308, 123456789.123456789, 1e22, 5e-324):
        assert as_float(repr(value)) == value


def test_whole_numbers_are_of_digits_alone():
    assert [as_int(cell) for cell in ("16000", "-1", "+7", "007")] == [16000, -1, 7, 7]
    assert [as_int(cell) for cell in ("16000.0", "1e3", "9" * 19, "9" * 5000)] == [None] * 4


@pytest.mark.parametrize(
    ("cell", "seconds"),
    [("0 days 00:00:01.5", 1.5), ("1:02:03", 3723.0), ("2 days 00:00:00", 172800.0), ("1 day, 0:00:01", 86401.0)],
)
def test_clock_times(cell, seconds):
    assert clock_seconds(cell) == seconds
    assert f"write seconds, {seconds!r}" in described(cell)


@pytest.mark.parametrize(
    ("cell", "hint"),
    [
        ("1,5", "a decimal comma: write 1.5"),
        ("-12,25", "a decimal comma: write -12.25"),
        ("1.234,5", "separated thousands"),
        ("12 345", "separated thousands"),
        ("P0DT0H0M1.5S", "ISO 8601"),
        ("1_0", "underscores"),
        ("1.5 s", "a unit"),
        ("500ms", "a unit"),
        ("0x1F", "not decimal"),
        ("NaN", "leave the cell empty"),
        ("#N/A", "leave the cell empty"),
        (" 1.5", "spaces around"),
        ("１.５", "digits 0 to 9"),
        ("−1.5", "a point and a hyphen"),
        ("1e999", "too large"),
    ],
)
def test_what_only_looks_like_a_number_gets_a_hint(cell, hint):
    assert hint in described(cell)


@pytest.mark.parametrize("cell", ["high", "", "2.5", "-", "a1", "very low"])
def test_words_and_numbers_get_none(cell):
    assert described(cell) == repr(cell)


def test_long_cells_are_cut():
    assert len(described("9" * 100_000)) < 150


def zipped(*names):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name in names:
            archive.writestr(name, "application/vnd.oasis.opendocument.spreadsheet" if name == "mimetype" else "x")
    return file.getvalue()


@pytest.mark.parametrize(
    ("data", "what"),
    [
        ("id,path\na,ü.wav\n".encode("utf-16"), "UTF-16"),
        ("id,path\n".encode("utf-16-be"), "iconv -f utf-16be"),
        ("id,path\n".encode("utf-16-le"), "iconv -f utf-16le"),
        ("id,path\n".encode("utf-32"), "UTF-32"),
        (zipped("[Content_Types].xml", "xl/workbook.xml"), "xlsx"),
        (zipped("mimetype", "content.xml"), "ods"),
        (zipped("labels.csv"), "a zip archive"),
        (gzip.compress(b"id,path\n", mtime=0), "gzip"),
        (b"PAR1" + bytes(20), "Parquet"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(20), "old Excel"),
        (b"\n<!DOCTYPE html><p>", "HTML page"),
        (b"version https://git-lfs.github.com/spec/v1\noid sha256:0\n", "git lfs pull"),
    ],
)
def test_files_that_are_no_text_are_told(data, what):
    assert what in not_text(data)


@pytest.mark.parametrize(
    "data", [b"", b"id,path\n", "größe\n".encode(), "gr\xf6\xdfe\n".encode("latin-1"), b"a\0b", b"\0"]
)
def test_other_files_are_not_guessed_at(data):
    assert not_text(data) == ""


@pytest.mark.parametrize("text", ['{"a": 1}', '[{"path": "a"}]', "[\n  {", '{\n "a"', "<?xml version='1.0'?>", "[]"])
def test_texts_that_are_no_table_are_told(text):
    assert not_table(text)


@pytest.mark.parametrize("text", ["id,path\n", "[id],[path]\n", "{name},path\n", "", "<a>,b"])
def test_other_texts_may_be_tables(text):
    assert not_table(text) == ""


@pytest.mark.parametrize(
    ("word", "meant"),
    [("epoch", "epochs"), ("spk", "speaker"), ("Speaker ID", "speaker"), ("emo", "emotion"), ("xyz", ""), ("", "")],
)
def test_misspelt_words_are_guessed(word, meant):
    assert nearest(word, ["epochs", "speaker", "emotion", "text"]) == meant
    assert (meant in did_you_mean(word, ["epochs", "speaker", "emotion", "text"])) or not meant
