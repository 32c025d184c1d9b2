"""Does training on another corpus as well help with an unseen speaker of one?

    python benchmarks/joined.py RECIPE.toml LOG.jsonl --systems compare-svm mlp

The recipe has several ``[[corpus]]``, of which each is divided by speaker as for ``docs/tuning.md``: in six folds
with four development speakers, or, with few speakers, each left out with one.  "alone" trains on the rest of that
corpus, "joined" on all of the others besides.  Development speakers choose no epoch: they are who says whether it
helped, and the test speakers stand beside them.  Finished experiments are kept.
"""

import argparse
import json
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from tuning import everything, shown

from serprep.manifest.table import Manifest
from serprep.metrics import paired_test, ua_of
from serprep.parallel import Workers
from serprep.pipeline.build import build
from serprep.recipe import Recipe, TrainConfig, read_recipe
from serprep.split import Split, SplitConfig, make_split, write_split
from serprep.split.split import Assignment
from serprep.store.store import Store, open_store
from serprep_models.experiments import run_experiments
from serprep_models.scores import speaker_counts

FEW = 12  # speakers, up to which each is left out


def main() -> None:
    """Run what is not finished, and print a row per corpus, system and standardisation."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("recipe", type=Path)
    parser.add_argument("log", type=Path)
    parser.add_argument("--systems", nargs="+", default=["compare-svm"])
    parser.add_argument("--standardisations", nargs="+", default=["train", "speaker-rank"])
    parser.add_argument("--seeds", type=int, nargs="+", default=[0])
    given = parser.parse_args()
    recipe = read_recipe(given.recipe)
    pool = Workers(None)
    try:
        store = open_store(build(recipe, pool=pool).store)
        print("| tested | system | standardisation | dev, alone | joined | test, alone | joined |")
        print("| --- | --- | --- | ---: | --- | ---: | --- |")
        for corpus in (each.name for each in recipe.corpora):
            for system in given.systems:
                for word in given.standardisations:
                    how = TrainConfig(keep="last", seeds=tuple(given.seeds), standardisation=word)
                    entry = measure(replace(recipe, train=how), store, corpus, system, pool=pool)
                    about = {"corpus": corpus, "system": system, "standardisation": word, "seeds": given.seeds}
                    with given.log.open("a", encoding="utf-8") as log:
                        log.write(json.dumps(about | entry) + "\n")
                    cells = [
                        f"{100 * cell['alone']:.1f} | {100 * cell['joined']:.1f}: {shown(cell)}, p {cell['p']:.2f}"
                        for cell in (entry["dev"], entry["test"])
                    ]
                    print(f"| {corpus} | {system} | {word} | {' | '.join(cells)} |", flush=True)
    finally:
        pool.close()


def measure(recipe: Recipe, store: Store, corpus: str, system: str, *, pool: Workers) -> dict[str, Any]:
    """UA alone and joined of development and test speakers, and what the difference is worth."""
    tables = {}
    for name, split in splits(store.manifest(), corpus).items():
        path = write_split(split, recipe.experiments_root / f"{corpus}-{name}.json")
        asked = replace(recipe, split=SplitConfig(protocol="list", file=str(path)))
        tables[name] = everything(run_experiments(asked, store, pool=pool, systems=[system]), system)
    entry = {}
    for role in ("dev", "test"):
        counts = {name: speaker_counts(own[own["role"] == role], store.labels) for name, own in tables.items()}
        paired = paired_test(counts["joined"], counts["alone"])
        entry[role] = {name: float(np.mean([ua_of(m) for m in own.sum(axis=0)])) for name, own in counts.items()}
        if paired is not None:
            entry[role] |= {"difference": paired.ua, "interval": paired.ua_interval, "p": paired.ua_p}
    return entry


def splits(manifest: Manifest, corpus: str) -> dict[str, Split]:
    """A corpus's split by speaker, and the same with all others in training."""
    names = manifest.column("corpus")
    own = Manifest(manifest.utterances.take([row for row, name in enumerate(names) if name == corpus]))
    few = len(set(own.column("speaker"))) <= FEW
    config = SplitConfig(protocol="leave-one-group-out", dev_groups=1)
    alone = make_split(own, config if few else SplitConfig(protocol="group-k-fold", folds=6, dev_groups=4))
    n = len(alone.folds)

    def given(role: str) -> Split:
        others = {
            row.id: Assignment(row.speaker, row.speaker, (role,) * n)
            for row, name in zip(manifest.utterances, names, strict=True)
            if name != corpus
        }
        return replace(alone, utterances={**others, **alone.utterances})

    return {"alone": given(""), "joined": given("train")}


if __name__ == "__main__":
    main()
