"""MSP-Podcast: consensus labels, unknown speakers, official partitions, raters."""

from collections import Counter

import pytest

from serprep.corpora import read_corpus
from serprep.corpora.corpus import Rating
from serprep.errors import CorpusError
from serprep.testing import write_layout

CONSENSUS = "Labels/labels_consensus.csv"
DETAILED = "Labels/labels_detailed.csv"


@pytest.fixture
def folder(tmp_path):
    write_layout("msp_podcast", tmp_path, sound=False)
    return tmp_path


def edit(folder, name, old, new):
    assert old in (folder / name).read_text()
    (folder / name).write_text((folder / name).read_text().replace(old, new))


def test_an_unknown_speaker_is_a_missing_value(folder):
    reading = read_corpus("msp_podcast", folder)
    assert Counter(u.speaker for u in reading.utterances) == {"1": 4, "2": 4, "3": 4, "4": 4, "5": 4, "": 4}
    assert {u.extra["gender"] for u in reading.utterances if not u.speaker} == {""}


def test_the_corpus_own_partitions_are_kept(folder):
    reading = read_corpus("msp_podcast", folder)
    assert Counter(u.partition for u in reading.utterances) == {"Train": 12, "Development": 4, "Test1": 4, "Test2": 4}


def test_activation_is_arousal(folder):
    edit(folder, CONSENSUS, "MSP-PODCAST_0001_0001.wav,A,4.2,3.8,4.4", "MSP-PODCAST_0001_0001.wav,A,1.0,2.0,3.0")
    extra = read_corpus("msp_podcast", folder).utterances[0].extra
    assert (extra["arousal"], extra["valence"], extra["dominance"]) == ("1.0", "2.0", "3.0")


def test_columns_may_stand_in_any_order_with_more_beside(folder):
    whole = read_corpus("msp_podcast", folder)
    rows = [line.split(",") for line in (folder / CONSENSUS).read_text().splitlines()]
    (folder / CONSENSUS).write_text(
        "\n".join(",".join([*row[::-1], row[0]]) for row in rows).replace(
            "Split_Set,Gender,SpkrID,EmoDom,EmoVal,EmoAct,EmoClass,FileName,FileName",
            "Split_Set,Gender,SpkrID,EmoDom,EmoVal,EmoAct,EmoClass,FileName,More",
        )
    )
    assert read_corpus("msp_podcast", folder).utterances == whole.utterances


@pytest.mark.parametrize("name", ["Labels/labels_concensus.csv", "labels/labels_consensus.csv"])
def test_older_releases_spell_it_otherwise(folder, name):
    whole = read_corpus("msp_podcast", folder)
    (folder / name).parent.mkdir(exist_ok=True)
    (folder / CONSENSUS).rename(folder / name)
    assert read_corpus("msp_podcast", folder).utterances == whole.utterances


def test_raters_are_kept_in_the_corpus_codes(folder):
    ratings = read_corpus("msp_podcast", folder).ratings
    assert len(ratings) == 24
    assert ratings[0] == Rating(
        id="MSP-PODCAST_0001_0001",
        rater="WORKER00000001",
        emotions=("A",),
        valence=3.0,
        arousal=4.0,
        dominance=5.0,
        comment="Angry,Concerned",
    )


def test_raters_in_columns_say_the_same(folder):
    whole = read_corpus("msp_podcast", folder).ratings
    rows = ["FileName,Workers,EmoClass_Major,EmoClass_Second,EmoAct,EmoVal,EmoDom"]
    for rating in whole:
        word = {"A": "Angry", "H": "Happy", "N": "Neutral", "S": "Sad"}[rating.emotions[0]]
        rows.append(f'{rating.id}.wav,{rating.rater},{word},"{rating.comment}",4,3,5')
    (folder / DETAILED).write_text("\n".join(rows) + "\n")
    assert read_corpus("msp_podcast", folder).ratings == whole


def test_raters_of_an_unknown_layout_are_passed_over_with_a_warning(folder):
    (folder / DETAILED).write_text("FileName,Votes\nMSP-PODCAST_0001_0001.wav,3\n")
    reading = read_corpus("msp_podcast", folder)
    assert (len(reading.utterances), reading.ratings) == (24, ())
    assert reading.warnings == (f"per-rater files of an unknown layout passed over: {DETAILED}",)


def test_rater_lines_that_do_not_fit_are_counted_with_file_and_line(folder):
    edit(folder, DETAILED, "MSP-PODCAST_0001_0001.wav", "MSP-PODCAST_0099_0001.wav")
    edit(folder, DETAILED, "WORKER00000001; Happy; Happy,Concerned; A:4.0; V:3.0; D:5.0;", "not rated")
    reading = read_corpus("msp_podcast", folder)
    assert len(reading.ratings) == 17
    assert reading.warnings == (
        f"rater lines of turns without a consensus passed over: {DETAILED}:2",
        f"6 rater lines of another form passed over, such as {DETAILED}:3",
    )


def test_a_missing_label_file_is_named(folder):
    (folder / CONSENSUS).unlink()
    with pytest.raises(
        CorpusError, match=r"Labels/labels_consensus\.csv: no such file; expected a label file \(or Lab"
    ):
        read_corpus("msp_podcast", folder)


def test_a_wrong_header_is_named(folder):
    edit(folder, CONSENSUS, "EmoClass", "Emotion")
    with pytest.raises(
        CorpusError, match=r"labels_consensus\.csv:1: no column 'EmoClass'; it has 'FileName', 'Emotion'"
    ):
        read_corpus("msp_podcast", folder)


def test_an_unknown_code_is_named_with_its_line(folder):
    edit(folder, CONSENSUS, "0001_0002.wav,H", "0001_0002.wav,Happy")
    with pytest.raises(CorpusError, match=r"labels_consensus\.csv:3: unknown emotion 'Happy'; expected one of A, H, S"):
        read_corpus("msp_podcast", folder)


def test_windows_line_ends_change_nothing(folder):
    clean = read_corpus("msp_podcast", folder)
    for name in (CONSENSUS, DETAILED):
        (folder / name).write_bytes((folder / name).read_bytes().replace(b"\n", b"\r\n"))
    assert read_corpus("msp_podcast", folder) == clean


def test_a_latin_1_label_file_is_read_and_said_so(folder):
    (folder / DETAILED).write_bytes((folder / DETAILED).read_bytes().replace(b"Angry,Concerned", b"Angry,caf\xe9", 1))
    reading = read_corpus("msp_podcast", folder)
    assert reading.ratings[0].comment == "Angry,café"
    assert reading.warnings == (f"label files that are not UTF-8, read as Latin-1: {DETAILED}:2",)


def test_absent_and_extra_recordings_are_counted_with_file_and_line(folder):
    (folder / "Audios/MSP-PODCAST_0001_0002.wav").unlink()
    (folder / "Audios/MSP-PODCAST_0100_0001.wav").touch()
    reading = read_corpus("msp_podcast", folder)
    assert len(reading.utterances) == 24
    assert reading.warnings == (
        f"recordings that a label file names but that are not there: {CONSENSUS}:3",
        "recordings that no label file names passed over: Audios/MSP-PODCAST_0100_0001.wav",
    )
