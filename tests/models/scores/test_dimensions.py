"""Scores of numbers per system, and differences between systems, against slow ones."""

import numpy as np
import pandas as pd
import pytest

from serprep.errors import TrainError
from serprep_models.objectives import Numbers
from serprep_models.scores.dimensions import (
    MEAN,
    DimensionScores,
    compare_numbers,
    predicted_of,
    read_numbers,
    score_numbers,
    summarise_numbers,
    truth_of,
)


def slow_ccc(x, y):
    """Lin (1989), of the whole set."""
    return 2 * np.mean((x - x.mean()) * (y - y.mean())) / (x.var() + y.var() + (x.mean() - y.mean()) ** 2)


def table(truth, predicted, speakers, *, system="s", seed=0, name="arousal"):
    frame = pd.DataFrame({"system": system, "fold": "1", "seed": seed, "speaker": speakers})
    frame["id"] = [f"u{number}" for number in range(len(frame))]
    return frame.assign(**{truth_of(name): truth, predicted_of(name): predicted})


def test_what_is_not_known_is_left_out_and_counted() -> None:
    rng = np.random.default_rng(0)
    truth, predicted = rng.uniform(size=30), rng.uniform(size=30)
    truth[::3] = np.nan
    own = table(truth, predicted, ["a", "b", "c"] * 10)
    known = ~np.isnan(truth)
    found = score_numbers(own, ["arousal"])["arousal"]
    assert (found["n"], found["n_missing"]) == (20, 10)
    assert found["ccc"] == pytest.approx(slow_ccc(truth[known], predicted[known]))
    (row,) = summarise_numbers(own, ["arousal"])
    assert (row.n_utterances, row.n_missing, row.ccc) == (20, 10, pytest.approx(found["ccc"]))


def test_a_mean_is_over_dimensions_and_seeds_and_intervals_draw_speakers() -> None:
    rng = np.random.default_rng(1)
    speakers = np.repeat(list("abcd"), 10)
    truth = {name: rng.uniform(size=40) for name in ("arousal", "valence")}
    frames, expected = [], []
    for seed in (0, 1):
        own = table(truth["arousal"], rng.uniform(size=40), speakers, seed=seed)
        own[truth_of("valence")] = truth["valence"]
        own[predicted_of("valence")] = truth["valence"] + 0.1 * rng.normal(size=40)
        frames.append(own)
        expected.append([slow_ccc(truth[name], own[predicted_of(name)].to_numpy()) for name in truth])
    rows = {row.dimension: row for row in summarise_numbers(pd.concat(frames), list(truth))}
    assert rows[MEAN].ccc == pytest.approx(np.mean(expected))
    assert rows["valence"].ccc == pytest.approx(np.mean(expected, axis=0)[1])
    low, high = rows["valence"].ccc_interval
    assert low < rows["valence"].ccc < high and rows["valence"].n_seeds == 2
    alone = summarise_numbers(pd.concat(frames).assign(speaker="a"), list(truth))
    assert all(row.ccc_interval is None for row in alone)


def test_a_difference_is_tested_speaker_by_speaker() -> None:
    """All of eight speakers are predicted better by the first: of 2^8 exchanges two differ as much."""
    rng = np.random.default_rng(2)
    speakers, truth = np.repeat(list("abcdefgh"), 20), rng.uniform(size=160)
    good, bad = truth + 0.05 * rng.normal(size=160), truth + 1.0 * rng.normal(size=160)
    said = {"good": good, "bad": bad, "majority": truth}
    own = pd.concat([table(truth, each, speakers, system=name) for name, each in said.items()])
    (row,) = compare_numbers(own, ["arousal"])
    assert (row.first, row.second) == ("good", "bad")
    assert row.ccc == pytest.approx(slow_ccc(truth, good) - slow_ccc(truth, bad))
    assert row.p == row.p_holm == 2 / 2**8
    low, high = row.ccc_interval
    assert 0 < low < row.ccc < high
    found = DimensionScores.of(own[own["system"] != "majority"], {"arousal": (1.0, 5.0)})
    assert found.verdict().words == f"good is the best: CCC {slow_ccc(truth, good):.3f}"
    assert not found.verdict(leaks=True).best and "leaks" in found.verdict(leaks=True).words
    assert compare_numbers(own.assign(speaker=""), ["arousal"]) == ()
    other = own[(own["system"] == "good") | (own["id"] != "u0")]
    assert compare_numbers(other, ["arousal"]) == ()  # not the same utterances
    same = pd.concat([table(truth, good, speakers, system=name) for name in ("one", "two")])
    assert compare_numbers(same, ["arousal"])[0].p == 1
    assert "cannot be told apart" in DimensionScores.of(same, {"arousal": (1.0, 5.0)}).verdict().words


def test_the_loss_is_one_minus_the_concordance_of_what_is_known() -> None:
    import torch

    rng = np.random.default_rng(3)
    truth, given = rng.uniform(size=(12, 3)), rng.normal(size=(12, 3))
    truth[:5, 0] = np.nan
    truth[1:, 2] = np.nan  # one value: no concordance
    expected = 1 - np.mean([slow_ccc(truth[5:, 0], given[5:, 0]), slow_ccc(truth[:, 1], given[:, 1])])
    objective = Numbers(3)
    outputs = torch.tensor(given, requires_grad=True)
    loss = objective.loss(outputs, torch.tensor(truth), None)
    assert loss.item() == pytest.approx(expected, abs=1e-5)
    loss.backward()
    assert torch.isfinite(outputs.grad).all() and (outputs.grad[:5, 0] == 0).all() and (outputs.grad[:, 2] == 0).all()
    parts = [objective.sums(torch.tensor(given[rows]), torch.tensor(truth[rows])) for rows in (slice(7), slice(7, 12))]
    assert objective.of_sums((parts[0] + parts[1]).numpy()) == pytest.approx(1 - expected)
    assert objective.of_part(given, truth) == pytest.approx(1 - expected)
    nothing = objective.loss(outputs, torch.full((12, 3), torch.nan), None)
    assert nothing.item() == 0


def test_predictions_that_were_not_written_so_are_refused(tmp_path) -> None:
    path = tmp_path / "predictions.csv"
    own = table([0.5, np.nan], [0.25, 0.125], ["a", ""]).drop(columns=["system", "fold", "seed"]).assign(role="test")
    own = own[["id", "speaker", "role", truth_of("arousal"), predicted_of("arousal")]]
    own.to_csv(path, index=False)
    pd.testing.assert_frame_equal(read_numbers(path), own)
    for before, after in (("0.25", "nan"), ("0.25", "x"), ("truth_arousal", "truth"), ("id,", "name,")):
        path.write_text(own.to_csv(index=False).replace(before, after, 1))
        with pytest.raises(TrainError, match=r"predictions\.csv"):
            read_numbers(path)
    both = own.assign(truth=["sad", ""], prediction=["angry", "sad"], p_angry=[0.5, 0.25], p_sad=[0.5, 0.75])
    both.to_csv(path, index=False)
    pd.testing.assert_frame_equal(read_numbers(path), both)
    for other in ({"truth": "happy"}, {"prediction": "happy"}, {"prediction": ""}):
        both.assign(**other).to_csv(path, index=False)
        with pytest.raises(TrainError, match=r"predictions\.csv: not as an experiment writes it"):
            read_numbers(path)
