"""The table: written, read, checked."""

import csv
import dataclasses
import hashlib
import io
import json

import numpy as np
import pytest
import soundfile

from serprep.columns import FIRST, LAST
from serprep.errors import ManifestError
from serprep.manifest.look import look
from serprep.manifest.select import spellings
from serprep.manifest.table import make_manifest, read_manifest, to_csv, write_manifest
from serprep.utterance import Utterance

HEADER = "id,path,start,end,speaker,emotion,partition,duration,sample_rate,audio_digest\n"


NASTY = [
    'say "hi"',
    '"',
    "a,b;c\td",
    "two\nlines",
    "carriage\rreturn",
    "both\r\nof them",
    " leading",
    "trailing ",
    "\ttab first",
    "\u00a0no-break",
    "Käse, Straße",
    "語 😀",
    "line\u2028separator",
    "next\x85line",
    "form\x0cfeed",
    "\ufeffmark",
    "-1",
    "1e5",
    "None",
    "nan",
    "'",
    "#",
    "=1+1",
    "",
]


def utterance(name="a", **changes):
    return Utterance(**{"id": name, "path": f"{name}.wav", **changes})


def written(tmp_path, text):
    path = tmp_path / "utterances.csv"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def test_write_then_read_gives_the_same(tmp_path):
    rows = [
        Utterance(
            id=f"{value} {number}",
            path=f"folder/{value}{number}.wav",
            start=None if number % 3 else number / 3,
            end=None if number % 2 else 1e9 / 7 + number,
            speaker=value,
            emotion=NASTY[number - 1],
            partition=value[::-1],
            extra={"text": value, "größe": NASTY[-number]},
            duration=None if number % 4 else 0.1 * number + 1e-9,
            sample_rate=None if number % 5 else 44_100,
            audio_digest=hashlib.sha256(value.encode()).hexdigest() if number % 2 else "",
        )
        for number, value in enumerate(NASTY, 1)
    ]
    manifest = make_manifest(rows, {"corpus": "Prüfung", "reader_version": 3, "nested": {"a": [1, 2]}})
    path = write_manifest(manifest, tmp_path / "manifests" / "test")
    for place in (path, path.parent):
        again = read_manifest(place)
        assert again == manifest
        assert again.digest == manifest.digest


def test_every_row_survives_unchanged_but_for_order(tmp_path):
    rows = [utterance(f"{k}", speaker=value, extra={"text": value}) for k, value in enumerate(NASTY)]
    read = read_manifest(write_manifest(make_manifest(rows), tmp_path)).utterances
    assert sorted(read, key=lambda row: int(row.id)) == rows


@pytest.mark.parametrize("value", [1 / 3, 1e-300, 0.0, 123456789.123456789, float(np.float32(0.1)), 5e-324])
def test_times_survive_to_the_last_bit(tmp_path, value):
    manifest = make_manifest([utterance(start=value, duration=value)])
    row = read_manifest(write_manifest(manifest, tmp_path)).utterances[0]
    assert (row.start, row.duration) == (value, value)


def test_csv_reads_the_same_for_the_standard_library():
    manifest = make_manifest([utterance(f"{k}", speaker=value) for k, value in enumerate(NASTY)])
    rows = list(csv.DictReader(io.StringIO(to_csv(manifest), newline=""), strict=True))
    assert {row["id"]: row["speaker"] for row in rows} == {str(k): value for k, value in enumerate(NASTY)}


def test_only_cells_that_need_quotes_have_them():
    def cell(value):
        line = to_csv(make_manifest([utterance(speaker=value)])).removeprefix(HEADER)
        return line.removeprefix("a,a.wav,,,").removesuffix(",,,,,\n")

    for value in ("plain", "two words", "it's", "a;b", "Käse", "x=1", "-", "0"):
        assert cell(value) == value
    for value in ("a,b", "a\nb", "a\rb", " a", "a ", "\ta"):
        assert cell(value) == f'"{value}"'
    assert cell('a"b') == '"a""b"'


def test_csv_of_two_rows_by_hand():
    rows = [
        Utterance(id="b", path="x/b.wav", start=0.5, end=1.25, speaker="f1", extra={"text": "t,1"}, emotion="sad"),
        Utterance(id="a", path="x/a.wav", extra={"session": "2"}, partition="dev", duration=2.0, sample_rate=16_000),
    ]
    assert to_csv(make_manifest(rows)) == (
        "id,path,start,end,speaker,text,session,emotion,partition,duration,sample_rate,audio_digest\n"
        "a,x/a.wav,,,,,2,,dev,2.0,16000,\n"
        'b,x/b.wav,0.5,1.25,f1,"t,1",,sad,,,,\n'
    )


def test_rows_are_sorted_by_id_whatever_their_order():
    names = ["b", "a", "10", "9", "Z", "ä", "a b", "a-b"]
    forwards = make_manifest([utterance(name) for name in names])
    assert [row.id for row in forwards.utterances] == sorted(names)
    backwards = make_manifest([utterance(name) for name in reversed(names)])
    assert (backwards.digest, backwards) == (forwards.digest, forwards)


def test_digest_is_that_of_the_file_and_stands_in_the_json(tmp_path):
    manifest = make_manifest([utterance("ä"), utterance("b")], {"corpus": "Größe"})
    path = write_manifest(manifest, tmp_path)
    assert manifest.digest == hashlib.sha256(path.read_bytes()).hexdigest()
    about = json.loads((tmp_path / "manifest.json").read_bytes())
    assert about == {"format": 1, "corpus": "Größe", "n_utterances": 2, "digest": manifest.digest}


def test_columns_by_name():
    manifest = make_manifest([utterance("a", start=0.5, extra={"text": "t1"}), utterance("b")])
    assert manifest.columns == (*FIRST, "text", *LAST)
    assert manifest.column("text") == ["t1", ""]
    assert manifest.column("start") == ["0.5", ""]
    with pytest.raises(ManifestError, match="no column 'session'; the manifest has id, path, start"):
        manifest.column("session")


@pytest.mark.parametrize(
    "path", ["../x.wav", "/x.wav", "a/../x.wav", "a/../../x.wav", "C:\\x.wav", "c:/x.wav", "\\x.wav", "a\0.wav", ".."]
)
def test_paths_that_leave_the_root_are_refused(tmp_path, path):
    with pytest.raises(ManifestError, match=r"utterance 'a': path '.*' leaves the corpus root"):
        make_manifest([Utterance(id="a", path=path)])
    text = f'{HEADER}a,"{path}",,,,,,,,\n'
    with pytest.raises(ManifestError, match="leaves the corpus root; expected a relative path"):
        read_manifest(written(tmp_path, text))


@pytest.mark.parametrize("path", ["x.wav", "a/b/c.wav", "..x.wav", "a/..b/c.wav", "a b/ü.wav", "x..wav"])
def test_paths_below_the_root_are_kept(path):
    assert make_manifest([Utterance(id="a", path=path)]).utterances[0].path == path


@pytest.mark.parametrize(
    ("row", "message"),
    [
        (Utterance(id="", path="a.wav"), "id and path must not be empty"),
        (Utterance(id="a", path=""), "id and path must not be empty"),
        (utterance(start=1.0, end=1.0), r"start 1\.0 is not before end 1\.0"),
        (utterance(start=2.0, end=1.0), r"start 2\.0 is not before end 1\.0"),
        (utterance("\udcff"), "its name is not UTF-8; rename the file"),
        (utterance(extra={"text": "\udcff"}), "its name is not UTF-8"),
        (utterance(extra={"n_frames": "1"}), "column 'n_frames': expected a word that is not one of"),
        (utterance(extra={"emotion": "1"}), "column 'emotion'"),
        (utterance(extra={"two words": "1"}), "column 'two words'"),
        (utterance(extra={"": "1"}), "column ''"),
        (utterance(extra={"1st": "1"}), "column '1st'"),
        (utterance(extra={"__x": "1"}), "column '__x'"),
    ],
)
def test_impossible_rows_are_refused(row, message):
    with pytest.raises(ManifestError, match=message):
        make_manifest([row])


def test_the_first_ten_problems_are_listed_and_all_are_counted():
    with pytest.raises(ManifestError, match="and 5 more") as caught:
        make_manifest([Utterance(id=f"{k:02}", path=f"/{k}") for k in range(15)])
    lines = str(caught.value).splitlines()
    assert [line[:14] for line in lines[:10]] == [f"utterance '{k:02}'" for k in range(10)]
    assert lines[-1] == "(15 problems)"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("b,b.wav,x,,,,,,,", r"start is 'x'; expected a number from 0"),
        ("b,b.wav,,-1,,,,,,", r"end is '-1'; expected a number from 0"),
        ("b,b.wav,,,,,,nan,,", r"duration is 'nan' \(no number.*; expected a number from 0"),
        ("b,b.wav,,,,,,inf,,", r"duration is 'inf' \(no number.*; expected"),
        ("b,b.wav,1_0,,,,,,,", r"start is '1_0' \(digits joined by underscores.*expected a number from 0"),
        ('b,b.wav,"1,5",,,,,,,', r"start is '1,5' \(a decimal comma: write 1.5\)"),
        ("b,b.wav,0 days 00:00:01.5,,,,,,,", r"start is '0 days 00:00:01.5' \(a clock time: write seconds, 1.5\)"),
        ("b,b.wav,,１,,,,,,", r"end is '１' \(written with other signs"),
        ("b,b.wav,, 1,,,,,,", r"end is ' 1' \(spaces around a number"),
        ("b,b.wav,,,,,,1e999,,", r"duration is '1e999' \(too large a number\)"),
        ("b,b.wav,,,,,,,1_6000,", r"sample_rate is '1_6000' \(digits joined by underscores"),
        pytest.param("b,b.wav,,,,,,," + "9" * 5000 + ",", r"sample_rate is '9+…'", id="5000 digits"),
        ("b,b.wav,,,,,,,16000.5,", r"sample_rate is '16000.5'; expected"),
        ("b,b.wav,,,,,,,,abc", r"audio_digest is 'abc'; expected 64 lower-case hexadecimal digits"),
        ("b,b.wav,,,,,,,," + "A" * 64, "audio_digest is 'AAA"),
        ("b,b.wav", r"2 cells, the header has 10"),
        ("b,b.wav,,,,,,,,,", r"11 cells, the header has 10"),
        ("", r"0 cells, the header has 10"),
        ('b,"b".wav,,,,,,,,', "expected comma-separated cells"),
        ('b,"b.wav,,,,,,,,', "expected comma-separated cells"),
    ],
)
def test_a_bad_cell_is_refused_with_its_line(tmp_path, line, message):
    path = written(tmp_path, f'{HEADER}a,"two\nlines.wav",,,,,,,,\n{line}\n')
    with pytest.raises(ManifestError, match=rf"utterances\.csv:[45]: .*{message}|utterances\.csv:4: {message}"):
        read_manifest(path)


@pytest.mark.parametrize("header", ["", "id,speaker\n", "id,path,id\n", "path,id,a,a\n", "id;path\n"])
def test_an_impossible_header_is_refused(tmp_path, header):
    with pytest.raises(ManifestError, match=r"utterances\.csv:1: header is .*expected id,path,start"):
        read_manifest(written(tmp_path, header))


def test_a_manifest_in_latin_1_is_refused_in_clear_words(tmp_path):
    text = f"{HEADER}a,Mädchen.wav,,,,,,,,\n".encode("latin-1")
    with pytest.raises(ManifestError, match=rf"utterances\.csv: .* at byte {len(HEADER) + 3}; expected UTF-8"):
        read_manifest(written(tmp_path, text))


def test_a_missing_manifest_is_refused(tmp_path):
    with pytest.raises(ManifestError, match=r"nowhere\.csv: No such file.*expected a manifest"):
        read_manifest(tmp_path / "nowhere.csv")
    with pytest.raises(ManifestError, match=r"utterances\.csv: No such file"):
        read_manifest(tmp_path)


@pytest.mark.parametrize("text", ["{", "[1]", "\udcff"])
def test_a_damaged_json_beside_it_is_refused(tmp_path, text):
    write_manifest(make_manifest([utterance()]), tmp_path)
    (tmp_path / "manifest.json").write_bytes(text.encode("utf-8", "surrogateescape"))
    with pytest.raises(ManifestError, match=r"manifest\.json: .*expected (a )?JSON"):
        read_manifest(tmp_path)


def test_spreadsheets_leave_a_mark_and_windows_line_ends_which_are_read(tmp_path):
    text = f"{HEADER}a,a.wav,,,f1,sad,,,,\n"
    expected = read_manifest(written(tmp_path, text))
    assert read_manifest(written(tmp_path, "\ufeff" + text)) == expected
    assert read_manifest(written(tmp_path, text.replace("\n", "\r\n"))) == expected
    assert expected.utterances == (utterance(speaker="f1", emotion="sad"),)


def test_columns_may_be_few_and_in_any_order(tmp_path):
    manifest = read_manifest(written(tmp_path, "emotion,path,mood,id\nsad,a.wav,bad,a\n"))
    assert manifest.utterances == (utterance(emotion="sad", extra={"mood": "bad"}),)


def test_identical_rows_are_kept_once():
    manifest = make_manifest([utterance(), utterance("b"), utterance(), utterance(extra={"text": ""})])
    assert [row.id for row in manifest.utterances] == ["a", "b"]


@pytest.mark.parametrize(
    "change", [{"path": "b.wav"}, {"emotion": "sad"}, {"speaker": "x"}, {"start": 0.5}, {"extra": {"text": "t"}}]
)
def test_rows_that_share_an_id_but_differ_all_stay(tmp_path, change):
    rows = [utterance(), dataclasses.replace(utterance(), **change)]
    manifest = make_manifest(rows)
    assert len(manifest) == 2
    assert make_manifest(reversed(rows)) == manifest
    assert read_manifest(write_manifest(manifest, tmp_path)) == manifest


def test_look_fills_in_what_the_files_say_and_why_others_say_nothing(tmp_path):
    soundfile.write(tmp_path / "a.wav", np.zeros(11_025), 44_100)
    soundfile.write(tmp_path / "b.flac", np.zeros((4000, 2)), 8_000)
    (tmp_path / "text.wav").write_text("no sound", encoding="utf-8")
    (tmp_path / "folder.wav").mkdir()
    rows = [
        Utterance(id=name, path=name, speaker="f1", emotion="sad", duration=9.0, sample_rate=1, audio_digest="0" * 64)
        for name in ("a.wav", "b.flac", "text.wav", "folder.wav", "missing.wav")
    ]
    looked = look(make_manifest(rows, {"corpus": "x"}), tmp_path)
    found = {row.id: row for row in looked.manifest.utterances}
    for name, duration, rate in (("a.wav", 0.25, 44_100), ("b.flac", 0.5, 8_000)):
        digest = hashlib.sha256((tmp_path / name).read_bytes()).hexdigest()
        assert (found[name].duration, found[name].sample_rate, found[name].audio_digest) == (duration, rate, digest)
    for name in ("text.wav", "folder.wav", "missing.wav"):
        assert (found[name].duration, found[name].sample_rate, found[name].audio_digest) == (None, None, "")
    assert sorted(looked.reasons) == ["folder.wav", "missing.wav", "text.wav"]
    assert looked.reasons["missing.wav"] == "file is missing"
    assert looked.reasons["folder.wav"] == "a folder, not a recording"
    assert "cannot" in looked.reasons["text.wav"] or "can be decoded" in looked.reasons["text.wav"]
    assert looked.manifest.info == {"corpus": "x"}
    assert {(row.speaker, row.emotion) for row in looked.manifest.utterances} == {("f1", "sad")}


def rated(*cells, name="valence"):
    return [Utterance(id=f"u{i}", path="a.wav", extra={name: cell}) for i, cell in enumerate(cells)]


def test_numbers_of_other_columns_are_text():
    manifest = make_manifest(rated("2.50", "3", name="n_words"))
    assert (manifest.column("n_words"), manifest.numbers) == (["2.50", "3"], ())


def test_a_dimension_in_words_is_text():
    manifest = make_manifest(rated("high", "", "low", "nan"))
    assert (manifest.column("valence"), manifest.numbers) == (["high", "", "low", "nan"], ())
    assert make_manifest(rated("", "")).numbers == ("valence",)


@pytest.mark.parametrize("cell", ["high", "nan", "inf", "2,5"])
def test_numbers_and_words_in_one_dimension_are_refused(tmp_path, cell):
    message = rf"utterance 'u1': valence is '{cell}'( \(.*\))?; expected a number, or nothing"
    with pytest.raises(ManifestError, match=message):
        make_manifest(rated("1", cell))
    (tmp_path / "x.csv").write_text(f'id,path,valence\na,a.wav,1\nu1,b.wav,"{cell}"\n')
    with pytest.raises(ManifestError, match=rf"x\.csv: {message}"):
        read_manifest(tmp_path / "x.csv")


@pytest.mark.parametrize("cell", ["3_4", "3,4", "٣", "2.5 s", "0x1F"])
def test_a_dimension_of_miswritten_numbers_alone_is_not_taken_for_words(cell):
    with pytest.raises(ManifestError, match=r"utterance 'u0': valence is .* \(.*\); expected a number"):
        make_manifest(rated(cell, "", cell))


def test_a_dimension_may_be_left_as_it_was_written():
    manifest = make_manifest(rated("2.5000", "x"), as_written=True)
    assert (manifest.column("valence"), manifest.numbers) == (["2.5000", "x"], ())


def test_names_that_are_most_likely_one_are_told():
    rows = [
        Utterance(id=f"u{n}", path=f"{n}.wav", speaker=speaker, emotion=emotion)
        for n, (speaker, emotion) in enumerate(
            [("Anna", "sad"), ("anna", "Sad"), ("anna ", "sad"), ("Berta", "joy"), ("Stra\u00dfe", ""), ("STRASSE", "")]
        )
    ]
    speakers, emotions = spellings(make_manifest(rows))
    assert speakers.endswith("are taken as different: 'Anna', 'anna', 'anna '; 'STRASSE', 'Straße'")
    assert emotions.startswith("emotions that differ") and emotions.endswith("'Sad', 'sad'")
    assert spellings(make_manifest(rows[:1])) == []
