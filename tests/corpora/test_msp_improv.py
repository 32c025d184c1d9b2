"""MSP-IMPROV: the consensus of each turn, its raters, and what its name tells."""

import pytest

from serprep.corpora import CORPORA, read_corpus
from serprep.corpora.corpus import Rating
from serprep.corpora.msp_improv import EMOTIONS, named, rating_of
from serprep.errors import CorpusError
from serprep.testing import write_layout

TURN = "UTD-IMPROV-S01A-F01-S-MF01.avi; A; A:3.000000; V:2.500000; D:NaN ; N:4.000000; "


@pytest.fixture
def folder(tmp_path):
    write_layout("msp_improv", tmp_path, sound=False)
    return tmp_path


def edit(folder, old, new):
    path = folder / "Evaluation.txt"
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))


def test_speaker_is_the_fourth_field_and_the_partner_the_other_of_the_session(folder):
    reading = read_corpus("msp_improv", folder)
    seen = {(u.speaker, u.extra["partner"], u.extra["session"], u.extra["gender"]) for u in reading.utterances}
    assert seen == {
        ("F01", "M01", "1", "female"),
        ("M01", "F01", "1", "male"),
        ("F02", "M02", "2", "female"),
        ("M02", "F02", "2", "male"),
    }


def test_numbers_stand_as_published_and_nan_is_missing(folder):
    first = read_corpus("msp_improv", folder).utterances[0]
    assert {name: first.extra[name] for name in ("arousal", "valence", "dominance", "naturalness")} == {
        "arousal": "3.0",
        "valence": "2.5",
        "dominance": "",
        "naturalness": "4.0",
    }


def test_the_sentence_is_a_text_only_where_it_is_spoken():
    assert named("MSP-IMPROV-S12H-F03-T-MF01").extra["text"] == "12"
    assert named("MSP-IMPROV-S12H-F03-R-MF01").extra["text"] == "12"
    assert named("MSP-IMPROV-S12H-F03-S-MF01").extra["text"] == ""
    assert named("MSP-IMPROV-S12H-F03-P-MF01").extra["text"] == ""


def test_a_name_alone_tells_all_but_the_label(folder):
    for utterance in read_corpus("msp_improv", folder).utterances:
        told = CORPORA["msp_improv"].named(utterance.id)
        assert (told.id, told.speaker, told.emotion) == (utterance.id, utterance.speaker, "")
        assert told.extra.items() <= utterance.extra.items()
    assert named("msp_improv/audio/UTD-IMPROV-S01A-F01-P-FM01.avi").id == "MSP-IMPROV-S01A-F01-P-FM01"
    assert named("03a01Wa") is None
    assert named("MSP-IMPROV-S01A-F07-P-FM01") is None  # six sessions


def test_published_counts_add_up():
    """Tables 3 and 4 of the paper: targets improvised and read, other turns, natural interaction."""
    table = {"A": (115, 169, 470, 38), "S": (106, 80, 633, 66), "H": (136, 88, 1048, 1372), "N": (283, 241, 1789, 1164)}
    table |= {"O": (1, 3, 70, 11), "X": (11, 39, 371, 134)}
    assert [sum(column) for column in zip(*table.values(), strict=True)] == [652, 620, 4381, 2785]
    corpus = CORPORA["msp_improv"]
    assert corpus.n_per_emotion == {code: sum(counts) for code, counts in table.items()}
    assert (corpus.n_utterances, set(corpus.n_per_emotion)) == (8438, set(EMOTIONS))


def test_raters_are_kept_in_the_corpus_codes(folder):
    ratings = read_corpus("msp_improv", folder).ratings
    assert len(ratings) == 2 * 16
    assert ratings[0] == Rating(
        id="MSP-IMPROV-S01A-F01-S-MF01",
        rater="WORKER00000001",
        emotions=("A",),
        valence=2.5,
        arousal=3.0,
        comment="Angry,Concerned",
    )
    assert (ratings[1].emotions, ratings[1].comment) == (("O",), "")


def test_a_rater_line_that_stands_twice_counts_once(folder):
    whole = read_corpus("msp_improv", folder).ratings
    line = "WORKER00000002; Other; ; A:3.000000; V:2.500000; D:NaN; N:4.000000; \n"
    edit(folder, f"{TURN}\n", f"{TURN}\n{line}")
    reading = read_corpus("msp_improv", folder)
    assert sorted(map(repr, reading.ratings)) == sorted(map(repr, whole))
    assert "rater lines that stand twice taken once: Evaluation.txt:4" in reading.warnings


@pytest.mark.parametrize(
    ("line", "emotions", "comment"),
    [
        ("w; Sad; a;b; A:1; V:2; D:3; N:4;", ("S",), "a;b"),
        ("w; Sad; A:1; V:2; D:3;", ("S",), ""),
        ("w; Other-Bored; x; A:1.0; V:2.0; D:3.0;", ("O",), "Other-Bored; x"),
    ],
)
def test_further_words_are_free_text(line, emotions, comment):
    rating = rating_of(line, "t", codes={"Sad": "S", "Other": "O"})
    assert (rating.rater, rating.emotions, rating.comment) == ("w", emotions, comment)
    assert (rating.arousal, rating.valence, rating.dominance) == (1.0, 2.0, 3.0)


@pytest.mark.parametrize("line", ["w", "w; Sad", "w; Sad; x;", "; Sad; x; A:1;", "w; Cross; x; A:1;"])
def test_lines_of_another_form_are_no_rating(line):
    assert rating_of(line, "t", codes={"Sad": "S", "Other": "O"}) is None


@pytest.mark.parametrize("name", ["Evaluation.txt", "Evalution.txt"])
def test_the_label_file_is_found_as_it_is_spelt(folder, name):
    whole = read_corpus("msp_improv", folder)
    (folder / "Evaluation.txt").rename(folder / name)
    assert read_corpus("msp_improv", folder).utterances == whole.utterances


def test_a_missing_label_file_is_named(folder):
    (folder / "Evaluation.txt").unlink()
    with pytest.raises(
        CorpusError, match=r"Evaluation\.txt: no such file; expected a label file \(or Evalution\.txt\)"
    ):
        read_corpus("msp_improv", folder)


def test_a_file_of_another_form_is_refused_with_file_and_line(folder):
    (folder / "Evaluation.txt").write_text("FileName,EmoClass\na.wav,N\n")
    with pytest.raises(
        CorpusError, match=r"no utterance .* 2 lines of another form passed over, such as Evaluation.txt:1"
    ):
        read_corpus("msp_improv", folder)


def test_an_unknown_code_is_named_with_its_line(folder):
    edit(folder, TURN, TURN.replace("; A; ", "; Q; "))
    with pytest.raises(CorpusError, match=r"Evaluation\.txt:1: unknown emotion 'Q'; expected one of A, H, S, N, O, X"):
        read_corpus("msp_improv", folder)


def test_a_turn_without_numbers_is_named_with_its_line(folder):
    edit(folder, TURN, "UTD-IMPROV-S01A-F01-S-MF01.avi; A; A:3; V:NaN;")
    with pytest.raises(CorpusError, match=r"Evaluation\.txt:1: .* expected A:…; V:…; D:… after the emotion"):
        read_corpus("msp_improv", folder)


@pytest.mark.parametrize("value", ["x", "3_0", "3,0", "3.0.0", "٣"])
def test_what_is_no_number_is_not_read_as_one(folder, value):
    edit(folder, TURN, f"UTD-IMPROV-S01A-F01-S-MF01.avi; A; A:3; V:{value}; D:3;")
    with pytest.raises(CorpusError, match=r"Evaluation\.txt:1: V is .*; expected a number or NaN"):
        read_corpus("msp_improv", folder)


def test_windows_line_ends_change_nothing(folder):
    clean = read_corpus("msp_improv", folder)
    path = folder / "Evaluation.txt"
    path.write_bytes(path.read_bytes().replace(b"\n", b"\r\n"))
    assert read_corpus("msp_improv", folder) == clean


def test_a_latin_1_label_file_is_read_and_said_so(folder):
    path = folder / "Evaluation.txt"
    path.write_bytes(path.read_bytes().replace(b"Angry,Concerned", b"Angry,caf\xe9", 1))
    reading = read_corpus("msp_improv", folder)
    assert reading.ratings[0].comment == "Angry,café"
    assert "label files that are not UTF-8, read as Latin-1: Evaluation.txt:2" in reading.warnings


def test_absent_and_extra_recordings_are_counted_with_file_and_line(folder):
    (folder / "session1/S01A/S/MSP-IMPROV-S01A-F01-S-MF01.wav").unlink()
    (folder / "session2/S01N/T/MSP-IMPROV-S01N-M02-T-FM09.wav").touch()
    edit(folder, "UTD-IMPROV-S01A-F01-T-MF01", "UTD-IMPROV-S01A-F11-T-MF01")
    reading = read_corpus("msp_improv", folder)
    assert reading.utterances[0].path == "session1/S01A/S/MSP-IMPROV-S01A-F01-S-MF01.wav"
    warnings = "\n".join(reading.warnings)
    assert "recordings that a label file names but that are not there: Evaluation.txt:1" in warnings
    assert "turns not named like MSP-IMPROV passed over: Evaluation.txt:5" in warnings
    assert "2 recordings that no label file names passed over, such as session1/S01A/T/" in warnings
    assert len(reading.utterances) == 15
