"""``serprep info``: a store, a data set, a folder of data sets; and what else was meant."""

import json
import shutil

import pytest


def test_a_data_set_names_its_versions_and_hours(serprep, two_versions):
    data, first, second = two_versions
    said = serprep("info", data).stdout
    assert f"version      {second}" in said
    assert "utterances   4 of unknown speakers, 2.0 s" in said  # four of half a second
    assert f"versions     2: {', '.join(sorted((first[:12], second[:12])))}; `serprep log {data}` tells more" in said
    assert "versions  " not in serprep("info", f"{data}@{first}").stdout
    about = json.loads(serprep("info", data, "--json").stdout)
    assert about["hours"] == pytest.approx(2 / 3600, abs=1e-6)


def test_a_folder_lists_its_data_sets(serprep, two_versions, tmp_path):
    data, _, second = two_versions
    stores = tmp_path / "stores"
    shutil.copytree(data, stores / "b")
    shutil.copytree(data, stores / "a")
    (stores / "empty" / "versions").mkdir(parents=True)
    root = stores / "a" / "versions" / f"{second}.zarr" / "zarr.json"
    root.parent.chmod(0o700)
    root.unlink()
    found = serprep("info", stores)
    assert found.returncode == 0 and found.stderr.startswith("damaged: ") and found.stderr.count("\n") == 1
    header, *lines = (line.split() for line in found.stdout.splitlines())
    assert header == ["dataset", "versions", "latest", "utterances", "speakers", "labels", "length"]
    assert lines[0][:3] == ["a", "2", "DAMAGED"] and lines[1] == ["b", "2", second[:12], "4", "0", "2", "2.0", "s"]
    rows = json.loads(serprep("info", stores, "--json").stdout)["datasets"]
    assert [row["dataset"] for row in rows] == ["a", "b"]
    assert (rows[1]["latest"], rows[1]["utterances"], rows[1]["labels"]) == (second, 4, ["angry", "sad"])
    assert rows[0]["utterances"] is None and "no store there" in rows[0]["damaged"]


@pytest.mark.parametrize("command", ["log", "gc", "tag", "verify"])
def test_another_kind_of_path_is_answered_with_what_works(serprep, two_versions, tmp_path, command):
    data, first, _ = two_versions
    (tmp_path / "recipe.toml").write_text("")
    store = data / "versions" / f"{first}.zarr"
    more = ["latest", "v1"] if command == "tag" else []
    for place, advice in (
        (tmp_path, f"`serprep info {tmp_path}` lists the data sets in it, such as {tmp_path}/data"),
        (data / "versions", f"its data set is {data}"),
        (tmp_path / "recipe.toml", f"is a recipe, and `serprep {command}` takes"),
        (tmp_path / "nothing", "`serprep build` makes one"),
        *([(store, f"is a store, and `serprep {command}` takes a data set")] if command != "verify" else []),
    ):
        found = serprep(command, place, *more)
        assert found.returncode == 1 and found.stdout == "" and found.stderr.count("\n") == 1
        assert advice in found.stderr


def test_info_describes_the_store(built, project, serprep) -> None:
    about = json.loads(serprep("info", "stores@latest", "--json", cwd=project).stdout)
    assert about["version"] == built["version"]
    assert about["n_utterances"] == 16
    assert about["arrays"]["functionals/compare_2016"] == {"shape": [16, 6373], "dtype": "float32"}
    assert about["arrays"]["utterances/id"]["dtype"] == "string"
    assert "synthetic" not in about["features"]
    text = serprep("info", f"stores@{built['version'][:8]}", cwd=project).stdout
    assert "angry 4, happy 4, neutral 4, sad 4" in text
