"""``serprep reproduce``."""

import json

from serprep_models.reproduce import Reproduction, Step


def test_the_first_difference_is_named_and_other_scores_are_a_failure(serprep, monkeypatch, tmp_path):
    steps = [Step("libraries", "other", "torch 1 there, 2 here"), Step("predictions", "within the spread")]
    asked = {}

    def reproduce(path, **options):
        asked.update(options, path=path)
        return Reproduction(tuple(steps), str(options["folder"]))

    monkeypatch.setattr("serprep_models.reproduce.reproduce", reproduce)
    words = ("reproduce", tmp_path / "results.zip", "--root", "recordings", "--system", "svm")
    done = serprep(*words)
    assert done.returncode == 0 and "first difference: libraries: torch 1 there, 2 here" in done.stdout
    assert (asked["folder"], asked["root"], asked["systems"]) == (
        tmp_path / "results-reproduced",
        "recordings",
        ("svm",),
    )
    steps[1] = Step("predictions", "other", "other bits")
    done = serprep(*words, "--json")
    about = json.loads(done.stdout)
    assert (done.returncode, about["ok"], about["first_difference"]) == (1, False, "libraries: torch 1 there, 2 here")
    assert [step["result"] for step in about["steps"]] == ["other", "other"]
