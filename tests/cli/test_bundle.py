"""``serprep bundle``."""

import json

ABOUT = {"version": "3fa9c1d27be04455", "seal": "aa", "split": "bb", "runs": [{"system": "svm"}], "platform": "Linux"}


def test_it_says_what_is_in_the_bundle(serprep, monkeypatch, tmp_path):
    monkeypatch.setattr("serprep_models.bundle.bundle", lambda recipe, destination: ABOUT)
    words = ("bundle", "recipe.toml", "-o", tmp_path / "results.zip")
    assert serprep(*words).stdout == f"written: 1 experiments of version 3fa9c1d27be0, in {tmp_path}/results.zip\n"
    about = json.loads(serprep(*words, "--json").stdout)
    assert about == {"bundle": str(tmp_path / "results.zip")} | {k: v for k, v in ABOUT.items() if k != "platform"}
    assert serprep("bundle", "recipe.toml").returncode == 2
