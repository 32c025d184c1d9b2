import json

import numpy as np
import soundfile


def write(root, names):
    (root / "wav").mkdir(parents=True)
    for number, name in enumerate(names):
        soundfile.write(root / "wav" / name, np.full(800, 0.01 * number), 16_000)


def test_a_copy_of_other_recordings_is_named_as_such(serprep, tmp_path):
    write(tmp_path / "emodb", ["03a01Fa.wav", "08a01Na.wav"])
    found = serprep("manifest", "emodb", tmp_path / "emodb", "-o", tmp_path / "m")
    assert found.returncode == 0
    sentence = "2 of 2 files differ: not the published recordings of EmoDB; 533 of 535 published files are not here"
    assert found.stdout.endswith(f"\nrelease      {sentence}\n")

    found = serprep("check", tmp_path / "m", tmp_path / "emodb")
    assert (found.returncode, found.stdout) == (
        0,
        f"2 files in the manifest: 0 missing, 0 changed, 0 extra\n{sentence}\n",
    )
    (tmp_path / "emodb" / "wav" / "08a01Na.wav").unlink()
    found = serprep("check", tmp_path / "m", tmp_path / "emodb", "--no-samples", "--json")
    release = json.loads(found.stdout)["release"]
    assert found.returncode == 1
    assert (release["n_files"], release["different"], release["decoded"]) == (1, ["wav/03a01Fa.wav"], False)
    assert (release["n_published"], release["n_missing"], release["same"], release["same_samples"]) == (535, 534, 0, 0)


def test_nothing_is_said_of_corpora_without_published_digests(serprep, tmp_path):
    write(tmp_path / "own", ["happy_1.wav"])
    pattern = ("--pattern", "wav/{emotion}_{speaker}.wav")
    found = serprep("manifest", "pattern", tmp_path / "own", "-o", tmp_path / "m", *pattern)
    assert found.returncode == 0
    assert "release" not in found.stdout
    found = serprep("manifest", "pattern", tmp_path / "own", "-o", tmp_path / "m", *pattern, "--json")
    assert json.loads(found.stdout)["release"] is None
