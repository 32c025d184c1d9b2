"""What raters said of utterances, as a distribution over labels: read from the corpus, kept beside the experiments.

Every rater counts once.  Of several words of one rater the first weighs 1, each other one as
``[train] secondary`` says, and together they weigh 1.  Words are renamed and merged as
``[corpus.emotions]`` does with labels; what is none of the labels is left out and counted, and
what is left of an utterance sums up to 1.
"""

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from pathlib import Path

import numpy as np
import pandas as pd

from serprep._json import canonical_json
from serprep._typing import DoubleArray
from serprep.corpora import read_corpus
from serprep.corpora.corpus import Rating
from serprep.errors import TrainError, one_line
from serprep.files import read_regular, write_other
from serprep.ratings import read_ratings
from serprep.recipe import CorpusConfig, Recipe
from serprep.store.store import Store

NAME = "raters.json"  # in the folder of the experiments


@dataclass(frozen=True, kw_only=True)
class Said:
    """Distributions over labels, by utterance."""

    labels: tuple[str, ...]
    distributions: Mapping[str, tuple[float, ...]]  # id → shares, which sum up to 1
    n_ratings: int = 0  # that name an emotion, of utterances of the store
    outside: Mapping[str, float] = field(default_factory=dict)  # word that is no label → raters' votes

    @property
    def digest(self) -> str:
        """SHA-256 of labels and distributions."""
        return hashlib.sha256(canonical_json([self.labels, self.distributions])).hexdigest()

    def write(self, path: Path) -> Path:
        """Keep them, for workers."""
        write_other(path, canonical_json({"labels": self.labels, "distributions": self.distributions}) + b"\n")
        return path

    def of(self, ids: Sequence[str]) -> DoubleArray:
        """Rows (n, n_labels); NaN where nobody said anything."""
        nothing = (np.nan,) * len(self.labels)
        return np.array([self.distributions.get(name, nothing) for name in ids], np.float64).reshape(len(ids), -1)

    def frame(self) -> pd.DataFrame:
        """A row per utterance, by id, a column per label."""
        rows = [self.distributions[name] for name in self.distributions]
        return pd.DataFrame(rows, index=list(self.distributions), columns=list(self.labels), dtype=np.float64)

    @property
    def notes(self) -> tuple[str, ...]:
        """How much is known, and what was left out."""
        most = sorted(self.outside.items(), key=lambda pair: -pair[1])[:10]
        words = ", ".join(f"{one_line(word)} {votes:g}" for word, votes in most)
        told = f"{self.n_ratings} ratings name an emotion; {len(self.distributions)} utterances have one of the labels"
        return (told, *([f"votes for what is no label are left out: {words}"] if words else []))


def read_said(path: Path) -> Said:
    """What `Said.write` wrote."""
    return _read(str(path), path.stat().st_mtime_ns)


@lru_cache(maxsize=2)
def _read(path: str, _changed: int) -> Said:
    about = json.loads(read_regular(path))
    distributions = {name: tuple(map(float, row)) for name, row in about["distributions"].items()}
    return Said(labels=tuple(about["labels"]), distributions=distributions)


def said_of(recipe: Recipe, store: Store) -> Said:
    """What raters of the recipe's corpora said of the utterances of a store.

    Raises
    ------
    TrainError
        If nothing is known.
    """
    labels, secondary = store.labels, recipe.train.secondary
    place = {label: number for number, label in enumerate(labels)}
    held = set(store.ids)
    sums: dict[str, DoubleArray] = {}
    outside: dict[str, float] = {}
    n_ratings = 0
    for rating, emotions in _ratings(recipe):
        if rating.id not in held or not rating.emotions:
            continue
        n_ratings += 1
        row = sums.setdefault(rating.id, np.zeros(len(labels)))
        for word, share in shares(rating.emotions, secondary=secondary).items():
            label = word if emotions is None else emotions.get(word, "")
            if label in place:
                row[place[label]] += share
            else:
                outside[word] = round(outside.get(word, 0.0) + share, 6)
    distributions = {name: tuple((row / row.sum()).tolist()) for name, row in sorted(sums.items()) if row.sum() > 0}
    if not distributions:
        raise TrainError(
            f'[train] target = "raters": {one_line(recipe.name)} tells of no rater who said one of '
            f"{one_line(', '.join(labels))}; a reader must tell what single raters said, or raters.jsonl lie beside "
            "the manifest"
        )
    return Said(labels=labels, distributions=distributions, n_ratings=n_ratings, outside=outside)


def shares(words: Sequence[str], *, secondary: float) -> dict[str, float]:
    """Word → its share of one rater's vote; the first weighs 1, each other one `secondary`.

    Examples
    --------
    >>> shares(("sad", "angry"), secondary=0.5)
    {'sad': 0.6666666666666666, 'angry': 0.3333333333333333}
    """
    weights = {word: 1.0 if number == 0 else secondary for number, word in reversed(list(enumerate(words)))}
    total = sum(weights.values())
    return {word: weights[word] / total for word in reversed(weights)}


def _ratings(recipe: Recipe) -> Iterator[tuple[Rating, Mapping[str, str] | None]]:
    """Ratings with the ids that the store has, and how the recipe renames emotions."""
    for corpus in recipe.corpora or (recipe.corpus,):
        for rating in _read_corpus(recipe, corpus):
            yield _renamed(rating, corpus.name), corpus.emotions


def _read_corpus(recipe: Recipe, corpus: CorpusConfig) -> Iterable[Rating]:
    if corpus.manifest:
        return read_ratings(recipe.path(corpus.manifest))
    alone = replace(recipe, corpus=corpus, corpora=())
    return read_corpus(corpus.reader, alone.root, corpus.reader_options).ratings


def _renamed(rating: Rating, corpus: str) -> Rating:
    return replace(rating, id=f"{corpus}/{rating.id}") if corpus else rating
