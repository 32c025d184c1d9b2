"""TESS: irregular folders, one misnamed file, a download that holds everything twice."""

from collections import Counter

import pytest

from serprep.corpora import read_corpus
from serprep.corpora.tess import named

# as published, class → the folder of each speaker
FOLDERS = {
    "angry": ("OAF_angry", "YAF_angry"),
    "disgust": ("OAF_disgust", "YAF_disgust"),
    "fear": ("OAF_Fear", "YAF_fear"),
    "happy": ("OAF_happy", "YAF_happy"),
    "neutral": ("OAF_neutral", "YAF_neutral"),
    "ps": ("OAF_Pleasant_surprise", "YAF_pleasant_surprised"),
    "sad": ("OAF_Sad", "YAF_sad"),
}
WORDS = ["bite", *(f"w{a}{b}" for a in "abcdefghijklmnopqrst" for b in "abcdefghij")][:200]


def make(root, *, folders=True):
    for code, names in FOLDERS.items():
        for speaker, folder in zip(("OAF", "YAF"), names, strict=True):
            place = root / folder if folders else root
            place.mkdir(parents=True, exist_ok=True)
            for word in WORDS:
                stem = f"{speaker}_{word}_{code}"
                (place / f"{'OA_bite_neutral' if stem == 'OAF_bite_neutral' else stem}.wav").touch()


def check_whole(reading):
    assert len(reading.utterances) == len({u.id for u in reading.utterances}) == 2800
    assert Counter(u.emotion for u in reading.utterances) == dict.fromkeys(
        ("angry", "disgust", "fear", "happy", "neutral", "pleasant surprise", "sad"), 400
    )
    assert Counter((u.speaker, u.extra["age"]) for u in reading.utterances) == {
        ("OAF", "64"): 1400,
        ("YAF", "26"): 1400,
    }
    assert Counter(u.extra["text"] for u in reading.utterances) == dict.fromkeys(WORDS, 14)


@pytest.mark.parametrize("folders", [True, False])
def test_the_whole_corpus_in_folders_or_flat(tmp_path, folders):
    make(tmp_path, folders=folders)
    reading = read_corpus("tess", tmp_path)
    assert reading.warnings == ()
    check_whole(reading)


def test_the_same_again_one_folder_deeper_does_not_count(tmp_path):
    make(tmp_path)
    make(tmp_path / "TESS Toronto emotional speech set data")
    reading = read_corpus("tess", tmp_path)
    check_whole(reading)
    assert all(u.path.count("/") == 1 for u in reading.utterances)
    (warning,) = reading.warnings
    assert warning.startswith("2800 recordings of a name that is there already passed over, such as TESS Toronto")
    check_whole(read_corpus("tess", tmp_path / "TESS Toronto emotional speech set data"))


def test_the_class_is_that_of_the_name_whatever_the_folder(tmp_path):
    (tmp_path / "OAF_angry").mkdir()
    (tmp_path / "OAF_angry/OAF_back_sad.wav").touch()
    assert read_corpus("tess", tmp_path).utterances[0].emotion == "sad"


@pytest.mark.parametrize(
    "name",
    [
        "OAF_back.wav",
        "XAF_back_sad.wav",
        "YA_back_sad.wav",
        "OAF_back_surprise.wav",
        "OAF_back_sad_2.wav",
        "OAF_1_sad.wav",
    ],
)
def test_other_names_are_passed_over_and_counted(tmp_path, name):
    (tmp_path / "YAF_back_ps.wav").touch()
    (tmp_path / name).touch()
    reading = read_corpus("tess", tmp_path)
    assert [u.id for u in reading.utterances] == ["YAF_back_ps"]
    assert f"recordings not named like TESS passed over: {name}" in reading.warnings
    assert named(name) is None
