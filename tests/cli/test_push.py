"""``serprep push`` and ``serprep pull``."""

import json

from serprep.store.verify import verify


def test_a_version_goes_there_and_back(serprep, two_versions, tmp_path):
    data, first, _ = two_versions
    assert serprep("tag", data, first[:12], "paper").returncode == 0
    pushed = serprep("push", f"{data}@paper", tmp_path / "there" / "set", "--json")
    assert json.loads(pushed.stdout)["version"] == first and pushed.stderr == ""
    (tmp_path / "here").mkdir()
    pulled = serprep("pull", f"{tmp_path}/there/set@paper", cwd=(tmp_path / "here"))
    assert pulled.returncode == 0 and f"version      {first}" in pulled.stdout
    assert verify(f"{tmp_path}/here/set@paper").ok
