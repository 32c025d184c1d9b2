"""Experiments of two recipes, compared."""

import dataclasses
import json
import shutil

import numpy as np
import pandas as pd
import pytest

from serprep.errors import TrainError
from serprep.metrics import paired_test
from serprep_models.compare import compare_experiments
from serprep_models.experiment import run_experiments
from serprep_models.job import read_predictions
from serprep_models.scores import speaker_counts


@pytest.fixture(scope="module")
def two(small, pool):
    """The plain system at two learning rates, and the baselines beside the first."""
    recipe, store = small
    outcomes = []
    for rate, systems in ((1e-3, ("plain-crnn", "compare-svm", "majority")), (5e-3, ("plain-crnn",))):
        how = dataclasses.replace(recipe.train, learning_rate=rate, epochs=3, systems=systems)
        outcomes.append(run_experiments(dataclasses.replace(recipe, train=how), store, pool=pool))
    return outcomes


def test_scores_are_those_of_each_and_differences_those_of_both(two, small):
    _, store = small
    first, second = two
    found = compare_experiments({"a": first.folder, "b": second.folder})
    own = {f"a: {row['system']}": row for row in first.summary} | {f"b: {row['system']}": row for row in second.summary}
    assert [row["system"] for row in found.summary] == [
        "a: compare-svm",
        "a: majority",
        "a: plain-crnn",
        "b: plain-crnn",
    ]
    for row in found.summary:
        assert (row["ua"], row["wa"], row["ua_interval"]) == tuple(
            own[row["system"]][name] for name in ("ua", "wa", "ua_interval")
        )
    pairs = [(row["first"], row["second"]) for row in found.comparisons]
    assert pairs == [("a: plain-crnn", "b: plain-crnn"), ("a: compare-svm", "b: plain-crnn")]
    counts = []
    for outcome in two:
        files = sorted(outcome.folder.glob("plain-crnn/fold-*/seed-0/predictions.csv"))
        counts.append(speaker_counts(pd.concat(map(read_predictions, files)).assign(seed=0), store.labels))
    expected = paired_test(*counts)
    row = found.comparisons[0]
    assert (row["ua"], row["ua_p"], row["ua_interval"]) == (expected.ua, expected.ua_p, expected.ua_interval)
    assert np.isclose(row["ua"], own["a: plain-crnn"]["ua"] - own["b: plain-crnn"]["ua"])
    assert "learning_rate 0.001 → 0.005" in found.notes[0]


def test_what_cannot_be_compared_is_said(two, tmp_path):
    first, second = two
    part = tmp_path / "part"
    shutil.copytree(second.folder, part)
    shutil.rmtree(part / "plain-crnn" / "fold-02")
    found = compare_experiments({"a": first.folder, "part": part})
    assert found.comparisons == []
    assert sum("did not score the same utterances" in note for note in found.notes) == 2
    for folder, message in ((tmp_path, "no finished experiment"), (part, r"fold-01/seed-0: .*; train it again")):
        if folder == part:
            (part / "plain-crnn/fold-01/seed-0/result.json").write_text("{")
        with pytest.raises(TrainError, match=message):
            compare_experiments({"a": first.folder, "b": folder})


def test_a_side_that_is_transductive_is_called_so(two, tmp_path, capsys):
    from serprep_cli.run import print_outcome

    first, second = two
    other = tmp_path / "other"
    shutil.copytree(second.folder, other)
    for path in other.rglob("result.json"):
        path.write_text(json.dumps(json.loads(path.read_bytes()) | {"transductive": True}))
    found = compare_experiments({"a": first.folder, "b": other})
    print_outcome(found)
    out = capsys.readouterr().out
    assert "a: plain-crnn − b: plain-crnn (transductive)" in out
    assert "transductive: features are standardised per speaker" in out
