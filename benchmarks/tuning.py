"""What each option of ``[train]`` is worth, and which of them make ``examples/tuned.toml``.

    python benchmarks/tuning.py CANDIDATES.json LOG.jsonl examples/ravdess.toml examples/emodb.toml

A candidate is a name and keys of ``[train]``; candidates are compared with the first.  Besides
these, "svm_share" is that of compare-svm, and "before" a recipe on all of whose corpus the system
is trained first (seed 0), where it goes on from.  For every fold, some speakers of the training
side are set apart as development part; they do not choose the epoch.  The choice goes by the UA
on these, and the log keeps it beside the UA on the test speakers, which must not choose.
Finished experiments are kept: candidates may be added.
"""

import argparse
import dataclasses
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from serprep.metrics import paired_test, ua_of
from serprep.parallel import Workers
from serprep.pipeline.build import build
from serprep.recipe import Recipe, TrainConfig, read_recipe
from serprep.store.store import Store, open_store
from serprep.systems import SYSTEMS
from serprep_models.cross import train_on_all
from serprep_models.experiment import read_predictions
from serprep_models.experiments import run_experiments
from serprep_models.outcome import Outcome
from serprep_models.scores import speaker_counts

DEV_SPEAKERS = {"group-k-fold": 4, "leave-one-group-out": 1}  # of each fold's training side


def main() -> None:
    """Run the candidates that are not finished, and print a table per recipe."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("candidates", type=Path)
    parser.add_argument("log", type=Path)
    parser.add_argument("recipes", nargs="+", type=Path)
    parser.add_argument("--seeds", type=int, nargs="+", default=[0, 1, 2])
    parser.add_argument("--folds", nargs="+", help="some of them, to save time")
    parser.add_argument("--system", default="hsf-crnn")
    given = parser.parse_args()
    candidates = json.loads(given.candidates.read_bytes())
    pool = Workers(None)
    try:
        for path in given.recipes:
            recipe = read_recipe(path)
            store = open_store(build(recipe, pool=pool).store)
            print(
                f"\n{recipe.dataset.name}: UA of {given.system}, %, {len(given.seeds)} seeds; difference to the first "
                "candidate with its 95 % interval\n\n"
                "| candidate | UA dev | difference | UA test | difference | s |"
            )
            print("| --- | ---: | --- | ---: | --- | ---: |")
            first: dict[str, Any] = {}
            for name, changes in candidates.items():
                entry, first = measure(recipe, store, changes, first, given=given, pool=pool)
                about = {"recipe": recipe.dataset.name, "system": given.system, "seeds": given.seeds}
                entry = {**about, "candidate": name, "changes": changes, **entry}
                with given.log.open("a", encoding="utf-8") as log:
                    log.write(json.dumps(entry) + "\n")
                cells = (f"{100 * entry[r]['ua']:.1f} | {shown(entry[r])}" for r in ("dev", "test"))
                print(f"| {name} | {' | '.join(cells)} | {entry['seconds']:.0f} |", flush=True)
    finally:
        pool.close()


def measure(
    recipe: Recipe,
    store: Store,
    changes: dict[str, Any],
    first: dict[str, Any],
    *,
    given: argparse.Namespace,
    pool: Workers,
) -> tuple[dict[str, Any], dict[str, Any]]:
    """UA of one candidate on development and test speakers, and its differences to the first candidate."""
    values = {k: tuple(v) if isinstance(v, list) else v for k, v in changes.items()}
    system, share = values.pop("system", given.system), values.pop("svm_share", 0.0)
    before = values.pop("before", "")
    spec = SYSTEMS[system]
    known = {entry.name for entry in dataclasses.fields(spec.options)}
    options = {spec.formerly.get(k, k): values.pop(k) for k in list(values) if spec.formerly.get(k, k) in known}
    how = TrainConfig(**{"keep": "last", "seeds": tuple(given.seeds), **values, "options": {system: options}})
    if before:
        other = dataclasses.replace(read_recipe(before), train=dataclasses.replace(how, seeds=(0,)))
        checkpoints = train_on_all(other, open_store(build(other, pool=pool).store), (system,), pool=pool)[system]
        how = dataclasses.replace(how, start_from=str(checkpoints[0].absolute()))
    split = dataclasses.replace(recipe.split, dev_groups=DEV_SPEAKERS[recipe.split.protocol])
    asked = dataclasses.replace(recipe, train=how, split=split)
    outcome = run_experiments(asked, store, pool=pool, systems=[system], folds=given.folds, quiet=True)
    predictions = everything(outcome, system)
    entry: dict[str, Any] = {"seconds": outcome.seconds, "n_kept": outcome.n_kept}
    if share:  # without training again
        plain = TrainConfig(seeds=how.seeds, standardisation=how.standardisation, keep="last")
        asked = dataclasses.replace(asked, train=plain)
        svm = everything(
            run_experiments(asked, store, pool=pool, systems=["compare-svm"], folds=given.folds), "compare-svm"
        )
        predictions = averaged(predictions, svm, store.labels, share=share)
    counts = {}
    for role in ("dev", "test"):
        # a development speaker of several folds counts in each
        own = predictions[predictions["role"] == role]
        counts[role] = speaker_counts(own, store.labels)
        ua = np.mean([ua_of(matrix) for matrix in counts[role].sum(axis=0)])
        entry[role] = {"ua": float(ua)}
        if first and first[role].shape[0] == counts[role].shape[0]:
            paired = paired_test(counts[role], first[role])
            entry[role] |= {"difference": paired.ua, "interval": paired.ua_interval, "p": paired.ua_p} if paired else {}
    return entry, first or counts


def everything(outcome: Outcome, system: str) -> pd.DataFrame:
    """Predictions of both roles."""
    folds = {name: number for number, name in enumerate(outcome.split.folds)}
    return pd.concat(
        read_predictions(
            outcome.folder / system / f"fold-{folds[result.fold] + 1:02d}" / f"seed-{result.seed}" / "predictions.csv"
        ).assign(fold=result.fold, seed=result.seed)
        for result in outcome.results
    )


def averaged(predictions: pd.DataFrame, svm: pd.DataFrame, labels: Sequence[str], *, share: float) -> pd.DataFrame:
    """Predictions by the mean of a system's and the SVM's probabilities; the SVM's are the same for all seeds."""
    columns = [f"p_{label}" for label in labels]
    both = predictions.merge(svm[["id", "role", "fold", *columns]], on=["id", "role", "fold"], suffixes=("", "_svm"))
    others = both[[f"{name}_svm" for name in columns]].to_numpy()
    mean = (1 - share) * both[columns].to_numpy() + share * others
    return both.assign(prediction=[labels[place] for place in mean.argmax(axis=1)])


def shown(entry: dict[str, Any]) -> str:
    """A difference with its interval."""
    if "difference" not in entry:
        return ""
    low, high = entry["interval"]
    return f"{100 * entry['difference']:+.1f} ({100 * low:.1f} to {100 * high:.1f})"


if __name__ == "__main__":
    main()
