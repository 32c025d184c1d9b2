from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


@pytest.fixture(scope="session")
def corpora() -> Path:
    """The folder of real recordings beside the repository; tests that need it skip where it is absent."""
    folder = ROOT.parent / "shared" / "corpora"
    if not folder.is_dir():
        pytest.skip(f"no real recordings: {folder} is absent")
    return folder


@pytest.fixture
def inline():
    """Workers that are this process, so that what is patched here is patched there."""

    class Inline:
        n_workers = 1

        def run(self, function, items):
            return ((number, function(item)) for number, item in enumerate(items))

    return Inline()
