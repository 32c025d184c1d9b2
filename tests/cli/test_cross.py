"""``serprep cross``."""

import json


def test_the_command_prints_the_matrix(matrix, monkeypatch, serprep):
    monkeypatch.setattr("serprep_models.cross.cross", lambda *_, **__: matrix)
    monkeypatch.setattr("serprep.recipe.read_recipe", lambda path: path)
    told = serprep("cross", "a.toml", "b.toml")
    assert told.returncode == 0, told.stderr
    assert "compare-svm: trained on" in told.stdout and "UA % on other" in told.stdout
    assert "bored    dropped" in told.stdout
    found = json.loads(serprep("cross", "a.toml", "b.toml", "--json").stdout)
    assert [cell["within"] for cell in found["cells"]] == [True, True, False, False]
    assert serprep("cross", "a.toml").returncode == 2
