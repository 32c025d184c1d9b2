import csv
import dataclasses
import hashlib
import io
import json
import math
import threading

import numpy as np
import pytest
import soundfile

from serprep.audio import Recording
from serprep.errors import AudioError, ManifestError
from serprep.manifest import (
    FIRST,
    LAST,
    check_manifest,
    look,
    look_at,
    make_manifest,
    read_manifest,
    select,
    spellings,
    to_csv,
    write_manifest,
)
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


# -- write and read ------------------------------------------------------------------


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


# -- what is refused -----------------------------------------------------------------


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
        ("b,b.wav,,,,,,nan,,", r"duration is 'nan'; expected a number from 0"),
        ("b,b.wav,,,,,,inf,,", r"duration is 'inf'; expected"),
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


# -- doubles -------------------------------------------------------------------------


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


# -- looking at the audio ------------------------------------------------------------


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


@pytest.mark.parametrize("rate", [16_000, 44_100])
def test_excerpts_last_as_long_as_their_samples(tmp_path, rate):
    soundfile.write(tmp_path / "a.wav", np.zeros(2 * rate), rate)
    spans = [(0.1, 0.30001), (None, 0.77777), (1.33333, None), (0.0, 2.0), (1.5, 1.6)]
    rows = [Utterance(id=f"{k}", path="a.wav", start=start, end=end) for k, (start, end) in enumerate(spans)]
    for row, (start, end) in zip(look(make_manifest(rows), tmp_path).manifest.utterances, spans, strict=True):
        first = math.floor((start or 0) * rate + 0.5)
        last = math.floor((2.0 if end is None else end) * rate + 0.5)
        assert row.duration == (last - first) / rate
        assert abs(row.duration - ((end or 2.0) - (start or 0.0))) <= 1 / rate


def test_an_excerpt_behind_the_end_of_its_file_has_no_duration(tmp_path):
    soundfile.write(tmp_path / "a.wav", np.zeros(16_000), 16_000)
    manifest = look(make_manifest([utterance(start=3.0)]), tmp_path).manifest
    assert manifest.utterances[0].duration is None
    assert read_manifest(write_manifest(manifest, tmp_path / "m")) == manifest


def test_a_file_is_read_once_however_many_excerpts_it_has(tmp_path):
    rows = [Utterance(id=f"{k}", path=f"{k % 3}.wav", start=float(k), end=k + 0.5) for k in range(30)]
    lock, seen, counts = threading.Lock(), [], []

    def fake(path):
        with lock:
            seen.append(path)
        if path.name == "2.wav":
            raise AudioError("broken")
        return Recording(100.0, 8000, "f" * 64)

    looked = look(make_manifest(rows), tmp_path, look_at=fake, progress=counts.append)
    assert sorted(seen) == [tmp_path / f"{k}.wav" for k in range(3)]
    assert counts == [1, 2, 3]
    assert looked.reasons == {"2.wav": "broken"}
    assert {row.duration for row in looked.manifest.utterances} == {0.5, None}
    assert [row.id for row in looked.manifest.utterances] == sorted(row.id for row in rows)


def test_look_at_reads_one_file(tmp_path):
    soundfile.write(tmp_path / "a.wav", np.zeros(800), 16_000)
    digest = hashlib.sha256((tmp_path / "a.wav").read_bytes()).hexdigest()
    assert look_at(tmp_path / "a.wav") == Recording(0.05, 16_000, digest)
    with pytest.raises(AudioError, match="file is missing"):
        look_at(tmp_path / "b.wav")


# -- what a recipe keeps -------------------------------------------------------------


def labelled():
    emotions = {"a": "sad", "b": "joy", "c": "excited", "d": "bored", "e": "", "f": "joy"}
    rows = [utterance(name, emotion=emotion) for name, emotion in emotions.items()]
    return make_manifest([*rows, utterance("t", partition="test")], {"corpus": "x"})


def test_without_a_table_every_utterance_and_label_stays():
    selection = select(labelled())
    assert selection.manifest == labelled()
    assert selection.dropped == {}
    assert selection.labels == ("bored", "excited", "joy", "sad")


def test_emotions_are_renamed_merged_and_dropped_where_not_named():
    selection = select(labelled(), emotions={"sad": "sadness", "joy": "happy", "excited": "happy"})
    kept = {row.id: row.emotion for row in selection.manifest.utterances}
    assert kept == {"a": "sadness", "b": "happy", "c": "happy", "f": "happy", "t": ""}
    assert selection.labels == ("sadness", "happy")
    assert selection.dropped == {"emotion 'bored' not named in [corpus.emotions]": 1, "no label": 1}
    assert selection.manifest.info == {"corpus": "x"}


def test_labels_keep_the_order_of_the_table():
    for order in (["sad", "joy", "bored"], ["joy", "bored", "sad"]):
        assert select(labelled(), emotions={name: name for name in order}).labels == tuple(order)


def test_excluded_utterances_are_counted_before_anything_else():
    selection = select(labelled(), emotions={"sad": "sad"}, exclude=["a", "d", "t", "a"])
    assert selection.manifest.utterances == ()
    assert selection.labels == ("sad",)  # declared, though nothing is left of it
    assert selection.dropped["excluded by the recipe's list"] == 3
    assert sum(selection.dropped.values()) == len(labelled())


@pytest.mark.parametrize(
    ("choice", "message"),
    [
        ({"emotions": {"hapiness": "h"}}, r"names 'hapiness', which no utterance has; .* has bored, excited, joy, sad"),
        ({"exclude": ["a", "zz", "yy"]}, "2 excluded ids are not in the corpus, such as 'yy'"),
        ({"emotions": {"x": "x"}, "exclude": ["zz"]}, r"(?s)names 'x'.*1 excluded ids.*\(2 problems\)"),
    ],
)
def test_typing_errors_do_not_drop_anything_silently(choice, message):
    with pytest.raises(ManifestError, match=message):
        select(labelled(), **choice)


# -- comparing a folder with a manifest ----------------------------------------------


@pytest.fixture
def folder(tmp_path):
    """A folder of four files and its manifest."""
    root = tmp_path / "corpus"
    rows = []
    for k, name in enumerate(["a.wav", "s/b.wav", "s/c.flac", "ü.wav"]):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        soundfile.write(root / name, np.full(100, k / 10), 16_000)
        rows.append(Utterance(id=name, path=name))
    return look(make_manifest(rows), root).manifest, root


def test_an_unchanged_folder_is_the_same(folder):
    manifest, root = folder
    (root / "README.txt").touch()
    (root / "._a.wav").touch()
    check = check_manifest(manifest, root)
    assert check.same
    assert (check.n_files, check.missing, check.changed, check.extra) == (4, (), (), ())


def test_missing_extra_and_changed_files_are_told_apart(folder):
    manifest, root = folder
    (root / "a.wav").unlink()
    (root / "s/b.wav").write_bytes((root / "s/b.wav").read_bytes() + b"\0")
    (root / "s/new.MP3").touch()
    (root / "s/c.flac").unlink()
    (root / "s/c.flac").mkdir()
    counts = []
    check = check_manifest(manifest, root, progress=counts.append)
    assert not check.same
    assert check.missing == ("a.wav", "s/c.flac")
    assert check.changed == ("s/b.wav",)
    assert check.extra == ("s/new.MP3",)
    assert counts == [1, 2, 3, 4]


def test_a_file_whose_digest_was_never_known_is_not_called_changed(tmp_path):
    (tmp_path / "a.wav").write_bytes(b"no sound")
    manifest = look(make_manifest([utterance()]), tmp_path).manifest
    assert manifest.utterances[0].audio_digest == ""
    assert check_manifest(manifest, tmp_path).same


def test_a_missing_folder_is_refused(folder):
    manifest, root = folder
    with pytest.raises(ManifestError, match="no such folder; expected the corpus root"):
        check_manifest(manifest, root / "nowhere")


# -- valence, arousal, dominance -----------------------------------------------------


def rated(*cells, name="valence"):
    return [Utterance(id=f"u{i}", path="a.wav", extra={name: cell}) for i, cell in enumerate(cells)]


@pytest.mark.parametrize("name", ["valence", "arousal", "dominance"])
def test_numbers_of_a_dimension_are_written_by_repr(tmp_path, name):
    manifest = make_manifest(rated("2.5000", "", "3", "-1e-3", name=name))
    assert manifest.column(name) == ["2.5", "", "3.0", "-0.001"]
    assert manifest.numbers == (name,)
    assert read_manifest(write_manifest(manifest, tmp_path)) == manifest


def test_numbers_of_other_columns_are_text():
    manifest = make_manifest(rated("2.50", "3", name="n_words"))
    assert (manifest.column("n_words"), manifest.numbers) == (["2.50", "3"], ())


def test_a_dimension_in_words_is_text():
    manifest = make_manifest(rated("high", "", "low", "nan"))
    assert (manifest.column("valence"), manifest.numbers) == (["high", "", "low", "nan"], ())
    assert make_manifest(rated("", "")).numbers == ("valence",)


@pytest.mark.parametrize("cell", ["high", "nan", "inf", "2,5"])
def test_numbers_and_words_in_one_dimension_are_refused(tmp_path, cell):
    message = f"utterance 'u1': valence is '{cell}'; expected a number, or nothing"
    with pytest.raises(ManifestError, match=message):
        make_manifest(rated("1", cell))
    (tmp_path / "x.csv").write_text(f'id,path,valence\na,a.wav,1\nu1,b.wav,"{cell}"\n')
    with pytest.raises(ManifestError, match=rf"x\.csv: {message}"):
        read_manifest(tmp_path / "x.csv")


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
