import json


def test_diff(serprep, two_versions):
    data, first, second = two_versions
    found = serprep("diff", f"{data}@{first}", data)
    assert (found.returncode, found.stderr) == (0, "")
    assert [line.split("  ", 1)[0] for line in found.stdout.splitlines()] == ["added", "other label"]
    assert [line.split("  ")[-1].strip() for line in found.stdout.splitlines()] == ["1: u3", "1: u1 (sad → angry)"]
    assert serprep("diff", data, f"{data}@{second}").stdout == "no difference\n"


def test_diff_json(serprep, two_versions):
    data, first, _ = two_versions
    assert json.loads(serprep("diff", data, f"{data}@{first[:8]}", "--json").stdout) == {
        "added": [],
        "removed": ["u3"],
        "audio_changed": [],
        "label_changed": ["u1"],
        "speaker_changed": [],
        "other_changed": {},
        "configuration_changed": {},
        "renamed": [],
        "label_changes": [{"id": "u1", "from": "angry", "to": "sad"}],
        "speaker_changes": [],
    }


def test_a_missing_store_is_one_line(serprep, two_versions):
    data, _, _ = two_versions
    found = serprep("diff", data, f"{data}@v9")
    assert (found.returncode, found.stdout) == (1, "")
    assert found.stderr == f"Error: {data}@v9: no such tag; `serprep log {data}` lists versions and tags\n"
