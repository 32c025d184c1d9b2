"""``serprep score``."""

import json


def test_the_command_says_all_of_it(svm, other, serprep):
    _, store, copied = other
    told = serprep("score", svm[0], store.path, "--map", "joy=happy")
    assert told.returncode == 0, told.stderr
    assert "warning: 1 of 8 scored utterances sound like recordings of training" in told.stderr
    assert "bored    dropped" in told.stdout and "joy      happy" in told.stdout
    assert "compare-svm" in told.stdout and "truth" in told.stdout
    found = json.loads(serprep("score", svm[0], store.path, "--map", "joy=happy", "--json").stdout)
    assert found["labels"] == ["angry", "happy", "sad"] and found["n_dropped"] == 2
    assert found["seen"]["recordings"][0][1] == copied[0]
    assert {row["label"]: row["scored_as"] for row in found["mapping"]}["joy"] == "happy"
    assert serprep("score", svm[0], store.path, "--map", "joy").returncode == 2
    wrong = serprep("score", svm[0], store.path, "--map", "jy=happy")
    assert (wrong.returncode, wrong.stderr.strip()) == (1, "Error: no label 'jy' to map; did you mean 'joy'?")
