import gc
import io
import os
import signal
import subprocess
import sys
from contextlib import chdir, redirect_stderr, redirect_stdout
from pathlib import Path
from unittest.mock import patch

import pytest

from helpers.eyes import browser, faults  # noqa: F401 - fixtures
from helpers.inline import Inline
from helpers.shop import shop  # noqa: F401 - a fixture
from helpers.small import dataset, matrix, other, small, svm, trained  # noqa: F401 - fixtures

os.environ["SERPREP_CACHE"] = ""  # each data set has its own, beside its stores; nothing is written into the user's

ROOT = Path(__file__).resolve().parent.parent


@pytest.hookimpl(wrapper=True)
def pytest_collection():
    """Nothing that is collected is thrown away: the collector of garbage looks at none of it, now or later."""
    gc.disable()
    try:
        return (yield)
    finally:
        gc.freeze()
        gc.enable()


@pytest.hookimpl(wrapper=True)
def pytest_collect_file():
    """No examples are looked for in the docstrings of tests, which takes a tenth of collection; helpers have some."""
    collectors = yield
    return [entry for entry in collectors if type(entry) is pytest.Module] or collectors


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """Files that share the fixtures of a folder's conftest.py run in one process, which makes them once."""
    from xdist.scheduler import LoadFileScheduling

    sharing = [f"{path.parent.relative_to(ROOT).as_posix()}/" for path in sorted(ROOT.glob("tests/*/**/conftest.py"))]

    class Scheduling(LoadFileScheduling):
        def _split_scope(self, nodeid):
            path = super()._split_scope(nodeid)
            return next((folder for folder in sharing if path.startswith(folder)), path)

    return Scheduling(config, log) if config.getvalue("dist") == "loadfile" else None


@pytest.fixture(scope="session")
def corpora() -> Path:
    """The folder of real recordings beside the repository; tests that need it skip where it is absent."""
    folder = ROOT.parent / "shared" / "corpora"
    if not folder.is_dir():
        pytest.skip(f"no real recordings: {folder} is absent")
    return folder


@pytest.fixture(scope="session")
def pool():
    """Two workers, started when a task first needs them: one cluster a process of the tests."""
    from serprep.parallel import Workers

    with Workers(2) as shared:
        yield shared


@pytest.fixture
def inline():
    """Workers that are this process, so that what is patched here is patched there."""
    return Inline()


@pytest.fixture(scope="session")
def serprep():
    """Runs ``serprep`` as its entry point does, but in this process; `cli/test_main.py` runs the installed command."""

    def run(*arguments, cwd="."):
        from serprep_cli.main import main

        words = ["serprep", *map(str, arguments)]
        out, err = io.StringIO(), io.StringIO()
        handlers = {number: signal.getsignal(number) for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)}
        try:
            with (
                chdir(cwd),
                patch.object(sys, "argv", words),
                patch("serprep_cli.main._forget_stdout"),  # pytest still reads it
                redirect_stdout(out),
                redirect_stderr(err),
            ):
                main()
        except SystemExit as done:
            return subprocess.CompletedProcess(words, done.code, out.getvalue(), err.getvalue())
        finally:
            for number, handler in handlers.items():
                signal.signal(number, handler)
        raise AssertionError("the command did not end with a status")

    return run
