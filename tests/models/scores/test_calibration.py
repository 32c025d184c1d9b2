"""Temperatures against scipy's minimiser and closed forms; what may not be scored has no part in them."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
import scipy

from serprep.errors import TrainError
from serprep.recipe import Recipe
from serprep.store.store import Store
from serprep_models.scores import Result, Summary
from serprep_models.scores.calibration import Calibration, abstention, before_and_after, fit_temperature, scaled
from serprep_models.scores.intervals import beyond_rows
from serprep_models.scores.metrics import nlls
from serprep_models.targets import EMOTION


def softmax(logits: np.ndarray) -> np.ndarray:
    powers = np.exp(logits - logits.max(axis=1, keepdims=True))
    return powers / powers.sum(axis=1, keepdims=True)


@pytest.mark.parametrize("heat", [0.4, 1.0, 5.0])
def test_the_temperature_is_that_of_the_least_nll(heat: float) -> None:
    rng = np.random.default_rng(0)
    logits = rng.normal(size=(400, 4)) * 2
    truth = np.array([rng.choice(4, p=p) for p in softmax(logits)])
    chances = softmax(logits * heat)  # too confident above 1
    best = scipy.optimize.minimize_scalar(
        lambda t: nlls(softmax(logits * heat / t), truth).mean(), bounds=(0.05, 20), method="bounded"
    )
    assert fit_temperature(chances, truth) == pytest.approx(best.x, rel=1e-3)
    assert fit_temperature(chances, truth) == pytest.approx(heat, rel=0.2)
    assert scaled(chances, 3.0) == pytest.approx(softmax(logits * heat / 3))


def test_what_is_always_right_or_impossible_has_a_bounded_temperature() -> None:
    sure = np.array([[0.9, 0.1], [0.1, 0.9]])
    assert 1 / 20 <= fit_temperature(sure, np.array([0, 1])) < 0.06  # the loss is flat there
    assert fit_temperature(sure, np.array([1, 0])) == pytest.approx(20, rel=0.01)
    assert np.isfinite(scaled(np.array([[1.0, 0.0]]), 0.05)).all()


def test_a_threshold_has_the_accuracy_of_what_is_as_confident() -> None:
    chances = np.array([[0.9, 0.1], [0.8, 0.2], [0.6, 0.4], [0.45, 0.55]])
    made = Calibration.fitted(chances, np.array([0, 1, 0, 1]), fitted_on="dev")
    confidence, right = scaled(chances, made.temperature).max(axis=1), np.array([True, False, True, True])
    least = np.sort(confidence)[1] - 0.005
    found = abstention([made, made], float(least))
    assert found.threshold == pytest.approx(np.floor(least * 100) / 100)
    kept = confidence >= found.threshold
    assert (found.n, found.coverage, found.accuracy) == (8, kept.mean(), right[kept].mean())
    assert Calibration.read(vars(made)) == made
    with pytest.raises(TrainError, match="expected a temperature and what thresholds were worth"):
        Calibration.read({**vars(made), "right": [9] * 100})
    with pytest.raises(TrainError, match="expected a temperature"):
        Calibration.read({"temperature": 1.0})


def test_tables_show_what_probabilities_were_before() -> None:
    raw = np.array([[0.9, 0.1], [0.2, 0.8]])
    frame = pd.DataFrame(scaled(raw, 2.0), columns=["p_a", "p_b"])
    frame = frame.assign(system="s", fold="1", seed=0, speaker=["x", "y"], truth=["a", "b"], prediction=["a", "b"])
    results = [Result(system="s", fold="1", calibration={"temperature": 2.0})]
    before = before_and_after(frame, ["a", "b"], results)
    assert before["s"]["nll"] == pytest.approx(-np.log([0.9, 0.8]).mean())
    rows = beyond_rows([Summary(system="s", nll=0.5, uncalibrated=before["s"]), Summary(system="t", nll=1.0)])
    assert [row.system for row in rows] == ["s", "s, not calibrated", "t"]
    assert rows[1].nll == before["s"]["nll"]


def test_nothing_that_is_scored_has_a_part_in_it(
    small: tuple[Recipe, Store], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Inner folds are of training speakers; other labels of the scored part change no temperature."""
    from dataclasses import replace

    from serprep.split import bind, write_split
    from serprep_models import tasks
    from serprep_models.beforehand import split_of
    from serprep_models.experiment import Experiment
    from serprep_models.predictor import load

    recipe, store = small
    split = split_of(recipe, store.manifest())
    path = write_split(split, tmp_path / "split.json")
    how = replace(recipe.train, calibrate="temperature", epochs=1)
    asked = Experiment(
        folder=str(tmp_path / "a"), store=store.path, split=str(path), system="linear", fold=0, seed=0, how=how
    )
    run, sides = tasks._run, []

    def spied(job: Experiment, store: Store, rows: dict[str, list[int]], **more: bool) -> object:
        sides.append(rows)
        return run(job, store, rows, **more)

    monkeypatch.setattr(tasks, "_run", spied)
    tasks.run_experiment(asked)
    rows = tasks.rows_of(bind(split, store.manifest()), 0, EMOTION.known(store))
    assert len(sides) == 1 + 2  # of two training speakers, each is held out once
    assert sorted(sides[1]["test"] + sides[2]["test"]) == rows["train"]
    for inner in sides[1:]:
        assert sorted(inner["train"] + inner["test"]) == rows["train"]
        assert not {store.speakers[row] for row in inner["train"]} & {store.speakers[row] for row in inner["test"]}
    predictor = load(tmp_path / "a")
    calibration = predictor.checkpoints[0].calibration
    assert calibration is not None and calibration.fitted_on == "inner folds by speaker" and calibration.n == 16
    found = pd.read_csv(tmp_path / "a/predictions.csv")
    chances = found[[f"p_{label}" for label in store.labels]].to_numpy()
    row = store.ids.index(found["id"][0])
    stored = {name: store.read_table(jobs_table(store, name), np.array([row]))[0] for name in predictor.names}
    assert predictor.probabilities([stored])[0] == pytest.approx(chances[0], abs=1e-5)
    assert predictor.abstention(0.0).coverage == 1.0


def jobs_table(store: Store, name: str) -> object:
    from serprep_models.standardise import table_of

    return table_of(store, name)
