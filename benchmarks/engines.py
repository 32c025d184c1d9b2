"""Are the two engines of the functionals the same to a classifier?

    python benchmarks/engines.py examples/ravdess.toml examples/emodb.toml

compare-svm and hsf-crnn are trained on features of openSMILE, compare-svm on native ones
too, and score the test part by features of both: UA in %, pooled over folds, one seed.
Stores and experiments that are there are taken.
"""

import argparse
import dataclasses
from pathlib import Path

import numpy as np

from serprep.metrics import uar
from serprep.parallel import Workers
from serprep.pipeline.build import build
from serprep.recipe import Recipe, read_recipe
from serprep.split import bind
from serprep.store.store import Store, open_store
from serprep.systems import options_of
from serprep_models.experiments import run_experiments
from serprep_models.predict_store import predict_store
from serprep_models.standardise import CLIP, training_statistics
from serprep_models.systems.svm import Labelled, compare_svm

ENGINES = ("opensmile", "native")


def main() -> None:
    """Print a table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("recipes", nargs="+", type=Path)
    given = parser.parse_args()
    print("| corpus | system | trained on | UA by opensmile | UA by native |\n| --- | --- | --- | ---: | ---: |")
    pool = Workers(None)
    try:
        for path in given.recipes:
            recipe = read_recipe(path)
            recipes = {engine: with_engine(recipe, engine) for engine in ENGINES}
            stores = {engine: open_store(build(own, pool=pool).store) for engine, own in recipes.items()}
            for engine, measured in ((ENGINES[0], svm), (ENGINES[1], svm), (ENGINES[0], hsf)):
                uas = measured(recipes[engine], stores[engine], stores, pool)
                cells = " | ".join(f"{100 * uas[each]:.2f}" for each in ENGINES)
                system = "compare-svm" if measured is svm else "hsf-crnn"
                print(f"| {recipe.dataset.name} | {system} | {engine} | {cells} |", flush=True)
    finally:
        pool.close()


def with_engine(recipe: Recipe, engine: str) -> Recipe:
    """The recipe with functionals by an engine."""
    functionals = dataclasses.replace(recipe.features.functionals, engine=engine)
    return dataclasses.replace(recipe, features=dataclasses.replace(recipe.features, functionals=functionals))


def hsf(recipe: Recipe, store: Store, others: dict[str, Store], pool: Workers) -> dict[str, float]:
    """UA of hsf-crnn, trained on one store, on the test utterances of each."""
    outcome = run_experiments(recipe, store, pool=pool, systems=["hsf-crnn"], seeds=recipe.train.seeds[:1], quiet=False)
    scores = {}
    for engine, other in others.items():
        truth, predicted = [], []
        for number in range(len(outcome.split.folds)):
            folder = outcome.folder / "hsf-crnn" / f"fold-{number + 1:02d}" / f"seed-{recipe.train.seeds[0]}"
            predictions = predict_store([folder], other)
            label = dict(zip(predictions.ids, predictions.predicted(), strict=True))
            test = [name for name in outcome.split.ids(number, "test") if name in label]
            truth += [other.emotions[other.ids.index(name)] for name in test]
            predicted += [label[name] for name in test]
        scores[engine] = uar(truth, predicted, store.labels)
    return scores


def svm(recipe: Recipe, store: Store, others: dict[str, Store], pool: Workers) -> dict[str, float]:
    """UA of compare-svm, trained on one store, on the test utterances of each."""
    split = run_experiments(recipe, store, pool=pool, systems=["majority"]).split
    place = {label: number for number, label in enumerate(store.labels)}
    bound = bind(split, store.manifest())
    truth: list[str] = []
    predicted: dict[str, list[str]] = {engine: [] for engine in others}
    for number in range(len(split.folds)):
        rows, test = (np.array(bound.rows(number, role)) for role in ("train", "test"))
        statistics = training_statistics(store, rows, ["functionals"])["functionals"]
        machine = compare_svm(
            Labelled(
                values=statistics.apply(store.read_functionals(rows), clip=CLIP),
                labels=np.array([place[store.emotions[row]] for row in rows]),
                speakers=[store.speakers[row] for row in rows],
            ),
            n_labels=len(place),
            c=options_of("compare-svm", recipe.train.options).c,
        )
        truth += [store.emotions[row] for row in test]
        for engine, other in others.items():
            values = statistics.apply(other.read_functionals(test), clip=CLIP)
            predicted[engine] += [store.labels[k] for k in machine.probabilities(values).argmax(1)]
    return {engine: uar(truth, labels, store.labels) for engine, labels in predicted.items()}


if __name__ == "__main__":
    main()
