"""``serprep compare``."""

import json
from types import SimpleNamespace


def test_folders_are_compared_pair_by_pair(dataset, serprep):
    places = [dataset / "experiments" / name for name in ("aaaa1111b", "aaaa1111c")]
    done = serprep("compare", *places, "--json")
    assert done.returncode == 0, done.stderr
    about = json.loads(done.stdout)
    assert {row["system"].split(": ")[0] for row in about["summary"]} == {"aaaa1111bbbb2222", "aaaa1111cccc3333"}
    assert all(row["first_standardisation"] == row["second_standardisation"] == "train" for row in about["comparisons"])
    told = serprep("compare", *places)
    assert told.returncode == 0 and "UA over folds and seeds" in told.stdout


def test_a_single_recipe_is_told_what_to_compare_it_with(dataset, small, monkeypatch, serprep):
    recipe, _ = small
    first, second = (dataset / "experiments" / name for name in ("aaaa1111bbbb2222", "aaaa1111cccc3333"))
    monkeypatch.setattr(
        "serprep_models.finished.finished_of", lambda place: (recipe, None, SimpleNamespace(folder=second))
    )
    monkeypatch.setattr("serprep.recipe.read_recipe", lambda place: recipe)
    monkeypatch.setattr("serprep_models.catalogue._by_age", lambda root: [second, first])
    found = serprep("compare", "mine.toml")
    assert found.returncode == 2
    said = f"another one of the data set is there: serprep compare mine.toml {first.parent}/aaaa1111b"
    assert found.stderr.rstrip().endswith(said)
    monkeypatch.setattr("serprep_models.catalogue._by_age", lambda root: [second])
    assert serprep("compare", "mine.toml").stderr.rstrip().endswith("or more")
