import hashlib

import numpy as np
import pytest

from serprep.exports.huggingface import SPLITS


@pytest.fixture(scope="module")
def load(tmp_path_factory):
    """``load(folder, config)``: what `datasets` reads, offline, with a cache of its own."""
    patch = pytest.MonkeyPatch()
    patch.setenv("HF_HUB_OFFLINE", "1")
    patch.setenv("HF_DATASETS_OFFLINE", "1")
    datasets = pytest.importorskip("datasets")
    datasets.disable_progress_bars()
    cache = tmp_path_factory.mktemp("datasets")
    yield lambda folder, *config: datasets.load_dataset(str(folder), *config, cache_dir=str(cache))
    patch.undo()


def test_datasets_reads_values_labels_and_folds(shop, load):
    folder = shop.export("huggingface")
    read = load(folder)["full"]
    assert read.features["emotion"].names == list(shop.store.labels)
    rows = {row["id"]: row for row in read.with_format("numpy")}
    assert sorted(rows) == shop.store.ids
    for i, name in enumerate(shop.store.ids):
        assert np.array_equal(rows[name]["egemaps"], shop.vectors[i]) and rows[name]["egemaps"].dtype == np.float32
        assert np.array_equal(rows[name]["logmel_30"], shop.segments[i])
        assert read.features["emotion"].int2str(int(rows[name]["emotion"])) == shop.store.emotions[i]
        assert rows[name]["speaker"] == shop.store.speakers[i]
    fold = load(folder, "fold-s2")
    assert {name: sorted(part["id"]) for name, part in fold.items()} == {
        SPLITS[role]: shop.splits[3].ids(1, role) for role in ("train", "dev", "test")
    }
    assert shop.store.version in (folder / "README.md").read_text(encoding="utf-8")


def test_datasets_reads_recordings(shop, load):
    import datasets

    read = load(shop.export("huggingface", audio=True, folds=1))
    assert {name: sorted(part["id"]) for name, part in read.items()} == {
        SPLITS[role]: shop.splits[1].ids(0, role) for role in ("train", "dev", "test")
    }
    assert isinstance(read["train"].features["audio"], datasets.Audio)
    for part in read.values():
        for row in part.cast_column("audio", datasets.Audio(decode=False)):
            if row["path"] != "long.wav":
                assert hashlib.sha256(row["audio"]["bytes"]).hexdigest() == row["audio_digest"]
            else:
                assert row["audio"]["bytes"][:4] == b"RIFF"
