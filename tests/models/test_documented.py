"""Python of the pages that begins with a store or a recording, run with ones that exist."""

import re
from pathlib import Path

import numpy as np
import pytest
import soundfile

ROOT = Path(__file__).resolve().parents[2]


def python_of(page):
    """Blocks of Python on a page, in order."""
    return re.findall(r"^```python\n(.*?)^```$", (ROOT / page).read_text("utf-8"), re.MULTILINE | re.DOTALL)


@pytest.fixture
def here(small, tmp_path, monkeypatch):
    """A folder in which the names of the pages stand for a small store and its first recording."""
    recipe, store = small
    (tmp_path / "stores").mkdir()
    (tmp_path / "stores/ravdess").symlink_to(Path(store.path).parents[1])
    samples, rate = soundfile.read(recipe.root / store.column("path")[0])
    soundfile.write(tmp_path / "speech.wav", samples, rate)
    monkeypatch.chdir(tmp_path)
    return store


def test_python_of_the_readme_reads_a_store(here) -> None:
    (block,) = python_of("README.md")
    lines = [line for line in block.splitlines() if "where the recipe enables" not in line]
    names: dict[str, object] = {}
    exec("\n".join(lines), names)  # noqa: S102 - our own page
    assert isinstance(segments := names["segments"], np.ndarray) and segments.shape[1:] == (50, 40)
    assert names["offsets"][-1] == len(segments)


def test_contours_of_a_recording_are_as_documented(here) -> None:
    names: dict[str, object] = {}
    exec(python_of("docs/compare_2016.md")[0], names)  # noqa: S102 - our own page
    assert names["contours"].shape[1:] == (130,) and len(names["names"]) == 130
    exec(python_of("docs/egemaps.md")[0], names)  # noqa: S102 - our own page
    assert len(names["values"]) == 88
    assert len({len(contour) for contour in names["contours"].values()}) == 1


def test_a_training_of_ones_own_has_batches(here) -> None:
    (block,) = [block for block in python_of("docs/training.md") if "Loader(data)" in block]
    assert block.count("folds=6") == 1
    names: dict[str, object] = {}
    exec(block.replace("folds=6", "folds=2"), names)  # noqa: S102 - our own page
    assert names["batch"].inputs["functionals"].shape[1:] == (6373,)
    assert sum(len(batch.labels) for batch in names["loader"]) == len(names["rows"]) > 0
