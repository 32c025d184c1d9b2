"""Manifests that tests of splits share."""

import numpy as np
import pytest

from serprep.manifest.table import make_manifest
from serprep.utterance import Utterance

EMOTIONS = ("angry", "happy", "neutral", "sad")


def make_corpus(n_speakers=12, n_each=20, seed=0, **changes):
    """A manifest whose speakers prefer one emotion, two speakers to a session."""
    rng = np.random.default_rng(seed)
    rows = []
    for speaker in range(n_speakers):
        weights = rng.dirichlet([0.6] * 4)
        for number in range(n_each):
            row = {
                "id": f"s{speaker:02}_{number:02}",
                "path": f"s{speaker:02}/{number:02}.wav",
                "speaker": f"s{speaker:02}",
                "emotion": EMOTIONS[rng.choice(4, p=weights)],
                "partition": ("train", "devel", "test")[speaker % 3],
                "extra": {"session": f"Ses{speaker // 2}", "text": f"t{number % 5}"},
            }
            rows.append(Utterance(**{**row, **changes}))
    return make_manifest(rows)


def make_many(n):
    rows = [Utterance(id=f"{s:05}{e}", path="x", speaker=f"{s:05}", emotion=e) for s in range(n) for e in "ab"]
    return make_manifest(rows)


@pytest.fixture
def corpus():
    """A function: a manifest whose speakers prefer one emotion."""
    return make_corpus


@pytest.fixture
def many():
    """A function: a manifest of so many speakers."""
    return make_many
