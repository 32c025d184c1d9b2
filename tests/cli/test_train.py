"""``serprep train``."""

import json


def test_train_takes_one_system_fold_and_seed(built, project, serprep) -> None:
    words = ("train", "recipe.toml", "--system", "majority", "--fold", "2", "--seed", "0", "--json")
    values = json.loads(serprep(*words, cwd=project).stdout)
    assert [(row["system"], row["fold"], row["seed"]) for row in values["results"]] == [("majority", "2", 0)]
