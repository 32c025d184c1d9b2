import json

import pytest


@pytest.fixture
def place(tmp_path):
    (tmp_path / "m.csv").write_text(
        "id,path,speaker,emotion\n" + "".join(f"u{i},u{i}.wav,s{i % 3},{'xy'[i % 2]}\n" for i in range(6))
    )
    (tmp_path / "good.csv").write_text("id,role\nu0,train\nu3,train\nu1,test\nu4,test\n")
    (tmp_path / "bad.csv").write_text("id,role\nu0,train\nu1,train\nu3,test\nu9,test\n")
    return tmp_path


def test_a_good_split(serprep, place):
    found = serprep("audit", place / "m.csv", place / "good.csv")
    assert (found.returncode, found.stderr) == (0, "")
    assert found.stdout.endswith(
        "4 utterances, 1 fold: no leak found; recordings were not compared by sound (--audio ROOT)\n"
    )


def test_a_leak_is_exit_1_until_it_is_allowed(serprep, place):
    found = serprep("audit", place / "m.csv", place / "bad.csv")
    assert found.returncode == 1
    lines = found.stdout.splitlines()
    assert lines[0].split() == ["finding", "severity", "count", "scored", "utterances", "folds", "such", "as"]
    assert lines[1].split() == ["speaker", "leak", "1", "of", "2", "1", "of", "1", "1", "of", "1", "s0"]
    assert "3 utterances, 1 fold: LEAKS (speaker; --allow KIND if it is meant)" in found.stdout
    found = serprep("audit", place / "m.csv", place / "bad.csv", "--allow", "speaker")
    assert found.returncode == 0
    assert found.stdout.splitlines()[1].split()[:2] == ["speaker", "allowed"]


def test_json_is_one_document_also_with_leaks(serprep, place):
    found = serprep("audit", place / "m.csv", place / "bad.csv", "--json")
    assert found.returncode == 1
    values = json.loads(found.stdout)
    assert {"kind", "severity", "fold", "count", "examples"} <= set(values["findings"][0])
    assert [one["examples"] for one in values["findings"] if one["kind"] == "unmatched"] == [["u9"]]


def test_names_of_a_reader(serprep, place):
    (place / "train.txt").write_text("03a01Wa\n")
    found = serprep("audit", "--corpus", "emodb", place / "train.txt")
    assert found.returncode == 0
    assert "note: no manifest: speakers come from the names; 1 utterances are listed" in found.stderr


@pytest.mark.parametrize(
    "arguments", [["m.csv"], ["m.csv", "good.csv", "x"], ["--corpus", "emodb", "m.csv", "good.csv"]]
)
def test_wrong_usage(serprep, place, arguments):
    found = serprep("audit", *arguments)
    assert found.returncode == 2
    assert "Error: expected " in found.stderr


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("id,role\nq,train\n", "none of the split's 1 names is known here:"),
        ("id,role\nu0,train,x\n", "bad.csv:2: 3 cells, the header has 2"),
        ("\0\0", "bad.csv"),
        ("", "bad.csv: no sides found"),
        ("id,fold\nu0,1\n", "bad.csv: no sides found"),
    ],
)
def test_what_a_file_holds_is_no_traceback(serprep, place, text, message):
    (place / "bad.csv").write_text(text)
    found = serprep("audit", place / "m.csv", place / "bad.csv")
    assert found.returncode == 1
    assert found.stderr.startswith("Error: ")
    assert message in found.stderr
    assert "Traceback" not in found.stderr


def test_checks_that_no_column_allows_are_named(serprep, place):
    found = serprep("audit", place / "m.csv", place / "good.csv")
    said = (
        "not compared, since no column tells them: texts (no text or sentence or transcript), dialogues (no dialogue), "
    )
    assert said + "bytes (no audio_digest)" in found.stdout
    text = (
        (place / "m.csv")
        .read_text()
        .replace("emotion\n", "emotion,text\n")
        .replace("x\n", "x,t\n")
        .replace("y\n", "y,t\n")
    )
    (place / "m.csv").write_text(text)
    skipped = json.loads(serprep("audit", place / "m.csv", place / "good.csv", "--json").stdout)["skipped"]
    assert skipped == ["dialogues (no dialogue)", "bytes (no audio_digest)"]
