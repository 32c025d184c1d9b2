"""Two systems of different recipes, on the same test utterances: the difference, its interval and p.

    python benchmarks/paired.py EXPERIMENTS/hsf-crnn OTHER_EXPERIMENTS/hsf-crnn

Each argument is a system's folder below ``experiments/<digest>/``; ``EXPERIMENTS/hsf-crnn+0.2*OTHER/compare-svm``
is what the mean of their probabilities gives, two tenths of it the second's.
"""

import json
import sys
from pathlib import Path

import numpy as np
import pandas as pd

from serprep._typing import IntArray
from serprep.metrics import paired_test, speaker_intervals, ua_of, wa_of
from serprep_models.experiment import read_predictions
from serprep_models.scores import scored, speaker_counts


def counts_of(place: str) -> tuple[IntArray, tuple[list[str], set[frozenset[tuple[object, ...]]]]]:
    """Confusion matrices per speaker and seed, and what was scored."""
    first, _, second = place.partition("+")
    whole = predictions_of(Path(first))
    columns = [name for name in whole.columns if name.startswith("p_")]
    if second:  # a baseline has one seed, which goes with each of the first
        share, _, other = second.partition("*")
        both = whole.merge(predictions_of(Path(other))[["id", *columns]], on="id", suffixes=("", "_other"))
        others = both[[f"{name}_other" for name in columns]].to_numpy()
        mean = (1 - float(share)) * both[columns].to_numpy() + float(share) * others
        whole = both.assign(prediction=[columns[k].removeprefix("p_") for k in mean.argmax(axis=1)])
    return speaker_counts(whole, [name.removeprefix("p_") for name in columns]), (columns, scored(whole))


def predictions_of(folder: Path) -> pd.DataFrame:
    """Labelled predictions of the test part, of all folds and seeds."""
    parts = []
    for path in sorted(folder.glob("fold-*/seed-*/predictions.csv")):
        result = json.loads((path.parent / "result.json").read_bytes())
        parts.append(read_predictions(path).assign(seed=result["seed"], fold=result["fold"]))
    whole = pd.concat(parts)
    return whole[(whole["role"] == "test") & (whole["truth"] != "")]


def main() -> None:
    """Print both systems and their difference."""
    sides, what = zip(*map(counts_of, sys.argv[1:3]), strict=True)
    if what[0] != what[1] or len(what[0][1]) > 1:
        sys.exit("the two did not score the same utterances, or not with every seed")
    for place, counts in zip(sys.argv[1:3], sides, strict=True):
        pooled, bounds = counts.sum(axis=0), speaker_intervals(counts)
        ua, wa = (np.mean([score(matrix) for matrix in pooled]) for score in (ua_of, wa_of))
        print(f"{place}: UA {percent(ua, bounds.ua)}, WA {percent(wa, bounds.wa)}")
    paired = paired_test(*sides)
    if paired is not None:
        print(f"difference: UA {percent(paired.ua, paired.ua_interval)}, p {paired.ua_p:.4f}")
        print(f"difference: WA {percent(paired.wa, paired.wa_interval)}, p {paired.wa_p:.4f}")


def percent(value: float, bounds: tuple[float, float] | None) -> str:
    """In per cent, with its interval."""
    return f"{100 * value:.1f}" + (f" ({100 * bounds[0]:.1f} to {100 * bounds[1]:.1f})" if bounds else "")


if __name__ == "__main__":
    main()
