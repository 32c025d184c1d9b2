import json


def test_log(serprep, two_versions):
    data, first, second = two_versions
    found = serprep("log", data)
    assert (found.returncode, found.stderr) == (0, "")
    header, *lines = found.stdout.splitlines()
    assert header.split()[:4] == ["number", "version", "built", "utterances"]
    assert [line.split()[:2] for line in lines] == [["2", second[:12]], ["1", first[:12]]]
    assert "latest" in lines[0] and lines[0].endswith("1 added, 1 with another label")
    assert lines[1].endswith("the first version")


def test_log_json(serprep, two_versions):
    data, first, second = two_versions
    found = serprep("log", data, "--json")
    versions = json.loads(found.stdout)["versions"]
    assert [entry["version"] for entry in versions] == [second, first]
    assert [entry["n_utterances"] for entry in versions] == [4, 3]
    assert set(versions[0]) == {
        *("number", "version", "store", "built", "n_utterances", "labels", "format", "tags", "latest"),
        *("bytes", "shared_bytes", "changes", "damaged", "note"),
    }


def test_log_names_a_damaged_store(serprep, two_versions):
    data, first, _ = two_versions
    store = data / "versions" / f"{first}.zarr"
    store.chmod(0o755)
    (store / "zarr.json").unlink()
    found = serprep("log", data)
    assert found.returncode == 0 and "DAMAGED" in found.stdout
    assert found.stderr.startswith("damaged: ") and found.stderr.count("\n") == 1


def test_log_of_nothing_is_one_line(serprep, tmp_path):
    found = serprep("log", tmp_path / "no\nwhere", "--json")
    assert (found.returncode, found.stdout) == (1, "")
    assert found.stderr.startswith("Error: ") and found.stderr.count("\n") == 1
    assert "no\\nwhere: no store there; expected the folder of a data set" in found.stderr
