"""How many labels that were flipped on purpose are among the most doubtful ones?

    python benchmarks/doubt.py examples/ravdess.toml --seeds 0 1 2

5 % of the labels are flipped, to another label at random; the corpus is built, split and trained on with these, and
its utterances are ranked by doubt.  By chance 5 % of the flipped would be among the first 5 %, 10 % among 10 %.
Stores and experiments go to a folder of their own, the features' cache is the recipe's.
"""

import argparse
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np

from serprep.manifest.table import Manifest, make_manifest
from serprep.parallel import Workers
from serprep.pipeline.build import build
from serprep.pipeline.gather import gather
from serprep.recipe import Recipe, read_recipe
from serprep.store.store import open_store
from serprep_models.experiments import run_experiments
from serprep_models.scores.doubt import doubtful

SHARES = (0.05, 0.1)  # of all utterances, the most doubtful first


def main() -> None:
    """Print a row per seed."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("recipe", type=Path)
    parser.add_argument("--systems", nargs="+", default=["compare-svm"])
    parser.add_argument("--share", type=float, default=0.05, help="of the labels that are flipped; default: 0.05")
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2], help="of the flips; default: 0 1 2")
    given = parser.parse_args()
    print("| seed | utterances | flipped | " + " | ".join(f"among the first {s:.0%}" for s in SHARES) + " |")
    print("| ---: | ---: | ---: |" + " ---: |" * len(SHARES))
    pool = Workers(None)
    try:
        for seed in given.seeds:
            with TemporaryDirectory() as folder:
                recipe = read_recipe(given.recipe)
                recipe = replace(recipe, dataset=replace(recipe.dataset, path=folder))
                measure(recipe, given.systems, share=given.share, seed=seed, pool=pool)
    finally:
        pool.close()


def measure(recipe: Recipe, systems: list[str], *, share: float, seed: int, pool: Workers) -> None:
    """Print how many flipped labels are among the most doubtful."""
    asked = gather(recipe)
    manifest, flipped = flip(asked.manifest, share=share, seed=seed)
    asked = replace(asked, manifest=manifest)
    store = open_store(build(recipe, asked=asked, pool=pool).store)
    outcome = run_experiments(recipe, store, pool=pool, asked=asked, systems=systems)
    table = doubtful(outcome.predictions, store.labels, paths={})
    hits = [np.isin(table["id"][: round(part * len(table))], flipped).sum() for part in SHARES]
    cells = [f"{n} ({100 * n / len(flipped):.1f} %)" for n in hits]
    print(f"| {seed} | {len(table)} | {len(flipped)} | {' | '.join(cells)} |", flush=True)


def flip(manifest: Manifest, *, share: float, seed: int) -> tuple[Manifest, list[str]]:
    """The manifest with a share of its labels exchanged for another one at random, and the ids of those."""
    rng = np.random.default_rng(seed)
    labelled = [row for row in manifest.utterances if row.emotion]
    labels = sorted({row.emotion for row in labelled})
    chosen = rng.choice(len(labelled), size=round(share * len(labelled)), replace=False)
    other = {
        labelled[k].id: str(rng.choice([label for label in labels if label != labelled[k].emotion])) for k in chosen
    }
    rows = [replace(row, emotion=other.get(row.id, row.emotion)) for row in manifest.utterances]
    return make_manifest(rows, manifest.info), list(other)


if __name__ == "__main__":
    main()
