"""Every score of serprep_models.scores against scikit-learn and audmetric, on random cases: the largest differences.

    python benchmarks/scores.py --cases 1000

Cases have 2 to 6 declared labels, 1 to 40 utterances, 1 to 4 speakers and 1 to 3 seeds; probabilities are tenths in
every second case, so that ties abound, and labels are absent in many.  Where a score is undefined here, the reference
is asked whether a label (or, for a precision, a prediction) is absent.  What no library has is put together from
its parts: bins of equal mass and coverages are weights of utterances, under which scikit-learn's accuracy is taken.
audmetric (optional) gives what it has of UA, WA, recall, precision and F1 as well.
NLL differs by the rounding of float32, whose epsilon bounds the logarithm in scikit-learn.
"""

import argparse
from collections import Counter
from collections.abc import Mapping
from itertools import pairwise
from typing import Any

import numpy as np
import pandas as pd
from sklearn.metrics import (
    accuracy_score,
    brier_score_loss,
    f1_score,
    log_loss,
    precision_score,
    recall_score,
)

from serprep._typing import DoubleArray, IntArray
from serprep_models.scores import Result, intervals, summarise
from serprep_models.scores.metrics import N_BINS

try:
    import audmetric
except ImportError:
    audmetric = None


def main() -> None:
    """Print the largest difference of each score."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cases", type=int, default=1000)
    given = parser.parse_args()
    intervals.N_SORTED_DRAWS = 2  # of several speakers' intervals, which are not looked at
    worst: dict[tuple[str, str], float] = {}
    counts: Counter[tuple[str, str, str]] = Counter()
    kinds: Counter[str] = Counter()
    for number in range(given.cases):
        predictions, labels = random_case(np.random.default_rng(number), tenths=number % 2 == 0)
        row = summarise(predictions, labels, [Result(system="svm", fold="1")])[0].json
        single = predictions["speaker"].nunique() == 1
        kinds["of a single speaker"] += single
        kinds["with an absent label"] += predictions["truth"].nunique() < len(labels)
        kinds["with tied confidences"] += has_ties(predictions, labels)
        if single and any(row[name] is not None for name in ("macro_f1_interval", "nll_interval", "aurc_interval")):
            kinds["of a single speaker, with an interval all the same"] += 1
        values = {**row, **{f"{key} {label}": row[key][label] for key in ("recall", "precision") for label in labels}}
        by_seed = [own for _, own in predictions.groupby("seed")]
        for library, refer in (("scikit-learn", by_sklearn), ("audmetric", by_audmetric)):
            told = [refer(own, labels) for own in by_seed]
            for name in told[0]:
                expected, score = float(np.mean([scores[name] for scores in told])), name.split()[0]
                value = np.nan if values[name] is None else values[name]
                key = (score, library)
                if np.isnan(value) != np.isnan(expected):
                    counts[(*key, "defined on one side only")] += 1
                elif np.isnan(value):
                    counts[(*key, "undefined on both")] += 1
                else:
                    counts[(*key, "compared")] += 1
                    worst[key] = max(worst.get(key, 0.0), abs(value - expected))
    print(f"{given.cases} cases: " + ", ".join(f"{n} {kind}" for kind, n in kinds.items()) + "\n")
    print("| score | reference | largest difference | compared | undefined on both | defined on one side only |")
    print("| --- | --- | ---: | ---: | ---: | ---: |")
    for key, difference in worst.items():
        cells = [counts[(*key, what)] for what in ("compared", "undefined on both", "defined on one side only")]
        print(f"| {key[0]} | {key[1]} | {difference:.1e} | {' | '.join(map(str, cells))} |")


def random_case(rng: np.random.Generator, *, tenths: bool) -> tuple[pd.DataFrame, tuple[str, ...]]:
    """Predictions of one system, and the declared labels."""
    n_labels, n, n_speakers = int(rng.integers(2, 7)), int(rng.integers(1, 41)), int(rng.integers(1, 5))
    labels = tuple("abcdef"[:n_labels])
    n_present = n_labels if rng.random() < 2 / 3 else int(rng.integers(1, n_labels + 1))
    truth, speakers = rng.integers(n_present, size=n), rng.integers(n_speakers, size=n)
    frames = []
    for seed in range(int(rng.integers(1, 4))):
        even = np.full(n_labels, 1 / n_labels)
        chances = rng.multinomial(10, even, size=n) / 10 if tenths else rng.dirichlet(even, size=n)
        frame = pd.DataFrame(chances, columns=[f"p_{label}" for label in labels])
        names = {"truth": truth, "prediction": chances.argmax(axis=1)}
        told = {name: [labels[k] for k in places] for name, places in names.items()}
        about = {"system": "svm", "fold": "1", "seed": seed, "id": [f"u{k}" for k in range(n)]}
        frames.append(frame.assign(**about, **told, speaker=[f"s{k}" for k in speakers]))
    return pd.concat(frames, ignore_index=True), labels


def has_ties(predictions: pd.DataFrame, labels: tuple[str, ...]) -> bool:
    """Whether two utterances of one seed are predicted with the same confidence."""
    confidence = predictions[[f"p_{label}" for label in labels]].max(axis=1)
    return bool(pd.DataFrame({"seed": predictions["seed"], "confidence": confidence}).duplicated().any())


def by_sklearn(own: pd.DataFrame, labels: tuple[str, ...]) -> Mapping[str, float]:
    """Scores of one seed, NaN where undefined."""
    truth, said, names = own["truth"].to_numpy(), own["prediction"].to_numpy(), list(labels)
    chances = own[[f"p_{label}" for label in labels]].to_numpy(np.float64)
    how: dict[str, Any] = {"labels": names, "average": None, "zero_division": 0}
    present, predicted = np.isin(names, truth), np.isin(names, said)
    recalls = np.where(present, recall_score(truth, said, **how), np.nan)
    precisions = np.where(predicted, precision_score(truth, said, **how), np.nan)
    f1s = np.where(present, f1_score(truth, said, **how), np.nan)
    single = chances.astype(np.float32)  # whose epsilon bounds the logarithm
    own_label = truth[:, None] == np.array(names)
    return {
        "wa": accuracy_score(truth, said),
        "ua": recalls.mean(),
        "macro_f1": f1s.mean(),
        "weighted_f1": f1_score(truth, said, **{**how, "average": "weighted"}),
        "nll": log_loss(truth, single / single.sum(axis=1, keepdims=True), labels=names),
        "brier": brier_score_loss(truth, chances, labels=names, pos_label=names[1], scale_by_half=False)
        if len(names) > 2
        else 2 * brier_score_loss(truth == names[1], chances[:, 1], labels=[False, True], pos_label=True),
        "ece": equal_mass_error(chances.max(axis=1), truth == said),
        "ece_classwise": np.mean([equal_mass_error(chances[:, k], own_label[:, k]) for k in range(len(names))]),
        "aurc": risk_area(chances.max(axis=1), truth == said),
        **{f"recall {label}": value for label, value in zip(names, recalls, strict=True)},
        **{f"precision {label}": value for label, value in zip(names, precisions, strict=True)},
    }


def by_audmetric(own: pd.DataFrame, labels: tuple[str, ...]) -> Mapping[str, float]:
    """The same, as far as audmetric has them; nothing where it is not installed."""
    if audmetric is None:
        return {}
    truth, said, names = list(own["truth"]), list(own["prediction"]), list(labels)
    present, predicted = np.isin(names, truth), np.isin(names, said)
    recalls, precisions = (
        np.array([score(truth, said, labels=names, zero_division=0)[name] for name in names])
        for score in (audmetric.recall_per_class, audmetric.precision_per_class)
    )
    whole = present.all()
    return {
        "wa": audmetric.accuracy(truth, said, labels=names),
        "ua": audmetric.unweighted_average_recall(truth, said, labels=names) if whole else np.nan,
        "macro_f1": audmetric.unweighted_average_fscore(truth, said, labels=names) if whole else np.nan,
        **{f"recall {n}": v if there else np.nan for n, v, there in zip(names, recalls, present, strict=True)},
        **{f"precision {n}": v if there else np.nan for n, v, there in zip(names, precisions, predicted, strict=True)},
    }


def equal_mass_error(confidence: DoubleArray, right: IntArray) -> float:
    """Expected calibration error: in each bin, utterances weigh by how much of them lies in it."""
    first, size = ranks(confidence)
    edges = np.linspace(0, len(right), N_BINS + 1)
    gaps = []
    for low, high in pairwise(edges):
        inside = np.minimum(high, first + size) - np.maximum(low, first)  # of the block of equal ones, in the bin
        weights = np.maximum(inside, 0) / size
        share = weights.sum() / len(right)
        accuracy = accuracy_score(np.ones(len(right), bool), right, sample_weight=weights)
        gaps.append(share * abs(np.average(confidence, weights=weights) - accuracy))
    return float(np.sum(gaps))


def risk_area(confidence: DoubleArray, right: IntArray) -> float:
    """Mean share of errors among the k most confident, k = 1 … n; of equal ones, each as far as chance has it."""
    first, size = ranks(confidence)
    risks = []
    for k in range(1, len(right) + 1):
        weights = np.clip((k - first) / size, 0, 1)
        risks.append(1 - accuracy_score(np.ones(len(right), bool), right, sample_weight=weights))
    return float(np.mean(risks))


def ranks(confidence: DoubleArray) -> tuple[DoubleArray, DoubleArray]:
    """How many are more confident than each, and how many are as confident."""
    above = (confidence[None] > confidence[:, None]).sum(axis=1)
    return above.astype(float), (confidence[None] == confidence[:, None]).sum(axis=1).astype(float)


if __name__ == "__main__":
    main()
