import os
import sys
from importlib import import_module

import pytest

from helpers.late import Late
from serprep.corpora import read_corpus
from serprep.corpora.corpus import Rating
from serprep.errors import CorpusError
from serprep.manifest.table import make_manifest
from serprep.pipeline.gather import describe_corpus
from serprep.testing import write_layout

audformat = Late("audformat")
pd = Late("pandas")

pytestmark = pytest.mark.filterwarnings("ignore")  # the package's own use of pandas, when it writes


def database(*, segmented=False):
    """Three files of two speakers, one of them without emotion, or segments of them."""
    made = audformat.Database(
        "mydb", source="https://example.org", usage=audformat.define.Usage.RESEARCH, license="CC0-1.0"
    )
    made.schemes["emotion"] = audformat.Scheme(labels=["anger", "joy"])
    made.schemes["arousal"] = audformat.Scheme("float")
    made.schemes["age"] = audformat.Scheme("int")
    made.schemes["mood"] = audformat.Scheme("str")
    made["people"] = audformat.MiscTable(pd.Index(["s1", "s2"], dtype="string", name="speaker"))
    made["people"]["age"] = audformat.Column(scheme_id="age")
    made["people"]["age"].set([33, None])
    made.schemes["speaker"] = audformat.Scheme("str", labels="people")
    made.raters["gold"] = audformat.Rater(audformat.define.RaterType.VOTE)
    made.raters["r1"] = audformat.Rater(audformat.define.RaterType.HUMAN)
    made.raters["robot"] = audformat.Rater(audformat.define.RaterType.MACHINE)
    made.splits["dev"] = audformat.Split(audformat.define.SplitType.DEVELOP)
    files = ["a/1.wav", "a/2.wav", "b/1.wav"]
    index = audformat.filewise_index(files)
    if segmented:
        index = audformat.segmented_index(files, ["0s", "0.1s", "0s"], ["1.5s", pd.NaT, pd.NaT])
    made["labels"] = audformat.Table(index, split_id="dev")
    for column, scheme, rater, values in (
        ("emotion", "emotion", "gold", ["anger", "joy", None]),
        ("emotion.r1", "emotion", "r1", ["joy", "joy", None]),
        ("arousal.r1", "arousal", "r1", [0.25, None, None]),
        ("mood.r1", "mood", "r1", ["odd", None, None]),
        ("emotion.robot", "emotion", "robot", ["anger", None, None]),
        ("arousal", "arousal", "gold", [0.5, 1, None]),
    ):
        made["labels"][column] = audformat.Column(scheme_id=scheme, rater_id=rater)
        made["labels"][column].set(values)
    made["files"] = audformat.Table(audformat.filewise_index(files))
    made["files"]["speaker"] = audformat.Column(scheme_id="speaker")
    made["files"]["speaker"].set(["s1", "s2", "s1"])
    return made


def save(made, root, *, storage="csv"):
    made.save(str(root), storage_format=storage)
    for file in made.files:
        (root / file).parent.mkdir(parents=True, exist_ok=True)
        (root / file).touch()
    return root


@pytest.mark.parametrize("storage", ["csv", "parquet"])
@pytest.mark.parametrize("segmented", [False, True])
def test_tables_are_read_whatever_their_form(tmp_path, storage, segmented):
    reading = read_corpus("audformat", save(database(segmented=segmented), tmp_path, storage=storage))
    assert reading.warnings == ()
    rows = reading.utterances
    ids = ["a/1_1.5", "a/2_0.1", "b/1"] if segmented else ["a/1", "a/2", "b/1"]
    assert [row.id for row in rows] == ids
    assert [row.path for row in rows] == ["a/1.wav", "a/2.wav", "b/1.wav"]
    times = [(None, 1.5), (0.1, None), (None, None)] if segmented else [(None, None)] * 3
    assert [(row.start, row.end) for row in rows] == times
    assert [(row.speaker, row.emotion, row.partition) for row in rows] == [
        ("s1", "anger", "dev"),
        ("s2", "joy", "dev"),
        ("s1", "", "dev"),
    ]
    manifest = make_manifest(rows, describe_corpus(reading.corpus))
    assert manifest.column("age") == ["33", "", "33"]
    assert manifest.column("arousal") == ["0.5", "1.0", ""] and manifest.numbers == ("arousal",)
    assert set(manifest.columns).isdisjoint({"emotion.r1", "emotion_r1", "arousal_r1", "mood_r1"})
    assert reading.ratings == (
        Rating(id=ids[0], rater="r1", emotions=("joy",), arousal=0.25, comment="mood: odd"),
        Rating(id=ids[0], rater="robot", emotions=("anger",)),
        Rating(id=ids[1], rater="r1", emotions=("joy",)),
    )


def test_the_header_s_licence_and_source_go_into_the_manifest(tmp_path):
    about = describe_corpus(read_corpus("audformat", save(database(), tmp_path)).corpus)
    assert (about["corpus"], about["licence"], about["source"], about["reader"]) == (
        "mydb (audformat)",
        "CC0-1.0",
        "https://example.org",
        "audformat",
    )
    made = database()
    made.license = None
    about = describe_corpus(read_corpus("audformat", save(made, tmp_path)).corpus)
    assert about["licence"] == "unknown; usage: research"


def test_a_database_that_the_package_makes_up_is_read_as_the_package_reads_it(tmp_path):
    import_module("audformat.testing")
    made = audformat.testing.create_db()
    save(made, tmp_path)
    for column, table in (("label", "files"), ("label", "segments")):
        reading = read_corpus("audformat", tmp_path, {"file": table, "columns": {"emotion": column}})
        expected = made[table].df[column]
        assert len(reading.utterances) == len(expected)
        found = {
            (row.path, row.start or 0.0, row.end if row.end is not None else None): row.emotion
            for row in reading.utterances
        }
        for index, value in expected.items():
            file, start, end = index if isinstance(index, tuple) else (index, pd.Timedelta(0), pd.NaT)
            seconds = [None if pd.isna(time) else time.as_unit("ns").value / 1e9 for time in (start, end)]
            key = (file, *seconds)
            assert found[key] == ("" if pd.isna(value) else value)


# -- which column, which table -------------------------------------------------------


def test_splits_may_be_tables_of_their_own(tmp_path):
    write_layout("audformat", tmp_path, sound=False)
    reading = read_corpus("audformat", tmp_path)
    assert reading.warnings == ()
    assert [(row.partition, row.speaker, row.extra["gender"]) for row in reading.utterances] == [
        *[("train", "s1", "male")] * 4,
        *[("test", "s2", "female")] * 4,
    ]
    assert len(reading.ratings) == 8
    one = read_corpus("audformat", tmp_path, {"file": "emotion.test"}).utterances
    assert [row.id for row in one] == [row.id for row in reading.utterances if row.partition == "test"]


def test_tables_that_disagree_are_told_apart_by_name(tmp_path):
    made = database()
    made["acted"] = audformat.Table(audformat.filewise_index(["a/1.wav"]))
    made["acted"]["emotion"] = audformat.Column(scheme_id="emotion")
    made["acted"]["emotion"].set(["joy"])
    save(made, tmp_path)
    with pytest.raises(CorpusError, match=r"a/1\.wav is 'joy' in one table and 'anger' in 'labels'; name one table"):
        read_corpus("audformat", tmp_path)
    (row,) = read_corpus("audformat", tmp_path, {"file": "acted"}).utterances
    assert (row.emotion, row.extra["arousal"]) == ("joy", "0.5")


def test_the_only_column_of_the_scheme_is_the_emotion(tmp_path):
    made = database()
    made["labels"].drop_columns("emotion", inplace=True)
    made["labels"]["majority"] = audformat.Column(scheme_id="emotion", rater_id="gold")
    made["labels"]["majority"].set(["anger", "joy", None])
    assert [row.emotion for row in read_corpus("audformat", save(made, tmp_path)).utterances] == ["anger", "joy", ""]


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"columns": {"emotion": "colour"}}, r"no column 'colour' for emotion among files\.speaker, labels\.arousal"),
        ({"file": "files"}, r"no column 'emotion' for emotion among files\.speaker; name one in \[corpus\.columns\]"),
        ({"file": "../labels"}, r"no table '\.\./labels'; the database has files, labels"),
        ({"columns": {"path": "x"}}, "reader 'audformat' takes emotion and speaker"),
        ({"columns": 3}, "reader 'audformat' takes emotion and speaker"),
    ],
)
def test_impossible_choices_are_refused(tmp_path, options, message):
    with pytest.raises(CorpusError, match=message):
        read_corpus("audformat", save(database(), tmp_path), options)


def test_columns_have_names_that_a_manifest_can_have(tmp_path):
    made = database()
    for name in ("path", "2nd take", "ü-x"):
        made["files"][name] = audformat.Column()
        made["files"][name].set(["x", "y", "z"])
    extra = read_corpus("audformat", save(made, tmp_path)).utterances[0].extra
    assert [extra[name] for name in ("table_path", "table_2nd_take", "ü_x")] == ["x", "x", "x"]


# -- damage --------------------------------------------------------------------------


def test_absent_recordings_stay_rows_and_are_counted(tmp_path):
    save(database(), tmp_path)
    (tmp_path / "a/2.wav").unlink()
    reading = read_corpus("audformat", tmp_path)
    assert len(reading.utterances) == 3
    assert reading.warnings == ("recordings that a label file names but that are not there: db.labels.csv:3: a/2.wav",)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "expected the header of an audformat database"),
        ("[1, 2]", "expected the header of an audformat database"),
        ("name: x\nlanguages: [deu]\n", "KeyError: 'source'; expected the header of an audformat database"),
        ("name: x\nsource: y\nusage: nobody\n", "BadValueError"),
        ("name: x\nsource: {", r"db\.yaml:\d: .*expected plain YAML"),
        ("name: !!python/object/apply:os.getcwd []\nsource: x\nusage: research\n", r"db\.yaml:1: .*python/object"),
        (
            "name: x\nsource: y\nusage: research\ntables: {'../x': {type: filewise}}\n",
            r"table '\.\./x'; expected a word",
        ),
        (
            "name: x\nsource: y\nusage: research\ntables: {x: {type: filewise, columns: {a: {scheme_id: b}}}}\n",
            "refers to 'b' of schemes",
        ),
    ],
)
def test_a_header_that_is_none_is_named(tmp_path, text, message):
    save(database(), tmp_path)
    (tmp_path / "db.yaml").write_text(text)
    with pytest.raises(CorpusError, match=message) as caught:
        read_corpus("audformat", tmp_path)
    assert "\n" not in str(caught.value) and "db.yaml" in str(caught.value)


def test_a_header_in_latin_1_is_read_with_a_warning(tmp_path):
    save(database(), tmp_path)
    with (tmp_path / "db.yaml").open("ab") as file:
        file.write(b"# \xe9\n")
    reading = read_corpus("audformat", tmp_path)
    assert len(reading.utterances) == 3
    assert len(reading.warnings) == 1 and "db.yaml:" in reading.warnings[0] and "Latin-1" in reading.warnings[0]


def test_a_missing_or_broken_table_is_named(tmp_path):
    save(database(), tmp_path)
    text = (tmp_path / "db.labels.csv").read_text()
    (tmp_path / "db.labels.csv").unlink()
    with pytest.raises(CorpusError, match=r"db\.labels\.csv: no such file, and no \.parquet; the header names it"):
        read_corpus("audformat", tmp_path)
    for broken in (text.replace(",0.5", ",half"), text + "a,b,c,d,e,f,g,h\n", text + '"'):
        (tmp_path / "db.labels.csv").write_text(broken)
        with pytest.raises(CorpusError, match=r"labels\.csv: .*expected the table that db\.yaml describes") as caught:
            read_corpus("audformat", tmp_path)
        assert "\n" not in str(caught.value)
    for wrong in ("", "file\n", text.replace("arousal.r1,mood.r1", "mood.r1,arousal.r1")):
        (tmp_path / "db.labels.csv").write_text(wrong)
        with pytest.raises(
            CorpusError, match=r"db\.labels\.csv:1: columns .*; expected file,emotion,emotion\.r1,arousal"
        ):
            read_corpus("audformat", tmp_path)


def test_a_table_in_latin_1_is_named_with_its_line(tmp_path):
    save(database(), tmp_path)
    path = tmp_path / "db.labels.csv"
    path.write_bytes(path.read_bytes().replace(b"odd", b"\xe9"))
    (warning,) = read_corpus("audformat", tmp_path).warnings
    assert "db.labels.csv:2" in warning and "Latin-1" in warning


def test_windows_line_ends_change_nothing(tmp_path):
    save(database(segmented=True), tmp_path)
    before = read_corpus("audformat", tmp_path)
    for path in [*tmp_path.glob("*.csv"), tmp_path / "db.yaml"]:
        path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    after = read_corpus("audformat", tmp_path)
    assert (before.utterances, before.ratings) == (after.utterances, after.ratings)


class Trap:
    def __reduce__(self):
        return os._exit, (7,)


def test_a_pickle_is_never_opened(tmp_path):
    save(database(), tmp_path)
    expected = read_corpus("audformat", tmp_path)
    for name in ("labels", "files", "people"):
        pd.to_pickle(Trap(), tmp_path / f"db.{name}.pkl")
    before = sorted(path.name for path in tmp_path.iterdir())
    found = read_corpus("audformat", tmp_path)
    assert (found.utterances, found.ratings) == (expected.utterances, expected.ratings)
    assert sorted(path.name for path in tmp_path.iterdir()) == before
    (tmp_path / "db.labels.csv").unlink()
    with pytest.raises(CorpusError, match="a pickled table is not opened, since it could run code"):
        read_corpus("audformat", tmp_path)


def test_without_the_package_one_line_says_what_to_install(tmp_path, monkeypatch):
    save(database(), tmp_path)
    monkeypatch.setitem(sys.modules, "audformat", None)
    with pytest.raises(CorpusError, match=r"needs the package audformat: `pip install serprep\[audformat\]`"):
        read_corpus("audformat", tmp_path)


@pytest.mark.parametrize("cell", ["10", "1.5", "1,5", "1_0", "-1 days", "inf", "١", "1e3", "0x10", "soon"])
def test_a_time_without_a_unit_is_refused_with_its_line(tmp_path, cell):
    (tmp_path / "db.yaml").write_text(
        "name: t\nsource: s\nusage: research\nschemes:\n  emotion: {dtype: str}\n"
        "tables:\n  x:\n    type: segmented\n    columns:\n      emotion: {scheme_id: emotion}\n"
    )
    (tmp_path / "db.x.csv").write_text(
        f'file,start,end,emotion\na.wav,0 days,0 days 00:00:02,joy\nb.wav,0 days,"{cell}",joy\n'
    )
    with pytest.raises(
        CorpusError, match=r"db\.x\.csv:3: .* is no time of an audformat table; expected such as 0 days"
    ):
        read_corpus("audformat", tmp_path)
