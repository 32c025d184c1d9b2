"""Experiments of two recipes, compared."""

import dataclasses
import hashlib
import json
import shutil
from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from serprep._json import canonical_json
from serprep.errors import TrainError
from serprep.metrics import paired_test
from serprep_models.compare import compare_experiments
from serprep_models.experiment import read_predictions
from serprep_models.experiments import run_experiments
from serprep_models.scores import pairs_json, speaker_counts


@pytest.fixture(scope="module")
def two(small, pool):
    """The plain system at two learning rates, and the baselines beside the first."""
    recipe, store = small
    outcomes = []
    for rate, systems in ((1e-3, ("plain-crnn", "compare-svm", "majority")), (5e-3, ("plain-crnn",))):
        how = dataclasses.replace(recipe.train, learning_rate=rate, epochs=1, systems=systems)
        outcomes.append(run_experiments(dataclasses.replace(recipe, train=how), store, pool=pool))
    return outcomes


def test_scores_are_those_of_each_and_differences_those_of_both(two, small):
    _, store = small
    first, second = two
    found = compare_experiments({"a": first.folder, "b": second.folder})
    own = {f"a: {row.system}": row for row in first.summary} | {f"b: {row.system}": row for row in second.summary}
    assert [row.system for row in found.summary] == [
        "a: compare-svm",
        "a: majority",
        "a: plain-crnn",
        "b: plain-crnn",
    ]
    for row in found.summary:
        assert (row.ua, row.wa, row.ua_interval) == tuple(
            getattr(own[row.system], name) for name in ("ua", "wa", "ua_interval")
        )
    pairs = [(row.first, row.second) for row in found.comparisons]
    assert pairs == [("a: plain-crnn", "b: plain-crnn"), ("a: compare-svm", "b: plain-crnn")]
    counts = []
    for outcome in two:
        files = sorted(outcome.folder.glob("plain-crnn/fold-*/seed-0/predictions.csv"))
        counts.append(speaker_counts(pd.concat(map(read_predictions, files)).assign(seed=0), store.labels))
    expected = paired_test(*counts)
    pair = found.comparisons[0]
    assert (pair.ua, pair.ua_p, pair.ua_interval) == (expected.ua, expected.ua_p, expected.ua_interval)
    assert np.isclose(pair.ua, own["a: plain-crnn"].ua - own["b: plain-crnn"].ua)
    assert "learning_rate 0.001 → 0.005" in found.notes[0]


def change(folder: Path, **values: object) -> None:
    """Write results anew, as if they had been written so."""
    for path in folder.rglob("result.json"):
        result = json.loads(path.read_bytes()) | values
        del result["sha256"]
        digest = hashlib.sha256(canonical_json(result)).hexdigest()
        path.write_text(json.dumps(result | {"sha256": digest}))


def test_what_cannot_be_compared_is_said(two, tmp_path):
    first, second = two
    part = tmp_path / "part"
    shutil.copytree(second.folder, part)
    shutil.rmtree(part / "plain-crnn" / "fold-02")
    found = compare_experiments({"a": first.folder, "part": part})
    assert found.comparisons == []
    assert sum("are not compared: expected the same utterances" in note for note in found.notes) == 2
    with pytest.raises(TrainError, match="no finished experiment"):
        compare_experiments({"a": first.folder, "b": tmp_path})
    with (part / "plain-crnn/fold-01/seed-0/predictions.csv").open("a") as file:
        file.write("\n")
    with pytest.raises(TrainError, match=r"fold-01/seed-0: not as `serprep train` wrote it; train it again"):
        compare_experiments({"a": first.folder, "b": part})


def test_other_speakers_of_the_same_utterances_are_no_pair(two):
    first, second = two
    other = dataclasses.replace(second, predictions=second.predictions.assign(speaker=second.predictions["id"]))
    found = compare_experiments({"a": first, "b": other})
    assert found.comparisons == [] and any("are not compared" in note for note in found.notes)
    unknown = dataclasses.replace(second, predictions=second.predictions.assign(speaker=""))
    three = compare_experiments({"a": first, "b": second, "c": unknown})
    assert {(row.first[0], row.second[0]) for row in three.comparisons} == {("a", "b")}


def test_a_recipe_has_the_systems_and_seeds_it_names(two):
    """Both lie in one folder, as systems and seeds do not decide where."""
    first, _ = two
    svm = [row for row in first.results if row.system == "compare-svm"]
    part = dataclasses.replace(
        first, results=svm, predictions=first.predictions[first.predictions["system"] == "compare-svm"]
    )
    found = compare_experiments({"a": part, "b": first})
    assert [row.system for row in found.summary if row.system.startswith("a")] == ["a: compare-svm"]


def test_a_side_that_is_transductive_is_called_so(two, tmp_path, capsys):
    from serprep_cli.run import print_outcome

    first, second = two
    other = tmp_path / "other"
    shutil.copytree(second.folder, other)
    change(other, transductive=True, standardisation="speaker")
    found = compare_experiments({"a": first.folder, "b": other})
    row = pairs_json(found.comparisons, found.summary, sides=True)[0]
    assert (row["transductive"], row["first_transductive"], row["second_transductive"]) == (True, False, True)
    assert (row["first_standardisation"], row["second_standardisation"]) == ("train", "speaker")
    print_outcome(found)
    out = capsys.readouterr().out
    assert "a: plain-crnn − b: plain-crnn (transductive)" in out
    assert "transductive: features are standardised per speaker" in out


def test_who_lacks_what_is_said(two):
    first, second = two
    notes = compare_experiments({"a": first.folder, "b": second.folder}).notes
    assert "b lacks compare-svm, majority" in notes
    part = dataclasses.replace(second, results=second.results[:1], predictions=second.predictions.query("fold == '1'"))
    assert "b lacks folds 2 of plain-crnn" in compare_experiments({"a": first, "b": part}).notes


def test_versions_that_differ_by_a_label_are_compared_on_what_they_share(two, small):
    """One utterance has another label in the second version, and folds have other names."""
    first, _ = two
    _, store = small
    moved = first.predictions["id"].iloc[0]
    other = first.predictions.assign(fold=lambda frame: "x" + frame["fold"])
    other.loc[other["id"] == moved, "truth"] = next(name for name in store.labels if name != other["truth"].iloc[0])

    class Later:
        version, column = "later", staticmethod(store.column)

    second = dataclasses.replace(first, predictions=other, store=Later())
    found = compare_experiments({"a": first, "b": second})
    (note,) = [note for note in found.notes if "two versions" in note]
    assert note == (
        "a and b are of two versions, and compared on the 31 utterances they share; "
        "1 with another label or speaker are left out"
    )
    same = [row for row in found.comparisons if row.first[3:] == row.second[3:]]
    assert len(same) == 2 and all((pair.ua, pair.ua_p) == (0, 1) for pair in same)
    digests = store.column("audio_digest").copy()
    digests[store.ids.index(moved)] = digests[(store.ids.index(moved) + 1) % 32] = "f" * 64
    Later.column = staticmethod(lambda name: digests if name == "audio_digest" else store.column(name))
    found = compare_experiments({"a": first, "b": second})
    assert any("on the 30 utterances they share; 2 are only in a, 2 only in b" in note for note in found.notes)
