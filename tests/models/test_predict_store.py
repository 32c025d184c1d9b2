"""A store gets what training gave, or a reason why not."""

import dataclasses

import numpy as np
import pytest

from helpers.trained import checkpoint_of, probabilities_of
from serprep.errors import TrainError
from serprep_models.predict_store import predict_store
from serprep_models.predictor import load


@pytest.mark.parametrize("system", ["plain-crnn", "hsf-crnn", "multi-crnn"])
def test_a_store_gets_the_same(small, trained, system: str) -> None:
    _, store = small
    folder = checkpoint_of(trained, system)
    found = predict_store([folder], store)
    expected = probabilities_of(folder)
    rows = [found.ids.index(name) for name in expected.index]
    np.testing.assert_allclose(found.probabilities[rows], expected.to_numpy(), rtol=1e-4, atol=1e-6)


def test_predictions_of_the_training_store_are_said_to_be_no_scores(small, trained, monkeypatch) -> None:
    _, store = small
    folder = checkpoint_of(trained, "hsf-crnn")
    assert [note for note in predict_store([folder], store).notes if "these are no scores" in note]
    features = load(folder).features
    others = features.replaced(functionals=dataclasses.replace(features.functionals, engine="opensmile"))
    monkeypatch.setattr(type(store), "features", property(lambda self: others))
    monkeypatch.setattr(type(store), "version", property(lambda self: "0" * 64))
    assert predict_store([folder], store).notes == (
        "functionals of the store are by opensmile, those in training were by native",
    )


def test_a_store_of_other_features_is_refused(small, trained, monkeypatch) -> None:
    _, store = small
    predictor = load(checkpoint_of(trained, "plain-crnn"))
    other = predictor.features.replaced(logmel=dataclasses.replace(predictor.features.logmel, floor=1e-8))
    monkeypatch.setattr(type(store), "features", property(lambda self: other))
    with pytest.raises(TrainError, match="holds other features than the checkpoint was trained on"):
        predict_store([checkpoint_of(trained, "plain-crnn")], store)
