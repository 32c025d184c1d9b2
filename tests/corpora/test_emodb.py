from collections import Counter

import pytest

from serprep.corpora import read_corpus

# corpora.md, from the publication: speakers, the men among them, and utterances per emotion
SPEAKERS = {"03", "08", "09", "10", "11", "12", "13", "14", "15", "16"}
MALE = {"03", "10", "11", "12", "15"}
COUNTS = {"anger": 127, "boredom": 81, "disgust": 46, "fear": 69, "happiness": 71, "sadness": 62, "neutral": 79}
LETTERS = {"W": "anger", "L": "boredom", "E": "disgust", "A": "fear", "F": "happiness", "T": "sadness", "N": "neutral"}


def test_the_real_folder_has_all_535_utterances(corpora):
    reading = read_corpus("emodb", corpora / "emodb_first2s")
    assert reading.warnings == ()
    assert len(reading.utterances) == len({utterance.id for utterance in reading.utterances}) == 535
    assert Counter(utterance.emotion for utterance in reading.utterances) == COUNTS
    assert {utterance.speaker for utterance in reading.utterances} == SPEAKERS
    men = {utterance.speaker for utterance in reading.utterances if utterance.extra["gender"] == "male"}
    assert men == MALE
    assert len({utterance.extra["text"] for utterance in reading.utterances}) == 10
    for utterance in reading.utterances:
        assert (corpora / "emodb_first2s" / utterance.path).is_file()


def test_every_letter_has_its_emotion(tmp_path):
    for letter in LETTERS:
        (tmp_path / f"08b03{letter}c.wav").touch()
    found = {utterance.id[5]: utterance.emotion for utterance in read_corpus("emodb", tmp_path).utterances}
    assert found == LETTERS


@pytest.mark.parametrize(
    "name", ["x03a01Wa", "03a01W", "3a01Wa", "03c01Wa", "03a1Wa", "03a01Waa", "03a01wa", "03a01Wa (1)"]
)
def test_names_of_another_form_are_passed_over_and_counted(tmp_path, name):
    (tmp_path / "wav").mkdir()
    for stem in ("03a01Wa", name):
        (tmp_path / f"wav/{stem}.wav").touch()
    reading = read_corpus("emodb", tmp_path)
    assert [utterance.id for utterance in reading.utterances] == ["03a01Wa"]
    assert f"recordings not named like EmoDB passed over: wav/{name}.wav" in reading.warnings


def test_letters_emodb_does_not_define_are_passed_over_and_counted(tmp_path):
    for stem in ("03a01Wa", "03a01Xa", "03a01Ya"):
        (tmp_path / f"{stem}.wav").touch()
    reading = read_corpus("emodb", tmp_path)
    assert len(reading.utterances) == 1
    expected = "2 recordings with an emotion letter EmoDB does not define passed over, such as 03a01Xa.wav"
    assert expected in reading.warnings
