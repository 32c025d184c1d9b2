"""A small store with vectors, segments and excerpts, a split of it, and what its exports must give back."""

from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
import soundfile

from helpers.inline import Inline
from serprep.exports.export import export
from serprep.pipeline.build import build
from serprep.recipe import recipe_from
from serprep.split import SplitConfig, make_split, write_split
from serprep.split.bind import bind
from serprep.store.store import open_store

ROWS = [  # id, path, start, end, speaker, emotion, text, valence
    ("a b.1", "x/a.wav", "", "", "s1", "low mood", "so it is", "1.5"),
    ("a%2", "x/b.wav", "", "", "s2", "sad", "it's", ""),
    ("c", "long.wav", "0.0", "0.7", "s1", "sad", "", "2"),
    ("d", "long.wav", "0.75", "1.5", "s2", "low mood", "é", "3"),
    ("e", "x/e.wav", "", "", "s3", "sad", "two words", "4"),
    ("f", "x/f.wav", "", "", "s3", "low mood", "f", "5"),
]


@pytest.fixture(scope="session")
def shop(tmp_path_factory):
    """``export(form, audio=False, folds=3)`` → the folder; with store, splits (number of folds → `Split`) and root."""
    folder = tmp_path_factory.mktemp("exports")
    root = folder / "corpus"
    (root / "x").mkdir(parents=True)
    for number, path in enumerate(sorted({row[1] for row in ROWS})):
        samples = 0.1 * np.random.default_rng(number).normal(
            size=24_000 if path == "long.wav" else 9_600 + 800 * number
        )
        soundfile.write(root / path, samples, 16_000)
    lines = [",".join(row) for row in ROWS]
    (root / "labels.csv").write_text("\n".join(["id,path,start,end,speaker,emotion,text,valence", *lines]) + "\n")
    values = {
        "dataset": {"path": str(folder / "data")},
        "corpus": {"reader": "table", "root": str(root), "file": "labels.csv", "columns": {"valence": "valence"}},
        "features": {"functionals": {"enabled": False}, "egemaps": {}},
    }
    store = open_store(build(recipe_from(values, folder=folder, name="shop"), pool=Inline()).store)
    splits = {3: make_split(store.manifest(), SplitConfig(protocol="leave-one-group-out", dev_groups=1))}
    first = {name: replace(row, roles=row.roles[:1]) for name, row in splits[3].utterances.items()}
    splits[1] = replace(splits[3], folds=splits[3].folds[:1], utterances=first)
    paths = {n: write_split(split, folder / f"{n}.json") for n, split in splits.items()}
    made = {}

    def exported(form, *, audio=False, folds=3):
        key = form, audio, folds
        if key not in made:
            made[key] = folder / f"{form}-{audio}-{folds}"
            export(store.path, made[key], form=form, split=paths.get(folds), audio=root if audio else None)
        return made[key]

    return SimpleNamespace(
        export=exported,
        store=store,
        splits=splits,
        paths=paths,
        root=root,
        bound={n: bind(split, store.manifest()) for n, split in splits.items()},
        vectors=[store.values("egemaps", i) for i in range(len(store))],
        segments=[store.segments(i, 30) for i in range(len(store))],
    )
