"""Scores of numbers within groups, and tests between these, against slow ones."""

from itertools import combinations, product

import numpy as np
import pandas as pd
import pytest

from serprep_models.scores.dimensions import predicted_of, truth_of
from serprep_models.scores.number_groups import score_number_conditions, score_number_groups

N_SPEAKERS, N_EACH = 7, 6
DIMENSIONS = ("arousal", "valence")


def predictions() -> pd.DataFrame:
    """Two seeds; the first three speakers are predicted worse, and one value of valence is not known."""
    rng, rows = np.random.default_rng(0), []
    truth = rng.uniform(size=(N_SPEAKERS * N_EACH, 2))
    truth[3, 1] = np.nan
    for seed, row in product(range(2), range(len(truth))):
        said = np.nan_to_num(truth[row]) + rng.normal(size=2) * (0.5 if row < 3 * N_EACH else 0.1)
        rows.append((f"u{row}", f"s{row // N_EACH}", seed, *truth[row], *said))
    names = [of(name) for of in (truth_of, predicted_of) for name in DIMENSIONS]
    return pd.DataFrame(rows, columns=["id", "speaker", "seed", *names]).assign(system="svr", fold="1")


def slow(frame: pd.DataFrame, dimension: str) -> float:
    """CCC, mean over seeds."""
    each = []
    for _, own in frame.groupby("seed"):
        own = own[own[truth_of(dimension)].notna()]
        t, p = own[truth_of(dimension)].to_numpy(), own[predicted_of(dimension)].to_numpy()
        each.append(2 * np.cov(t, p, bias=True)[0, 1] / (t.var() + p.var() + (t.mean() - p.mean()) ** 2))
    return float(np.mean(each))


def test_scores_are_of_a_groups_utterances_and_speakers_are_exchanged_between_groups() -> None:
    frame = predictions()
    gender = {f"u{row}": "f" if row < 3 * N_EACH else "m" for row in range(N_SPEAKERS * N_EACH)}
    groups, differences = score_number_groups(frame, DIMENSIONS, {"gender": gender})
    assert [(row.dimension, row.group) for row in groups] == list(product([*DIMENSIONS, "mean"], "fm"))
    rows = {(row.dimension, row.group): row for row in groups}
    for dimension, group in product(DIMENSIONS, "fm"):
        row = rows[dimension, group]
        own = frame[frame["id"].map(gender) == group]
        assert row.ccc == pytest.approx(slow(own, dimension))
        assert (row.n_speakers, row.too_few, row.worst) == (3 if group == "f" else 4, True, group == "f")
    assert (rows["valence", "f"].n_utterances, rows["valence", "f"].n_missing) == (3 * N_EACH - 1, 1)
    expected = []
    for chosen in combinations(range(N_SPEAKERS), 3):
        first = frame["speaker"].isin([f"s{speaker}" for speaker in chosen])
        expected.append([slow(frame[first], name) - slow(frame[~first], name) for name in DIMENSIONS])
    table = np.column_stack([expected, np.mean(expected, axis=1)])
    for place, row in enumerate(differences):
        assert (row.first, row.second, row.within_speakers) == ("f", "m", False)
        assert row.ccc == pytest.approx(table[0, place])  # combinations begin with the first three
        assert row.p == pytest.approx(np.mean(np.abs(table[:, place]) >= abs(table[0, place]) - 1e-12))
        assert row.ccc_interval[0] < row.ccc < row.ccc_interval[1] < 0 and row.p_holm >= row.p
    assert [row.dimension for row in differences] == [*DIMENSIONS, "mean"]


def test_floors_are_left_out_and_without_speakers_nothing_is_tested() -> None:
    frame = predictions().assign(speaker="")
    both = pd.concat([frame, frame.assign(system="majority")])
    groups, differences = score_number_groups(
        both, ["arousal"], {"take": {f"u{row}": str(row % 2) for row in range(42)}}
    )
    assert [row.group for row in groups] == ["0", "1"] and differences == ()
    assert {(row.n_speakers, row.ccc_interval) for row in groups} == {(0, None)}


def test_scores_of_a_condition_are_those_of_its_predictions() -> None:
    frame = predictions()
    silent = frame.assign(condition="silence", **{predicted_of("arousal"): 0.5})
    rows = score_number_conditions(pd.concat([frame.assign(condition="clean"), silent]), DIMENSIONS)
    told = {(row.condition, row.dimension): row.ccc for row in rows}
    assert list(dict.fromkeys(row.condition for row in rows)) == ["clean", "silence"]
    assert told["clean", "arousal"] == pytest.approx(slow(frame, "arousal"))
    assert told["silence", "arousal"] == 0 and told["silence", "valence"] == told["clean", "valence"]
