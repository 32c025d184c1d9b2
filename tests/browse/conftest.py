"""A small store whose names are hostile, with recordings, one of which is quarantined."""

from pathlib import Path

import numpy as np
import pytest
import soundfile

from helpers.builds import recipe, table
from helpers.inline import Inline
from serprep.browse.subject import Subject
from serprep.pipeline.build import build
from serprep.store.store import open_store

IDS = ["<script>alert(1)</script>", "../../etc/passwd", "quote\"'", "שלום", "🎭", "\x1b[31mred", "plain", "tail"]
EMOTIONS = ["<b>anger</b>", "joy"]


@pytest.fixture(scope="session")
def asked(tmp_path_factory):
    """The recipe of the corpus."""
    root = tmp_path_factory.mktemp("browsed")
    rng = np.random.default_rng(0)
    for number in range(len(IDS)):
        soundfile.write(root / f"{number}.wav", 0.1 * rng.normal(size=9600), 16_000)
    (root / "bad.wav").write_bytes(b"no sound")
    rows = [(id_, f"{n}.wav", EMOTIONS[n % 2], f"s{n % 3}", "<i>note</i>") for n, id_ in enumerate(IDS)]
    rows += [("bad", "bad.wav", "joy", "s0", "")]
    table(root / "t.csv", rows, ["id", "path", "emotion", "speaker", "text"])
    np.savez(root / "rows.npz", **{id_: rng.normal(size=5).astype(np.float32) for id_ in [*IDS, "bad"]})
    features = {"functionals": {"enabled": False}, "imported": {"path": str(root / "rows.npz")}}
    return recipe(root, root / "stores", features=features, reader="table", file="t.csv")


@pytest.fixture(scope="session")
def subject(asked):
    """What is browsed: probabilities of one system besides."""
    built = build(asked, pool=Inline())
    store = open_store(built.store)
    chances = np.full((len(store), 2), np.nan)
    chances[:3] = [[0.9, 0.1], [0.2, 0.8], [0.5, 0.5]]
    levels = np.tile(np.float32([1, 0.1, 0, 0.1, 0]), (len(store), 1))  # peak, rms, mean, rms of a channel, clipped
    levels[2, 4], levels[3] = 0.5, np.nan
    return Subject(
        store=store,
        audio=Path(asked.corpus.root),
        quarantined=built.reasons,
        sides=tuple("test in fold s0" if speaker == "s0" else "never tested" for speaker in store.speakers),
        probabilities={"svm": chances},
        margins={store.ids[0]: 0.8, store.ids[1]: -0.6},
        levels=levels,
    )
