"""What serprep knows about a corpus besides its rows."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from serprep.utterance import Utterance


@dataclass(frozen=True)
class Finding:
    """Something in a corpus folder that did not become an utterance; counted by kind."""

    kind: str  # in words, such as "recordings not named like EmoDB"
    place: str  # the file, or file and line


@dataclass(frozen=True, kw_only=True)
class Rating:
    """What one rater said of one utterance; kept beside the manifest, for soft labels."""

    id: str  # of the utterance
    rater: str
    emotions: tuple[str, ...] = ()  # in the corpus's words
    valence: float | None = None  # on the corpus's own scale
    arousal: float | None = None
    dominance: float | None = None
    comment: str = ""


@dataclass(frozen=True, kw_only=True)
class About:
    """What a folder says of itself, where a reader reads more than one corpus."""

    title: str
    licence: str
    source: str


SAID = ("title", "licence", "source")  # options of readers of any folder


@dataclass(frozen=True, kw_only=True)
class Corpus:
    """A corpus: where it comes from, what it should hold, how it is read.

    ``utterances(root, options)`` yields an `Utterance` per labelled unit, a `Rating` for
    what a single rater said, and a `Finding` for whatever it passes over.  ``named(name)``
    is the utterance that a name alone tells of: a path, a file name or a stem; None where it
    is not of this corpus.  Its path is as given or as published, and labels that stand in a
    file are left empty; a reader whose names say nothing has no ``named``.
    """

    name: str
    title: str
    release: str = ""
    licence: str
    source: str
    citation: str
    use: str = ""  # intended use and its limits, in sentences; "" where nothing is stated
    layout: str  # the expected folder tree, in words for an error message
    reader_version: int = 1  # raised when the reader yields something else for the same folder
    utterances: Callable[[Path, Mapping[str, object]], Iterator[Utterance | Rating | Finding | About]]
    named: Callable[[str], Utterance | None] | None = None
    options: tuple[str, ...] = ()
    required: tuple[str, ...] = ()
    n_utterances: int | None = None  # published counts; None where the corpus has no fixed size
    n_speakers: int | None = None
    n_per_emotion: Mapping[str, int] = field(default_factory=dict)
    n_per: Mapping[str, Mapping[str, int]] = field(default_factory=dict)  # column → value → utterances
    n_different: Mapping[str, int] = field(default_factory=dict)  # column → how many values it has


def told_about(options: Mapping[str, object], corpus: Corpus) -> Iterator[About]:
    """What a recipe says of the folder's title, licence and source; the reader's own words for what it does not say."""
    if any(options.get(name) for name in SAID):
        yield About(**{name: str(options.get(name) or getattr(corpus, name)) for name in SAID})
