"""The tutorial, command by command in an empty folder, on recordings that nobody made."""

import re
import shlex
from functools import partial
from pathlib import Path

import pytest

from helpers.inline import Inline

PAGE = (Path(__file__).resolve().parent.parent / "docs" / "tutorial.md").read_text(encoding="utf-8")


def commands(section: str) -> list[list[str]]:
    """What a section says to type, without ``serprep``."""
    return [shlex.split(line)[1:] for line in re.findall(r"^\$ (serprep .*)$", section, re.MULTILINE)]


@pytest.fixture
def here(tmp_path, monkeypatch):
    """An empty folder; workers are this process."""
    import serprep.pipeline.build
    import serprep_models.run

    monkeypatch.chdir(tmp_path)
    for function in (serprep.pipeline.build.build, serprep_models.run.run_recipe):
        monkeypatch.setattr(f"{function.__module__}.{function.__name__}", partial(function, pool=Inline()))
    return tmp_path


@pytest.mark.slow
def test_the_tutorial_walks_from_recordings_to_predictions(here, serprep):
    (writes,) = re.findall(r'`python -c "(from serprep.testing .*?)"`', PAGE)
    exec(writes)  # noqa: S102 - our own page
    _, install, look, build, who, train, use, _ = re.split(r"^## ", PAGE, flags=re.MULTILINE)
    assert commands(install) == []
    said = {}
    for section in (look, build, who, train, use):
        if section is train:
            (table,) = re.findall(r"```toml\n(.*?)```", section, re.DOTALL)
            recipe = here / "recipe.toml"
            text = recipe.read_text(encoding="utf-8")
            lines = [line for line in text.splitlines() if not line.startswith("# [train]")]
            assert len(lines) < len(text.splitlines())
            recipe.write_text("\n".join([*lines, table]), encoding="utf-8")
        for words in commands(section):
            done = serprep(*words, cwd=here)
            assert done.returncode == 0, done.stderr
            said[words[0]] = done.stdout
    assert list(said) == ["init", "build", "info", "log", "split", "audit", "run", "experiments", "predict"]
    assert "store " in said["build"] and "card " in said["build"]
    (page,) = re.findall(r"^page +(.*)$", said["run"], re.MULTILINE)
    assert (here / page).is_file() and "compare-svm" in said["run"] and "majority" in said["run"]
    assert len(said["predict"].splitlines()) == 1 + len(list(here.glob("recordings/*/*.wav")))
