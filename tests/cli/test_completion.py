"""``serprep completion``."""

import pytest


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion(shell):
    from click.testing import CliRunner
    from serprep_cli.main import cli

    result = CliRunner().invoke(cli, ["completion", shell])
    assert result.exit_code == 0 and f"_SERPREP_COMPLETE={shell}_complete" in result.output
