"""CREMA-D: published names and counts, acted and perceived labels, actors, raters."""

import json
from collections import Counter

import pytest

from serprep.corpora import read_corpus
from serprep.corpora.corpus import Rating
from serprep.corpora.crema_d import named
from serprep.errors import CorpusError
from serprep.testing import write_layout

SUMMARY = "processedResults/summaryTable.csv"
ACTORS = "VideoDemographics.csv"
ANSWERS = "finishedResponses.csv"


@pytest.fixture
def folder(tmp_path):
    write_layout("crema_d", tmp_path, sound=False)
    return tmp_path


def edit(path, old, new):
    assert old in path.read_text()
    path.write_text(path.read_text().replace(old, new))


def kept(reading):
    """Warnings besides the counts of the whole corpus."""
    return [warning for warning in reading.warnings if "published" not in warning]


@pytest.fixture(scope="module")
def published(corpora):
    lines = (corpora / "checksums/crema_d_originals.tsv").read_text().splitlines()[1:]
    return [line.split("\t")[0] for line in lines]


@pytest.mark.parametrize("top", ["", "crema-d-mirror/AudioWAV"])
def test_the_published_names_are_the_whole_corpus(tmp_path, published, top):
    (tmp_path / top).mkdir(parents=True, exist_ok=True)
    for name in published:
        (tmp_path / top / name).touch()
    reading = read_corpus("crema_d", tmp_path)
    assert [warning.partition(" as a file is missing")[0] for warning in reading.warnings] == [
        "no gender, age, race and ethnicity,",
        "no perceived labels,",
        "no answers of single raters,",
    ]
    assert sorted(u.id + ".wav" for u in reading.utterances) == sorted(published)
    # corpora.md: 91 actors, 7442 = 5 × 1271 + 1087 neutral
    assert Counter(u.emotion for u in reading.utterances) == {
        "neutral": 1087,
        **dict.fromkeys(("anger", "disgust", "fear", "happy", "sad"), 1271),
    }
    assert {u.speaker for u in reading.utterances} == {str(actor) for actor in range(1001, 1092)}
    for utterance in reading.utterances:
        actor, text, _, _ = utterance.id.split("_")
        assert (utterance.speaker, utterance.extra["text"]) == (actor, text)


def test_the_mp3_copy_of_every_recording_does_not_count(tmp_path):
    for folder, suffix in (("AudioMP3", "mp3"), ("AudioWAV", "wav")):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / f"1001_DFA_ANG_XX.{suffix}").touch()
    reading = read_corpus("crema_d", tmp_path)
    assert [u.path for u in reading.utterances] == ["AudioWAV/1001_DFA_ANG_XX.wav"]
    expected = "recordings of a name that is there already passed over: AudioMP3/1001_DFA_ANG_XX.mp3"
    assert expected in reading.warnings


def test_the_acted_emotion_is_the_label_and_the_perceived_ones_are_beside_it(folder):
    utterances = {u.id: u for u in read_corpus("crema_d", folder).utterances}
    angry = utterances["1001_DFA_ANG_XX"]
    assert angry.emotion == "anger"
    assert (angry.extra["voice_vote"], angry.extra["voice_level"]) == ("A:D", "37.2:58.6")  # a tie, as it stands
    assert (angry.extra["face_vote"], angry.extra["multimodal_vote"]) == ("A", "A")
    assert utterances["1002_IWW_HAP_XX"].extra["voice_vote"] == "H"


def test_what_raters_heard_in_the_sound_alone_are_ratings(folder):
    reading = read_corpus("crema_d", folder)
    assert len(reading.ratings) == len(reading.utterances) == 60  # rater 202 saw the face as well
    assert {rating.rater for rating in reading.ratings} == {"201"}
    assert reading.ratings[0] == Rating(id="1001_DFA_ANG_XX", rater="201", emotions=("anger",), comment="level 70")


def test_answers_of_another_form_are_passed_over_and_counted(folder):
    edit(folder / ANSWERS, "1001_DFA_ANG_XX,1,A,70", "1001_DFA_ANG_XX,1,Q,70")
    reading = read_corpus("crema_d", folder)
    assert len(reading.ratings) == 59
    assert kept(reading) == [f"answers that are none of A, D, F, H, N, S passed over: {ANSWERS}:2"]


def test_a_vote_for_an_unknown_emotion_is_refused_with_its_line(folder):
    edit(folder / SUMMARY, '"A:D"', '"A:X"')
    with pytest.raises(CorpusError, match=r"summaryTable\.csv:2: unknown VoiceVote 'A:X'; expected letters of A, D, F"):
        read_corpus("crema_d", folder)


def test_the_column_of_names_may_be_spelt_as_in_the_readme(folder):
    whole = read_corpus("crema_d", folder)
    edit(folder / SUMMARY, '"FileName"', '"fileName"')
    assert read_corpus("crema_d", folder) == whole


def test_the_label_files_are_found_one_folder_deeper(tmp_path):
    write_layout("crema_d", tmp_path / "a", sound=False)
    write_layout("crema_d", tmp_path / "b/CREMA-D", sound=False)
    flat, deep = (read_corpus("crema_d", tmp_path / name) for name in "ab")
    assert [(u.id, u.extra) for u in deep.utterances] == [(u.id, u.extra) for u in flat.utterances]
    assert (deep.ratings, deep.warnings) == (flat.ratings, flat.warnings)


@pytest.mark.parametrize(
    ("name", "columns", "warning"),
    [
        (ACTORS, ("gender", "age", "race", "ethnicity"), "no gender, age, race and ethnicity"),
        (SUMMARY, ("voice_vote", "voice_level", "face_vote", "multimodal_vote"), "no perceived labels"),
        (ANSWERS, (), "no answers of single raters"),
    ],
)
def test_without_a_label_file_its_columns_are_empty_and_a_warning_says_so(folder, name, columns, warning):
    whole = read_corpus("crema_d", folder)
    (folder / name).unlink()
    reading = read_corpus("crema_d", folder)
    assert [(u.id, u.speaker, u.emotion, list(u.extra)) for u in reading.utterances] == [
        (u.id, u.speaker, u.emotion, list(u.extra)) for u in whole.utterances
    ]
    assert all(u.extra[column] == "" for u in reading.utterances for column in columns)
    assert kept(reading) == [f"{warning}, as a file is missing: {name}"]


def test_recordings_and_votes_that_do_not_meet_are_counted(folder):
    edit(folder / SUMMARY, '"1001_DFA_ANG_XX"', '"1001_ITS_ANG_XX"')
    reading = read_corpus("crema_d", folder)
    assert len(reading.utterances) == 60
    assert kept(reading) == [
        "recordings without perceived labels: AudioWAV/1001_DFA_ANG_XX.wav",
        f"recordings that a label file names but that are not there: {SUMMARY}:2",
    ]


@pytest.mark.parametrize(
    "name",
    [
        "1000_DFA_ANG_XX",
        "1092_DFA_ANG_XX",
        "1001_DFB_ANG_XX",
        "1001_DFA_SUR_XX",
        "1001_DFA_ANG_XY",
        "1001_DFA_ANG",
        "x",
    ],
)
def test_other_names_are_passed_over_and_counted(tmp_path, name):
    for stem in ("1001_DFA_ANG_XX", name):
        (tmp_path / f"{stem}.wav").touch()
    reading = read_corpus("crema_d", tmp_path)
    assert len(reading.utterances) == 1
    assert f"recordings not named like CREMA-D passed over: {name}.wav" in reading.warnings
    assert named(name) is None


def test_keys_of_a_published_split_are_understood(corpora):
    folder = corpora / "published_splits/emobox/cremad"
    keys = {json.loads(line)["key"] for path in folder.glob("*/*.jsonl") for line in path.read_text().splitlines()}
    told = {key: named(key) for key in keys}
    assert len(keys) == 7442
    assert {key: utterance and utterance.id for key, utterance in told.items()} == {
        key: key.removeprefix("cremad-").replace("-", "_") for key in keys
    }
