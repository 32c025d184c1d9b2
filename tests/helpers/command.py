"""The command as it is installed, and what it says when it fails."""

import shutil
import subprocess
import sys
from pathlib import Path

SERPREP = shutil.which("serprep", path=str(Path(sys.executable).parent))


def installed(*words: object, cwd: Path | None = None) -> subprocess.CompletedProcess[str]:
    assert SERPREP is not None, "serprep is not installed beside this Python"
    return subprocess.run([SERPREP, *map(str, words)], capture_output=True, text=True, cwd=cwd, timeout=300)


def one_error(result: subprocess.CompletedProcess[str]) -> str:
    """The error line of a command that failed as it should."""
    assert result.returncode == 1
    assert "Traceback" not in result.stderr
    assert result.stderr.startswith("Error: ")
    assert result.stdout == ""
    return result.stderr
