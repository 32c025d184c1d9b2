"""``serprep doctor``."""

import json

from serprep import doctor
from serprep.doctor import Finding


def test_the_command_prints_what_was_found(monkeypatch):
    from click.testing import CliRunner
    from serprep_cli.main import cli

    monkeypatch.setattr(doctor, "examine", lambda: iter([Finding("numpy", "wrong", "1.0", "pip install numpy")]))
    result = CliRunner().invoke(cli, ["doctor"])
    assert result.exit_code == 1 and "pip install numpy" in result.output and "1 wrong: numpy" in result.output
    result = CliRunner().invoke(cli, ["doctor", "--json"])
    assert json.loads(result.stdout)["findings"][0]["part"] == "numpy"
