"""``serprep experiments``."""

import json


def test_the_command_lists_them(dataset, serprep) -> None:
    told = serprep("experiments", dataset)
    assert told.returncode == 0 and "aaaa1111b (latest), " in told.stdout
    assert "split    group-k-fold by speaker, 2 folds" in told.stdout
    found = json.loads(serprep("experiments", dataset, "--json").stdout)["experiments"]
    assert [one["name"] for one in found] == ["aaaa1111b", "aaaa1111c"]
    (dataset / "recipe.toml").write_text('[dataset]\npath = "."\n[corpus]\nreader = "table"\nroot = "."\n')
    assert serprep("experiments", dataset / "recipe.toml").stdout == told.stdout
    none = serprep("experiments", dataset / "experiments" / ".cache")
    assert (none.returncode, none.stderr.count("\n")) == (1, 1)
