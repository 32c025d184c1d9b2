"""``serprep features``: a table on standard output or in a file, and what it says about recordings left out."""

import json

import numpy as np
import pytest
import soundfile


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "speech").mkdir()
    for number in range(2):
        soundfile.write(
            tmp_path / "speech" / f"{number}.wav", 0.1 * np.random.default_rng(number).normal(size=1600), 16_000
        )
    return tmp_path


def test_a_table_goes_to_standard_output_or_whole_into_a_file(folder, serprep):
    shown = serprep("features", "speech", "--set", "logmel", cwd=folder)
    assert (shown.returncode, shown.stderr) == (0, "")
    written = serprep("features", "speech", "--set", "logmel", "-o", "x.csv", cwd=folder)
    assert (written.returncode, written.stdout) == (0, "")
    assert "written: 2 of 2 recordings, 16 rows, in x.csv" in written.stderr
    assert (folder / "x.csv").read_text() == shown.stdout
    assert shown.stdout.splitlines()[1].startswith("speech/0.wav,0,")


def test_a_recording_left_out_is_named_and_the_status_is_3(folder, serprep):
    (folder / "speech" / "\x1b[2J.wav").write_bytes(b"no sound at all")
    (folder / "speech" / "tape.m4a").touch()
    done = serprep(
        "features", "speech", "--set", "compare_2016", "--level", "lld", "--json", "-o", "x.arff", cwd=folder
    )
    assert done.returncode == 3
    found = json.loads(done.stdout)
    assert (found["n_recordings"], found["n_used"], found["n_rows"], len(found["columns"])) == (3, 2, 12, 130)
    assert list(found["reasons"]) == ["speech/\x1b[2J.wav"]
    assert "passed over: 1 .m4a" in done.stderr
    shown = serprep("features", "speech", "--set", "logmel", cwd=folder)
    assert "left out: speech/\\x1b[2J.wav: not a recording" in shown.stderr
    assert "\x1b" not in shown.stdout + shown.stderr


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--set", "egemap"), "no feature set 'egemap'; did you mean 'egemaps'? expected one of"),
        (("--set", "logmel", "--level", "functionals"), "the feature set 'logmel' has no level 'functionals'"),
        (("--set", "imported"), "'imported' is not computed from recordings"),
        (("-o", "x.xlsx"), "a table's suffix is '.xlsx'"),
        (("--json",), "name the table with --output"),
    ],
)
def test_what_cannot_be_is_said_in_one_line(folder, serprep, words, message):
    failed = serprep("features", "speech", *words, cwd=folder)
    assert (failed.returncode, failed.stdout, failed.stderr.count("\n")) == (1, "", 1)
    assert message in failed.stderr
