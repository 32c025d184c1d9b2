"""Summaries against hand-computed cases and scikit-learn."""

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from serprep_models.scores import Pair, Result, Summary, Verdict, compare, judge, score, speaker_counts, summarise

LABELS = ("a", "b")
SCORES = {"x": 0.7, "y": 0.5, "z": 0.65, "majority": 0.25}


def frame(truth: str, prediction: str, **more: object) -> pd.DataFrame:
    return pd.DataFrame({"truth": list(truth), "prediction": list(prediction), **more})


def test_a_label_without_test_utterances_leaves_ua_undefined_and_is_named() -> None:
    found = score(frame("aaa", "aab"), LABELS)
    assert found["ua"] is None
    assert found["missing"] == ["b"]
    assert found["wa"] == pytest.approx(2 / 3)


def test_rows_without_a_label_do_not_count() -> None:
    rows = pd.DataFrame({"truth": ["a", "", "b"], "prediction": ["a", "a", "a"]})
    assert score(rows, LABELS)["n_test"] == 2


def test_scores_equal_scikit_learns() -> None:
    from sklearn.metrics import accuracy_score, recall_score

    rng = np.random.default_rng(0)
    truth, prediction = rng.choice(list("abc"), 200), rng.choice(list("abc"), 200)
    found = score(pd.DataFrame({"truth": truth, "prediction": prediction}), "abc")
    assert found["ua"] == pytest.approx(recall_score(truth, prediction, average="macro"))
    assert found["wa"] == pytest.approx(accuracy_score(truth, prediction))
    assert list(found["recall"].values()) == pytest.approx(recall_score(truth, prediction, average=None).tolist())
    assert score(pd.DataFrame({"truth": ["a"], "prediction": ["b"]}), "ab")["recall"] == {"a": 0.0, "b": None}


def test_pooling_is_over_folds_and_averaging_over_seeds() -> None:
    """Seed 0: fold 1 a→a, fold 2 b→a: pooled recalls 1 and 0.  Seed 1: all right.  Mean UA 0.75."""
    common = {"system": "s", "id": ["u", "v"] * 2, "speaker": ["x", "y"] * 2, "fold": ["1", "2"] * 2}
    predictions = frame("abab", "aaab", seed=[0, 0, 1, 1], **common)
    results = [Result(system="s", fold=f, seed=s, ua=None, wa=s / 2) for s in (0, 1) for f in "12"]
    (row,) = summarise(predictions, LABELS, results)
    assert row.ua == pytest.approx(0.75)
    assert row.recall == {"a": 1.0, "b": 0.5} and row.wa_seed_std == pytest.approx(0.25)
    assert (row.wa_fold_mean, row.wa_fold_std, row.n_defined) == (0.25, 0.25, 0)
    assert row.ua_per_seed == [0.5, 1.0]
    assert row.ua_seed_std == pytest.approx(0.25)
    assert row.ua_fold_mean is None
    assert row.n_runs == 4


def test_no_interval_without_speaker_ids() -> None:
    predictions = frame("abab", "abab", system="s", id=list("uvwx"), speaker="", fold="1", seed=0)
    (row,) = summarise(predictions, LABELS, [Result(system="s", fold="1", ua=1.0)])
    assert row.ua == 1.0
    assert row.ua_interval is None


def test_speaker_counts_hold_every_prediction_once() -> None:
    predictions = frame("abba", "abab", speaker=["x", "x", "y", "y"], seed=[0, 1, 0, 1])
    counts = speaker_counts(predictions, LABELS)
    assert counts.shape == (2, 2, 2, 2)
    assert counts[0, 0].tolist() == [[1, 0], [0, 0]]
    assert counts[1, 0].tolist() == [[0, 0], [1, 0]]
    assert counts.sum() == 4


def two_systems(**more: object) -> pd.DataFrame:
    """Eight speakers with one utterance of each label; the first system is always right, the second never."""
    frames = []
    for system in ("right", "wrong", "majority"):
        for n in range(8):
            other = "ab" if system == "right" else "ba"
            frames.append(
                frame("ab", other, system=system, speaker=f"s{n}", id=[f"s{n}a", f"s{n}b"], seed=0, fold="1", **more)
            )
    return pd.concat(frames, ignore_index=True)


def test_a_pair_of_systems_is_compared_by_speakers() -> None:
    (pair,) = compare(two_systems(), LABELS)  # the majority is nobody's rival
    assert (pair.first, pair.second) == ("right", "wrong")
    assert (pair.ua, pair.wa) == (1.0, 1.0)
    assert pair.ua_interval == (1.0, 1.0)
    assert pair.ua_p == pytest.approx(2 / 2**8)  # all eight signs alike, either way


def test_systems_are_not_compared_without_speakers_or_on_other_utterances() -> None:
    rows = two_systems()
    assert compare(rows.assign(speaker=""), LABELS) == []
    assert compare(rows[(rows["system"] != "wrong") | (rows["speaker"] != "s3")], LABELS) == []
    assert compare(rows.assign(truth=""), LABELS) == []
    first, second = (rows[rows["system"] == system] for system in ("right", "wrong"))
    # other speakers, as many and with the same labels
    others = second.assign(speaker="t" + second["speaker"], id="t" + second["id"])
    assert compare(pd.concat([first, others]), LABELS) == []
    # seeds that scored different folds
    halves = second.assign(seed=[0] * 8 + [1] * 8)
    assert compare(pd.concat([first, halves]), LABELS) == []


def test_the_best_is_told_apart_from_all_others() -> None:
    rows = [Summary(system=name, ua=ua, wa=ua, ua_interval=(ua - 0.1, ua + 0.1)) for name, ua in SCORES.items()]
    pairs = [
        Pair(first=a, second=b, ua=SCORES[a] - SCORES[b], ua_interval=(-0.1, 0.3), ua_p=p)
        for a, b, p in (("x", "y", 0.01), ("z", "x", 0.2), ("y", "z", 0.001))
    ]
    assert judge(rows, pairs) == Verdict(
        leader="x",
        best=False,
        rivals=("z",),
        words="x and z cannot be told apart: UA differs by 5.0 points (95 % -30.0 to 10.0, p = 0.200)",
    )
    assert judge(rows, pairs, leaks=True).words == "the split leaks: no system is called the best"
    pairs[1] = replace(pairs[1], ua_p=0.049)
    assert judge(rows, pairs).best and judge(rows, pairs).words == "x is the best: UA 70.0 %"
    assert judge(rows[:2], []).words == "x and y cannot be told apart: no test or interval over speakers tells"
    near = [replace(rows[0], ua_interval=(0.2, 0.9)), rows[3]]  # chance lies within the interval
    assert judge(near, []).rivals == ("majority",) and judge([rows[0], rows[3]], []).best
    assert judge([rows[0], rows[3]], []).words == "x is above majority: UA 70.0 %"  # nobody else was there to beat
    assert judge(rows[:1], []).words == "" and judge([], []).leader == ""


def test_p_values_of_several_pairs_are_corrected() -> None:
    rows = pd.concat([two_systems(), two_systems().query("system == 'wrong'").assign(system="other")])
    found = compare(rows, LABELS)
    p = {(pair.first, pair.second): (pair.ua_p, pair.ua_p_holm) for pair in found}
    assert p["right", "wrong"] == pytest.approx((2 / 2**8, 3 * 2 / 2**8))
    assert p["wrong", "other"] == (1.0, 1.0)
