"""SAVEE: two layouts of the same names."""

from collections import Counter
from itertools import product

import pytest

from serprep.corpora import read_corpus
from serprep.corpora.savee import named

# corpora.md: a d f h n sa su; 480 = 4 × 120, neutral 120, others 60
CODES = {
    "a": "anger",
    "d": "disgust",
    "f": "fear",
    "h": "happiness",
    "n": "neutral",
    "sa": "sadness",
    "su": "surprise",
}


def published_names():
    for speaker, code in product(("DC", "JE", "JK", "KL"), CODES):
        for sentence in range(1, 31 if code == "n" else 16):
            yield speaker, f"{code}{sentence:02}"


def make(root, pattern):
    for speaker, text in published_names():
        path = root / pattern.format(speaker=speaker, text=text)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.touch()


@pytest.mark.parametrize(
    "pattern",
    [
        "AudioData/{speaker}/{text}.wav",
        "{speaker}/{text}.wav",
        "SAVEE/AudioData/{speaker}/{text}.WAV",
        "ALL/{speaker}_{text}.wav",
        "{speaker}_{text}.flac",
    ],
)
def test_every_layout_of_the_whole_corpus_gives_the_same(tmp_path, pattern):
    make(tmp_path, pattern)
    reading = read_corpus("savee", tmp_path)
    assert reading.warnings == ()
    assert {u.id for u in reading.utterances} == {f"{speaker}_{text}" for speaker, text in published_names()}
    assert Counter(u.emotion for u in reading.utterances) == {
        name: 120 if name == "neutral" else 60 for name in CODES.values()
    }
    for utterance in reading.utterances:
        speaker, text = utterance.id.split("_")
        assert (utterance.speaker, utterance.extra["text"]) == (speaker, text)
        assert utterance.emotion == CODES[text[:-2]]
        assert utterance.path == pattern.format(speaker=speaker, text=text)


def test_both_layouts_in_one_folder_are_one_corpus(tmp_path):
    make(tmp_path, "AudioData/{speaker}/{text}.wav")
    make(tmp_path, "ALL/{speaker}_{text}.wav")
    reading = read_corpus("savee", tmp_path)
    assert len(reading.utterances) == 480
    assert reading.warnings == (
        "480 recordings of a name that is there already passed over, such as AudioData/DC/a01.wav",
    )


@pytest.mark.parametrize(
    "name",
    ["a01.wav", "XX_a01.wav", "DC_a1.wav", "DC_s01.wav", "DC_b01.wav", "DC_a01x.wav", "ADC_a01.wav", "DCa01.wav"],
)
def test_other_names_are_passed_over_and_counted(tmp_path, name):
    (tmp_path / "DC_sa01.wav").touch()
    (tmp_path / name).touch()
    reading = read_corpus("savee", tmp_path)
    assert [u.emotion for u in reading.utterances] == ["sadness"]
    assert f"recordings not named like SAVEE passed over: {name}" in reading.warnings
    assert named(name) is None
