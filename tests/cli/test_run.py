"""``serprep run``."""

import json
import shutil
import subprocess
import sys
from pathlib import Path

from helpers.command import one_error

EMOTIONS = ("angry", "happy", "neutral", "sad")


def test_run_trains_scores_and_writes_a_page(ran) -> None:
    assert ran.returncode == 3
    values = json.loads(ran.stdout)
    assert [row["system"] for row in values["summary"]] == ["plain-crnn", "majority"]
    assert {"system", "fold", "seed", "n_test", "wa", "ua"} <= values["results"][0].keys()
    assert values["summary"][1]["ua"] == 0.25
    assert values["summary"][1]["recall"] in [{name: float(name == said) for name in EMOTIONS} for said in EMOTIONS]
    assert any("2 test speakers" in note for note in values["notes"])
    assert all(f"note: {note}" in ran.stderr for note in values["notes"])
    assert "majority" in Path(values["report"]).read_text(encoding="utf-8")


def test_what_could_not_be_trained_is_found_before_anything_is_computed(project, tmp_path, serprep) -> None:
    shutil.copytree(project / "corpus", tmp_path / "corpus")
    recipe = (project / "recipe.toml").read_text(encoding="utf-8")
    recipe = recipe.replace('"majority"', '"compare-svm"') + "[features.functionals]\nenabled = false\n"
    (tmp_path / "recipe.toml").write_text(recipe, encoding="utf-8")
    assert "compare-svm needs functionals" in one_error(serprep("run", "recipe.toml", cwd=tmp_path))
    assert not (tmp_path / "stores").exists()


def test_training_without_torch_is_one_line(project) -> None:
    code = (
        "import sys\nsys.modules['torch'] = None\n"
        "from serprep_cli.main import main\nsys.argv = ['serprep', 'run', 'recipe.toml']\nmain()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=project)
    assert "training needs torch" in one_error(done)
