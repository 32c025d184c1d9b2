import json
from urllib.parse import unquote

import numpy as np
import pytest


# webdataset leaves its files to the garbage collector
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning", "ignore::ResourceWarning")
def test_webdataset_reads_it(shop):
    wds = pytest.importorskip("webdataset")
    folder = shop.export("webdataset", audio=True)
    shards = json.loads((folder / "shards.json").read_text())

    def read(names):
        urls = [str(folder / name) for name in names]
        return list(wds.WebDataset(urls, shardshuffle=False, empty_check=False).decode())

    samples = {sample["json"]["id"]: sample for sample in read(shards["all"])}
    assert sorted(samples) == shop.store.ids
    for i, name in enumerate(shop.store.ids):
        sample = samples[name]
        assert unquote(sample["__key__"]) == name
        assert np.array_equal(sample["egemaps.npy"], shop.vectors[i])
        assert np.array_equal(sample["logmel_30.npy"], shop.segments[i])
        assert sample["json"]["emotion"] == shop.store.emotions[i] == shop.store.labels[sample["json"]["label"]]
        assert sample["json"]["roles"] == dict(
            zip(shop.splits[3].folds, shop.splits[3].utterances[name].roles, strict=True)
        )
        assert sample["wav"][:4] == b"RIFF"
    for number, fold in enumerate(shop.splits[3].folds):
        for role, names in shards["folds"][fold].items():
            assert sorted(sample["json"]["id"] for sample in read(names)) == shop.splits[3].ids(number, role)


def test_shards_end_at_a_size(shop, tmp_path, monkeypatch):
    from serprep.exports import webdataset
    from serprep.exports.export import export

    monkeypatch.setattr(webdataset, "SHARD_BYTES", 1)
    export(shop.store.path, tmp_path / "out", form="webdataset")
    assert len(list((tmp_path / "out").glob("*.tar"))) == 6
