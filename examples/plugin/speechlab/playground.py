"""A corpus: ``<speaker>/<text>-<emotion>.wav``, the emotion in one letter."""

from pathlib import PurePosixPath

from serprep.audio.decode import SUFFIXES
from serprep.corpora.corpus import Corpus, Finding
from serprep.place.corpus import walk
from serprep.utterance import Utterance

EMOTIONS = {"A": "angry", "H": "happy", "N": "neutral", "S": "sad"}


def utterances(root, options):
    for path in walk(root, SUFFIXES):  # in order; no recording is opened
        (text, _, letter), speaker = PurePosixPath(path).stem.partition("-"), PurePosixPath(path).parent.name
        if letter in EMOTIONS:
            key = f"{speaker}_{text}_{letter}"
            yield Utterance(id=key, path=path, speaker=speaker, emotion=EMOTIONS[letter], extra={"text": text})
        else:
            yield Finding("recordings not named like those of the playground passed over", path)


CORPUS = Corpus(
    name="playground",
    title="Playground",
    licence="CC0",
    source="https://speechlab.example/playground",
    citation="A. Body, Emotions on the playground, 2026",
    layout="<speaker>/<text>-<A, H, N or S>.wav",
    utterances=utterances,
)
