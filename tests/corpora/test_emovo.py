"""EMOVO: the names of the whole corpus, as a published split lists them."""

import json
from collections import Counter

import pytest

from serprep.corpora import CORPORA, read_corpus
from serprep.corpora.emovo import named

# corpora.md: dis gio neu pau rab sor tri are disgust, joy, neutral, fear, anger, surprise, sadness; 588 = 6 × 98
WORDS = {
    "dis": "disgust",
    "gio": "joy",
    "neu": "neutral",
    "pau": "fear",
    "rab": "anger",
    "sor": "surprise",
    "tri": "sadness",
}
TEXTS = ["b1", "b2", "b3", "d1", "d2", "l1", "l2", "l3", "l4", "n1", "n2", "n3", "n4", "n5"]
SPEAKERS = ["f1", "f2", "f3", "m1", "m2", "m3"]


def make(root):
    for speaker in SPEAKERS:
        (root / speaker).mkdir(parents=True)
        for word in WORDS:
            for text in TEXTS:
                (root / speaker / f"{word}-{speaker}-{text}.wav").touch()


@pytest.mark.parametrize("top", ["", "EMOVO"])
def test_the_whole_corpus(tmp_path, top):
    make(tmp_path / top)
    reading = read_corpus("emovo", tmp_path)
    assert reading.warnings == ()
    assert len({u.id for u in reading.utterances}) == 588
    assert Counter(u.emotion for u in reading.utterances) == dict.fromkeys(WORDS.values(), 84)
    for utterance in reading.utterances:
        word, speaker, text = utterance.id.split("-")
        assert (utterance.emotion, utterance.speaker, utterance.extra["text"]) == (WORDS[word], speaker, text)
        assert utterance.extra["gender"] == {"f": "female", "m": "male"}[speaker[0]]


def test_the_names_of_a_published_split_are_the_corpus(corpora):
    keys = {
        json.loads(line)["key"]
        for path in (corpora / "published_splits/emobox/emovo").glob("*/*.jsonl")
        for line in path.read_text().splitlines()
    }
    told = [named(key) for key in keys]
    assert None not in told
    assert len({u.id for u in told}) == 588
    assert Counter(u.emotion for u in told) == CORPORA["emovo"].n_per_emotion
    assert Counter(u.speaker for u in told) == CORPORA["emovo"].n_per["speaker"]


@pytest.mark.parametrize("name", ["gio-f4-b1.wav", "xxx-f1-b1.wav", "gio-f1-b4.wav", "gio-f1.wav", "gio-f1-b1-2.wav"])
def test_other_names_are_passed_over_and_counted(tmp_path, name):
    (tmp_path / "gio-f1-b1.wav").touch()
    (tmp_path / name).touch()
    reading = read_corpus("emovo", tmp_path)
    assert len(reading.utterances) == 1
    assert f"recordings not named like EMOVO passed over: {name}" in reading.warnings
