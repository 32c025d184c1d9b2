"""Makes the samples in this folder: a manifest, a split and a store of each container, all of format 1.

They must stay readable for good, so they are made once per format and never again:
``python tests/data/make.py NEW_FOLDER``.  The recordings are one second of silence and one
of a constant, so that what the stores hold is known in closed form.
"""

import sys
import tempfile
from pathlib import Path

import numpy as np
import soundfile

from serprep.manifest.table import write_manifest
from serprep.pipeline.build import build
from serprep.recipe import recipe_from
from serprep.split import SplitConfig, make_split, write_split
from serprep.store.convert import convert
from serprep.store.store import open_store

if __name__ == "__main__":
    target = Path(sys.argv[1])
    target.mkdir(parents=True)
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        for speaker, emotion, level in (("a", "calm", 0.0), ("b", "tense", 0.5)):
            path = folder / "corpus" / emotion / f"{speaker}.wav"
            path.parent.mkdir(parents=True)
            soundfile.write(path, np.full(16_000, level), 16_000)
        values = {
            "dataset": {"path": "stores"},
            "corpus": {"reader": "pattern", "root": "corpus", "pattern": "{emotion}/{speaker}.wav"},
            "features": {"functionals": {"enabled": False}},
        }
        store = open_store(build(recipe_from(values, folder=folder, name="sample"), workers=1).store)
        for suffix in (".zarr", ".h5"):
            convert(store.path, str(target / f"store{suffix}"))
        write_manifest(store.manifest(), target / "manifest")
        write_split(make_split(store.manifest(), SplitConfig()), target / "split.json")
