import json

import numpy as np
import soundfile

from serprep.ratings import read_ratings
from serprep.testing import write_layout


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


def test_segments_that_end_behind_their_recordings_are_counted(serprep, tmp_path):
    """0.05 s at 16 kHz: one end is 0.4 ms behind, which rounding does, another is the file's."""
    (tmp_path / "own").mkdir()
    soundfile.write(tmp_path / "own" / "a.wav", np.full(800, 0.01), 16_000)
    rows = ["id,path,emotion,start,end", "u1,a.wav,sad,0.0,0.0504", "u2,a.wav,sad,0.01,0.05"]
    (tmp_path / "own" / "rows.csv").write_text("\n".join(rows) + "\n")
    asked = ("manifest", "table", tmp_path / "own", "--file", "rows.csv", "-o", tmp_path / "m")
    found = serprep(*asked)
    line = "1 excerpts end up to 1 ms behind their recordings and were cut there"
    assert found.returncode == 0 and line in " ".join(found.stderr.split()), found.stderr
    assert json.loads(serprep(*asked, "--json").stdout)["warnings"] == [line]


def test_what_raters_said_lies_beside_the_manifest(serprep, tmp_path):
    write_layout("iemocap", tmp_path / "corpus", sound=False)
    done = serprep("manifest", "iemocap", tmp_path / "corpus", "-o", tmp_path / "made", "--json")
    assert done.returncode == 0, done.stderr
    result = json.loads(done.stdout)
    ratings = read_ratings(tmp_path / "made")
    assert result["n_ratings"] == len(ratings) > 500
    assert {rating.id for rating in ratings} <= {
        line.split(",")[0] for line in (tmp_path / "made" / "utterances.csv").read_text(encoding="utf-8").splitlines()
    }
    printed = serprep("manifest", "iemocap", tmp_path / "corpus", "-o", tmp_path / "made").stdout
    assert f"raters.jsonl ({len(ratings)} of single raters)" in printed

    write_layout("emodb", tmp_path / "other", sound=False)
    done = serprep("manifest", "emodb", tmp_path / "other", "-o", tmp_path / "made")
    assert done.returncode == 0 and "raters.jsonl" not in done.stdout
    assert not (tmp_path / "made" / "raters.jsonl").exists()  # it would be another manifest's


def test_it_says_what_the_manifest_holds(listed) -> None:
    _, values = listed
    assert values["n_utterances"] == 17
    assert values["emotions"] == {"angry": 4, "happy": 4, "neutral": 4, "sad": 5}
    assert list(values["unreadable"]) == ["sad/synth02_t09_1.wav"]
