"""URDU: speaker and gender from the name."""

from collections import Counter

import pytest

from serprep.corpora import read_corpus

WORDS = {"A": "Angry", "H": "Happy", "N": "Neutral", "S": "Sad"}


def make(root, *, n=100):
    for letter, word in WORDS.items():
        (root / word).mkdir(parents=True)
        for number in range(1, n + 1):
            speaker = f"S{'MF'[number % 2]}{number % 19}"
            (root / word / f"{speaker}_F{number % 7}_{letter}{number:02}.wav").touch()


@pytest.mark.parametrize("top", ["", "URDU-Dataset-master"])
def test_the_whole_corpus(tmp_path, top):
    make(tmp_path / top)
    reading = read_corpus("urdu", tmp_path)
    assert reading.warnings == ()
    assert Counter(u.emotion for u in reading.utterances) == dict.fromkeys(WORDS.values(), 100)
    for utterance in reading.utterances:
        assert utterance.speaker == utterance.id.partition("_")[0]
        assert utterance.extra == {"gender": "female" if utterance.id[1] == "F" else "male"}


@pytest.mark.parametrize("name", ["SM1_F1.wav", "SX1_F1_A01.wav", "SM_F1_A01.wav", "SM1_F1_B01.wav", "SM1_F1_A.wav"])
def test_other_names_are_passed_over_and_counted(tmp_path, name):
    (tmp_path / "SM1_F1_A01.wav").touch()
    (tmp_path / name).touch()
    reading = read_corpus("urdu", tmp_path)
    assert [u.id for u in reading.utterances] == ["SM1_F1_A01"]
    assert f"recordings not named like URDU passed over: {name}" in reading.warnings
