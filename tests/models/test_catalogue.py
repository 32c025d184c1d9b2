"""The experiments of a data set, listed and called by short names."""

import json

import pytest

from serprep.errors import TrainError
from serprep_models import catalogue
from serprep_models.catalogue import experiments_in, resolve
from serprep_models.predictor import load


def test_what_there_is_the_latest_first(dataset, small) -> None:
    _, store = small
    first, second = experiments_in(dataset)
    assert experiments_in(dataset / "experiments") == [first, second]
    assert (first.name, second.name) == ("aaaa1111b", "aaaa1111c")
    assert (first.latest, second.latest) == (True, False)
    assert first.recipe == "synthetic" and second.recipe == ""
    assert first.version == second.version == store.version
    assert first.split == {"protocol": "group-k-fold", "group": "speaker", "folds": 2}
    assert {one["system"] for one in first.systems} == {"plain-crnn", "hsf-crnn", "multi-crnn"}
    result = json.loads((first.folder / "plain-crnn/fold-01/seed-0/result.json").read_bytes())
    (plain,) = [one for one in first.systems if one["system"] == "plain-crnn"]
    assert (plain["n_runs"], plain["ua"]) == (1, result["ua"])
    assert first.finished.timestamp() == 7200
    with pytest.raises(TrainError, match="no experiments; expected the folder of a data set that `serprep run`"):
        experiments_in(dataset / "versions")


def test_a_folder_of_data_sets_is_answered_with_the_command_for_one(dataset, monkeypatch) -> None:
    monkeypatch.setattr(catalogue, "datasets_in", lambda folder: ["empty", dataset.name])
    with pytest.raises(TrainError, match=rf"such as `serprep experiments {dataset}`"):
        experiments_in(dataset.parent)


def test_short_names_stand_for_folders(dataset) -> None:
    folder = dataset / "experiments" / "aaaa1111bbbb2222"
    for name in ("latest", "experiments/latest", "aaaa1111b", "experiments/aaaa1111bb", "experiments/aaaa1111bbbb2222"):
        assert resolve(dataset / name) == folder
        assert resolve(dataset / name / "plain-crnn") == folder / "plain-crnn"
    for name in ("nothing", "aaa", "experiments/aa", "versions/latest/x"):
        assert resolve(dataset / name) == dataset / name
    with pytest.raises(TrainError, match="2 experiments begin so: aaaa1111bbbb2222, aaaa1111cccc3333; give more"):
        resolve(dataset / "aaaa1111")
    assert len(load(dataset / "latest" / "plain-crnn").checkpoints) == 1
