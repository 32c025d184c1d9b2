"""Which test file belongs to a file; run as a program, names those of all that changed since the last commit."""

import subprocess
from pathlib import Path

MIRROR = {"serprep": "tests", "serprep_models": "tests/models", "cli": "tests/cli"}


def mirror_of(path: str | Path) -> Path:
    """``serprep/_json.py`` → ``tests/test_json.py``; a test file is its own.

    Examples
    --------
    >>> print(mirror_of("serprep/features/logmel.py"), mirror_of("cli/gc.py"), mirror_of("tests/test_json.py"))
    tests/features/test_logmel.py tests/cli/test_gc.py tests/test_json.py
    """
    package, *folders, name = Path(path).parts
    return Path(path) if name.startswith("test_") else Path(MIRROR[package], *folders, f"test_{name.lstrip('_')}")


def changed() -> list[str]:
    """Test files of what changed, and the tests that look at every file."""
    tracked = ["git", "diff", "--name-only", "--diff-filter=d", "HEAD"]
    untracked = ["git", "ls-files", "--others", "--exclude-standard"]
    lines = [line for command in (tracked, untracked) for line in subprocess.check_output(command, text=True).split()]
    modules = [line for line in lines if line.endswith(".py") and line.split("/")[0] in {*MIRROR, "tests"}]
    files = {mirror_of(line) for line in modules if line.split("/")[0] in MIRROR or "/test_" in line}
    return sorted(str(path) for path in {Path("tests/test_architecture.py"), *files} if path.is_file())


if __name__ == "__main__":
    print(*changed())
