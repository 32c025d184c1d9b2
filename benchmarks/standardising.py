"""Do other statistics of the functionals help that need no speaker, or functionals that know no loudness?

    python benchmarks/standardising.py examples/ravdess.toml examples/emodb.toml

A linear SVM, its C chosen as compare-svm's, and an mlp of `--epochs` on the functionals, in the folds of
``tuning.py``.  The first way, a z-score over the training part, is what serprep does.  "ranks" are rank to normal
among the training utterances, "quartiles" (x - median) / (distance of the quartiles) of these; "no level" leaves out
the columns that change where recordings are 6 dB softer, and "one level" computes all of them of recordings that are
equally loud, by mean power.  Development speakers say whether it helped; test speakers stand beside them.
"""

import argparse
import dataclasses
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import torch
from tuning import DEV_SPEAKERS, shown

from serprep._typing import AnyArray, FloatArray, IntArray
from serprep.audio.decode import read_bytes, read_samples
from serprep.audio.guard import guard
from serprep.features.compare_2016 import functionals
from serprep.metrics import paired_test, ua_of
from serprep.parallel import Workers
from serprep.pipeline.build import build
from serprep.recipe import Recipe, TrainConfig, read_recipe
from serprep.split import bind
from serprep.store.store import Store, open_store
from serprep_models.beforehand import split_of
from serprep_models.loader import Examples
from serprep_models.scores import speaker_counts
from serprep_models.standardise import CLIP, Moments, Ranks, moments
from serprep_models.system import SystemConfig
from serprep_models.systems.mlp import Options
from serprep_models.systems.svm import Labelled, compare_svm
from serprep_models.threads import one_thread
from serprep_models.train import probabilities, train

C = (1e-5, 1e-4, 1e-3)
POWER = 0.05**2  # of recordings that are equally loud
SOFTER = 0.5  # amplitude
CHANGES = 0.05  # of a deviation, from which on a column is one of level

Way = Callable[[FloatArray, IntArray], FloatArray]  # functionals of all, training rows → what a system sees


def main() -> None:
    """Print a table per recipe."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("recipes", nargs="+", type=Path)
    parser.add_argument("--log", type=Path)
    parser.add_argument("--systems", nargs="+", default=["svm", "mlp"])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1])
    parser.add_argument("--epochs", type=int, default=20)
    given = parser.parse_args()
    pool = Workers(None)
    try:
        for path in given.recipes:
            recipe = read_recipe(path)
            store = open_store(build(recipe, pool=pool).store)
            plain, level = store.read_functionals(slice(None)), functionals_of(recipe, store)
            of_level = changing(recipe, store, plain)
            ways: dict[str, tuple[FloatArray, Way]] = {
                "z-scores": (plain, z_scores),
                "ranks": (plain, ranks),
                "quartiles": (plain, quartiles),
                "no level": (plain[:, ~of_level], z_scores),
                "one level": (level, z_scores),
                "one level, ranks": (level, ranks),
            }
            print(f"\n{recipe.dataset.name}: UA, %; {of_level.sum()} of {plain.shape[1]} columns change with level\n")
            print(
                "| system | way | UA dev | difference | UA test | difference |\n| --- | --- | ---: | --- | ---: | --- |"
            )
            for system in given.systems:
                first: dict[str, IntArray] = {}
                for name, (values, way) in ways.items():
                    entry, first = measure(recipe, store, values, way, first, system=system, given=given)
                    if given.log:
                        about = {"recipe": recipe.dataset.name, "system": system, "way": name}
                        with given.log.open("a", encoding="utf-8") as log:
                            log.write(json.dumps({**about, **entry}) + "\n")
                    cells = (f"{100 * entry[role]['ua']:.1f} | {shown(entry[role])}" for role in ("dev", "test"))
                    print(f"| {system} | {name} | {' | '.join(cells)} |", flush=True)
    finally:
        pool.close()


def measure(
    recipe: Recipe,
    store: Store,
    values: FloatArray,
    way: Way,
    first: dict[str, IntArray],
    *,
    system: str,
    given: argparse.Namespace,
) -> tuple[dict[str, Any], dict[str, IntArray]]:
    """UA on development and test speakers, and the differences to the first way."""
    split = dataclasses.replace(recipe.split, dev_groups=DEV_SPEAKERS[recipe.split.protocol])
    bound = bind(split_of(dataclasses.replace(recipe, split=split), store.manifest()), store.manifest())
    place = {label: number for number, label in enumerate(store.labels)}
    labels, speakers = np.array([place[name] for name in store.emotions]), np.array(store.speakers)
    tables = []
    for fold in range(len(bound.split.folds)):
        rows = {role: np.array(bound.rows(fold, role)) for role in ("train", "dev", "test")}
        seen = way(values, rows["train"])
        scored = np.concatenate([rows["dev"], rows["test"]])
        roles = ["dev"] * len(rows["dev"]) + ["test"] * len(rows["test"])
        for seed in given.seeds if system == "mlp" else given.seeds[:1]:
            fit = mlp if system == "mlp" else svm
            chances = fit(seen, rows["train"], labels, speakers, seed=seed, n_epochs=given.epochs)[scored]
            said, truth = (np.array(store.labels)[numbers] for numbers in (chances.argmax(1), labels[scored]))
            about = {"role": roles, "seed": seed, "speaker": speakers[scored], "truth": truth, "prediction": said}
            tables.append(pd.DataFrame(about))
    predictions, entry, counts = pd.concat(tables), {}, {}
    for role in ("dev", "test"):
        counts[role] = speaker_counts(predictions[predictions["role"] == role], store.labels)
        entry[role] = {"ua": float(np.mean([ua_of(matrix) for matrix in counts[role].sum(axis=0)]))}
        paired = paired_test(counts[role], first[role]) if first else None
        entry[role] |= {"difference": paired.ua, "interval": paired.ua_interval, "p": paired.ua_p} if paired else {}
    return entry, first or counts


def svm(seen: FloatArray, rows: IntArray, labels: IntArray, speakers: Any, *, seed: int, n_epochs: int) -> FloatArray:
    """Probabilities of all utterances by a linear SVM."""
    own = Labelled(values=seen[rows], labels=labels[rows], speakers=list(speakers[rows]))
    return compare_svm(own, n_labels=labels.max() + 1, c=C).probabilities(seen)


def mlp(seen: FloatArray, rows: IntArray, labels: IntArray, speakers: Any, *, seed: int, n_epochs: int) -> FloatArray:
    """The same by an mlp with its defaults."""
    every = Examples(np.arange(len(seen)), {"functionals": torch.from_numpy(seen)}, {}, torch.from_numpy(labels))
    shapes, n_labels = {"functionals": (seen.shape[1],)}, int(labels.max()) + 1
    config = SystemConfig(system="mlp", n_labels=n_labels, shapes=shapes, options=Options())
    how = TrainConfig(epochs=n_epochs, device="cpu")
    with one_thread():
        trained = train(config, every.take(torch.from_numpy(rows)), how=how, seed=seed)
        return probabilities(trained.system, every)


def z_scores(values: FloatArray, rows: IntArray) -> FloatArray:
    """As serprep does."""
    return moments([values[rows]]).apply(values, clip=CLIP)


def ranks(values: FloatArray, rows: IntArray) -> FloatArray:
    """Rank to normal among the training utterances."""
    return Ranks.of(values[rows]).apply(values)


def quartiles(values: FloatArray, rows: IntArray) -> FloatArray:
    """By median and distance of the quartiles, which is 1.349 deviations of a normal distribution."""
    low, median, high = np.quantile(values[rows].astype(np.float64), (0.25, 0.5, 0.75), axis=0)
    return Moments(median, (high - low) / 1.349).apply(values, clip=CLIP)


def changing(recipe: Recipe, store: Store, plain: FloatArray) -> AnyArray:
    """Which columns change where recordings are softer, as sixteen of them tell."""
    some = np.linspace(0, len(store) - 1, 16).astype(int)
    softer = np.concatenate([functionals(SOFTER * signal_of(recipe, store, row))[None] for row in some])
    std = plain.std(axis=0, dtype=np.float64)
    change = np.abs(softer.astype(np.float64) - plain[some]).mean(axis=0)
    return change > CHANGES * std  # type: ignore[no-any-return]


def functionals_of(recipe: Recipe, store: Store) -> FloatArray:
    """Of recordings that are equally loud."""
    signals = (signal_of(recipe, store, row) for row in range(len(store)))
    rows = [functionals((signal * np.sqrt(POWER / np.mean(signal**2))).astype(np.float32)) for signal in signals]
    return np.array(rows, np.float32)


def signal_of(recipe: Recipe, store: Store, row: int) -> FloatArray:
    """The guarded signal of an utterance."""
    path = Path(recipe.root) / store.column("path")[row]
    return guard(*read_samples(read_bytes(path)))


if __name__ == "__main__":
    main()
