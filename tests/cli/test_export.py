"""``serprep export``."""

import json


def test_the_command_says_what_it_wrote(serprep, shop, tmp_path):
    done = serprep("export", shop.store.path, "--to", "npz", tmp_path / "out", "--split", shop.paths[3], "--json")
    assert (done.returncode, done.stderr) == (0, "")
    written = json.loads(done.stdout)
    assert written["version"] == shop.store.version and written["n_utterances"] == 6 and written["n_files"] == 3
    assert "Error: unknown form 'nzp'" in serprep("export", shop.store.path, tmp_path / "o2", "--to", "nzp").stderr
