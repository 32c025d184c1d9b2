import json


def test_tag_and_use_it(serprep, two_versions):
    data, first, second = two_versions
    assert serprep("tag", data, first[:8], "v1").stdout == f"v1 is version {first[:12]}\n"
    assert json.loads(serprep("info", f"{data}@v1", "--json").stdout)["version"] == first
    refused = serprep("tag", data, "latest", "v1")
    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr == (
        f"Error: {data}@v1: the tag names version {first[:12]}; choose another name, or move it with --force\n"
    )
    moved = json.loads(serprep("tag", data, "latest", "v1", "--force", "--json").stdout)
    assert moved == {"tag": "v1", "version": second, "store": f"{data}/versions/{second}.zarr", "before": first}


def test_bad_names_are_one_line(serprep, two_versions):
    data, _, _ = two_versions
    found = serprep("tag", data, "latest", "../../x")
    assert found.returncode == 1 and found.stderr.count("\n") == 1 and "not a possible tag" in found.stderr
    assert not (data / "tags").exists()
