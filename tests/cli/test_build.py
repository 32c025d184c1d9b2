"""``serprep build``."""

import json
import shutil
import subprocess
from pathlib import Path

from helpers.command import SERPREP, installed, one_error


def test_build_says_what_it_did_in_one_json_document(built, project) -> None:
    assert {"version", "store", "n_utterances", "computed", "reused", "quarantined", "reasons"} <= built.keys()
    assert (built["n_utterances"], built["computed"], built["reused"], built["quarantined"]) == (16, 16, 0, 1)
    assert Path(built["store"]).is_absolute()
    assert built["reasons"][0]["id"] == "sad/synth02_t09_1"
    assert built["reasons"][0]["reason"].startswith("not a recording")


def test_a_second_build_reuses_everything(built, project, serprep) -> None:
    again = json.loads(serprep("build", "recipe.toml", "--json", cwd=project).stdout)
    assert (again["computed"], again["reused"], again["quarantined"]) == (0, 16, 1)
    assert again["version"] == built["version"]


def test_failing_on_bad_audio_names_the_recording(built, project, serprep) -> None:
    assert "synth02_t09_1" in one_error(serprep("build", "recipe.toml", "--on-bad-audio", "fail", cwd=project))


def test_two_builds_at_once_both_succeed_and_agree(project, tmp_path) -> None:
    shutil.copytree(project / "corpus", tmp_path / "corpus")
    shutil.copy(project / "recipe.toml", tmp_path)
    command = [SERPREP, "build", "recipe.toml", "--json", "--workers", "1"]
    running = [subprocess.Popen(command, cwd=tmp_path, stdout=subprocess.PIPE, text=True) for _ in range(2)]
    results = [json.loads(process.communicate(timeout=300)[0]) for process in running]
    assert [process.returncode for process in running] == [3, 3]
    assert results[0]["store"] == results[1]["store"]
    assert installed("verify", results[0]["store"], "--against-audio", tmp_path / "corpus").returncode == 0
    versions = [path.name for path in (tmp_path / "stores" / "versions").iterdir()]
    assert len(versions) == 3  # one store, its build.json and its card, nothing half-written
