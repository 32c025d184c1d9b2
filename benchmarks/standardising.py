"""What statistics of the functionals that need no speaker are worth to compare-svm.

    python benchmarks/standardising.py examples/ravdess.toml examples/emodb.toml

A way is chosen without the test part: by the UA of the folds of the training part, by speaker, in which compare-svm
chooses its C.  "level-free" leaves out functionals of what grows with loudness; "ranks" puts each value's place among
the training part's onto the normal distribution; "robust" takes median and interquartile range, clipped at 3.
A store that is not there is built first.
"""

import argparse
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pandas as pd
from enrolment import Corpus
from scipy.stats import norm

from serprep._typing import DoubleArray, IntArray
from serprep.metrics import paired_test, ua_of
from serprep_models.scores import speaker_counts
from serprep_models.standardise import CLIP, Ranks
from serprep_models.systems.svm import Labelled, Options, compare_svm

GROWS = ("audspec_lengthL1norm", "pcm_RMSenergy", "pcm_fftMag_fband", "pcm_fftMag_spectralFlux", "shimmerLocal")


def moments(train: DoubleArray, values: DoubleArray) -> DoubleArray:
    """Z-scores, as `standardisation = "train"`."""
    spread = train.std(axis=0)
    return np.clip((values - train.mean(axis=0)) / np.where(spread > 0, spread, np.inf), -CLIP, CLIP)


def robust(train: DoubleArray, values: DoubleArray) -> DoubleArray:
    """Distances from the median in units of the deviation that the interquartile range stands for."""
    low, middle, high = np.quantile(train, [0.25, 0.5, 0.75], axis=0)
    spread = (high - low) / (2 * norm.ppf(0.75))
    return np.clip((values - middle) / np.where(spread > 0, spread, np.inf), -3, 3)


def ranks(train: DoubleArray, values: DoubleArray) -> DoubleArray:
    """Normal scores of the places among the training part's values."""
    return Ranks.of(train.astype(np.float32)).apply(values).astype(np.float64)


WAYS: dict[str, tuple[Callable[[DoubleArray, DoubleArray], DoubleArray], bool]] = {
    "train": (moments, False),
    "robust": (robust, False),
    "ranks": (ranks, False),
    "train, level-free": (moments, True),
    "ranks, level-free": (ranks, True),
}


def main() -> None:
    """Print a table per recipe."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("recipes", nargs="+", type=Path)
    for path in parser.parse_args().recipes:
        corpus = Corpus.of(path)
        print(f"\n{corpus.name}: {len(corpus.values)} utterances, {len(corpus.folds)} folds\n")
        print("| standardisation | UA within training parts, % | UA of the test parts, % | difference, points | p |")
        print("| --- | ---: | ---: | ---: | ---: |")
        first: IntArray | None = None  # counts of the first way, which the others are compared with
        for title, (way, is_level_free) in WAYS.items():
            inner, counts = measured(corpus, way, is_level_free)
            paired = paired_test(counts, counts if first is None else first)
            first = counts if first is None else first
            cells = ["", ""]
            if paired is not None and first is not counts:
                low, high = paired.ua_interval
                cells = [f"{100 * paired.ua:+.1f} ({100 * low:.1f} to {100 * high:.1f})", f"{paired.ua_p:.2f}"]
            outer = ua_of(counts.sum(axis=(0, 1)))
            print(f"| {title} | {100 * inner:.1f} | {100 * outer:.1f} | {' | '.join(cells)} |", flush=True)


def measured(
    corpus: Corpus, way: Callable[[DoubleArray, DoubleArray], DoubleArray], is_level_free: bool
) -> tuple[float, IntArray]:
    """Mean UA of the best C within the training parts, and counts of the test parts, as `speaker_counts` has them."""
    values, store = corpus.values, corpus.store
    if is_level_free:
        values = values[:, [not name.startswith(GROWS) for name in store.names("functionals")]]
    labels = np.array([store.labels.index(emotion) for emotion in store.emotions])
    inner, parts, options = [], [], Options()
    for train, test in corpus.folds:
        learnt = values[train].astype(np.float64)
        seen = Labelled(
            values=way(learnt, learnt).astype(np.float32),
            labels=labels[train],
            speakers=[store.speakers[row] for row in train],
        )
        machine = compare_svm(seen, n_labels=len(store.labels), c=options.c, balance=options.balance)
        inner.append(max(machine.choice["ua"].values()))
        heard = way(learnt, values[test].astype(np.float64)).astype(np.float32)
        predicted = [store.labels[k] for k in machine.probabilities(heard).argmax(1)]
        own = {"speaker": [store.speakers[row] for row in test], "truth": [store.emotions[row] for row in test]}
        parts.append(pd.DataFrame({**own, "prediction": predicted, "seed": 0}))
    return float(np.mean(inner)), speaker_counts(pd.concat(parts), store.labels)


if __name__ == "__main__":
    main()
