"""Recipes of a small corpus, and what is asked of the stores that are built from them."""

import csv
import hashlib
from pathlib import Path

import numpy as np

from serprep.recipe import recipe_from

FAST = {"functionals": {"enabled": False}}  # where openSMILE adds nothing but time
PATTERN = "{emotion}/{speaker}_{text}_{take}.wav"


def recipe(root, dataset, *, features=FAST, folder=None, store=None, **corpus):
    corpus = corpus or {"reader": "pattern", "pattern": PATTERN}
    values = {
        "dataset": {"name": "test", "path": str(dataset)},
        "corpus": {"root": str(root), **corpus},
        "features": features,
        "store": store or {},
    }
    return recipe_from(values, folder=folder or Path(root), name="test")


def table(path, rows, header):
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file).writerows([header, *rows])


def digests(store):
    """SHA-256 of every file of a store."""
    root = Path(store)
    return {
        path.relative_to(root).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(root.rglob("*"))
        if path.is_file()
    }


def noise(seconds, rate, channels=1, seed=0):
    rng = np.random.default_rng(seed)
    shape = (int(seconds * rate),) if channels == 1 else (int(seconds * rate), channels)
    return 0.1 * rng.normal(size=shape)


def counts(result):
    return result.computed, result.reused, result.quarantined
