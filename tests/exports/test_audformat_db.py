import numpy as np
import pandas as pd
import pytest

from serprep.corpora import read_corpus

pytestmark = pytest.mark.filterwarnings("ignore:The inplace keyword")  # of audformat, with pandas 3.1


@pytest.fixture(scope="module")
def database(shop):
    import audformat

    return audformat.Database.load(shop.export("audformat"))


def test_audformat_opens_it(shop, database):
    assert database["egemaps"].df.columns.tolist() == shop.store.names("egemaps")
    assert np.array_equal(database["egemaps"].df.to_numpy(np.float32), np.stack(shop.vectors))
    frame = database["utterances"].df
    assert frame["id"].tolist() == shop.store.ids and frame["emotion"].tolist() == shop.store.emotions
    assert frame["speaker"].tolist() == shop.store.speakers
    assert np.array_equal(frame["valence"].to_numpy(float), shop.store.column("valence"), equal_nan=True)
    assert list(database.schemes["emotion"].labels) == list(shop.store.labels)
    for number, fold in enumerate(shop.splits[3].folds):
        for role in ("train", "dev", "test"):
            assert frame["id"][frame[f"role.{fold}"] == role].tolist() == shop.splits[3].ids(number, role)
    assert frame.index[3] == ("long.wav", pd.Timedelta(0.75, "s"), pd.Timedelta(1.5, "s"))
    assert database.meta["serprep"]["version"] == shop.store.version and database.license == "unknown: yours to know"


def test_one_fold_is_splits(shop):
    import audformat

    folder = shop.export("audformat", folds=1)
    database = audformat.Database.load(folder)
    ids = database["utterances"].df["id"]
    for role in ("train", "dev", "test"):
        assert database.tables[f"emotion.{role}"].split_id == role
        assert ids[database[f"emotion.{role}"].index].tolist() == shop.splits[1].ids(0, role)


def test_its_recordings_and_labels_are_read_back_as_a_corpus(shop):
    reading = read_corpus("audformat", shop.export("audformat", audio=True), {"file": "utterances"})
    assert sorted(row.extra["table_id"] for row in reading.utterances) == shop.store.ids
