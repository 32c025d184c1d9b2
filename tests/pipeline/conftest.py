import shutil
import time

import pytest

from serprep.testing import write_synthetic_corpus


@pytest.fixture(scope="session")
def corpus(tmp_path_factory):
    """Twelve synthetic recordings, two emotions, three speakers."""
    root = tmp_path_factory.mktemp("corpus")
    write_synthetic_corpus(root, n_speakers=3, emotions=["sad", "angry"], n_texts=2)
    return root


@pytest.fixture
def own(corpus, tmp_path):
    """A copy of the corpus to change."""
    return shutil.copytree(corpus, tmp_path / "own")


@pytest.fixture
def later(monkeypatch):
    """Ten seconds have passed since files were written: the memo trusts them."""
    now = time.time
    monkeypatch.setattr("serprep.cache.memo.time.time", lambda: now() + 10)
