from collections import Counter
from itertools import product

import pytest

from serprep.corpora import read_corpus
from serprep.errors import CorpusError

EMOTIONS = ["neutral", "calm", "happy", "sad", "angry", "fearful", "disgust", "surprised"]
COUNTS = {emotion: 96 if emotion == "neutral" else 192 for emotion in EMOTIONS}


def published_names():
    """The 24 x 60 names of the speech part: two takes of two statements, neutral in one intensity only."""
    for actor, emotion, intensity, statement, repetition in product(range(1, 25), range(1, 9), *[(1, 2)] * 3):
        if (emotion, intensity) != (1, 2):
            yield f"03-01-{emotion:02}-{intensity:02}-{statement:02}-{repetition:02}-{actor:02}"


def make(root, names, *, top=""):
    for name in names:
        folder = root / top / f"Actor_{name[-2:]}"
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{name}.wav").touch()


def check_whole(reading):
    assert reading.warnings == ()
    assert len(reading.utterances) == len({utterance.id for utterance in reading.utterances}) == 1440
    assert Counter(utterance.emotion for utterance in reading.utterances) == COUNTS
    assert Counter(utterance.speaker for utterance in reading.utterances) == {f"{k:02}": 60 for k in range(1, 25)}
    for utterance in reading.utterances:
        assert utterance.extra["gender"] == ("male" if int(utterance.speaker) % 2 else "female")
    for column, values in {
        "gender": {"male": 720, "female": 720},
        "text": {"kids": 720, "dogs": 720},
        "intensity": {"normal": 768, "strong": 672},
        "repetition": {"01": 720, "02": 720},
    }.items():
        assert Counter(utterance.extra[column] for utterance in reading.utterances) == values


def test_the_real_folder_has_all_1440_utterances(corpora):
    check_whole(read_corpus("ravdess", corpora / "ravdess"))


def test_the_whole_release_with_videos_song_and_litter(tmp_path):
    names = list(published_names())
    assert len(names) == 1440
    top = "Audio_Speech_Actors_01-24"
    make(tmp_path, names, top=top)
    (tmp_path / f"{top}.zip").touch()
    (tmp_path / top / "._Actor_01").touch()
    (tmp_path / top / "Actor_01/.DS_Store").touch()
    # song has its own folder in the release; in a folder of speech alone nothing of it is seen
    make(tmp_path, [name.replace("03-01", "03-02", 1) for name in names[:9]], top="Audio_Song_Actors_01-24")
    reading = read_corpus("ravdess", tmp_path)
    check_whole(reading)
    assert {utterance.path.split("/")[0] for utterance in reading.utterances} == {top}
    assert read_corpus("ravdess", tmp_path / top).warnings == ()


def test_videos_and_song_in_the_same_folders_are_passed_over_and_counted(tmp_path):
    names = list(published_names())
    make(tmp_path, names)
    make(tmp_path, [name.replace("03-01", "01-01", 1) for name in names])
    make(tmp_path, [name.replace("03-01", "02-01", 1) for name in names])
    make(tmp_path, [name.replace("03-01", "03-02", 1) for name in names[:6]])
    reading = read_corpus("ravdess", tmp_path)
    assert len(reading.utterances) == 1440
    assert len(reading.warnings) == 2
    videos = "2880 sounds of videos (modality 01, 02: the same takes again) passed over, such as Actor_01/"
    assert reading.warnings[0].startswith(videos)
    assert reading.warnings[1].startswith("6 song recordings (channel 02) passed over, such as Actor_01/03-02-")


def test_a_lost_file_and_a_lost_actor_are_warned_of_with_both_numbers(tmp_path):
    names = list(published_names())
    make(tmp_path / "file", [name for name in names if name != "03-01-03-02-01-01-07"])
    assert read_corpus("ravdess", tmp_path / "file").warnings == (
        "1439 utterances found, 1440 published (RAVDESS speech 1.0.0)",
        "counts per emotion differ from the published ones (found/published): happy 191/192",
    )
    make(tmp_path / "actor", [name for name in names if not name.endswith("-24")])
    warnings = read_corpus("ravdess", tmp_path / "actor").warnings
    assert warnings[0] == "1380 utterances found, 1440 published (RAVDESS speech 1.0.0)"
    assert "neutral 92/96, calm 184/192" in warnings[1]
    assert warnings[2] == "23 speakers found, 24 published"


@pytest.mark.parametrize(
    "name", ["03-01-09-01-01-01-01", "03-01-00-01-01-01-01", "03-01-01-03-01-01-01", "03-01-01-01-03-01-01"]
)
def test_codes_ravdess_does_not_define_are_passed_over_and_counted(tmp_path, name):
    make(tmp_path, ["03-01-01-01-01-01-01", name])
    reading = read_corpus("ravdess", tmp_path)
    assert len(reading.utterances) == 1
    assert f"recordings with codes RAVDESS does not define passed over: Actor_01/{name}.wav" in reading.warnings


@pytest.mark.parametrize(
    "name", ["03-01-01-01-01-01", "03-01-01-01-01-01-01-01", "3-1-1-1-1-1-01", "aa-01-01-01-01-01-01", "x"]
)
def test_names_of_another_form_are_passed_over_and_counted(tmp_path, name):
    make(tmp_path, ["03-01-01-01-01-01-01"])
    (tmp_path / f"Actor_01/{name}.wav").touch()
    reading = read_corpus("ravdess", tmp_path)
    assert len(reading.utterances) == 1
    assert f"recordings not named like RAVDESS passed over: Actor_01/{name}.wav" in reading.warnings


def test_an_archive_that_was_not_unpacked_is_no_folder(tmp_path):
    (tmp_path / "Audio_Speech_Actors_01-24.zip").touch()
    with pytest.raises(CorpusError, match="no utterance of RAVDESS speech found; expected Actor_NN/"):
        read_corpus("ravdess", tmp_path)
