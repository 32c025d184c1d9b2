"""Dataclasses of scores and their JSON."""

import pytest

from serprep_models.scores import Pair, Result, Summary, pairs_json

TOLD = {"svm": {"c": 1.0}, "system": "svm", "fold": "1", "seed": 3, "ua": None, "wa": 0.5, "device": "cuda"}


def test_a_result_is_what_its_file_tells_and_keeps_the_rest() -> None:
    result = Result.of(TOLD)
    assert (result.system, result.fold, result.seed, result.ua, result.wa) == ("svm", "1", 3, None, 0.5)
    assert (result.device, result.feature_bytes, result.memory_budget) == ("cuda", 0, None)
    assert list(result.json.items()) == list(TOLD.items())  # the order too
    with pytest.raises(TypeError, match="'system'"):
        Result.of({"fold": "1"})


def test_what_was_not_asked_for_is_not_in_a_summarys_json() -> None:
    plain = Summary(system="svm")
    assert not {"ece_bins", "uncalibrated"} & plain.json.keys() and {"nll", "ua_interval"} <= plain.json.keys()
    calibrated = Summary(system="svm", ece_bins=10, uncalibrated={"nll": 0.7})
    assert list(calibrated.json)[:3] == ["standardisation", "enrol", "transductive"]
    assert (calibrated.json["ece_bins"], list(calibrated.json)[-1]) == (10, "uncalibrated")


def test_pairs_carry_the_marks_of_the_first_system_or_of_both() -> None:
    summary = [Summary(system="a", standardisation="train"), Summary(system="b", enrol=4, transductive=True)]
    (alike,) = pairs_json([Pair(first="a", second="b", ua=0.1)], summary)
    assert list(alike)[:5] == ["standardisation", "enrol", "transductive", "first", "second"]
    assert (alike["standardisation"], alike["transductive"], alike["ua"]) == ("train", False, 0.1)
    (both,) = pairs_json([Pair(first="a", second="b")], summary, sides=True)
    assert (both["transductive"], both["first_transductive"], both["second_transductive"]) == (True, False, True)
    assert (both["first_enrol"], both["second_enrol"]) == (0, 4)
