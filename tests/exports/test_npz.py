import json

import numpy as np


def test_numpy_reads_it_without_pickle(shop):
    with np.load(shop.export("npz") / "data.npz") as data:
        assert data["id"].tolist() == shop.store.ids and data["emotion"].tolist() == shop.store.emotions
        assert np.array_equal(data["egemaps"], np.stack(shop.vectors))
        assert data["egemaps_names"].tolist() == shop.store.names("egemaps")
        offsets = data["logmel_30_offsets"]
        for i, expected in enumerate(shop.segments):
            assert np.array_equal(data["logmel_30"][offsets[i] : offsets[i + 1]], expected)
        assert data["roles"].tolist() == [list(shop.splits[3].utterances[name].roles) for name in shop.store.ids]
        assert json.loads(str(data["about"]))["version"] == shop.store.version
