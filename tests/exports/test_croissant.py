import numpy as np
import pytest


@pytest.mark.filterwarnings("ignore:ConjunctiveGraph", "ignore:The inplace keyword")  # of mlcroissant
def test_mlcroissant_validates_and_reads_it(shop):
    mlc = pytest.importorskip("mlcroissant")
    dataset = mlc.Dataset(jsonld=shop.export("croissant") / "croissant.json")
    assert not dataset.metadata.ctx.issues.errors
    assert dataset.metadata.version == f"1.0.0+{shop.store.version}" and dataset.metadata.data_limitations
    rows = list(dataset.records("utterances"))
    assert [row["utterances/id"].decode() for row in rows] == shop.store.ids
    for i, row in enumerate(rows):
        assert np.array_equal(np.float32(row["utterances/egemaps"]), shop.vectors[i])
        segments = [[list(frame) for frame in segment] for segment in row["utterances/logmel_30"]]
        assert np.array_equal(np.float32(segments), shop.segments[i])
        assert shop.store.labels[row["utterances/emotion"]] == shop.store.emotions[i]
        roles = [row[f"utterances/role_{fold}"].decode() for fold in shop.splits[3].folds]
        assert tuple(roles) == shop.splits[3].utterances[shop.store.ids[i]].roles
