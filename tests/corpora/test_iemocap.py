import csv
import shutil
from collections import Counter

import pytest

from serprep.corpora import CORPORA, read_corpus
from serprep.corpora.corpus import Rating
from serprep.corpora.iemocap import HEADER, _rating, named
from serprep.errors import CorpusError
from serprep.manifest.select import select
from serprep.manifest.table import make_manifest
from serprep.ratings import read_ratings, write_ratings
from serprep.testing import write_layout
from serprep.testing.iemocap import read_turns, write_iemocap

# corpora.md, from the corpus's own label files
COUNTS = {"xxx": 2507, "fru": 1849, "neu": 1708, "ang": 1103, "sad": 1084, "exc": 1041, "hap": 595}
COUNTS |= {"sur": 107, "fea": 40, "oth": 3, "dis": 2}
FOUR = {"ang": "angry", "exc": "happy", "hap": "happy", "neu": "neutral", "sad": "sad"}
SESSION_1 = "IEMOCAP_full_release/Session1"
LABELS = f"{SESSION_1}/dialog/EmoEvaluation/Ses01F_impro01.txt"
SPOKEN = f"{SESSION_1}/dialog/transcriptions/Ses01F_impro01.txt"


@pytest.fixture
def table(corpora):
    return corpora / "iemocap" / "turns.csv"


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    root = tmp_path_factory.mktemp("iemocap")
    write_layout("iemocap", root, sound=False)
    return root


@pytest.fixture
def folder(whole, tmp_path):
    """A small folder to damage."""
    return shutil.copytree(whole, tmp_path / "x")


def warnings(root):
    """Those that are not about counts."""
    found = read_corpus("iemocap", root).warnings
    return [line for line in found if "published" not in line]


def edit(path, before, after):
    text = path.read_text(encoding="utf-8")
    assert before in text
    path.write_text(text.replace(before, after, 1), encoding="utf-8")


# -- the full size -------------------------------------------------------------------


def test_the_full_layout_is_read_turn_by_turn_as_the_facts_say(table, tmp_path):
    write_iemocap(read_turns(table), tmp_path, sound=False)
    recorded = tmp_path / "IEMOCAP_full_release"
    with table.open() as file:
        facts = {row["utterance"]: row for row in csv.DictReader(file)}
    for row in facts.values():
        path = recorded / f"Session{row['session']}/sentences/wav/{row['dialogue']}/{row['utterance']}.wav"
        if not path.parent.exists():
            path.parent.mkdir(parents=True)
            path.with_name(f"._{path.name}").touch()
        path.touch()
    reading = read_corpus("iemocap", tmp_path)
    assert reading.warnings == ()
    assert len(reading.utterances) == len({row.id for row in reading.utterances}) == len(facts) == 10039
    assert len({row.speaker for row in reading.utterances}) == 10
    assert len({row.extra["dialogue"] for row in reading.utterances}) == 151
    assert Counter(row.emotion for row in reading.utterances) == COUNTS
    assert Counter(row.extra["method"] for row in reading.utterances) == {"impro": 4784, "script": 5255}
    for row in reading.utterances:
        fact = facts[row.id]
        assert row.speaker == fact["speaker"] and row.emotion == fact["emotion"]
        assert all(row.extra[name] == fact[name] for name in ("session", "dialogue", "method", "agreement"))
        assert row.extra["n_raters"] == fact["n_annotators"] or (row.emotion, fact["n_annotators"]) == ("xxx", "0")
        assert row.extra["transcript"]
    four = select(make_manifest(reading.utterances), emotions=FOUR).manifest
    assert len(four) == 5531
    assert Counter(four.column("emotion")) == {"angry": 1103, "happy": 1636, "neutral": 1708, "sad": 1084}
    assert Counter(four.column("session")) == {"1": 1085, "2": 1023, "3": 1151, "4": 1031, "5": 1241}
    wrong = sum(not row.id.startswith(row.speaker) for row in four.utterances)
    assert wrong == 2750  # what readers that take the prefix name wrongly
    assert sum(rating.valence is not None and rating.dominance is None for rating in reading.ratings) == 36


# -- names and lines -----------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "speaker", "dialogue", "method", "text"),
    [
        ("Ses01F_impro01_F000", "Ses01F", "Ses01F_impro01", "impro", ""),
        ("Ses01F_impro01_M003", "Ses01M", "Ses01F_impro01", "impro", ""),
        ("Ses03M_impro08b_F017", "Ses03F", "Ses03M_impro08b", "impro", ""),
        ("Ses05M_script01_1b_M040", "Ses05M", "Ses05M_script01_1b", "script", "script01_1"),
        ("Ses02F_script03_2_M001", "Ses02M", "Ses02F_script03_2", "script", "script03_2"),
    ],
)
def test_a_name_tells_the_true_speaker(name, speaker, dialogue, method, text):
    for spelt in (name, f"{name}.wav", f"iemocap-{name}", f"Session1/{dialogue}/{name}.wav", f"x_{name}_clean"):
        turn = named(spelt)
        assert turn.id == name and turn.speaker == speaker
        assert turn.extra["partner"] == f"Ses0{name[4]}{'M' if speaker[-1] == 'F' else 'F'}"
        assert turn.extra["gender"] == {"F": "female", "M": "male"}[speaker[-1]]
        assert [turn.extra[key] for key in ("session", "dialogue", "method", "text")] == [
            name[4],
            dialogue,
            method,
            text,
        ]
        assert turn.path == f"Session{name[4]}/sentences/wav/{dialogue}/{name}.wav"
    assert CORPORA["iemocap"].named is named


@pytest.mark.parametrize(
    "name",
    [
        "",
        "Ses01F_impro01",
        "Ses06F_impro01_F000",
        "Ses01X_impro01_F000",
        "Ses01F_impro01_F00",
        "Ses01F_impro01_F0000",
        "Ses01F_impro01_FXX0",
        "xSes01F_impro01_F000",
        "Ses01F_improv01_F000",
    ],
)
def test_other_names_tell_nothing(name):
    assert named(name) is None


def test_what_raters_said_is_kept(folder, tmp_path):
    (folder / LABELS).write_text(
        f"{HEADER}\n\n[6.2901 - 8.2357]\tSes01F_impro01_F000\thap\t[2.5000, 2.2500, 3.0000]\n"
        "C-E2:\tExcited; Happiness;\t()\nC-E3:\tNeutral state;\t(curious (a bit))\nC-E4:\tHappiness;\t()\n"
        "C-F1:\tOther; Boredom;\t(tired; cold)\nA-E3:\tval 3; act 2; dom  2;\t()\nA-F1:\tval 4; act 1; dom ;\t()\n",
        encoding="utf-8",
    )
    reading = read_corpus("iemocap", folder)
    (turn,) = [row for row in reading.utterances if row.id == "Ses01F_impro01_F000"]
    ratings = [rating for rating in reading.ratings if rating.id == turn.id]
    one = {"id": turn.id}
    assert ratings == [
        Rating(**one, rater="C-E2", emotions=("exc", "hap")),
        Rating(**one, rater="C-E3", emotions=("neu",), comment="curious (a bit)"),
        Rating(**one, rater="C-E4", emotions=("hap",)),
        Rating(**one, rater="C-F1", emotions=("oth", "Boredom"), comment="tired; cold"),
        Rating(**one, rater="A-E3", valence=3.0, arousal=2.0, dominance=2.0),
        Rating(**one, rater="A-F1", valence=4.0, arousal=1.0),
    ]
    told = [turn.extra[name] for name in ("valence", "arousal", "dominance", "n_raters", "agreement")]
    assert told == ["2.5", "2.25", "3.0", "4", "2"]
    write_ratings(reading.ratings, tmp_path)
    assert set(read_ratings(tmp_path)) == set(reading.ratings)


# -- folders -------------------------------------------------------------------------


def test_the_root_is_the_release_folder_or_its_parent(whole, folder):
    outer, inner = read_corpus("iemocap", whole), read_corpus("iemocap", whole / "IEMOCAP_full_release")
    assert [row.id for row in outer.utterances] == [row.id for row in inner.utterances]
    assert {row.path for row in outer.utterances} == {f"IEMOCAP_full_release/{row.path}" for row in inner.utterances}
    (folder / "IEMOCAP_full_release").rename(folder / "my copy")
    assert len(read_corpus("iemocap", folder).utterances) == len(outer.utterances)


def test_a_whole_folder_has_nothing_to_warn_of(whole):
    assert warnings(whole) == []


def test_a_missing_session_is_a_warning_with_the_numbers(folder):
    shutil.rmtree(folder / "IEMOCAP_full_release" / "Session4")
    assert any("4 0/2103" in line for line in read_corpus("iemocap", folder).warnings)


def test_a_missing_label_file_is_counted_by_its_recordings(folder):
    (folder / LABELS).unlink()
    wav = f"{SESSION_1}/sentences/wav/Ses01F_impro01/Ses01F_impro01_F000.wav"
    assert warnings(folder) == [f"12 recordings that no label file names passed over, such as {wav}"]


def test_no_label_files_at_all_is_an_error(folder):
    for path in folder.glob("*/Session*/dialog/EmoEvaluation/*.txt"):
        path.unlink()
    with pytest.raises(CorpusError, match="no utterance of IEMOCAP found; 120 recordings that no label file names"):
        read_corpus("iemocap", folder)


@pytest.mark.parametrize("header", ["% [START - END] NAME EMOTION [A, V, D]", "", "[1.0 - 2.0]\tx\tneu\t[1, 1, 1]"])
def test_a_wrong_header_is_named_with_its_line(folder, header):
    edit(folder / LABELS, HEADER, header)
    with pytest.raises(CorpusError, match=r"Ses01F_impro01\.txt:\d: header is .*; expected '% \[START_TIME") as caught:
        read_corpus("iemocap", folder)
    assert "\n" not in str(caught.value)


def test_an_empty_label_file_is_named(folder):
    (folder / LABELS).write_text("")
    with pytest.raises(CorpusError, match=r"Ses01F_impro01\.txt:1: header is ''; expected"):
        read_corpus("iemocap", folder)


def test_a_latin_1_file_is_read_and_named_with_its_line(whole, folder):
    for name in (LABELS, SPOKEN):
        text = (folder / name).read_text(encoding="utf-8").replace("Excuse me.", "Café, née.")
        (folder / name).write_text(text.replace("()", "(é)", 1), encoding="latin-1")
    lines = warnings(folder)
    assert len(lines) == 1 and lines[0].startswith("2 label files that are not UTF-8, read as Latin-1, such as ")
    assert f"{LABELS}:" in lines[0]
    reading = read_corpus("iemocap", folder)
    assert len(reading.utterances) == 120
    assert any("Café, née." in row.extra["transcript"] for row in reading.utterances)


def test_windows_line_ends_and_a_mark_change_nothing(whole, folder):
    for path in folder.rglob("*.txt"):
        path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n"))
    assert read_corpus("iemocap", folder) == read_corpus("iemocap", whole)


def test_absent_recordings_stay_rows_and_are_counted_with_file_and_line(whole, folder):
    wav = f"{SESSION_1}/sentences/wav/Ses01F_impro01/Ses01F_impro01_F000.wav"
    (folder / wav).unlink()
    assert warnings(folder) == [f"recordings that a label file names but that are not there: {LABELS}:3"]
    assert read_corpus("iemocap", folder).utterances == read_corpus("iemocap", whole).utterances


def test_extra_recordings_are_passed_over_and_counted(folder):
    for name in ("Ses01F_impro01_F777.wav", "notes.wav"):
        (folder / f"{SESSION_1}/sentences/wav/Ses01F_impro01/{name}").touch()
    (line,) = warnings(folder)
    assert line.startswith(f"2 recordings that no label file names passed over, such as {SESSION_1}/sentences/wav/")
    assert len(read_corpus("iemocap", folder).utterances) == 120


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ("\tSes01F_impro01_F000\t", " Ses01F_impro01_F000 ", "turns not written like IEMOCAP's passed over"),
        ("Ses01F_impro01_F000", "Ses01F_impro01_F00", "turns not written like IEMOCAP's passed over"),
        ("[3.0000, ", "[3,0000, ", "turns not written like IEMOCAP's passed over"),
        ("C-E2:\t", "C-E2 ", "rater lines not written like IEMOCAP's passed over"),
        ("val 2; act 3; dom  2;", "?", "rater lines not written like IEMOCAP's passed over"),
    ],
)
def test_lines_of_another_form_are_counted_with_file_and_line(folder, before, after, message):
    edit(folder / LABELS, before, after)
    assert any(line.startswith(message) and f"{LABELS}:" in line for line in warnings(folder))


def test_an_unknown_emotion_is_named_with_its_line(folder):
    edit(folder / LABELS, "\tneu\t", "\tbored\t")
    with pytest.raises(CorpusError, match=r"Ses01F_impro01\.txt:3: unknown emotion 'bored'; expected one of ang, dis"):
        read_corpus("iemocap", folder)


def test_missing_words_are_counted(folder):
    edit(folder / SPOKEN, "Ses01F_impro01_F000 [", "Ses01F_impro01_F00 [")
    assert warnings(folder) == [f"turns without a transcript: {LABELS}:3"]
    (folder / SPOKEN).unlink()
    assert warnings(folder) == [f"transcripts that are not there: {SPOKEN}"]


def test_a_rater_line_with_a_miswritten_number_is_counted_not_halved():
    assert _rating("Ses01F_impro01_F000", "A-E3:\tval 3; act 2_0; dom 2;\t()") is None
    assert _rating("Ses01F_impro01_F000", "A-E3:\tval 3; act 2; dom ;\t()").arousal == 2.0
