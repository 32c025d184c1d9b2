import json


def test_gc_is_a_dry_run_until_told(serprep, two_versions):
    data, first, second = two_versions
    old, new = (f"versions/{version}.zarr" for version in (first, second))
    found = serprep("gc", data)
    assert (found.returncode, found.stderr) == (0, "")
    assert found.stdout.splitlines()[:2] == [f"keep       {new}: latest", f"would go   {old}"]
    assert found.stdout.endswith("nothing is removed yet: add --yes\n")
    assert (data / old).exists()
    told = json.loads(serprep("gc", data, "--yes", "--json").stdout)
    assert (told["removed"], told["stores"], told["kept"]) == (True, [old], {new: "latest"})
    assert told["parts"] == told["temporary"] == told["notes"] == [] and told["damaged"] == {} and told["bytes"] > 0
    assert sorted(path.name for path in (data / "versions").iterdir()) == [
        f"{second}.{suffix}" for suffix in ("build.json", "card.html", "zarr")
    ]


def test_gc_keeps_what_is_tagged(serprep, two_versions):
    data, first, _ = two_versions
    serprep("tag", data, first, "v1")
    assert json.loads(serprep("gc", data, "--yes", "--json").stdout)["stores"] == []
    assert (data / "versions" / f"{first}.zarr").exists()


def test_a_damaged_tag_is_one_line(serprep, two_versions):
    data, _, _ = two_versions
    (data / "tags").mkdir()
    (data / "tags" / "v1").write_text("half")
    found = serprep("gc", data, "--yes")
    assert (found.returncode, found.stdout) == (1, "")
    assert found.stderr == f"Error: {data}@v1: the tag is damaged; set it anew or remove {data}/tags/v1\n"
