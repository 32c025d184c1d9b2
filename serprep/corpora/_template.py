"""NAME: one line that says what it is.  (Copy this file, fill it in, add it to `CORPORA`.)

| what | |
| --- | --- |
| origin | who, where, when; address |
| size | utterances, language, sample rate |
| speakers | how many, which are male |
| labels | the corpus's own words or codes, with published counts |
| licence | as the publisher names it |

Tree: the folders and names as published, with what each part of a name means; then the
traps: what a reader gets wrong at first.
"""

from collections.abc import Iterator, Mapping
from pathlib import Path, PurePosixPath

from serprep.audio.decode import SUFFIXES
from serprep.corpora.corpus import Corpus, Finding
from serprep.place.corpus import walk
from serprep.utterance import Utterance

EMOTIONS = {"A": "anger", "N": "neutral"}  # code in the file name → the corpus's word


def utterances(root: Path, options: Mapping[str, object]) -> Iterator[Utterance | Finding]:
    """Utterances of the folder, in path order; names only, no audio is opened."""
    for path in walk(root, SUFFIXES):
        speaker, _, code = PurePosixPath(path).stem.partition("_")
        if code not in EMOTIONS:
            yield Finding("recordings not named like NAME passed over", path)
            continue
        yield Utterance(id=PurePosixPath(path).stem, path=path, speaker=speaker, emotion=EMOTIONS[code])


CORPUS = Corpus(
    name="name",
    title="NAME",
    licence="as published",
    source="address",
    citation="authors, title, where, year",
    layout="<speaker>_<code>.wav",
    utterances=utterances,
)
