"""Scores within groups against `summarise`, and tests between them against slow permutations."""

from itertools import combinations, product

import numpy as np
import pandas as pd
import pytest

from serprep.errors import TrainError
from serprep_models.scores import Result, summarise
from serprep_models.scores.groups import banded, compare_groups, group_columns, score_groups

LABELS = ("a", "b", "c")


def predictions(n_speakers: int = 12, n_seeds: int = 2) -> pd.DataFrame:
    """Each speaker says each label twice, once "quiet"; odd speakers, the men, are predicted worse."""
    rng, rows = np.random.default_rng(0), []
    for seed, speaker, take, truth in product(range(n_seeds), range(n_speakers), range(2), LABELS):
        wrong = rng.random() < (0.6 if speaker % 2 else 0.2)
        guess = rng.choice(LABELS) if wrong else truth
        rows.append((f"s{speaker:02}{truth}{take}", f"s{speaker:02}", truth, guess, seed))
    frame = pd.DataFrame(rows, columns=["id", "speaker", "truth", "prediction", "seed"])
    return frame.assign(system="svm", fold="1")


def gender(frame: pd.DataFrame) -> dict[str, str]:
    return {i: "male" if int(s[1:]) % 2 else "female" for i, s in zip(frame["id"], frame["speaker"], strict=True)}


def volume(frame: pd.DataFrame) -> dict[str, str]:
    return {name: "quiet" if name.endswith("0") else "loud" for name in frame["id"]}


def test_scores_within_a_group_are_those_of_its_utterances_alone() -> None:
    frame = predictions()
    found = {row.group: row for row in score_groups(frame, LABELS, {"gender": gender(frame)}).scores}
    assert list(found) == ["female", "male"]
    for group, row in found.items():
        own = frame[frame["id"].map(gender(frame)) == group]
        (alone,) = summarise(own, LABELS, [Result(system="svm", fold="1")])
        assert row.ua == pytest.approx(alone.ua)
        assert row.macro_f1 == pytest.approx(alone.macro_f1)
        assert row.macro_f1_interval == pytest.approx(alone.macro_f1_interval)
        assert row.recall == pytest.approx(alone.recall)
        assert (row.n_speakers, row.n_utterances, row.too_few) == (6, 36, False)
    assert found["male"].worst and not found["female"].worst


def ua(counts: np.ndarray) -> float:
    """Mean over seeds and labels, of counts (n_speakers, n_seeds, n_labels, n_labels), the slow way."""
    pooled = counts.sum(axis=0)
    return float(np.mean([[m[i, i] / m[i].sum() for i in range(len(m))] for m in pooled]))


def test_speakers_of_one_group_each_are_exchanged_between_groups() -> None:
    rng = np.random.default_rng(1)
    counts = rng.integers(1, 5, size=(7, 2, 3, 3))
    member = np.arange(7) < 3
    seen = ua(counts[:3]) - ua(counts[3:])
    drawn = []
    for chosen in combinations(range(7), 3):
        others = [i for i in range(7) if i not in chosen]
        drawn.append(abs(ua(counts[list(chosen)]) - ua(counts[others])) >= abs(seen) - 1e-12)
    found = compare_groups(counts * member[:, None, None, None], counts * ~member[:, None, None, None])
    assert found is not None
    assert found["ua"] == pytest.approx(seen)
    assert found["p"] == pytest.approx(np.mean(drawn))
    assert not found["within_speakers"]


def test_speakers_in_both_groups_exchange_their_two_sets_of_predictions() -> None:
    rng = np.random.default_rng(2)
    first, second = rng.integers(1, 5, size=(2, 6, 1, 3, 3))
    second[5] = 0  # is in the first group only, and stays there
    seen = ua(first) - ua(second)
    drawn = []
    for flips in product([False, True], repeat=5):
        flip = np.array([*flips, False])[:, None, None, None]
        drawn.append(abs(ua(np.where(flip, second, first)) - ua(np.where(flip, first, second))) >= abs(seen) - 1e-12)
    found = compare_groups(first, second)
    assert found is not None
    assert found["p"] == pytest.approx(np.mean(drawn))
    assert found["within_speakers"]


def test_one_speaker_alone_has_no_interval() -> None:
    first, second = np.random.default_rng(4).integers(1, 5, size=(2, 2, 3, 3, 3))
    alone, both = compare_groups(first[:1], second[:1]), compare_groups(first, second)
    assert alone is not None and both is not None
    assert alone["ua"] == pytest.approx(ua(first[:1]) - ua(second[:1])) and alone["ua_interval"] is None
    assert both["ua_interval"] is not None


def test_chance_gives_uniform_p_values_and_many_speakers_are_drawn() -> None:
    rng = np.random.default_rng(3)
    member = (np.arange(30) % 2 == 0)[:, None, None, None]
    p = []
    for _ in range(5):
        counts = rng.multinomial(6, [0.5, 0.25, 0.25], size=(30, 1, 3))
        found = compare_groups(counts * member, counts * ~member)
        assert found is not None
        p.append(found["p"])
    assert 0.1 < np.mean(p) < 0.9 and min(p) > 0.002


def test_few_speakers_are_marked_and_shown_and_not_the_worst() -> None:
    frame = predictions()
    alone = {
        i: ("one" if s == "s01" else g) for (i, g), s in zip(gender(frame).items(), frame["speaker"], strict=False)
    }
    frame.loc[frame["speaker"] == "s01", "prediction"] = "a"
    found = score_groups(frame, LABELS, {"gender": alone, "volume": volume(frame)})
    rows = {row.group: row for row in found.scores}
    assert rows["one"].too_few and rows["one"].n_speakers == 1 and not rows["one"].worst
    assert rows["one"].ua == pytest.approx(1 / 3) and rows["one"].ua_interval is None
    assert rows["male"].worst
    assert {(row.first, row.second) for row in found.differences} >= {("female", "one"), ("loud", "quiet")}
    assert all(row.p_holm >= row.p for row in found.differences)  # type: ignore[operator]


def test_without_speakers_nothing_is_tested() -> None:
    frame = predictions().assign(speaker="")
    found = score_groups(frame, LABELS, {"volume": volume(frame)})
    assert found.differences == () and {row.ua_interval for row in found.scores} == {None}


def test_a_label_that_a_group_lacks_leaves_its_ua_undefined() -> None:
    frame = predictions()
    groups = {name: "with c" if "c" in name else "without" for name in frame["id"]}
    found = score_groups(frame, LABELS, {"said": groups})
    assert [row.ua for row in found.scores] == [None, None] and found.differences == ()
    assert not any(row.worst for row in found.scores)


def test_ages_become_bands_and_words_stay() -> None:
    ages = [str(age) for age in range(20, 75)]
    assert sorted(set(banded([*ages, "unknown"]))) == [f"{d}0–{d}9" for d in range(2, 8)] + ["unknown"]
    shares = banded([str(x / 100) for x in range(100)])
    assert shares[0] == "0–0.2" and len(set(shares)) == 5
    assert banded(["10", "9", "10"]) == ["10", "9", "10"]
    assert banded([*map(str, range(30)), "x"])[-2:] == ["29", "x"]


class FakeStore:
    ids = ("u", "v", "w")
    columns = ("id", "gender", "age")

    def column(self, name: str) -> list[object]:
        return {"gender": ["f", "m", ""], "age": [20.0, float("nan"), 20.0]}[name]


def test_columns_of_a_store() -> None:
    assert group_columns(FakeStore())["gender"] == {"u": "f", "v": "m", "w": "unknown"}  # type: ignore[arg-type]
    assert group_columns(FakeStore(), ["age"]) == {"age": {"u": "20.0", "v": "unknown", "w": "20.0"}}  # type: ignore[arg-type]
    with pytest.raises(TrainError, match="no column 'race'; the store has id, gender, age"):
        group_columns(FakeStore(), ["race"])  # type: ignore[arg-type]
