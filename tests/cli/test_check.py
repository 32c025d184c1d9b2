"""``serprep check``."""

import json
import shutil


def test_what_is_missing_changed_and_new_is_named(project, listed, tmp_path, serprep) -> None:
    folder, _ = listed
    same = serprep("check", folder, project / "corpus", "--json")
    assert (same.returncode, json.loads(same.stdout)["same"]) == (0, True)
    copy = tmp_path / "copy"
    shutil.copytree(project / "corpus", copy)
    (copy / "sad" / "synth01_t01_1.wav").unlink()
    (copy / "sad" / "synth01_t02_1.wav").write_bytes(b"other")
    (copy / "sad" / "new.wav").write_bytes(b"new")
    differing = serprep("check", folder, copy, "--json")
    found = json.loads(differing.stdout)
    assert differing.returncode == 1
    assert found["missing"] == ["sad/synth01_t01_1.wav"]
    assert found["changed"] == ["sad/synth01_t02_1.wav"]
    assert found["extra"] == ["sad/new.wav"]
